import analysis_scenes as scenes
import polars as pl
import pytest

from pirtimeline.analysis import Facts, analyse
from pirtimeline.analysis.chains import chains
from pirtimeline.analysis.hypotheses import CLOSE, claimed
from pirtimeline.timeline import timeline


@pytest.fixture(scope="module")
def told() -> dict[str, Facts]:
    made = {"leak": scenes.leak, "locked": scenes.locked, "lost": scenes.lost, "faulty": scenes.faulty}
    return {name: analyse(scene().inputs(), incident="INC-2024-00001") for name, scene in made.items()}


@pytest.mark.parametrize(
    ("scene", "chain", "words"),
    [
        ("leak", "C01", ["heap", "1.1.0", "shop"]),
        ("locked", "C05", ["migration 0042", "pool"]),
        ("lost", "C06", ["database"]),
        ("faulty", "C10E", ["5.0.0", "shop"]),
    ],
)
def test_best_hypothesis_names_what_was_done_to_the_service(
    told: dict[str, Facts], scene: str, chain: str, words: list[str]
) -> None:
    best = told[scene].hypotheses[0]
    assert best.chain == chain
    assert all(word in best.title.lower() for word in words)


@pytest.mark.parametrize(
    ("scene", "other"), [("leak", "mailer"), ("locked", "search"), ("lost", "docs"), ("faulty", "billing")]
)
def test_deployment_of_another_service_is_not_blamed(told: dict[str, Facts], scene: str, other: str) -> None:
    assert other not in told[scene].hypotheses[0].root.title
    trigger = told[scene].moments.get("trigger")
    assert trigger is None or other not in trigger.reason


def test_score_is_the_sum_of_its_printed_points(told: dict[str, Facts]) -> None:
    for facts in told.values():
        for one in facts.candidates:
            assert one.score == pytest.approx(sum(one.points.values()), abs=0.11)


def test_heap_that_rises_since_the_change_is_a_step(told: dict[str, Facts]) -> None:
    steps = {step.signature_id for step in told["leak"].hypotheses[0].steps}
    assert {"gc.leak_trend", "jvm.oom.heap", "http.5xx_burst", "http.recovered"} <= steps


def test_restart_during_the_impact_is_a_response_and_no_cause(told: dict[str, Facts]) -> None:
    stopping = told["leak"].points.filter(pl.col("message").str.contains("Stopping Shop"))
    assert stopping["role"].to_list() == ["response"]
    assert "Stopping" not in told["leak"].hypotheses[0].root.title


def test_missing_step_says_where_it_was_looked_for(told: dict[str, Facts]) -> None:
    missing = told["lost"].hypotheses[0].missing
    assert missing
    assert all(one["looked_for"] and "app1" in one["where"] for one in missing)


def test_quiet_logs_give_no_hypothesis_and_say_so() -> None:
    scene = scenes.Scene()
    scene.traffic(1200, rate=1.0, fails=lambda _: False)
    scene.ops(600, "deploy started: shop 1.0.0 -> 1.1.0 on app1")
    facts = analyse(scene.inputs())
    assert facts.hypotheses == ()
    assert "impact_start" not in facts.moments
    assert any("not determined from the supplied logs" in one["text"] for one in facts.not_in_evidence)


def test_failures_without_any_cause_in_the_logs_are_not_explained() -> None:
    scene = scenes.Scene()
    scene.traffic(3600, rate=1.0, fails=lambda t: 1800 <= t < 2100)
    facts = analyse(scene.inputs())
    assert facts.moments["impact_start"].timestamp >= scenes.at(1800)
    assert facts.hypotheses == ()


def test_two_explanations_too_close_to_tell_apart_are_not_claimed(told: dict[str, Facts]) -> None:
    from dataclasses import replace

    one = told["leak"].hypotheses[0]
    other = replace(told["lost"].hypotheses[0], score=one.score - CLOSE / 2)
    assert claimed([one, other])[0] == []
    assert claimed([one, replace(other, score=one.score - CLOSE)])[0][0] is one


def test_every_chain_has_a_core_and_says_what_would_refute_it() -> None:
    for chain in chains():
        assert chain.core.any
        assert chain.refuted


def test_same_evidence_in_another_order_gives_the_same_report() -> None:
    events, sources = scenes.leak().table()
    one = analyse(scenes.inputs(events, sources)).to_json()
    two = analyse(scenes.inputs(events.sample(fraction=1, shuffle=True, seed=7), sources[::-1])).to_json()
    one.pop("sources"), two.pop("sources")
    assert one == two


def test_release_of_the_service_is_not_blamed_for_the_loss_of_its_database() -> None:
    scene = scenes.lost()
    scene.ops(900, "deploy started: shop 1.0.0 -> 1.1.0 on app1")
    best = analyse(scene.inputs()).hypotheses[0]
    assert best.chain == "C06"
    assert "1.1.0" not in best.title


def test_migration_just_before_outweighs_an_earlier_release_of_the_service() -> None:
    scene = scenes.locked()
    scene.rows["ops1/syslog"] = [r for r in scene.rows["ops1/syslog"] if "cancelled" not in r["message"]]
    scene.ops(300, "deploy started: shop 1.0.0 -> 1.1.0 on app1")
    assert "migration 0042" in analyse(scene.inputs()).hypotheses[0].title


def test_end_of_a_release_that_fails_at_once_is_still_the_change() -> None:
    scene = scenes.faulty()
    scene.rows["ops1/syslog"] = [r for r in scene.rows["ops1/syslog"] if "deploy finished" not in r["message"]]
    scene.ops(1850, "deploy finished: shop 5.0.0 on app1")
    points = analyse(scene.inputs()).points
    ends = points.filter(pl.col("message") == "deploy finished: shop 5.0.0 on app1")
    assert ends["role"].unique().to_list() == ["change"]


@pytest.mark.parametrize(("seconds", "is_change"), [(600, False), (1700, True)])
def test_process_that_came_up_is_a_change_only_shortly_before(seconds: float, *, is_change: bool) -> None:
    scene, begin, end = scenes.Scene(), 1830.0, 2200.0
    scene.traffic(4000, rate=1.0, fails=lambda t: begin <= t < end)
    text = "database system is ready to accept connections"
    scene.line("db1/postgresql.log", "db1", seconds, text, parser="postgresql")
    trace = "java.security.cert.CertificateExpiredException: NotAfter: Mon Mar 04 01:30:00 UTC 2024"
    for n in range(50):
        thrown = {"exception_type": trace.split(":", maxsplit=1)[0], "exception_message": trace, "stack_trace": trace}
        scene.line("app1/app.log", "app1", begin + n * 7, "payment failed", severity="ERROR", **thrown)
    scenes.responses(scene, begin, end)
    facts = analyse(scene.inputs())
    assert facts.hypotheses[0].chain == "C08"
    assert any(text in one.title for one in facts.candidates) == is_change


@pytest.mark.parametrize(("host", "is_change"), [("web1", False), ("db1", True)])
def test_what_was_done_to_another_host_fills_no_disk_here(host: str, *, is_change: bool) -> None:
    scene, begin, end = scenes.Scene(), 1830.0, 2200.0
    scene.traffic(4000, rate=1.0, fails=lambda t: begin <= t < end)
    command = "alice : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/apt-get install tzdata"
    scene.ops(1700, command, host=host, process="sudo")
    text = 'could not extend file "base/16384": No space left on device'
    for n in range(20):
        scene.line("db1/postgresql.log", "db1", begin + n * 15, text, parser="postgresql", severity="ERROR")
    scenes.responses(scene, begin, end)
    facts = analyse(scene.inputs())
    (found,) = [one for one in facts.candidates if one.chain == "C09"]
    assert ("tzdata" in found.title) == is_change


def test_service_stopped_by_hand_is_no_faulty_release_whoever_stopped_it() -> None:
    scene, begin, end = scenes.Scene(), 1830.0, 2200.0
    scene.traffic(4000, rate=1.0, fails=lambda t: begin <= t < end, app_answers=False)
    command = "deploybot : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/systemctl stop shop"
    scene.ops(1829, command, host="app1", process="sudo")
    text = 'connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://192.0.2.2:8080/"'
    for n in range(50):
        scene.line("web1/error.log", "web1", begin + n * 7, text, parser="nginx_error", severity="ERROR")
    scenes.responses(scene, begin, end)
    facts = analyse(scene.inputs())
    assert facts.hypotheses[0].chain == "C22"
    assert "systemctl stop shop" in facts.hypotheses[0].title
    assert all(one.chain != "C10E" or "stop" not in one.title for one in facts.candidates)


def test_surge_of_traffic_begins_with_its_first_full_bin_and_comes_before_full_queues() -> None:
    scene, begin, end = scenes.Scene(), 1800.0, 2300.0
    scene.traffic(4000, rate=1.0, fails=lambda t: begin + 60 <= t < end)
    for n in range(6000):
        scene.line(
            "web1/access.log",
            "web1",
            begin + n / 12,
            None,
            http_status_code=200,
            http_method="GET",
            url_path="/shop/sale",
            client_ip=f"198.51.100.{n % 200}",
            parser="proxy",
            duration_ms=900.0,
        )
    for n in range(80):
        text = "java.util.concurrent.RejectedExecutionException: Queue capacity is full"
        scene.line("app1/app.log", "app1", begin + 60 + n * 5, text, severity="WARN")
    scenes.responses(scene, begin + 60, end)
    facts = analyse(scene.inputs())
    (surge,) = facts.findings.filter(pl.col("signature_id") == "http.traffic_surge").to_dicts()
    assert abs((surge["first_timestamp"] - scenes.at(begin)).total_seconds()) < 25
    assert facts.hypotheses[0].chain == "C17"
    rows = timeline(facts, scene.inputs())
    assert rows.filter(pl.col("title").str.starts_with("Traffic surged"))["role"].to_list() == ["change"]


def test_release_of_another_service_during_the_impact_is_no_response() -> None:
    scene = scenes.faulty()
    scene.ops(2000, "deploy started: mailer 2.0 on mail1")
    points = analyse(scene.inputs()).points
    assert points.filter(pl.col("message").str.contains("mailer"))["role"].unique().to_list() == ["change"]


def test_statement_that_is_logged_at_its_end_began_before_the_impact() -> None:
    scene = scenes.locked()
    text = "duration: 500000.0 ms  statement: ALTER TABLE shop ADD COLUMN note text"
    scene.line("db1/postgresql.log", "db1", 2300, text, parser="postgresql")
    points = analyse(scene.inputs()).points.filter(pl.col("message") == text)
    assert points["role"].unique().to_list() in ([], ["change"])


def test_command_is_told_without_the_person_who_gave_it() -> None:
    scene = scenes.faulty()
    scene.ops(
        2100,
        "alice : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/systemctl restart shop",
        host="app1",
        process="sudo",
    )
    inputs = scene.inputs()
    titles = timeline(analyse(inputs), inputs)["title"].to_list()
    assert "Command as root: /bin/systemctl restart shop" in titles
    assert not any("alice" in title for title in titles)

import json

import analysis_scenes as scenes
import polars as pl
import pytest

from pirtimeline.analysis import Facts, analyse
from pirtimeline.timeline import timeline


@pytest.fixture(scope="module")
def leak() -> Facts:
    return analyse(scenes.leak().inputs(), incident="INC-2024-00001")


def seconds(facts: Facts, name: str) -> float:
    return (facts.moments[name].timestamp - scenes.START).total_seconds()


def test_impact_starts_with_the_first_failed_request(leak: Facts) -> None:
    assert 1500 <= seconds(leak, "impact_start") < 1510


def test_detection_is_the_first_alert_after_impact(leak: Facts) -> None:
    assert seconds(leak, "detected") == 1540
    assert leak.durations["time_to_detect"].seconds == 1540 - seconds(leak, "impact_start")


def test_recovery_begins_when_requests_succeed_again(leak: Facts) -> None:
    assert 1790 <= seconds(leak, "recovered") <= 1830


def test_hold_that_the_evidence_cuts_short_says_so(leak: Facts) -> None:
    assert "shortened" in leak.moments["recovered"].reason
    assert (leak.moments["recovered"].confidence or 1) < 0.9


def test_trigger_is_the_deployment_of_the_failing_service(leak: Facts) -> None:
    assert seconds(leak, "trigger") == 900


def test_ongoing_outage_has_no_recovery() -> None:
    scene = scenes.Scene()
    scene.traffic(1800, rate=1.0, fails=lambda t: t >= 1200)
    facts = analyse(scene.inputs())
    assert "recovered" not in facts.moments
    assert any(one["what"] == "recovered" and "ongoing" in one["text"] for one in facts.not_in_evidence)


def test_window_that_is_given_is_kept_and_chooses_the_outage() -> None:
    scene = scenes.Scene()
    scene.traffic(14_000, rate=0.5, fails=lambda t: 1000 <= t < 1100 or 9000 <= t < 9900)
    facts = analyse(scene.inputs(), window=(scenes.at(900), scenes.at(1300)))
    assert facts.to_json()["window"]["start"] == "2024-03-04T01:15:00Z"
    assert 1000 <= seconds(facts, "impact_start") < 1020
    assert 9000 <= seconds(analyse(scene.inputs()), "impact_start") < 9020


def test_request_that_two_tiers_log_fails_once(leak: Facts) -> None:
    scene = scenes.Scene()
    scene.traffic(3000, rate=1.0, fails=lambda t: 1500 <= t < 1700)
    facts = analyse(scene.inputs())
    outer = sum(row["http_status_code"] == 503 for row in scene.rows["web1/access.log"])
    assert facts.impact["failed_requests"].value == outer
    clients = {row["client_ip"] for row in scene.rows["web1/access.log"] if row["http_status_code"] == 503}
    assert facts.impact["clients_affected"].value == len(clients)


def test_request_that_only_the_inner_tier_logs_counts_there() -> None:
    scene = scenes.Scene()
    scene.traffic(3000, rate=1.0, fails=lambda t: 1500 <= t < 1700)
    before = analyse(scene.inputs()).impact["failed_requests"].value
    request = {"http_method": "GET", "url_path": "/shop/direct", "http_status_code": 500, "source_ip": "192.0.2.9"}
    scene.line("app1/access.log", "app1", 1600, None, **request, trace_id="feedfacecafe", parser="app")
    assert analyse(scene.inputs()).impact["failed_requests"].value == before + 1


def test_tiers_without_request_ids_are_told_apart_by_their_clients() -> None:
    scene = scenes.Scene()
    scene.traffic(3000, rate=1.0, fails=lambda t: 1500 <= t < 1700, ids=False)
    outer = sum(row["http_status_code"] == 503 for row in scene.rows["web1/access.log"])
    assert analyse(scene.inputs()).impact["failed_requests"].value == outer


def test_report_is_json_with_times_in_utc(leak: Facts) -> None:
    report = json.loads(json.dumps(leak.to_json()))
    wanted = ["incident", "window", "moments", "durations", "impact", "environment", "hypotheses", "sources"]
    assert set(wanted) <= set(report)
    assert report["moments"]["impact_start"]["timestamp"].endswith("Z")
    for value in [*report["moments"].values(), *report["impact"].values()]:
        assert {"claim", "event_ids"} <= set(value)


def test_nothing_at_all_is_analysed_without_complaint() -> None:
    import polars as pl

    facts = analyse(scenes.inputs(pl.DataFrame(schema=scenes.SCHEMA), []))
    assert facts.moments == {}
    assert facts.to_json()["window"]["start"] is None


def test_a_stray_failure_later_does_not_put_recovery_off() -> None:
    scene = scenes.Scene()
    scene.traffic(5000, rate=1.0, fails=lambda t: 1800 <= t < 2200 or 3999 <= t < 4000.9)
    facts = analyse(scene.inputs())
    assert 2195 <= seconds(facts, "recovered") <= 2230


def test_failures_that_trickle_on_put_recovery_off() -> None:
    scene = scenes.Scene()
    scene.traffic(6000, rate=1.0, fails=lambda t: 1800 <= t < 2200 or (2200 <= t < 3500 and int(t) % 20 == 0))
    facts = analyse(scene.inputs())
    assert seconds(facts, "recovered") > 3400


def test_end_of_errors_is_cited_where_no_request_log_is_there() -> None:
    scene = scenes.Scene()
    for n in range(3000):
        bad = 1200 <= n < 1800
        text = "Task charge raised unexpected: connection refused" if bad else f"Task charge {n} succeeded"
        scene.line("worker1/celery.log", "worker1", float(n), text, severity="ERROR" if bad else "INFO")
    facts = analyse(scene.inputs())
    assert abs(seconds(facts, "impact_start") - 1200) <= 20 and abs(seconds(facts, "recovered") - 1800) <= 20
    assert "no errors beyond the calm's" in facts.moments["recovered"].reason
    assert facts.impact["failed_requests"].reason == "no request log shows failed requests"
    rows = timeline(facts, scene.inputs())
    (row,) = rows.filter(pl.col("title") == "Errors end (recovered)").to_dicts()
    assert len(row["event_ids"]) == 1

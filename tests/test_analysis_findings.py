import analysis_scenes as scenes
import polars as pl
import pytest

from pirtimeline.analysis import Facts, analyse
from pirtimeline.signatures.windowed import limits


@pytest.fixture(scope="module")
def leak() -> Facts:
    return analyse(scenes.leak().inputs())


def of(facts: Facts, signature: str) -> pl.DataFrame:
    return facts.findings.filter(signature_id=signature)


def test_burst_of_server_errors_is_found_with_its_count(leak: Facts) -> None:
    assert of(leak, "http.5xx_burst")["count"].to_list() == [leak.impact["failed_requests"].value]


def test_rising_heap_is_found_with_its_slope(leak: Facts) -> None:
    found = of(leak, "gc.leak_trend")
    assert found.height == 1
    assert "MB a second since the change" in leak.details[found["finding_id"].item()]


def test_flat_heap_is_no_leak() -> None:
    scene = scenes.Scene()
    scene.traffic(1200, rate=1.0, fails=lambda t: 600 <= t < 700)
    for n in range(100):
        heap = {
            "jvm_heap_before_bytes": 480_000_000,
            "jvm_heap_after_bytes": 450_000_000 + n % 3,
            "jvm_heap_capacity_bytes": 500_000_000,
        }
        scene.line("app1/gc.log", "app1", n * 10, "GC", jvm_gc_action="Pause Young", duration_ms=2.0, **heap)
    assert of(analyse(scene.inputs()), "gc.leak_trend").is_empty()


def test_pauses_that_take_a_tenth_of_the_time_are_pressure() -> None:
    scene = scenes.Scene()
    for n in range(300):
        heavy = 100 <= n < 150
        heap = {"jvm_heap_before_bytes": 5, "jvm_heap_after_bytes": 4, "jvm_heap_capacity_bytes": 5}
        scene.line(
            "app1/gc.log", "app1", n * 2, "GC", jvm_gc_action="Pause Young", duration_ms=600.0 if heavy else 5.0, **heap
        )
    found = of(analyse(scene.inputs()), "gc.pressure")
    assert found.height == 1
    assert scenes.at(190) <= found["first_timestamp"].item() <= scenes.at(210)


def test_pool_that_refuses_now_and_then_is_not_exhausted() -> None:
    scene = scenes.Scene()
    scene.traffic(4000, rate=0.5, fails=lambda t: 3000 <= t < 3100)
    refused = "ShopPool - Connection is not available, request timed out after 5000ms."
    for n in range(4):
        scene.line("app1/app.log", "app1", n * 900, refused, severity="ERROR")
    assert of(analyse(scene.inputs()), "db.pool.exhausted").is_empty()
    assert of(analyse(scenes.locked().inputs()), "db.pool.exhausted")["count"].to_list() == [100]


def test_slow_requests_before_the_failures_are_a_lead() -> None:
    scene = scenes.Scene()
    scene.traffic(3600, rate=2.0, fails=lambda t: 1800 <= t < 2100)
    for row in scene.rows["web1/access.log"]:
        if scenes.at(1600) <= row["timestamp"] < scenes.at(1800):
            row["duration_ms"] = 900.0
    found = of(analyse(scene.inputs()), "http.latency_shift")
    assert found["role"].to_list()[0] == "lead"
    assert scenes.at(1590) <= found["first_timestamp"][0] <= scenes.at(1640)


def test_log_that_falls_silent_in_the_incident_is_a_gap() -> None:
    scene = scenes.leak()
    for n in range(3600):
        if not 1500 <= n < 1790:
            scene.line("app1/app.log", "app1", n, f"basket {n} updated")
    facts = analyse(scene.inputs())
    assert scenes.source_id("app1/app.log") in " ".join(facts.details[i] for i in of(facts, "log.gap")["finding_id"])
    assert of(facts, "log.gap")["hosts"].explode().unique().to_list() == ["app1"]
    assert any(defect.kind == "log.gap" for defect in facts.quality)


def test_clock_that_is_off_shows_in_requests_that_two_hosts_log() -> None:
    scene = scenes.Scene()
    scene.traffic(3600, rate=2.0, fails=lambda t: 1800 <= t < 1900)
    for row in scene.rows["app1/access.log"]:
        row["timestamp"] += scenes.at(90) - scenes.at(0)
    found = of(analyse(scene.inputs()), "time.skew")
    assert found["hosts"].to_list() == [["app1", "web1"]]


def test_condition_whose_header_is_not_loaded_gives_no_finding() -> None:
    from dataclasses import replace

    inputs = scenes.leak().inputs()
    rules = inputs.rules.filter(pl.col("signature_id") != "gc.leak_trend")
    assert of(analyse(replace(inputs, rules=rules)), "gc.leak_trend").is_empty()


def test_every_windowed_header_has_limits() -> None:
    for one in scenes.RULES.windowed:
        assert limits(one.header.signature_id)


def test_new_messages_are_listed_apart_from_those_that_came_more_often() -> None:
    scene = scenes.Scene()
    scene.traffic(4000, rate=1.0, fails=lambda t: 3000 <= t < 3300)
    for n in range(400):
        scene.line("app1/app.log", "app1", n * 10, f"basket {n} updated")
        if n % 40 == 0 or 300 <= n < 330:
            scene.line("app1/app.log", "app1", n * 10 + 1, f"retry {n} of upstream", severity="WARN")
    scene.line("app1/app.log", "app1", 3100, "heap nearly full", severity="ERROR")
    changes = {one.template: one for one in analyse(scene.inputs()).changes}
    assert changes["heap nearly full"].kind == "new"
    assert changes["heap nearly full"].bound is not None
    assert changes["retry * of upstream"].kind == "more"
    assert (changes["retry * of upstream"].q or 1) <= 0.05
    assert "basket * updated" not in changes


def test_environment_names_versions_hosts_and_lines() -> None:
    scene = scenes.Scene()
    start = "org.apache.catalina.startup.VersionLoggerListener.log"
    for text in (
        "Server version name:   Apache Tomcat/9.0.46",
        "JVM Version:           1.8.0_291-b10",
        "Command line argument: -Xmx512m",
    ):
        scene.line("app1/catalina.out", "app1", 1, text, logger_name=start)
    scene.line("app1/catalina.out", "app1", 900, "Server version name:   Apache Tomcat/9.0.50", logger_name=start)
    scene.line(
        "db1/postgresql.log", "db1", 2, "starting PostgreSQL 15.4 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit"
    )
    scene.line("web1/error.log", "web1", 2, "nginx/1.22.1")
    facts = analyse(scene.inputs())
    told = {(s.name, s.value, s.host_name) for s in facts.environment}
    assert {
        ("Apache Tomcat", "9.0.46", "app1"),
        ("JVM version", "1.8.0_291-b10", "app1"),
        ("Maximum heap (-Xmx)", "512m", "app1"),
        ("PostgreSQL", "15.4", "db1"),
        ("nginx", "1.22.1", "web1"),
    } <= told
    assert all(s.event_ids and s.as_of for s in facts.environment)
    assert [d.host_name for d in facts.quality if d.kind == "environment_conflict"] == ["app1"]


def test_observed_traffic_joins_clients_proxy_and_application(leak: Facts) -> None:
    pairs = {(e.origin, e.target) for e in leak.topology}
    assert {("clients", "web1"), ("web1", "app1")} <= pairs


def test_without_a_baseline_no_message_is_new() -> None:
    from datetime import UTC, datetime, timedelta

    from pirtimeline.analysis.changes import conditions
    from pirtimeline.analysis.facts import Interval

    at = datetime(2024, 3, 4, tzinfo=UTC)
    assert list(conditions(pl.LazyFrame(), at, Interval(at, at), at + timedelta(hours=1))) == []

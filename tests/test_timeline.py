import analysis_scenes as scenes
import polars as pl
import pytest

from pirtimeline.analysis import analyse
from pirtimeline.schema import ROLES, TIMELINE_COLUMNS
from pirtimeline.timeline import MOST, timeline


@pytest.fixture(scope="module")
def leak() -> pl.DataFrame:
    inputs = scenes.leak().inputs()
    return timeline(analyse(inputs), inputs)


def near(table: pl.DataFrame, seconds: float, role: str) -> pl.DataFrame:
    moment = scenes.at(seconds)
    return table.filter((pl.col("timestamp") - moment).abs() <= pl.duration(seconds=2), role=role)


@pytest.mark.parametrize(
    ("seconds", "role"),
    [
        (900, "change"),
        (920, "change"),
        (1400, "change"),
        (1540, "detection"),
        (1542, "communication"),
        (1560, "response"),
        (1780, "response"),
        (1798, "recovery"),
        (1840, "recovery"),
        (1890, "communication"),
        (2000, "response"),
        (2020, "response"),
    ],
)
def test_what_was_done_has_an_entry_in_its_role(leak: pl.DataFrame, seconds: float, role: str) -> None:
    assert near(leak, seconds, role).height >= 1


def test_titles_are_sentences_with_service_version_and_host(leak: pl.DataFrame) -> None:
    assert "Deploy of shop 1.1.0 started on app1 (was 1.0.0)" in leak["title"].to_list()
    assert "Roll-back of shop to 1.0.0 finished on app1" in leak["title"].to_list()


def test_repeated_symptoms_share_an_entry(leak: pl.DataFrame) -> None:
    heap = leak.filter(pl.col("title").str.contains("heap exhausted"))
    assert heap.height == 1
    assert heap["end_timestamp"].item() is not None
    assert heap["event_ids"].list.len().item() == 5


def test_columns_and_order_are_those_of_the_schema(leak: pl.DataFrame) -> None:
    assert dict(leak.schema) == dict(TIMELINE_COLUMNS)
    assert leak["timestamp"].is_sorted()
    assert set(leak["role"]) <= set(ROLES)
    assert leak.filter(pl.col("event_ids").list.len() == 0).is_empty()


def test_cited_events_lie_within_their_entry(leak: pl.DataFrame) -> None:
    events, _ = scenes.leak().table()
    cited = leak.explode("event_ids").join(events, left_on="event_ids", right_on="event_id", suffix="_event")
    end = pl.coalesce("end_timestamp", "timestamp")
    late = (pl.col("timestamp_event") - end) > pl.duration(seconds=5)
    early = (pl.col("timestamp") - pl.col("timestamp_event")) > pl.duration(seconds=5)
    assert cited.filter(late | early).is_empty()


def test_crowd_of_changes_is_joined_and_said_to_be() -> None:
    scene = scenes.leak()
    for n in range(150):
        scene.ops(2500 + n * 7, f"deploy started: service{n % 10} 1.{n}.0 on node{n % 10}")
    inputs = scene.inputs()
    table = timeline(analyse(inputs), inputs)
    assert table.height <= MOST
    assert table["detail"].str.contains(r"and \d+ more").any()
    assert near(table, 1540, "detection").height == 1
    assert near(table, 900, "change").height >= 1
    assert near(table, 2000, "response").height >= 1


def test_undated_events_lie_within_the_bounds_of_their_neighbours() -> None:
    scene = scenes.leak()
    text = 'Exception: java.lang.OutOfMemoryError thrown from the UncaughtExceptionHandler in thread "exec-1"'
    bounds = {"not_before": scenes.at(1500), "not_after": scenes.at(1506)}
    row = {"exception_type": "java.lang.OutOfMemoryError", "time_basis": "undated"} | bounds
    scene.line("app1/catalina.out", "app1", 1503, text, **row)
    scene.rows["app1/catalina.out"][-1]["timestamp"] = None
    events, sources = scene.table()
    undated = events.filter(pl.col("timestamp").is_null())["event_id"].item()
    inputs = scenes.inputs(events, sources)
    table = timeline(analyse(inputs), inputs)
    entry = table.filter(pl.col("event_ids").list.contains(undated))
    assert entry.height >= 1
    assert (entry["timestamp"] <= scenes.at(1506)).all()


def test_note_of_a_person_stands_as_it_was_written() -> None:
    from dataclasses import replace

    inputs = scenes.leak().inputs()
    notes = pl.DataFrame({"timestamp": [scenes.at(1600)], "text": ["asked the vendor"]})
    notes = notes.cast({"timestamp": pl.Datetime("us", "UTC")})
    table = timeline(analyse(inputs), replace(inputs, notes=notes))
    assert table.filter(origin="note").select("title", "claim").rows() == [("asked the vendor", "human")]

"""Rotated sets: their order is told by their events, and they are one stream for year, date and clocks set back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.ingest import ingest, streams
from pirtimeline.parsing import clock, rotation, times
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.rotation import Member
from pirtimeline.settings import Settings
from pirtimeline.store import read_sources

HOUR = 3600 * 1_000_000
LAST = datetime(2024, 5, 2, 1, 50, 10, tzinfo=UTC)


def member(name: str, first: float, last: float, kind: str = "date", mtime: datetime = LAST) -> Member:
    ends = {"first": round(first * HOUR), "last": round(last * HOUR)}
    return Member(source_id=name, path=f"logs/{name}", mtime=mtime, kind=kind, **ends)


def order(*members: Member) -> list[str]:
    found = rotation.sets(members)
    return sorted(found, key=lambda key: found[key].place)


@pytest.mark.parametrize(
    "names",
    [
        ("x.log.2.gz", "x.log.1", "x.log"),
        ("x.log.1", "x.log.2", "x.log"),
        ("x.1.log", "x.2.log", "x.3.log"),
        ("x.log-20240430", "x.log-20240501.gz", "x.log"),
        ("x.2024-04-30.0.log", "x.2024-04-30.1.log", "x.2024-05-01.0.log"),
        ("x.log.old", "x.log.1", "x.log"),
    ],
)
def test_first_events_decide_the_order_not_the_names(names: tuple[str, str, str]) -> None:
    oldest, middle, newest = (
        member(name, *ends) for name, ends in zip(names, [(22, 23.9), (0, 14), (14.1, 1.8)], strict=True)
    )
    assert order(newest, oldest, middle) == [*names]


def test_names_decide_where_times_go_round_more_than_once() -> None:
    one = 366 * 24.0
    spans = [(one * 0.8, one * 0.1), (one * 0.1, one * 0.6), (one * 0.6, one * 0.9), (one * 0.9, one * 0.3)]
    names = ["messages.3", "messages.2", "messages.1", "messages"]
    assert order(*(member(name, *span, kind="year") for name, span in zip(names, spans, strict=True))) == names


def test_files_that_were_written_at_the_same_time_are_no_set() -> None:
    assert order(member("node-1.log", 8, 18), member("node-2.log", 8.1, 17.9)) == []
    assert order(member("node-1.log", 8, 99, kind=""), member("node-2.log", 9, 80, kind="")) == []


def test_logs_of_two_names_are_no_set() -> None:
    assert order(member("x.log", 8, 9), member("y.log.1", 7, 8)) == []


def test_changes_that_agree_with_the_last_events_are_known_to_be_kept() -> None:
    old = member("x.log.1", 8, 20, mtime=LAST - timedelta(days=3, hours=5.9))
    assert rotation.sets([member("x.log", 20.1, 1.9), old])["x.log"].kept
    assert not rotation.sets([member("x.log", 20.1, 1.9), member("x.log.1", 8, 20)])["x.log"].kept


def dated(files: Sequence[Sequence[str]], shape: str, rule: TimeRule) -> list[datetime]:
    """Date files as one stream, in their order."""
    frames = [
        times.read(pl.DataFrame({"timestamp_text": texts}).with_row_index("byte_offset"), shape) for texts in files
    ]
    plans = [SourcePlan(source_id=str(number), path=str(number), rule=rule, inferred=rule) for number in range(9)]
    told = [clock.summarise(frame) for frame in frames]
    beside = streams.of_set([(plan, 1000, one) for plan, one in zip(plans, told, strict=False)])
    found: list[datetime] = []
    for plan, frame, one in zip(plans, frames, told, strict=False):
        carry = streams.anchored([one], rule, beside.get(plan.source_id, streams.ALONE))[0]
        found += clock.settle(frame, rule, carry)[0]["timestamp"].to_list()
    return found


STEPS: Mapping[str, timedelta] = {"%b %e %H:%M:%S": timedelta(days=30), "%H:%M:%S": timedelta(hours=9)}


@settings(max_examples=6)
@given(
    st.sampled_from(sorted(STEPS)),
    st.lists(st.floats(0.01, 1), min_size=3, max_size=12),
    st.sets(st.integers(1, 12), min_size=1, max_size=2),
)
def test_set_is_dated_as_one_file_would_be(shape: str, steps: list[float], cuts: set[int]) -> None:
    end = datetime(2024, 3, 10, 12, 0, 7)
    stamps = [end]
    for step in steps:
        stamps.append(stamps[-1] - timedelta(seconds=int((step * STEPS[shape]).total_seconds())))
    stamps.reverse()
    rule = TimeRule(zone="UTC", zone_basis="zone_declared", mtime=end.replace(tzinfo=UTC) + timedelta(seconds=3))
    texts = [stamp.strftime(shape) for stamp in stamps]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(texts)), len(texts)]
    files = [texts[start:stop] for start, stop in pairwise(bounds)]
    assert [one.replace(tzinfo=None) for one in dated(files, shape, rule)] == stamps


def test_clock_that_was_set_back_between_two_files_settles_both() -> None:
    rule = TimeRule(zone="Europe/Berlin", zone_basis="zone_declared")
    files = [["2024-10-27 02:10:00", "2024-10-27 02:50:00"], ["2024-10-27 02:05:00", "2024-10-27 02:55:00"]]
    found = dated(files, "iso8601", rule)
    assert [f"{one:%H:%M}" for one in found] == ["00:10", "00:50", "01:05", "01:55"]


def test_blocks_of_one_file_that_were_settled_as_they_came_are_settled_anew_where_the_whole_says_more() -> None:
    days = [datetime(2024, 3, day, hour) for day in range(1, 6) for hour in (1, 9, 17)]
    rule = TimeRule(zone="UTC", zone_basis="zone_declared", mtime=days[-1].replace(tzinfo=UTC))
    texts = [f"{at:%H:%M:%S}" for at in days]
    whole = times.read(pl.DataFrame({"timestamp_text": texts}).with_row_index("byte_offset"), "%H:%M:%S")
    blocks = [whole[place : place + 3] for place in range(0, 15, 3)]
    heard = [clock.summarise(block) for block in blocks]
    assert not streams.settled_alike(heard, SourcePlan(source_id="a", path="a.log", rule=rule, inferred=rule))
    carries = streams.anchored(heard, rule, streams.ALONE)
    found = [clock.settle(block, rule, carry)[0] for block, carry in zip(blocks, carries, strict=True)]
    assert pl.concat(found)["timestamp"].dt.replace_time_zone(None).to_list() == days


@pytest.mark.parametrize(
    ("shape", "texts", "instants"),
    [
        (
            "syslog",
            ["Jan  2 10:00:00", "Jan  1 00:00:01", "Dec 31 23:59:59"],
            ["2024-01-02", "2023-12-31", "2023-12-31"],
        ),
        ("%H:%M:%S", ["01:00:00", "00:10:00", "23:50:00"], ["2024-01-02", "2024-01-01", "2024-01-01"]),
    ],
)
def test_newest_first_turns_backwards(shape: str, texts: list[str], instants: list[str]) -> None:
    rule = TimeRule(zone="Europe/Berlin", zone_basis="zone_declared", descending=True, mtime=datetime(2024, 1, 2, 9, 1))
    frame = times.read(pl.DataFrame({"timestamp_text": texts}).with_row_index("byte_offset"), shape)
    whole = clock.settle(frame, rule)[0]
    assert whole["timestamp"].dt.strftime("%Y-%m-%d").to_list() == instants
    assert whole["byte_offset"].to_list() == [0, 1, 2]


def test_newest_first_settles_a_time_that_came_twice() -> None:
    texts = [f"2024-10-27 02:{minute}:00" for minute in ("55", "05", "50", "10")]
    rule = TimeRule(zone="Europe/Berlin", zone_basis="zone_declared", descending=True)
    frame = times.read(pl.DataFrame({"timestamp_text": texts}).with_row_index("byte_offset"), "iso8601")
    assert clock.settle(frame, rule)[0]["timestamp"].dt.strftime("%H:%M").to_list() == [
        "01:55",
        "01:05",
        "00:50",
        "00:10",
    ]


def test_order_of_a_source_is_what_nearly_all_its_steps_say() -> None:
    down = [datetime(2024, 1, 1) - timedelta(minutes=7 * number) for number in range(30)]
    rows = {"a": down, "b": down[::-1], "c": down[::-2] + down[:5] + down[7:20]}
    events = pl.concat(
        pl.DataFrame({"source_id": [key] * len(at), "local": at}, schema_overrides={"local": pl.Datetime("us")})
        for key, at in rows.items()
    ).with_columns(offset_s=pl.lit(None, pl.Int32), lacks=pl.lit(None, pl.String))
    assert rotation.orders(events) == {"a": "descending", "b": "ascending", "c": "mixed"}


FILES = {
    "x.log": "00:00:01,000 INFO a.B - five\n01:50:00,000 INFO a.B - six\n",
    "x.log.1": "00:10:00,000 INFO a.B - three\n12:50:00,000 INFO a.B - and\n23:59:00,000 INFO a.B - four\n",
    "x.log.2": "22:10:00,000 INFO a.B - one\n23:50:00,000 INFO a.B - two\n",
}
FIRSTS = {"x.log": "2024-05-02T00:00:01", "x.log.1": "2024-05-01T00:10:00", "x.log.2": "2024-04-30T22:10:00"}


def write(folder: Path, names: Sequence[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(FILES[name])
        os.utime(folder / name, (LAST.timestamp(), LAST.timestamp()))
    return folder


def firsts(case: Path) -> dict[str, str]:
    return {one["paths"][0]: one["first_timestamp"][:19] for one in read_sources(case)}


def test_case_of_a_rotated_set_is_the_same_at_once_and_file_by_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "once", [*FILES])
    ingest(tmp_path / "a", Settings(evidence=(str(folder),)))
    assert firsts(tmp_path / "a") == FIRSTS
    later = write(tmp_path / "later", ["x.log.2"])
    for names in (["x.log"], ["x.log.1"]):
        write(later, names)
        ingest(tmp_path / "b", Settings(evidence=(str(later),)))
    assert firsts(tmp_path / "b") == FIRSTS
    zones = (("*", "Europe/Berlin"),)
    ingest(tmp_path / "b", Settings(zones=zones))
    ingest(tmp_path / "c", Settings(evidence=(str(folder),), zones=zones))
    assert firsts(tmp_path / "b") == firsts(tmp_path / "c")
    assert firsts(tmp_path / "b")["x.log.2"] == "2024-04-30T20:10:00"

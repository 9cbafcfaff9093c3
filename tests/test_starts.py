"""Seconds since a start become instants where the start is known, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from pirtimeline.parsing import clock, starts, times
from pirtimeline.parsing.clock import TimeRule

BEGUN = datetime(2024, 3, 1, 10, 0, 0, 250_000)
Row = tuple[str, datetime | float, float | None]
"""A source, its local time or its uptime, and the uptime that a dated line tells beside its time."""


def found(rows: Sequence[Row], *, offset_s: int | None = None, path: str = "gc.log") -> datetime | None:
    """Find the start of source `gc` from rows in order."""
    epoch = datetime(1970, 1, 1)
    table = pl.DataFrame(
        {
            "source_id": [key for key, _, _ in rows],
            "byte_offset": range(len(rows)),
            "local": [at if isinstance(at, datetime) else epoch + timedelta(seconds=at) for _, at, _ in rows],
            "offset_s": [offset_s if isinstance(at, datetime) else None for _, at, _ in rows],
            "lacks": [None if isinstance(at, datetime) else "start" for _, at, _ in rows],
            "uptime_us": [None if up is None else round(up * 1_000_000) for _, _, up in rows],
        },
        schema_overrides={"offset_s": pl.Int32, "lacks": pl.String, "uptime_us": pl.Int64, "local": pl.Datetime("us")},
    )
    start = starts.starts({"gc": f"app/{path}", "app": "app/app.log", "far": "else/app.log"}, table).get("gc")
    return None if start is None else start.at


def after(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def test_dated_line_with_an_uptime_tells_the_start() -> None:
    assert found([("gc", 1.5, None), ("gc", after(2.0), 2.0)]) == BEGUN
    assert found([("gc", 1.5, None), ("gc", after(2.0), 2.0)], offset_s=3600) == BEGUN.replace(hour=9, tzinfo=UTC)


def test_lines_of_two_starts_tell_none() -> None:
    assert found([("gc", after(2.0), 2.0), ("gc", 3.0, None), ("gc", after(90), 1.0)]) is None


def test_another_log_of_the_folder_tells_the_start_but_not_one_from_elsewhere() -> None:
    assert found([("app", after(4.05), 4.05), ("gc", 1.5, None)]) == BEGUN
    assert found([("far", after(4.05), 4.05), ("gc", 1.5, None)]) is None


def test_name_of_a_gc_log_tells_the_start() -> None:
    assert found([("gc", 1.5, None)], path="gc-2024-03-01_10-00-00.log") == datetime(2024, 3, 1, 10)
    assert found([("gc", 1.5, None)], path="app-2024-03-01_10-00-00.log") is None


def test_uptimes_between_dated_lines_tell_the_start_where_only_one_fits() -> None:
    close: list[Row] = [
        ("gc", after(3), None),
        ("gc", 3.2, None),
        ("gc", after(3.5), None),
        ("gc", 3.6, None),
        ("gc", after(4), None),
    ]
    start = found(close)
    assert start is not None and abs(start - BEGUN) < timedelta(seconds=0.5)
    assert found([("gc", after(3), None), ("gc", 30.0, None), ("gc", after(60), None)]) is None


def test_clock_counts_from_a_start_without_zone_in_the_sources_zone() -> None:
    frame = times.read(pl.DataFrame({"timestamp_text": ["1.500"]}).with_row_index("byte_offset"), "uptime")
    rule = TimeRule(zone="Europe/Berlin", zone_basis="zone_declared", start=BEGUN)
    assert clock.settle(frame, rule)[0]["timestamp"].item() == datetime(2024, 3, 1, 9, 0, 1, 750_000, UTC)
    assert clock.settle(frame, TimeRule(start=BEGUN))[0]["time_basis"].item() == "zone_assumed"
    assert TimeRule.from_dict(rule.to_dict()) == rule

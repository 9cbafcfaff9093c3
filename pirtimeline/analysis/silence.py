"""Logs that fell silent near the incident, and clocks of two hosts that cannot both be right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.conditions import Condition
from pirtimeline.analysis.facts import Interval
from pirtimeline.analysis.requests import Tiers
from pirtimeline.signatures.windowed import limits


def gaps(events: pl.LazyFrame, near: Interval) -> Iterator[Condition]:
    """Give the pauses of a source near the incident that its earlier lines have nothing like."""
    limit = limits("log.gap")
    seconds = (
        events.filter(pl.col("timestamp").is_not_null() & (pl.col("timestamp") <= near.end + timedelta(hours=1)))
        .group_by("source_id", "host_name", pl.col("timestamp").dt.truncate("1s").alias("second"))
        .agg(pl.col("event_id").sort_by("timestamp", "event_id").first().alias("one"), pl.len().alias("n"))
        .sort("source_id", "second")
        .collect(engine="streaming")
    )
    pause = pl.col("second").diff().over("source_id")
    rows = seconds.with_columns(pause=pause, since=pl.col("second").shift(1).over("source_id"))
    before = pl.col("second") < near.start
    usual = pl.col("pause").filter(before)
    rows = rows.with_columns(
        usual=usual.quantile(0.99).over("source_id"),
        longest=usual.max().over("source_id"),
        known=usual.len().over("source_id"),
    )
    floor = pl.duration(minutes=int(limit["minutes"]))
    silent = rows.filter(
        (pl.col("since") >= near.start)
        & (pl.col("since") <= near.end)
        & (pl.col("known") >= 20)
        & (pl.col("pause") > pl.max_horizontal(pl.col("usual") * int(limit["factor"]), floor))
        & (pl.col("pause") > pl.col("longest"))
    )
    for row in silent.iter_rows(named=True):
        yield Condition(
            signature_id="log.gap",
            first=row["since"],
            last=row["second"],
            count=1,
            hosts=(row["host_name"],) if row["host_name"] else (),
            event_ids=(row["one"],),
            detail=f"no line of source {row['source_id']} for {row['pause'].total_seconds():g} s",
        )


def skew(tiers: Tiers) -> Iterator[Condition]:
    """Compare the times at which two hosts log the same request: the outer one must not finish before the inner one."""
    limit = limits("time.skew")
    for inner, outers in sorted(tiers.behind.items()):
        for outer in outers:
            rows = _both(tiers.sample, inner, outer)
            if rows.height < limit["least"] or rows["host_name"][0] == rows["host_name_o"][0]:
                continue
            early = rows.filter(pl.col("late") < -pl.col("unit"))
            stray = rows.filter(pl.col("late") > pl.col("room") + pl.col("unit"))
            worst = max((early, stray), key=lambda t: t.height)
            if worst.height < limit["share"] * rows.height:
                continue
            offset = rows["late"].median()
            yield _skewed(worst, float(offset or 0.0), rows)  # type: ignore[arg-type]


def _both(sample: pl.DataFrame, inner: str, outer: str) -> pl.DataFrame:
    rows = sample.filter(pl.col("timestamp").is_not_null())
    one, other = (rows.filter(pl.col("stream") == s) for s in (inner, outer))
    both = one.join(other, on="request_id", suffix="_o").sort("timestamp", "request_id")
    room = (pl.col("duration_ms_o").fill_null(0) - pl.col("duration_ms").fill_null(0)).clip(lower_bound=0) / 1000
    unit = 1.0 + pl.max_horizontal("resolution_us", "resolution_us_o").fill_null(0) / 1e6
    late = (pl.col("timestamp_o") - pl.col("timestamp")).dt.total_microseconds() / 1e6
    return both.with_columns(late=late, room=room, unit=unit)


def _skewed(worst: pl.DataFrame, offset: float, rows: pl.DataFrame) -> Condition:
    first: datetime = worst["timestamp"][0]
    here, there = rows["host_name"][0], rows["host_name_o"][0]
    return Condition(
        signature_id="time.skew",
        first=first,
        last=worst["timestamp"][-1],
        count=worst.height,
        hosts=tuple(sorted({str(here), str(there)})),
        event_ids=(worst["event_id"][0], worst["event_id"][-1]),
        detail=f"{there} is {offset:+.1f} s against {here} over {rows.height} requests that both logged; not corrected",
    )

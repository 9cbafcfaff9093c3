"""Conditions on garbage collection: too much of the time in pauses, and a heap that keeps filling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from pirtimeline.analysis.conditions import Condition, runs
from pirtimeline.analysis.statistics import median_slope
from pirtimeline.signatures.windowed import limits

MOST = 400
"""Theil-Sen looks at every pair of points: of more, evenly spaced ones are taken."""

STARTS = r"^\s*(?:Using (?:G1|Serial|Parallel|Concurrent|Shenandoah|The Z|Epsilon)|Initializing The Z)"
"""What the unified GC log writes when a JVM starts."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The slope of the heap after collection, in bytes a second, with its 95 % interval."""

    slope: float
    low: float
    high: float
    points: int


def conditions(events: pl.LazyFrame, lines: pl.DataFrame, changes: list[datetime]) -> Iterator[Condition]:
    """Give what the collections of each host and service show; a leak may have begun at one of `changes`.

    `lines` are those of `environment.banners`: they tell when a JVM started.
    """
    rows = pauses(events)
    if rows.is_empty():
        return
    starts = _starts(lines)
    for (host, service), one in rows.group_by(["host_name", "service_name"], maintain_order=True):
        lives = starts.filter(pl.col("host_name").eq_missing(host))["timestamp"].to_list()
        yield from _pressure(one, str(host or ""), str(service or ""))
        yield from _leak(one, str(host or ""), str(service or ""), [*lives, *changes], changes)


def pauses(events: pl.LazyFrame) -> pl.DataFrame:
    """Give the stop-the-world pauses with the heap before and after them, in the order of time."""
    stopped = pl.col("jvm_gc_action").is_not_null() & ~pl.col("jvm_gc_action").str.contains("(?i)concurrent")
    return (
        events.filter(stopped & pl.col("timestamp").is_not_null())
        .select(
            "event_id",
            "timestamp",
            "host_name",
            "service_name",
            "duration_ms",
            full=pl.col("jvm_gc_action").str.contains("(?i)full"),
            before=pl.col("jvm_heap_before_bytes"),
            after=pl.col("jvm_heap_after_bytes"),
            capacity=pl.col("jvm_heap_capacity_bytes"),
        )
        .sort("host_name", "service_name", "timestamp", "event_id", nulls_last=True)
        .collect(engine="streaming")
    )


def _starts(lines: pl.DataFrame) -> pl.DataFrame:
    started = pl.col("timestamp").is_not_null() & pl.col("message").str.contains(STARTS)
    return lines.filter(started).select("timestamp", "host_name").sort("timestamp")


def _pressure(rows: pl.DataFrame, host: str, service: str) -> Iterator[Condition]:
    limit = limits("gc.pressure")
    span = (rows["timestamp"][-1] - rows["timestamp"][0]).total_seconds()
    every = timedelta(seconds=min(60, max(5, int(span // 100))))
    binned = rows.group_by_dynamic("timestamp", every=every).agg(pl.col("duration_ms").sum().alias("paused"))
    whole = binned.upsample("timestamp", every=every).with_columns(pl.col("paused").fill_null(0.0))
    share = whole["paused"] / (every.total_seconds() * 1000)
    vain = pl.col("full") & (pl.col("before") - pl.col("after") < limit["reclaimed"] * pl.col("capacity"))
    wanted = rows.filter(vain)["timestamp"].to_list()
    need = int(limit["full"])
    crowded = [t for i, t in enumerate(wanted[need - 1 :]) if t - wanted[i] <= timedelta(minutes=limit["minutes"])]
    flags = (share >= limit["share"]) | whole["timestamp"].is_in(_floored(crowded, whole, every))
    for start, end in runs(flags, least=2):
        first, last = whole["timestamp"][start], whole["timestamp"][end - 1] + every
        inside = rows.filter((pl.col("timestamp") >= first) & (pl.col("timestamp") < last))
        if inside.is_empty():
            continue
        full = int(inside["full"].sum())
        paused = float(inside["duration_ms"].sum()) / 10 / max((last - first).total_seconds(), 1.0)
        yield _condition(
            "gc.pressure", inside, host, service, f"{paused:.0f} % of the time in pauses, {full} full collections"
        )


def _floored(times: list[datetime], whole: pl.DataFrame, every: timedelta) -> list[datetime]:
    start = whole["timestamp"][0]
    return sorted({start + ((t - start) // every) * every for t in times})


def _leak(
    rows: pl.DataFrame, host: str, service: str, marks: list[datetime], changes: list[datetime]
) -> Iterator[Condition]:
    """Follow the heap after collection from each JVM start or change to the next one: the steepest stretch counts."""
    limit = limits("gc.leak_trend")
    ends = sorted({m for m in marks if m > rows["timestamp"][0]})
    edges = [rows["timestamp"][0], *ends, rows["timestamp"][-1] + timedelta(seconds=1)]
    for start, end in pairwise(edges):
        part = rows.filter((pl.col("timestamp") >= start) & (pl.col("timestamp") < end) & pl.col("after").is_not_null())
        part = _until_full(part, limit)
        if part.height < limit["points"]:
            continue
        trend = slope(part)
        if trend.low > 0 and part["after"][-1] >= limit["filled"] * _capacity(part):
            since = " since the change" if start in changes else ""
            detail = (
                f"heap after collection rises by {trend.slope / 1e6:.2f} MB a second{since} "
                f"(95 %: {trend.low / 1e6:.2f} to {trend.high / 1e6:.2f}, {trend.points} collections) "
                f"to {part['after'][-1] / 1e6:.0f} MB"
            )
            yield _condition("gc.leak_trend", part, host, service, detail)


def _capacity(part: pl.DataFrame) -> float:
    """Give the heap's capacity at the last collection, or the most that was left where no line tells it."""
    return float(part.select(pl.coalesce(pl.col("capacity").last(), pl.col("after").max())).item() or 0.0)


def _until_full(part: pl.DataFrame, limit: Mapping[str, float]) -> pl.DataFrame:
    """Cut off what comes after the heap is full: there it is flat, whatever fills it."""
    full = part.with_row_index("i").filter(pl.col("after") >= 0.95 * pl.col("capacity"))
    return part.head(int(full["i"][0]) + 1) if not full.is_empty() and int(full["i"][0]) >= limit["points"] else part


def slope(part: pl.DataFrame) -> Trend:
    """Give the Theil-Sen slope of `after` over `timestamp` with its 95 % interval (Sen 1968)."""
    thin = part.gather_every(max(1, -(-part.height // MOST)))
    x = (thin["timestamp"].dt.epoch("us").to_numpy() - thin["timestamp"].dt.epoch("us")[0]) / 1e6
    return Trend(*median_slope(thin["after"].to_numpy().astype(float), x), part.height)


def _condition(name: str, rows: pl.DataFrame, host: str, service: str, detail: str) -> Condition:
    return Condition(
        signature_id=name,
        first=rows["timestamp"][0],
        last=rows["timestamp"][-1],
        count=rows.height,
        hosts=(host,) if host else (),
        services=(service,) if service else (),
        event_ids=tuple(rows["event_id"]),
        detail=detail,
    )

"""The tables that figures draw: requests in bins, the heap after collections, and the interval to look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from pirtimeline.analysis import rates
from pirtimeline.analysis import requests as asked
from pirtimeline.analysis.facts import Interval
from pirtimeline.report import words

POINTS = 1_500
"""More points than this in one trace are joined, the highest of each bin kept."""

COARSER = 30
"""Bins grow no more than this at once from the incident outwards: years around it are few bins, and it has no more."""


def facing(events: pl.LazyFrame) -> pl.LazyFrame:
    """Give the requests of the tier that users meet: `timestamp`, `failed`; none where no log shows requests.

    Example:
        >>> facing(pl.LazyFrame()).collect().columns
        ['timestamp', 'failed']
    """
    if "http_status_code" not in events.collect_schema().names():
        return pl.LazyFrame(schema={"timestamp": pl.Datetime("us", "UTC"), "failed": pl.Boolean})
    answered = asked.requests(events)
    outer = asked.facing(answered, asked.tiers(answered))
    return outer.select("timestamp", failed=pl.col("status") >= asked.FAILED)


class Spans(NamedTuple):
    """What a figure shows: the incident itself, with its lead-up, and all that is drawn."""

    incident: Interval
    lead: Interval
    whole: Interval


def spans(facts: Mapping[str, Any], timeline: pl.DataFrame, *, reach: Interval | None = None) -> Spans | None:
    """Choose the spans to look at; None where nothing is dated.

    The incident is its window with a quarter of its length on either side, the earlier moments with it where they lie
    within three lengths. The lead-up begins with the first moment. The whole holds every entry, and of what the
    evidence has (`reach`) as much again on either side.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> [f"{span.start:%H:%M:%S}" for span in spans(inputs.facts, inputs.timeline)]
        ['02:49:48', '02:49:48', '02:34:54']
    """
    told = [at for _, at in moments(facts)]
    entries = [words.instant(at) for name in ("timestamp", "end_timestamp") for at in timeline[name].drop_nulls()]
    window = facts.get("window") or {}
    ends = [words.instant(window.get("start")), words.instant(window.get("end"))]
    known = [at for at in (*ends, *told, *entries) if at]
    if not known:
        return None
    whole = _padded(min(known), max(known), 0.1)
    core = Interval(ends[0], ends[1]) if ends[0] and ends[1] else Interval(min(known), max(known))
    near = [at for at in told if core.start - 3 * (core.end - core.start) <= at <= core.end]
    incident = _padded(min([core.start, *near]), core.end, 0.25)
    lead = Interval(min([incident.start, *(_padded(at, incident.end, 0.05).start for at in told)]), incident.end)
    return Spans(incident, lead, _within(whole.around(whole.end - whole.start), reach, whole))


def reach(events: pl.LazyFrame) -> Interval | None:
    """Give the first and last time of the evidence; None where nothing is dated.

    Example:
        >>> reach(pl.LazyFrame()) is None
        True
    """
    if "timestamp" not in events.collect_schema().names():
        return None
    at = pl.col("timestamp")
    first, last = events.select(at.min().alias("a"), at.max().alias("b")).collect(engine="streaming").row(0)
    return Interval(first, last) if first is not None else None


def _padded(start: datetime, end: datetime, share: float) -> Interval:
    return Interval(start, end).around(max((end - start) * share, timedelta(seconds=10)))


def _within(wide: Interval, found: Interval | None, least: Interval) -> Interval:
    """Cut a span to what the evidence has, but not below another."""
    if found is None:
        return least
    return Interval(max(wide.start, min(found.start, least.start)), min(wide.end, max(found.end, least.end)))


def every(span: Interval) -> timedelta:
    """Choose the width of bins for a span, wide enough that there are at most `POINTS` of them.

    Example:
        >>> from datetime import UTC
        >>> at = datetime(2024, 3, 4, tzinfo=UTC)
        >>> every(Interval(at, at + timedelta(minutes=10))), every(Interval(at, at + timedelta(days=30)))
        (datetime.timedelta(seconds=3), datetime.timedelta(seconds=1740))
    """
    least = rates.width(timedelta(seconds=span.seconds))
    needed = timedelta(seconds=-(-span.seconds // POINTS))
    return least if least >= needed else timedelta(seconds=-(-needed.total_seconds() // 60) * 60)


def request_bins(requests: pl.LazyFrame, found: Spans) -> pl.DataFrame:
    """Count what `facing` gave in bins: fine ones over the incident, coarser ones around it; no rows without a request.

    Columns: `bin` (its start, UTC), `seconds` (its width), `total`, `failed`.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> request_bins(facing(inputs.events), spans(inputs.facts, inputs.timeline))["seconds"].unique().to_list()
        [14, 28]
    """
    counted = pl.concat(
        _bins(requests, ring.span, ring.width).filter(~pl.col("bin").is_between(*ring.hole, closed="left"))
        for ring in _rings(found)
    ).sort("bin")
    return counted if counted["total"].sum() else counted.clear()


class _Ring(NamedTuple):
    """A span that is counted in bins of one width, but for the finer one in its middle."""

    span: Interval
    width: timedelta
    hole: tuple[datetime, datetime]


def _rings(found: Spans) -> list[_Ring]:
    """Choose the spans around an incident, each coarser and wider than the one inside it.

    A bin is a whole number of those of the span inside, and that begins and ends with one, so that they meet.
    """
    start, widths = found.whole.start.replace(microsecond=0), _widths(found)
    hole, rings = (start, start), list[_Ring]()
    for width, wider in pairwise(widths):
        near = found.incident.around(width * (POINTS // 4)) if rings else found.incident
        begin = start + max(near.start - start, timedelta()) // wider * wider
        end = start + -(-(min(near.end, found.whole.end) - start) // wider) * wider
        rings.append(_Ring(Interval(begin, end - timedelta(microseconds=1)), width, hole))
        hole = (begin, end)
    return [*rings, _Ring(Interval(start, found.whole.end), widths[-1], hole)]


def _widths(found: Spans) -> list[timedelta]:
    """Give the widths of bins: fine over the incident, at most `COARSER` times as wide from one span to the next."""
    widths = [every(found.incident)]
    while every(found.whole) > COARSER * widths[-1]:
        widths.append(COARSER * widths[-1])
    return [*widths, widths[-1] * -(-every(found.whole) // widths[-1])]


def _bins(requests: pl.LazyFrame, span: Interval, width: timedelta) -> pl.DataFrame:
    counted = rates.series(requests, span=span, every=width, failed=pl.col("failed"))
    return counted.select("bin", pl.lit(int(width.total_seconds())).alias("seconds"), "total", "failed")


def heap_points(events: pl.LazyFrame, found: Spans) -> pl.DataFrame:
    """Give the heap after collections: `host_name`, `timestamp`, `after` and `capacity` in MiB, `full`.

    Of many, the highest of each bin stands for the others, of full collections and of the rest; the bins are finer
    over the incident.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> heap_points(inputs.events, spans(inputs.facts, inputs.timeline)).height
        0
    """
    mib, at = 1024 * 1024, pl.col("timestamp")
    action = pl.col("jvm_gc_action").str.to_lowercase().str.contains("full", literal=True)
    rows = (
        events.filter(pl.col("jvm_heap_after_bytes").is_not_null() & at.is_between(found.whole.start, found.whole.end))
        .select(
            pl.col("host_name").fill_null("unnamed host"),
            "timestamp",
            (pl.col("jvm_heap_after_bytes") / mib).alias("after"),
            (pl.col("jvm_heap_capacity_bytes") / mib).alias("capacity"),
            action.fill_null(value=False).alias("full"),
        )
        .collect(engine="streaming")
    )
    fine = at.is_between(found.incident.start, found.incident.end)
    binned = pl.when(fine).then(at.dt.truncate(_bin(found.incident))).otherwise(at.dt.truncate(_bin(found.whole)))
    top = pl.col("after") == pl.col("after").max().over("host_name", "full", binned)
    kept = rows.filter(top) if rows.height > POINTS else rows
    ordered = kept.sort("host_name", "timestamp", "after")
    return ordered.unique(["host_name", "timestamp", "full"], keep="first", maintain_order=True)


def _bin(span: Interval) -> timedelta:
    return timedelta(seconds=max(1, -(-span.seconds // POINTS)))


def moments(facts: Mapping[str, Any]) -> list[tuple[str, datetime]]:
    """List the moments with their times, in the order of time.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> [name for name, _ in moments(example_inputs().facts)]
        ['impact_start', 'detected', 'recovered']
    """
    found = facts.get("moments") or {}
    told = [(name, words.instant(found[name].get("timestamp"))) for name in words.MOMENTS if name in found]
    return sorted(((name, at) for name, at in told if at), key=lambda pair: pair[1])

"""The tables that figures draw: requests in bins, the heap after collections, and the interval to look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline.analysis import rates
from pirtimeline.analysis import requests as asked
from pirtimeline.analysis.facts import Interval
from pirtimeline.report import words

POINTS = 1_500
"""More points than this in one trace are joined, the highest of each bin kept."""


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


def focus(facts: Mapping[str, Any], timeline: pl.DataFrame) -> Interval | None:
    """Choose the interval to look at: window, moments and entries, with a tenth of it on either side.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> focus(inputs.facts, inputs.timeline).start
        datetime.datetime(2024, 3, 4, 2, 34, 54, tzinfo=datetime.timezone.utc)
    """
    window = facts.get("window") or {}
    moments = [moment.get("timestamp") for moment in (facts.get("moments") or {}).values()]
    instants = [words.instant(at) for at in (window.get("start"), window.get("end"), *moments)]
    for name in ("timestamp", "end_timestamp"):
        instants += [words.instant(at) for at in timeline[name].drop_nulls()] if name in timeline.columns else []
    known = [at for at in instants if at is not None]
    if not known:
        return None
    start, end = min(known), max(known)
    pad = max((end - start) / 10, timedelta(seconds=10))
    return Interval(start - pad, end + pad)


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


def request_bins(requests: pl.LazyFrame, span: Interval) -> pl.DataFrame:
    """Count what `facing` gave in bins over a span: `bin`, `total`, `failed`; no rows where there is no request.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> request_bins(facing(inputs.events), focus(inputs.facts, inputs.timeline)).columns
        ['bin', 'total', 'failed']
    """
    counted = rates.series(requests, span=span, every=every(span), failed=pl.col("failed")).select(
        "bin", "total", "failed"
    )
    return counted if counted["total"].sum() else counted.clear()


def heap_points(events: pl.LazyFrame, span: Interval) -> pl.DataFrame:
    """Give the heap after collections: `host_name`, `timestamp`, `after` and `capacity` in MiB, `full`.

    Of many, the highest of each bin stands for it; full collections all stay.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> heap_points(inputs.events, focus(inputs.facts, inputs.timeline)).height
        0
    """
    mib = 1024 * 1024
    rows = (
        events.filter(
            pl.col("jvm_heap_after_bytes").is_not_null() & pl.col("timestamp").is_between(span.start, span.end)
        )
        .select(
            pl.col("host_name").fill_null("unnamed host"),
            "timestamp",
            (pl.col("jvm_heap_after_bytes") / mib).alias("after"),
            (pl.col("jvm_heap_capacity_bytes") / mib).alias("capacity"),
            pl.col("jvm_gc_action")
            .str.to_lowercase()
            .str.contains("full", literal=True)
            .fill_null(False)
            .alias("full"),
        )
        .collect(engine="streaming")
    )
    wide = timedelta(seconds=max(1, -(-span.seconds // POINTS)))
    top = pl.col("after") == pl.col("after").max().over("host_name", "full", pl.col("timestamp").dt.truncate(wide))
    kept = rows.filter(top) if rows.height > POINTS else rows
    return kept.sort("host_name", "timestamp", "after").unique(
        ["host_name", "timestamp", "full"], keep="first", maintain_order=True
    )


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

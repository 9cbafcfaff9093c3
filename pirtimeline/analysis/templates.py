"""Messages without what varies in them, counted in bins.

Numbers, addresses, ids and quoted words are masked by one regex; what is left names the message. Nothing is learned,
so that the same line always has the same template, whatever stands beside it.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pirtimeline.analysis.facts import Interval
from pirtimeline.schema import SEVERITY

VARIES = (
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{17,}|\b0x[0-9a-fA-F]+|\b[0-9a-fA-F]{16,}\b"
    r'|"[^"]*"|\'[^\']*\'|\d+(?:[.,:]\d+)*'
)
LENGTH = 300
"""So much of a message tells it from others; the rest is mostly what it was called with."""

HELD = ("template", "severity", "host_name", "bin", "count", "first", "last", "event_id")


def template() -> pl.Expr:
    """Mask what varies in `message`, and name the exception with it.

    Example:
        >>> frame = pl.DataFrame({"message": ["order 17 took 25.3 ms for 'bob'"], "exception_type": [None]},
        ...     schema_overrides={"exception_type": pl.String})
        >>> frame.select(template()).item()
        'order * took * ms for *'
    """
    line = pl.col("message").str.slice(0, LENGTH).str.replace_all(VARIES, "*").str.strip_chars()
    thrown = pl.col("exception_type").fill_null("")
    return pl.when(thrown == "").then(line).otherwise(pl.concat_str([line, thrown], separator=" · ")).alias("template")


def counted(events: pl.LazyFrame, span: Interval, every: timedelta) -> pl.DataFrame:
    """Count the templates of a span by host and bin, each with its first event; requests and alerts are left out."""
    rows = events.filter(
        pl.col("message").is_not_null()
        & pl.col("http_status_code").is_null()
        & pl.col("jvm_gc_action").is_null()
        & (pl.col("event_kind") != "alert").fill_null(True)
        & pl.col("timestamp").is_between(span.start, span.end)
    )
    step = int(every.total_seconds() * 1_000_000)
    index = ((pl.col("timestamp") - span.start).dt.total_microseconds() // step).alias("bin")
    return (
        rows.select(template(), "severity", "host_name", "timestamp", "event_id", index)
        .group_by("template", "severity", "host_name", "bin")
        .agg(
            pl.len().alias("count"),
            pl.col("timestamp").min().alias("first"),
            pl.col("timestamp").max().alias("last"),
            pl.col("event_id").sort_by("timestamp", "event_id").first(),
        )
        .sort("first", "template", "host_name", "bin", nulls_last=True)
        .collect(engine="streaming")
        .select(HELD)
    )


def grave() -> pl.Expr:
    """Tell whether a template is of level ERROR or above."""
    return (pl.col("severity") >= pl.lit("ERROR", dtype=SEVERITY)).fill_null(False)

"""What was supplied and how far it reaches: per host and kind of log, and over all."""

from __future__ import annotations

from typing import Any

import polars as pl

from pirtimeline.analysis.facts import Interval


def coverage(events: pl.LazyFrame, copies: int) -> dict[str, Any]:
    """Count the events by host and parser with their first and last times, copies left out.

    Example:
        >>> row = {"host_name": "a", "parser": "x", "timestamp": None, "event_id": "s:0", "time_basis": "undated"}
        >>> events = pl.LazyFrame([row], schema_overrides={"timestamp": pl.Datetime("us", "UTC")})
        >>> coverage(events, 2)["events"], coverage(events, 2)["copies"]
        (1, 2)
    """
    counted = (
        events.group_by("host_name", "parser")
        .agg(
            pl.len().alias("events"),
            pl.col("timestamp").min().alias("first"),
            pl.col("timestamp").max().alias("last"),
            pl.col("timestamp").null_count().alias("undated"),
            pl.col("time_basis").cast(pl.String).is_in(["zone_assumed", "ambiguous"]).sum().alias("uncertain"),
        )
        .sort("host_name", "parser", nulls_last=True)
        .collect(engine="streaming")
    )
    return {
        "events": int(counted["events"].sum()),
        "undated": int(counted["undated"].sum()),
        "uncertain_times": int(counted["uncertain"].sum()),
        "copies": copies,
        "first": counted["first"].min(),
        "last": counted["last"].max(),
        "hosts": sorted(set(counted["host_name"].drop_nulls())),
        "by_host": counted.to_dicts(),
        "claim": "derived",
    }


def span(rows: pl.LazyFrame) -> Interval | None:
    """Give the first and last time of dated rows.

    Example:
        >>> span(pl.LazyFrame({"timestamp": []}, schema={"timestamp": pl.Datetime("us", "UTC")})) is None
        True
    """
    ends = rows.select(pl.col("timestamp").min().alias("a"), pl.col("timestamp").max().alias("b")).collect(
        engine="streaming"
    )
    first, last = ends.row(0)
    return None if first is None else Interval(first, last)

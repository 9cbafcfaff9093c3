"""What the event table shows of itself: where each source begins, where the evidence ends, what is weak about times."""

from __future__ import annotations

import polars as pl

from pirtimeline.schema import UNRECOGNISED

UNSURE = ("zone_assumed", "ambiguous")
"""The bases of a time that may be wrong by hours."""


def first_events(events: pl.LazyFrame) -> dict[str, str]:
    """Name the first event of each source.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> first_events(example_inputs().events)["0a1b2c3d4e5f"]
        '0a1b2c3d4e5f:0'
    """
    offset = pl.col("byte_offset").min()
    rows = events.group_by("source_id").agg(offset).sort("source_id").collect(engine="streaming")
    return {str(source): f"{source}:{at}" for source, at in rows.iter_rows()}


def ends(events: pl.LazyFrame) -> list[str]:
    """Name the earliest and the latest dated event; none where nothing is dated.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> ends(example_inputs().events)
        ['5f4e3d2c1b0a:0', '5f4e3d2c1b0a:9560']
    """
    at = pl.col("timestamp")
    first, last = events.select(at.min().alias("a"), at.max().alias("b")).collect(engine="streaming").row(0)
    if first is None:
        return []
    rows = events.filter(at.is_in([first, last])).select("timestamp", "source_id", "byte_offset").collect()
    ordered = rows.sort("timestamp", "source_id", "byte_offset").select(pl.format("{}:{}", "source_id", "byte_offset"))
    return list(dict.fromkeys([ordered[0, 0], ordered[-1, 0]]))


def rejects(events: pl.LazyFrame, *, most: int = 6) -> pl.DataFrame:
    """Count the events that no format understands, by reason, each with its first: `reason`, `count`, `event_id`.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> rejects(example_inputs().events).height
        0
    """
    return _counted(events.filter(pl.col("parser") == UNRECOGNISED), "reject_reason", most)


def unsure(events: pl.LazyFrame, *, most: int = 6) -> pl.DataFrame:
    """Count the events whose time rests on an assumed zone or is ambiguous: `reason`, `count`, `event_id`.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> unsure(example_inputs().events).height
        0
    """
    basis = pl.col("time_basis").cast(pl.String)
    return _counted(events.with_columns(time_basis=basis).filter(basis.is_in(UNSURE)), "time_basis", most)


def _counted(rows: pl.LazyFrame, reason: str, most: int) -> pl.DataFrame:
    source, offset = pl.col("source_id"), pl.col("byte_offset")
    return (
        rows.group_by(pl.col(reason).cast(pl.String).fill_null("no reason given").alias("reason"))
        .agg(
            pl.len().alias("count"),
            source.min().alias("source"),
            offset.filter(source == source.min()).min().alias("at"),
        )
        .sort("count", "reason", descending=[True, False])
        .head(most)
        .collect(engine="streaming")
        .select("reason", "count", pl.format("{}:{}", "source", "at").alias("event_id"))
    )

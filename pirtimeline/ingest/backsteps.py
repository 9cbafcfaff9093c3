"""Where the times of a source step back for good: its clock was set back, or a piece of another log stands behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.schema import STRUCTURE

FALL_S = 60
"""Seconds that times must fall by: what is written a little late is no step."""

FEW = 3
"""More falls than these tell of lines out of order, not of a clock."""

_BEHIND = 3
"""So many events behind a fall must stay below what stood before it."""


def falls(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Find where times fall.

    Args:
        rows: rows of the event table in order of sources and places.

    Returns:
        source id -> `falls`, how many; `steps_back`, the first of those that last: `event_id`, `from` and `to`.

    Example:
        >>> from datetime import UTC, datetime
        >>> at = [datetime(2024, 1, 1, 10, minute, tzinfo=UTC) for minute in (8, 9, 2, 3, 4)]
        >>> table = pl.DataFrame({"source_id": "a", "byte_offset": range(5), "timestamp": at, "parser": "x",
        ...                       "continues": pl.Series([None] * 5, dtype=pl.String)})
        >>> falls(table)["a"]["steps_back"]
        [{'event_id': 'a:2', 'from': '2024-01-01T10:09:00.000000Z', 'to': '2024-01-01T10:02:00.000000Z'}]
    """
    event = pl.col("timestamp").is_not_null() & pl.col("continues").is_null() & (pl.col("parser") != STRUCTURE)
    dated = rows.select("source_id", "byte_offset", "timestamp", event=event).filter("event").drop("event")
    at = dated["timestamp"].dt.epoch("us")
    places = (at.diff() < -FALL_S * 1_000_000).arg_true()
    if not len(places):
        return {}
    source = dated["source_id"]
    before, mine = at.gather(places - 1), source.gather(places)
    low = [_ahead(at, source, places, by) for by in range(1, _BEHIND + 1)]
    found = dated[places].with_columns(
        same=source.gather(places - 1) == mine,
        lasts=(pl.max_horizontal(low) < before - FALL_S * 1_000_000).fill_null(False),
        was=dated["timestamp"].gather(places - 1),
    )
    each = found.filter("same").partition_by("source_id", as_dict=True, maintain_order=True)
    return {str(key): {"falls": table.height, "steps_back": _steps(table)} for (key,), table in each.items()}


def _ahead(at: pl.Series, source: pl.Series, places: pl.Series, by: int) -> pl.Series:
    """Give the times so many events behind places; null where their source ends before."""
    ahead = (places + by).clip(upper_bound=len(at) - 1)
    there = (places + by < len(at)) & (source.gather(ahead) == source.gather(places))
    return pl.select(pl.when(there).then(at.gather(ahead)).alias(str(by))).to_series()


def _steps(table: pl.DataFrame) -> list[dict[str, str]]:
    few = table.filter("lasts").head(FEW)
    written = [pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias(name) for name in ("was", "timestamp")]
    return [
        {"event_id": f"{key}:{offset}", "from": was, "to": now}
        for key, offset, was, now in few.select("source_id", "byte_offset", *written).iter_rows()
    ]


def told(plan: SourcePlan, counted: Mapping[str, Any]) -> dict[str, Any]:
    """Say of a source which steps back its clock made, where its events are else in order."""
    ordered = plan.order == "ascending" and counted["falls"] <= FEW
    return {"steps_back": counted["steps_back"] if ordered else []}

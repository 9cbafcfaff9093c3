"""Events of samples dated, many sources at once: what `inspect` counts and shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from pirtimeline.parsing import clock
from pirtimeline.parsing.offsets import fixed
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.rule import TimeRule
from pirtimeline.parsing.times import FIELDS
from pirtimeline.schema import UNRECOGNISED, UTC

_KEPT = {
    "source_id": pl.String(),
    "byte_offset": pl.UInt64(),
    "byte_length": pl.UInt64(),
    "line_count": pl.UInt32(),
    "parser": pl.String(),
    "message": pl.String(),
    "timestamp_text": pl.String(),
    **FIELDS,
    "_piece_of": pl.Int64(),
}

_SHOWN = (
    *("source_id", "byte_offset", "byte_length", "line_count", "parser", "message", "continues"),
    *("timestamp_text", "timestamp", "time_basis"),
)


def kept(table: pl.DataFrame, source_id: str = "", offset: int = 0) -> pl.DataFrame:
    """Keep of rows what `inspect` counts: their place, parser and time, and the text of rejects.

    Args:
        table: what `blocks.parse_many` gave.
        source_id: whose rows they are, where the table does not tell.
        offset: where the rows' block begins.
    """
    told = table if "source_id" in table.columns else table.with_columns(source_id=pl.lit(source_id))
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _KEPT.items() if name not in told.columns]
    cast = [pl.col(name).cast(dtype) for name, dtype in _KEPT.items() if name in told.columns]
    rows = told.select(*cast, *missing).select(*_KEPT)
    message = pl.when(pl.col("parser") == UNRECOGNISED).then("message").alias("message")
    return rows.with_columns(pl.col("byte_offset") + offset, message)


def dated(rows: pl.DataFrame, plans: Mapping[str, SourcePlan]) -> pl.DataFrame:
    """Date the rows of sources, each by its plan.

    Sources whose texts tell whole dates, and whose zone has one offset, do not depend on order: they go together.

    Returns:
        The rows, source by source and in order, with `timestamp`, `time_basis` and `continues`.
    """
    ordered = rows.sort("source_id", "byte_offset").with_columns(continues=pl.col("_piece_of").cast(pl.String))
    loose = pl.col("_lacks").is_not_null() | pl.col("_ambiguous").fill_null(False)
    alone = set(ordered.filter(loose)["source_id"])
    found: list[pl.DataFrame] = []
    together: dict[TimeRule, list[pl.DataFrame]] = {}
    for (key,), part in ordered.partition_by("source_id", as_dict=True, maintain_order=True).items():
        rule = plans[str(key)].rule
        if str(key) in alone or not (rule.zone is None or fixed(rule.zone) is not None):
            found.append(_settled(part, rule))
        else:
            together.setdefault(replace(rule, mtime=None, name_date=None, start=None, year=None), []).append(part)
    for rule, parts in together.items():
        carry = clock.Carry(known=clock.Known(order=rule.date_order, sure=True))
        found.append(clock.settle(pl.concat(parts), rule, carry)[0])
    told = [one.select(*_SHOWN) for one in found]
    return pl.concat(told, how="vertical_relaxed").sort("source_id", "byte_offset") if told else _nothing(ordered)


def _nothing(rows: pl.DataFrame) -> pl.DataFrame:
    dates = {"timestamp": pl.lit(None, UTC), "time_basis": pl.lit(None, pl.String)}
    return rows.with_columns(**dates).select(*_SHOWN)


def _settled(part: pl.DataFrame, rule: TimeRule) -> pl.DataFrame:
    told = clock.summarise(part, descending=rule.descending)
    return clock.settle(part, rule, clock.anchor([told], rule, bounds=False)[0])[0]

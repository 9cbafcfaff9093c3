"""Many small sources settled at once, as far as nothing in them asks for a look at the whole of one.

What a source by itself costs to settle is some ten milliseconds, whatever its size; there may be a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from pirtimeline.ingest.finish import noted, or_null, with_fields
from pirtimeline.parsing import clock
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.rule import TimeRule
from pirtimeline.parsing.turns import Edge, Turns, night_falls
from pirtimeline.schema import STRUCTURE, UNRECOGNISED, UTC


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows of sources that were settled, what each tells of its times, and the numbers of those left to be settled."""

    rows: Sequence[pl.DataFrame]
    told: Mapping[str, Turns]
    left: frozenset[int]


def settle_together(table: pl.DataFrame, plans: Sequence[SourcePlan]) -> Settled:
    """Settle the sources of a table that was read at once.

    A source is left where it has rows that are rejected, undated, or dated by what lacks a year, a date or a sure
    reading, pieces of long events, envelopes' times, or steps back at an hour in which clocks are set back.

    Args:
        table: what `blocks.parse_many` gave.
        plans: the plan of each block's source.
    """
    numbers = frozenset(table["_block"].unique())
    if "timestamp_text" not in table.columns or any(name.startswith("_observed_") for name in table.columns):
        return Settled((), {}, numbers)
    timed = with_fields(table)
    hard = frozenset(timed.filter(_asks()).get_column("_block").unique())
    by_rule: dict[TimeRule, list[int]] = {}
    for number in sorted(numbers - hard):
        rule = plans[number].rule
        if not rule.descending:
            by_rule.setdefault(replace(rule, mtime=None, name_date=None), []).append(number)
    easy = [number for mine in by_rule.values() for number in mine]
    if not easy:
        return Settled((), {}, numbers)
    placed = _placed(timed.filter(pl.col("_block").is_in(easy)), plans)
    rows = [_rows(placed.filter(pl.col("_block").is_in(mine)), rule) for rule, mine in by_rule.items()]
    sets = [number for number in easy if plans[number].place is not None]
    told = _told(placed.filter(pl.col("_block").is_in(sets))) if sets else {}
    return Settled(rows, told, numbers - frozenset(easy))


def _asks() -> pl.Expr:
    """Tell rows that ask for a look at the whole of their source."""
    said = pl.col("parser") != STRUCTURE
    unsure = pl.col("_local").is_null() | pl.col("_lacks").is_not_null() | pl.col("_ambiguous").is_not_null()
    night = night_falls(pl.col("_local").dt.epoch("us"), "_block")
    return (said & unsure) | (pl.col("parser") == UNRECOGNISED) | pl.col("_piece_of").is_not_null() | night


def _placed(table: pl.DataFrame, plans: Sequence[SourcePlan]) -> pl.DataFrame:
    """Place rows in their sources, with what the plan says of host and service."""
    told = pl.DataFrame(
        {
            "_block": range(len(plans)),
            "source_id": [plan.source_id for plan in plans],
            "_host": [plan.host_name for plan in plans],
            "_service": [plan.service_name for plan in plans],
        },
        schema={"_block": table.schema["_block"], "source_id": pl.String, "_host": pl.String, "_service": pl.String},
    )
    return table.join(told, on="_block", how="left", maintain_order="left").with_columns(
        pl.col("byte_offset").cast(pl.UInt64),
        pl.col("byte_length").cast(pl.UInt32),
        (pl.col("line") + 1).cast(pl.UInt64).alias("line"),
        pl.lit(None, pl.String).alias("continues"),
    )


def _rows(placed: pl.DataFrame, rule: TimeRule) -> pl.DataFrame:
    """Settle rows of one rule; each is dated by its own text alone."""
    settled, _ = clock.settle(placed, rule, clock.Carry(known=clock.Known()))
    said = pl.col("parser") != STRUCTURE
    fills = [
        pl.when(said).then(pl.coalesce(or_null(settled, name), value)).alias(name)
        for name, value in (("host_name", "_host"), ("service_name", "_service"))
    ]
    kind = pl.when(said).then(or_null(settled, "event_kind").fill_null("event")).alias("event_kind")
    bounds = [pl.lit(None, UTC).alias(name) for name in ("not_before", "not_after", "observed_timestamp")]
    kept = noted(settled.with_columns(*fills, kind, *bounds))
    return kept.select([name for name in kept.columns if not name.startswith("_")])


def _told(placed: pl.DataFrame) -> dict[str, Turns]:
    """Say what each source tells of its times: only where it begins and ends, since nothing turns in it."""
    rows = placed.with_columns(
        at=pl.col("_local").dt.epoch("us"),
        row=pl.int_range(pl.len()).over("source_id"),
        rows=pl.len().over("source_id"),
    )
    dated = rows.filter(pl.col("_local").is_not_null())
    edge = ["byte_offset", "at", "_offset_s", "_zone_word", "timestamp_text", "row", "rows"]
    ends = dated.group_by("source_id", maintain_order=True).agg(
        first=pl.struct(edge).first(), last=pl.struct(edge).last()
    )
    open_ends = (
        dated.filter(pl.col("_offset_s").is_null())
        .group_by("source_id")
        .agg(pl.col("at").first(), pl.col("byte_offset").first(), last=pl.col("at").last())
    )
    runs = {key: {"": (at, offset, last)} for key, at, offset, last in open_ends.iter_rows()}
    return {
        key: Turns(
            tracks={},
            steps={},
            ends=runs.get(key, {}),
            first=_edge(first),
            last=_edge(last),
            loose=first["row"] > 0 or last["row"] < last["rows"] - 1,
        )
        for key, first, last in ends.iter_rows()
    }


def _edge(row: Mapping[str, object]) -> Edge:
    told = {"byte_offset": row["byte_offset"], "local": row["at"], "text": row["timestamp_text"]}
    return Edge(**told, offset_s=row["_offset_s"], zone_word=row["_zone_word"], lacks=None, ambiguous=None)  # type: ignore[arg-type]  # Polars'

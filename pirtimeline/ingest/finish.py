"""Rows as they were read to rows as they are kept: placed in their source, dated, with host and service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import polars as pl

from pirtimeline.parsing import clock
from pirtimeline.parsing.pieces import OPEN
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.times import FIELDS
from pirtimeline.parsing.turns import NOTHING, Turns, moved
from pirtimeline.schema import EVENT_COLUMNS, STRUCTURE, TIME_BASIS, UNRECOGNISED, UTC

_Piece = TypeVar("_Piece")

_TIMES = {"timestamp_text": pl.String(), **FIELDS}
_SETTLED = ("timestamp", "local_timestamp", "timestamp_text", "resolution_us", "not_before", "not_after", "time_basis")
_REPEATED = (*_SETTLED, "parser", "envelope", "reject_reason")


@dataclass(frozen=True, slots=True)
class Ongoing:
    """What a source's next block needs to know of those before it."""

    lines: int = 0
    past: Turns = NOTHING
    observed: clock.Carry | None = None
    open_event: pl.DataFrame | None = None


def finish(
    table: pl.DataFrame,
    plan: SourcePlan,
    ongoing: Ongoing,
    *,
    offset: int,
    told: Turns | None = None,
    following: Turns | None = None,
) -> tuple[pl.DataFrame, Ongoing]:
    """Settle a block's rows.

    Args:
        table: what `blocks.parse` gave.
        plan: the source's plan.
        ongoing: what the block before left, `Ongoing()` for a source's first.
        offset: the block's first byte in the source.
        told: what this block tells of its times, where that is known already.
        following: what the next block tells of its times, where there is one.

    Returns:
        The rows of the event table with `parser`, in order, and what the next block needs.
    """
    lines = int(table["line_count"].sum())
    placed = _placed(table, plan.source_id, offset, ongoing.lines)
    piece = placed["_piece_of"].is_not_null()
    whole = placed.filter(~piece) if piece.any() else placed
    timed = with_fields(whole)
    told = clock.summarise(timed, descending=plan.rule.descending) if told is None else told
    carry = carry_of(ongoing.past, told, following, plan, bounds=_may_lack_times(timed))
    settled, _ = clock.settle(timed, plan.rule, carry)
    settled, observed = _observed(settled, plan, ongoing.observed)
    last = settled.filter(pl.col("parser") != STRUCTURE).tail(1)
    open_event = last if last.height else ongoing.open_event
    if piece.any():
        pieces = _pieces(placed.filter(piece), settled, ongoing.open_event, plan.source_id)
        settled = pl.concat([settled, pieces], how="diagonal_relaxed").sort("byte_offset")
    kept = noted(_named(settled, plan))
    past = clock.extended(ongoing.past, told, plan.rule)
    now = replace(ongoing, lines=ongoing.lines + lines, past=past, observed=observed, open_event=open_event)
    return kept.select([name for name in kept.columns if not name.startswith("_")]), now


def _may_lack_times(timed: pl.DataFrame) -> bool:
    """Tell whether any row may be undated, so that its neighbours bound it."""
    whole = timed["_lacks"].null_count() == timed.height and not timed["_ambiguous"].any()
    return timed["_local"].null_count() > 0 or not whole


def with_next(pieces: Iterable[_Piece]) -> Iterator[tuple[_Piece, _Piece | None]]:
    """Give each piece of a source with a look at the next, None behind the last.

    Example:
        >>> list(with_next("ab"))
        [('a', 'b'), ('b', None)]
    """
    held: list[_Piece] = []
    for one in pieces:
        if held:
            yield held.pop(), one
        held.append(one)
    if held:
        yield held.pop(), None


def carry_of(
    past: Turns, told: Turns, following: Turns | None, plan: SourcePlan, *, bounds: bool = True
) -> clock.Carry:
    """Settle what a block must know of those before it and of the next; see `clock.anchor`."""
    before = [] if past == NOTHING else [past]
    after = [] if following is None else [following]
    found = clock.anchor(clock.in_time([*before, told, *after], plan.rule), plan.rule, bounds=bounds)
    return found[len(after if plan.rule.descending else before)]


def turns(table: pl.DataFrame, plan: SourcePlan, offset: int) -> Turns:
    """Say what a block that was read, whose first byte is at `offset`, tells of its times."""
    descending = plan.rule.descending
    told = clock.summarise(with_fields(table.filter(pl.col("_piece_of").is_null())), descending=descending)
    return moved(told, -offset if descending else offset)


def _placed(table: pl.DataFrame, source_id: str, offset: int, lines: int) -> pl.DataFrame:
    return table.with_columns(
        pl.lit(source_id).alias("source_id"),
        (pl.col("byte_offset") + offset).cast(pl.UInt64).alias("byte_offset"),
        pl.col("byte_length").cast(pl.UInt32),
        (pl.col("line") + lines + 1).cast(pl.UInt64).alias("line"),
        pl.lit(None, pl.String).alias("continues"),
        pl.when(pl.col("_piece_of") == OPEN).then(OPEN).otherwise(pl.col("_piece_of") + offset).alias("_piece_of"),
    )


def with_fields(table: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of time that no format of the block filled."""
    missing = {name: dtype for name, dtype in _TIMES.items() if name not in table.columns}
    return table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())


def _observed(
    table: pl.DataFrame, plan: SourcePlan, carry: clock.Carry | None
) -> tuple[pl.DataFrame, clock.Carry | None]:
    """Settle what envelopes recorded, by the same clock."""
    names = {name: f"_observed_{name.lstrip('_')}" for name in _TIMES}
    if names["timestamp_text"] not in table.columns:
        return table.with_columns(pl.lit(None, UTC).alias("observed_timestamp")), carry
    seen = table.filter(pl.col(names["timestamp_text"]).is_not_null())
    if seen.is_empty():
        return table.with_columns(pl.lit(None, UTC).alias("observed_timestamp")), carry
    outer = seen.select("byte_offset", "parser", *[pl.col(theirs).alias(ours) for ours, theirs in names.items()])
    settled, carry = clock.settle(outer, plan.rule, carry)
    times = settled.select("byte_offset", observed_timestamp="timestamp")
    return table.join(times, on="byte_offset", how="left", maintain_order="left"), carry


def _pieces(
    pieces: pl.DataFrame, settled: pl.DataFrame, open_event: pl.DataFrame | None, source_id: str
) -> pl.DataFrame:
    """Let pieces repeat time, basis and parser of the event they belong to, which may be another source's last one."""
    repeated = [name for name in _REPEATED if name in settled.columns]
    owner = pl.format("{}:{}", "source_id", pl.col("byte_offset").cast(pl.Int64)).alias("continues")
    last = None if open_event is None else open_event.select(owner).item()
    events = [
        one.select(owner, *[name for name in repeated if name in one.columns])
        for one in (open_event, settled)
        if one is not None
    ]
    mine = pl.format("{}:{}", pl.lit(source_id), "_piece_of")
    named = pieces.drop("continues", *[name for name in repeated if name in pieces.columns]).with_columns(
        pl.when(pl.col("_piece_of") == OPEN)
        .then(pl.coalesce(pl.lit(last, pl.String), mine))
        .otherwise(mine)
        .alias("continues")
    )
    known = pl.concat(events, how="diagonal_relaxed")
    return named.join(known, on="continues", how="left", maintain_order="left").with_columns(
        pl.col("parser").fill_null(UNRECOGNISED),
        pl.col("time_basis").fill_null(pl.lit("undated", TIME_BASIS)),
    )


def _named(table: pl.DataFrame, plan: SourcePlan) -> pl.DataFrame:
    """Fill host and service where the text names none."""
    said = pl.col("parser") != STRUCTURE
    fills = [
        pl.when(said).then(pl.coalesce(or_null(table, name), pl.lit(value, pl.String))).alias(name)
        for name, value in (("host_name", plan.host_name), ("service_name", plan.service_name))
    ]
    kind = pl.when(said & (pl.col("parser") != UNRECOGNISED)).then(or_null(table, "event_kind").fill_null("event"))
    return table.with_columns(*fills, kind.alias("event_kind"))


def or_null(table: pl.DataFrame, name: str) -> pl.Expr:
    """Give a column of the event table, or null where no format filled it."""
    return pl.col(name) if name in table.columns else pl.lit(None, EVENT_COLUMNS[name])


def noted(table: pl.DataFrame) -> pl.DataFrame:
    """Add our own remarks to `extra`, under `pir_note`."""
    if "_note" not in table.columns or not table["_note"].is_not_null().any():
        return table
    note = pl.struct(pir_note="_note").struct.json_encode()
    return table.with_columns(
        pl.when(pl.col("_note").is_not_null())
        .then(join_objects(or_null(table, "extra"), note))
        .otherwise(or_null(table, "extra"))
        .alias("extra")
    )


def join_objects(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    """Join two JSON objects given as text; null or empty ones add nothing.

    Example:
        >>> pl.select(join_objects(pl.lit('{"a":1}'), pl.lit('{"b":2}'))).item()
        '{"a":1,"b":2}'
    """
    empty = first.is_null() | (first == "{}")
    both = pl.concat_str(first.str.strip_suffix("}"), pl.lit(","), second.str.strip_prefix("{"))
    return pl.when(second.is_null() | (second == "{}")).then(first).when(empty).then(second).otherwise(both)

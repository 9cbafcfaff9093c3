"""The clock: times as texts say them to instants in UTC, for all formats alike, and how each is known.

A source's rows are settled in order, block after block. What a block cannot know by itself (which year its stamps
without one are of, when clocks were set back, what stands before and behind it) comes as a `Carry`: `anchor` makes
exact ones from what all blocks tell (`summarise`), so that the result does not depend on where blocks are cut; or each
`settle` hands the next one what is known so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate
from typing import TypeVar

import polars as pl

from pirtimeline.parsing import anchors, instants, walls
from pirtimeline.parsing.anchors import Top
from pirtimeline.parsing.assemble import FIELDS
from pirtimeline.parsing.offsets import zone
from pirtimeline.parsing.rule import TimeRule, in_utc, name_date
from pirtimeline.parsing.turns import NOTHING, Edge, Turns, forwards, join, shift, summarise
from pirtimeline.parsing.walls import Known
from pirtimeline.schema import LOCAL, STRUCTURE, TIME_BASES, TIME_BASIS, UTC

__all__ = ["REMARKS", "Carry", "Known", "TimeRule", "Turns", "anchor", "name_date", "settle", "summarise", "zone"]

IMPOSSIBLE = "the time in the text is no real one"
NO_YEAR = "no year is known for this time"
NO_DATE = "no date is known for this time"
NO_START = "no start is known from which this time counts"
FUTURE = "later than the evidence was collected"

T = TypeVar("T")

REMARKS = (IMPOSSIBLE, NO_YEAR, NO_DATE, NO_START, FUTURE, instants.GAP, instants.FOLD)
"""All that the clock ever writes into `_note`, so that a new settling can take the old remarks back."""

_KIND_RANK = {"year": "year_inferred", "date": "date_inferred", "start": "date_inferred"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """What comes over to a block: exactly what it must know, or else what the blocks before it told."""

    known: Known | None = None
    past: Turns = NOTHING


def anchor(turns: Sequence[Turns], rule: TimeRule | Sequence[TimeRule], *, bounds: bool = True) -> list[Carry]:
    """Settle for each block of a source what it must know of the rest.

    Args:
        turns: what each block tells (`summarise`), in order; of several sources where they are one rotated set.
        rule: the source's rule, or one for each block.
        bounds: whether to settle the nearest dated rows around each block too, which bound undated ones.

    Returns:
        A carry for each block: `settle` with it gives the rows that settling the whole source at once would give.

    Example:
        >>> anchor([], TimeRule())
        []
    """
    rules = [rule] * len(turns) if isinstance(rule, TimeRule) else list(rule)
    if not turns:
        return []
    pasts = list(accumulate(turns, join, initial=NOTHING))
    whole = pasts[-1]
    years = _firsts(turns, pasts, rules, whole, "year")
    firsts = _firsts(turns, pasts, rules, whole, "date")
    order, sure = _order(whole, rules[0])
    loose = "year" in whole.tracks and anchors.scattered(whole.tracks["year"])
    steps = tuple(sorted(whole.steps.items()))
    known = [
        Known(year=year, day=day, scattered=loose, order=order, sure=sure, steps=steps)
        for year, day in zip(years, firsts, strict=True)
    ]
    return [Carry(known=one) for one in (_between(turns, known, rules) if bounds else known)]


def carried(turns: Sequence[Turns], first: Known, rule: TimeRule) -> list[Carry]:
    """Give each stretch of a source what follows for it from what its first one must know.

    Args:
        turns: what each tells, in the order of time.
        first: what the source's first stretch must know; undated rows are bounded by rows of the source itself.
        rule: the source's rule.

    Example:
        >>> carried([NOTHING], Known(year=2024), TimeRule())[0].known.year
        2024
    """
    pasts = accumulate(turns, join, initial=NOTHING)
    known = [
        replace(
            first,
            year=None if first.year is None else first.year + shift(past, told, "year"),
            day=None if first.day is None else first.day + shift(past, told, "date"),
        )
        for past, told in zip(pasts, turns, strict=False)
    ]
    return [Carry(known=one) for one in _between(turns, known, [rule] * len(turns))]


def _firsts(
    turns: Sequence[Turns], pasts: Sequence[Turns], rules: Sequence[TimeRule], whole: Turns, kind: str
) -> list[int | None]:
    """Give the year (day) of each block's first stamp without one."""
    if kind not in whole.tracks:
        return [None] * len(turns)
    shifts = [shift(past, block, kind) for past, block in zip(pasts, turns, strict=False)]
    tops = [
        Top(by + block.tracks[kind].latest[0], block.tracks[kind].latest[1], rule)
        for by, block, rule in zip(shifts, turns, rules, strict=True)
        if kind in block.tracks
    ]
    settle_first = anchors.first_year if kind == "year" else anchors.first_day
    first = settle_first(whole.tracks[kind], tops)
    return [
        None if first is None or kind not in block.tracks else first + by
        for by, block in zip(shifts, turns, strict=True)
    ]


def _order(whole: Turns, rule: TimeRule) -> tuple[str | None, bool]:
    """Settle how dates of bare numbers are read, and whether nothing else can be meant."""
    if rule.date_order is not None or not whole.orders:
        return rule.date_order, rule.date_order is not None
    stand = dict(whole.orders)
    if rule.bound is not None:
        last = (in_utc(rule.bound).date() - anchors.EPOCH_DAY).days
        stand = {name: one for name, one in stand.items() if one[0] <= last + 1} or stand
        near = [name for name, one in stand.items() if abs(one[0] - last) <= 1]
        stand = {near[0]: stand[near[0]]} if len(near) == 1 else stand
    if len({day for day, _ in stand.values()}) == 1 or any(as_read for _, as_read in stand.values()):
        return (next(iter(stand)), True) if len(stand) == 1 else (None, False)
    return next(iter(stand)), len(stand) == 1


def _between(turns: Sequence[Turns], known: Sequence[Known], rules: Sequence[TimeRule]) -> list[Known]:
    """Add the instants of the nearest dated rows around each block."""
    edges = [
        (edge, one, rule)
        for told, one, rule in zip(turns, known, rules, strict=True)
        for edge in (told.first, told.last)
    ]
    settled = _instants(edges)
    ends = list(zip(settled[0::2], settled[1::2], strict=True))
    found, before = [], None
    for one, (_, last) in zip(known, ends, strict=True):
        found.append(replace(one, before=before))
        before = before if last is None else last
    after = None
    for at in range(len(found) - 1, -1, -1):
        found[at] = replace(found[at], after=after)
        after = after if ends[at][0] is None else ends[at][0]
    return found


def _instants(edges: Sequence[tuple[Edge | None, Known, TimeRule]]) -> list[int | None]:
    """Settle single rows at blocks' edges; rows whose text says the whole date do not look at each other."""
    alike: dict[object, list[int]] = {}
    for number, (edge, known, rule) in enumerate(edges):
        if edge is not None:
            alike.setdefault((known, rule) if edge.lacks is None else number, []).append(number)
    found: list[int | None] = [None] * len(edges)
    for numbers in alike.values():
        _, known, rule = edges[numbers[0]]
        rows = [edge for edge, _, _ in (edges[number] for number in numbers) if edge is not None]
        for number, instant in zip(numbers, _settled_edges(rows, known, rule), strict=True):
            found[number] = instant
    return found


def _settled_edges(edges: Sequence[Edge], known: Known, rule: TimeRule) -> list[int | None]:
    rows = [
        {
            "byte_offset": edge.byte_offset,
            "timestamp_text": edge.text,
            "_local": edge.local,
            "_offset_s": edge.offset_s,
            "_zone_word": edge.zone_word,
            "_lacks": edge.lacks,
            "_ambiguous": edge.ambiguous,
        }
        for edge in edges
    ]
    schema = {"byte_offset": pl.Int64(), "timestamp_text": pl.String(), **FIELDS, "_local": pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema).with_columns(pl.from_epoch("_local", "us").cast(LOCAL))
    placed = walls.completed(frame, rule, _turned_on(known, edges[0]))
    return _timed(placed, rule, known)["timestamp"].dt.epoch("us").to_list()


def _turned_on(known: Known, edge: Edge) -> Known:
    if edge.lacks == "year" and known.year is not None:
        return replace(known, year=known.year + edge.turns)
    return replace(known, day=known.day + edge.turns) if edge.lacks == "date" and known.day is not None else known


def settle(frame: pl.DataFrame, rule: TimeRule, carry: Carry | None = None) -> tuple[pl.DataFrame, Carry]:
    """Settle the times of a block's rows.

    Args:
        frame: rows of one source in order of `byte_offset`, with `timestamp_text` and the columns of
            `parsing.times.FIELDS`; `parser` tells structure, `_note` is added to where it is there.
        rule: what the plan says of the source's time.
        carry: one of `anchor`'s, or what `settle` gave for the block before; null for a source's first block.

    Returns:
        The rows, in place of the private columns `timestamp`, `local_timestamp`, `resolution_us`, `time_basis`,
        `not_before`, `not_after` and `_note`; and the carry for the next block.

    Example:
        >>> from pirtimeline.parsing import times
        >>> rows = pl.DataFrame({"byte_offset": [0], "timestamp_text": ["2024-07-01 12:00:00"]})
        >>> rule = TimeRule(zone="Europe/Berlin", zone_basis="zone_declared")
        >>> settled, _ = settle(times.read(rows, "iso8601"), rule)
        >>> settled["timestamp"].item().isoformat(), settled["time_basis"].item()
        ('2024-07-01T10:00:00+00:00', 'zone_declared')
    """
    carry = carry or Carry()
    known, following = carry.known, carry
    if known is None:
        told = summarise(frame, descending=rule.descending)
        known = _so_far(carry.past, told, rule)
        following = Carry(past=extended(carry.past, told, rule))
    if not rule.descending:
        return _settled(frame, rule, known), following
    settled = _settled(forwards(frame), rule, known)
    return forwards(settled).with_columns(pl.col("byte_offset").cast(frame.schema["byte_offset"])), following


def _settled(frame: pl.DataFrame, rule: TimeRule, known: Known) -> pl.DataFrame:
    return _finished(_timed(walls.completed(frame, rule, known), rule, known), known)


def extended(past: Turns, told: Turns, rule: TimeRule) -> Turns:
    """Join what a source's blocks so far tell and what the next one does, in the order of time.

    Example:
        >>> extended(NOTHING, NOTHING, TimeRule()) == NOTHING
        True
    """
    return join(told, past) if rule.descending else join(past, told)


def _so_far(past: Turns, told: Turns, rule: TimeRule) -> Known:
    """Settle what a block must know from the blocks before it and from itself."""
    found = anchor(in_time([told] if past == NOTHING else [past, told], rule), rule)
    return found[0 if rule.descending else -1].known or Known()


def in_time(stretches: Sequence[T], rule: TimeRule) -> list[T]:
    """Put what is said of a source's stretches in the order of time, or back in that of the source.

    Example:
        >>> in_time([], TimeRule())
        []
    """
    return list(reversed(stretches)) if rule.descending else list(stretches)


def _timed(rows: pl.DataFrame, rule: TimeRule, known: Known) -> pl.DataFrame:
    """Add `timestamp`, `_rank` and `_remark` to rows with `_wall`."""
    undated = pl.lit(instants.RANK["undated"], pl.UInt8)
    if rows["_wall"].null_count() == rows.height:
        return rows.with_columns(timestamp=pl.lit(None, UTC), _rank=undated, _remark=_failing())
    dated = rows.with_row_index("_row").filter(pl.col("_wall").is_not_null())
    from_start = pl.col("_lacks").eq_missing("start")
    zoned = dated.with_columns(_offset_s=pl.when(from_start).then(0).otherwise("_offset_s").cast(pl.Int32))
    placed = zoned.hstack(instants.place(zoned, rule, dict(known.steps)))
    utc = (pl.col("_wall") - pl.duration(seconds=pl.col("offset").cast(pl.Int64))).dt.replace_time_zone("UTC")
    weaker = pl.col("_lacks").replace_strict(
        {kind: instants.RANK[basis] for kind, basis in _KIND_RANK.items()}, default=0, return_dtype=pl.UInt8
    )
    ranks = [
        pl.max_horizontal("rank", pl.when(from_start).then(walls.begun(rule)[1] if rule.start else 0)),
        pl.when("_inferred").then(weaker).otherwise(0),
        pl.when(pl.col("_ambiguous").fill_null(False)).then(instants.RANK["ambiguous"]).otherwise(0),
    ]
    late = pl.lit(False) if rule.collected_at is None else utc > in_utc(rule.collected_at) + timedelta(days=1)
    found = placed.select(
        "_row",
        timestamp=utc.cast(UTC),
        _rank=pl.max_horizontal(ranks).cast(pl.UInt8),
        _remark=pl.when(late).then(pl.lit(FUTURE)).otherwise("remark"),
    )
    if found.height == rows.height:
        return rows.hstack(found.drop("_row"))
    joined = rows.with_row_index("_row").join(found, on="_row", how="left", maintain_order="left").drop("_row")
    missing = pl.col("_wall").is_null()
    return joined.with_columns(
        _rank=pl.when(missing).then(undated).otherwise("_rank"),
        _remark=pl.when(missing).then(_failing()).otherwise("_remark"),
    )


def _failing() -> pl.Expr:
    """Say why a row with a text for its time has none."""
    lacks = (
        pl.when(pl.col("_lacks") == "date")
        .then(pl.lit(NO_DATE))
        .when(pl.col("_lacks") == "start")
        .then(pl.lit(NO_START))
    )
    year = pl.when(pl.col("_lacks") == "year").then(pl.lit(NO_YEAR))
    reason = pl.when(pl.col("_local").is_null()).then(pl.lit(IMPOSSIBLE)).otherwise(pl.coalesce(lacks, year))
    return pl.when(pl.col("timestamp_text").is_not_null()).then(reason)


def _finished(rows: pl.DataFrame, known: Known) -> pl.DataFrame:
    """Name the columns of the event table, and bound what is undated by its dated neighbours."""
    structure = pl.col("parser") == STRUCTURE if "parser" in rows.columns else pl.lit(False)
    notes = [pl.col("_note")] if "_note" in rows.columns else []
    remarks = [pl.when(~structure).then("_remark")] if rows["_remark"].null_count() < rows.height else []
    note = pl.concat_str([*notes, *remarks], separator="; ", ignore_nulls=True).replace("", None)
    bounds = dict.fromkeys(("not_before", "not_after"), pl.lit(None, UTC))
    if rows["timestamp"].has_nulls():
        bounds = _bounds(pl.col("timestamp").is_null() & ~structure, known)
    return rows.with_columns(
        local_timestamp=pl.col("_wall"),
        resolution_us=pl.when(pl.col("timestamp").is_not_null()).then("_resolution_us"),
        time_basis=pl.col("_rank").replace_strict(dict(enumerate(TIME_BASES)), return_dtype=TIME_BASIS),
        **bounds,
        _note=note if notes or remarks else pl.lit(None, pl.String),
    ).drop(*FIELDS, "_wall", "_inferred", "_rank", "_remark")


def _bounds(undated: pl.Expr, known: Known) -> dict[str, pl.Expr]:
    """Bound what is undated by the dated rows beside it, whichever of them is the earlier."""
    before = pl.col("timestamp").forward_fill().fill_null(_utc(known.before))
    after = pl.col("timestamp").backward_fill().fill_null(_utc(known.after))
    swapped = before > after
    return {
        "not_before": pl.when(undated).then(pl.when(swapped).then(after).otherwise(before)),
        "not_after": pl.when(undated).then(pl.when(swapped).then(before).otherwise(after)),
    }


def _utc(micros: int | None) -> pl.Expr:
    return pl.lit(micros, pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")

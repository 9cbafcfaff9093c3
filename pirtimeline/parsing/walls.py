"""What texts of times leave out, completed: local times with year and date, from what a block must know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.parsing import instants
from pirtimeline.parsing.assemble import FIELDS, readings_of_numbers, real_day
from pirtimeline.parsing.rule import TimeRule, in_utc
from pirtimeline.parsing.turns import DAY, turned
from pirtimeline.schema import LOCAL

_PLACED = ("_offset_s", "_zone_word", "_lacks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a block must know of the rest of its source.

    `year` is that of the block's first stamp without one, `day` (since 1970) that of its first without date;
    `scattered` says that the order of stamps tells nothing of years; `order` how dates of bare numbers are read, if the
    source as a whole tells, `sure` whether it leaves no other reading; `before` and `after` are the instants
    (microseconds) of the nearest dated rows around the block.
    """

    year: int | None = None
    day: int | None = None
    scattered: bool = False
    order: str | None = None
    sure: bool = False
    steps: tuple[tuple[tuple[str, int], tuple[int, int]], ...] = ()
    before: int | None = None
    after: int | None = None


def completed(frame: pl.DataFrame, rule: TimeRule, known: Known) -> pl.DataFrame:
    """Complete what the texts lack: add `_wall`, the local time with year and date."""
    rows = _reordered(frame, known).with_columns(_wall=pl.col("_local"), _inferred=pl.lit(False))
    kinds = set(frame["_lacks"].drop_nulls().unique()) if frame["_lacks"].null_count() < frame.height else set()
    for kind in sorted(kinds):
        mine = (pl.col("_lacks") == kind).fill_null(False)
        wall, inferred = _of_kind(kind, mine, rule, known)
        rows = _at_once(
            rows,
            _wall=pl.when(mine).then(wall).otherwise("_wall"),
            _inferred=pl.when(mine).then(inferred.fill_null(False)).otherwise("_inferred"),
        )
    return rows


def _at_once(rows: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    """Add columns whose expressions share parts, each part computed once: only lazy frames see to that."""
    return rows.lazy().with_columns(**columns).collect()


def _reordered(frame: pl.DataFrame, known: Known) -> pl.DataFrame:
    """Read dates of bare numbers as the source as a whole does."""
    if known.order is None or not frame["_ambiguous"].any():
        return frame
    days_read = readings_of_numbers(frame["timestamp_text"])[known.order]
    meant = (pl.lit(days_read) * DAY + pl.col("_local").dt.epoch("us") % DAY).cast(LOCAL)
    again = pl.col("_ambiguous").fill_null(False) & pl.lit(days_read.is_not_null())
    return frame.with_columns(
        _local=pl.when(again).then(meant).otherwise("_local"),
        _ambiguous=pl.col("_ambiguous") & ~(again & pl.lit(known.sure)),
    )


def _of_kind(kind: str, mine: pl.Expr, rule: TimeRule, known: Known) -> tuple[pl.Expr, pl.Expr]:
    """Give the wall time of rows that lack something, and whether it rests on an inference."""
    at = pl.col("_local").dt.epoch("us")
    run = pl.when(mine).then(at).forward_fill()
    if kind == "start":
        start = None if rule.start is None else in_utc(begun(rule)[0]).replace(tzinfo=None)
        return pl.lit(start, LOCAL) + pl.duration(microseconds=at), pl.lit(True)
    if kind == "date":
        day = pl.lit(known.day, pl.Int64) + turned("date", run)
        return (day * DAY + at).cast(LOCAL), pl.lit(True)
    year = _years(rule, known, run)
    day = real_day(year, pl.col("_local").dt.month().cast(pl.Int64), pl.col("_local").dt.day().cast(pl.Int64))
    inferred = pl.lit(rule.year_basis == "inferred" or rule.year is None) | (year != (rule.year or 0))
    return (day * DAY + at % DAY).cast(LOCAL), inferred


def begun(rule: TimeRule) -> tuple[datetime, int]:
    """Give the instant from which seconds count, and on which assumption; what tells no zone is in the source's."""
    assert rule.start is not None
    if rule.start.tzinfo is not None:
        return rule.start, 0
    row = pl.DataFrame(
        [{"byte_offset": 0, "_wall": rule.start}],
        schema={"byte_offset": pl.Int64(), "_wall": LOCAL, **{name: FIELDS[name] for name in _PLACED}},
    )
    offset, rank, _ = instants.place(row, rule, {}).row(0)
    return rule.start - timedelta(seconds=offset), rank


def _years(rule: TimeRule, known: Known, run: pl.Expr) -> pl.Expr:
    """Give the year of each stamp without one."""
    if not known.scattered:
        return pl.lit(known.year, pl.Int64) + turned("year", run)
    if rule.year is not None or rule.bound is None:
        return pl.lit(rule.year if rule.year is not None else known.year, pl.Int64)
    return _latest_years(rule)


def _latest_years(rule: TimeRule) -> pl.Expr:
    """Give each stamp by itself the latest year in which it is not behind the bound; a leap year to 29 February."""
    bound = in_utc(rule.bound).replace(tzinfo=None) + timedelta(days=1)  # type: ignore[arg-type]  # the caller asked
    stamp = pl.col("_local")
    month, day = stamp.dt.month().cast(pl.Int64), stamp.dt.day().cast(pl.Int64)
    tries = []
    for year in range(bound.year, bound.year - 9, -1):
        at = real_day(pl.lit(year, pl.Int64), month, day) * DAY + stamp.dt.epoch("us") % DAY
        tries.append(pl.when(at.cast(LOCAL) <= bound).then(pl.lit(year, pl.Int64)))
    return pl.coalesce(tries)

"""Wall times to instants: which offset each row's time has, and on which assumption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.parsing import offsets
from pirtimeline.parsing.rule import TimeRule
from pirtimeline.parsing.turns import BUCKET, SECOND
from pirtimeline.schema import TIME_BASES

RANK = {basis: rank for rank, basis in enumerate(TIME_BASES)}
"""The place of each time basis, the strongest first."""

GAP = "clocks were set ahead over this local time"
FOLD = "clocks were set back: this local time came twice"

Steps = Mapping[tuple[str, int], tuple[int, int]]

_EPOCH = datetime(1970, 1, 1)


def place(frame: pl.DataFrame, rule: TimeRule, steps: Steps) -> pl.DataFrame:
    """Give offset, assumption and remark of rows with a wall time.

    Args:
        frame: `byte_offset`, `_wall` (Datetime, no zone), `_offset_s`, `_zone_word`, `_lacks`.
        rule: what the plan says of the source's time.
        steps: steps back of the whole source (`Turns.steps`).

    Returns:
        A row for each in order: `offset` (seconds), `rank` (in `TIME_BASES`) and `remark` (null mostly).
    """
    if frame["_offset_s"].null_count() == 0:
        return frame.select(offset="_offset_s", rank=pl.lit(0, pl.UInt8), remark=pl.lit(None, pl.String))
    if frame["_offset_s"].null_count() == frame["_zone_word"].null_count() == frame.height:
        return pl.concat(_unsaid(frame, rule, steps)).select("offset", "rank", "remark")
    rows = frame.with_row_index("row")
    told = rows.filter(pl.col("_offset_s").is_not_null())
    done = [told.select("row", offset="_offset_s", rank=pl.lit(0, pl.UInt8), remark=pl.lit(None, pl.String))]
    for (word,), group in rows.filter(pl.col("_offset_s").is_null()).partition_by("_zone_word", as_dict=True).items():
        parts = _unsaid(group, rule, steps) if word is None else _worded(group, str(word), rule, steps)
        done += [part.select("row", "offset", "rank", "remark") for part in parts]
    return pl.concat(done).sort("row").drop("row")


def _unsaid(group: pl.DataFrame, rule: TimeRule, steps: Steps) -> Iterator[pl.DataFrame]:
    """Place rows whose text names no zone by the plan's, else as UTC."""
    yield _zoned(group, rule.zone or "UTC", steps).with_columns(rank=pl.max_horizontal("rank", _rule_rank(rule)))


def _rule_rank(rule: TimeRule) -> pl.Expr:
    """Rank the plan's zone; an inferred offset holds for the days that its evidence spans alone."""
    assumed = pl.lit(RANK["zone_assumed"], pl.UInt8)
    if rule.zone is None:
        return assumed
    rank = pl.lit(RANK[rule.zone_basis or "zone_inferred"], pl.UInt8)
    if rule.zone_basis != "zone_inferred" or rule.zone_from is None or rule.zone_to is None:
        return rank
    day = pl.col("_wall").dt.date()
    spanned = day.is_between(pl.lit(rule.zone_from[:10]).str.to_date(), pl.lit(rule.zone_to[:10]).str.to_date())
    return pl.when(spanned).then(rank).otherwise(assumed)


def _worded(group: pl.DataFrame, word: str, rule: TimeRule, steps: Steps) -> Iterator[pl.DataFrame]:
    """Place rows whose text names a zone by a word."""
    if offsets.is_name(word):
        yield _zoned(group, word, steps)
        return
    days = group.with_columns(day=pl.col("_wall").dt.strftime("%Y-%m-%d"))
    known = {day: offsets.meanings(word, day) for day in days["day"].unique().sort()}
    for meaning in sorted(set(known.values())):
        mine = days.filter(pl.col("day").is_in([day for day, one in known.items() if one == meaning]))
        if not meaning:
            yield from _unsaid(mine, rule, steps)
        elif len(meaning) == 1:
            yield _as(mine, pl.lit(meaning[0]), pl.lit(RANK["explicit"]))
        else:
            yield _chosen(mine, word, meaning, rule)


def _as(group: pl.DataFrame, offset: pl.Expr, rank: pl.Expr) -> pl.DataFrame:
    return group.with_columns(offset=offset.cast(pl.Int32), rank=rank.cast(pl.UInt8), remark=pl.lit(None, pl.String))


def _chosen(group: pl.DataFrame, word: str, meaning: tuple[int, ...], rule: TimeRule) -> pl.DataFrame:
    """Place rows whose zone word has several meanings: by the plan's zone where that uses it, else the commonest."""
    commonest, ambiguous = pl.lit(meaning[0], pl.Int32), pl.lit(RANK["ambiguous"], pl.UInt8)
    if rule.zone is None:
        return _as(group, commonest, ambiguous)
    found = group.hstack(offsets.locate(group["_wall"], rule.zone))
    constant = offsets.fixed(rule.zone)
    if constant is not None:
        used = pl.lit(constant if constant in meaning else None, pl.Int32)
    else:
        second = pl.when(pl.col("second_word") == word).then("second")
        used = pl.when(pl.col("word") == word).then("first").otherwise(second)
    rank = pl.when(used.is_null()).then(ambiguous).otherwise(_rule_rank(rule))
    return _as(found, pl.coalesce(used, commonest), rank)


def _zoned(group: pl.DataFrame, name: str, steps: Steps) -> pl.DataFrame:
    """Place rows in a zone; a time that came twice is settled by the one step back of its night, else ambiguous."""
    found = group.hstack(offsets.locate(group["_wall"], name))
    if name == "UTC" or offsets.fixed(name) is not None:
        return _as(found, pl.col("first"), pl.lit(RANK["explicit"]))
    twice = pl.col("fold_start").is_not_null()
    turn = _turn(found, steps)
    second = (turn.is_not_null() & (pl.col("byte_offset").cast(pl.Int64) >= turn)).fill_null(False)
    unsure = pl.col("gap") | (twice & turn.is_null())
    remark = pl.when("gap").then(pl.lit(GAP)).when(twice & turn.is_null()).then(pl.lit(FOLD))
    return found.with_columns(
        offset=pl.when(twice & second).then("second").otherwise("first").cast(pl.Int32),
        rank=pl.when(unsure).then(RANK["ambiguous"]).otherwise(RANK["explicit"]).cast(pl.UInt8),
        remark=remark,
    )


def _turn(found: pl.DataFrame, steps: Steps) -> pl.Expr:
    """Give the byte offset at which the clock was set back, for rows whose time came twice."""
    turns: list[pl.Expr] = []
    folds = found.filter(pl.col("fold_start").is_not_null() & pl.col("_lacks").ne_missing("date"))
    kinds = (
        folds.select("fold_start", "fold_stop", kind=pl.col("_lacks").fill_null("")).unique().sort("fold_start", "kind")
    )
    for start, stop, kind in kinds.iter_rows():
        offset = _single_step(steps, kind, *(_as_stamp(at, kind) for at in (start, stop)))
        if offset is not None:
            mine = (pl.col("fold_start") == start) & (pl.col("_lacks").fill_null("") == kind)
            turns.append(pl.when(mine).then(pl.lit(offset, pl.Int64)))
    return pl.coalesce(turns) if turns else pl.lit(None, pl.Int64)


def _single_step(steps: Steps, kind: str, start: int, stop: int) -> int | None:
    found = [steps[kind, bucket] for bucket in range(start // BUCKET, -(-stop // BUCKET)) if (kind, bucket) in steps]
    return found[0][1] if sum(count for count, _ in found) == 1 else None


def _as_stamp(at: int, kind: str) -> int:
    """Bring a local time to where stamps of its kind are counted: those without year in the year 2000."""
    if kind != "year":
        return at
    there = (_EPOCH + timedelta(microseconds=at)).replace(year=2000)
    return round((there - _EPOCH).total_seconds()) * SECOND

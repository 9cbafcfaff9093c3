"""A block of bytes to rows: framed, read by its formats, envelopes opened. A pure function of bytes and plan.

The rows partition the block. Times are still text and what it says; `parsing.clock` settles them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from pirtimeline.parsing import columns, structured
from pirtimeline.parsing.framing import REJECT, Framed, frame, framed_texts, openings
from pirtimeline.parsing.lines import Offsets, lines_of
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.plugin import Format
from pirtimeline.schema import STRUCTURE, UNRECOGNISED

BLOCK = 16 << 20
"""Bytes of a source between two blocks: a block begins at the first event after each multiple of it."""

_TIME = ("timestamp_text", *columns.TIME_COLUMNS)
_OBSERVED = {name: f"_observed_{name.lstrip('_')}" for name in _TIME}


def parse(block: bytes, plan: SourcePlan) -> pl.DataFrame:
    """Read a block of a source.

    Args:
        block: bytes that begin with an event's first line.
        plan: what the survey settled for the source.

    Returns:
        One row an event, reject or piece of structure, in order: place (`byte_offset` from the block's first byte,
        `line` from 0), `parser`, `envelope`, the columns that the formats fill, `columns.TIME_COLUMNS` and the same
        with `_observed_` before them for what envelopes recorded; `_replaced` counts bytes that did not decode.
    """
    lines = lines_of(block, plan.encoding, plan.newline)
    framed = frame(lines, [use.format for use in plan.formats])
    read = rows(framed, plan.formats)
    return pl.concat([framed.table(), read], how="horizontal").with_columns(
        pl.lit(lines.replaced, pl.Int64).alias("_replaced")
    )


def rows(framed: Framed, uses: Sequence[FormatUse]) -> pl.DataFrame:
    """Read the events of a framed block, each by its format, in order."""
    found = [
        _reread(framed, np.flatnonzero(framed.format == place), use)
        for place, use in enumerate(uses)
        if (framed.format == place).any()
    ]
    found += [_unread(framed, framed.format == REJECT, UNRECOGNISED, "no format of this source reads it")]
    found += [_unread(framed, framed.format < REJECT, STRUCTURE, None)]
    found = [table for table in found if table.height]
    if len(found) == 1:
        return found[0].drop("_row")
    table = pl.concat(found, how="diagonal") if found else _unread(framed, framed.format == REJECT, UNRECOGNISED, "")
    return table.sort("_row").drop("_row")


def _reread(framed: Framed, mine: Offsets, use: FormatUse) -> pl.DataFrame:
    """Read the events of one format; what only opened like it becomes a reject."""
    table = _read(framed, mine, use.format).with_columns(pl.Series("_row", mine))
    refused = table["_reject"].is_not_null()
    rejects = pl.DataFrame()
    if refused.any():
        told = table.filter(refused).select("_row", reject_reason="_reject")
        rejects = told.with_columns(framed.texts(mine[refused.to_numpy()]).alias("message"), parser=pl.lit(UNRECOGNISED))
        rejects = rejects.with_columns(pl.col("message").str.strip_chars_end("\r\n"))
        table = table.filter(~refused)
    table = table.drop("_reject").with_columns(parser=pl.lit(use.format.name))
    table = _opened(table, use) if use.inner and table.height else table
    return pl.concat([one for one in (table, rejects) if one.height], how="diagonal").sort("_row")


def _read(framed: Framed, mine: Offsets, one: Format) -> pl.DataFrame:
    """Read events by their format's kind; `_reject` says why one could not be."""
    if one.kind != "lines":
        return structured.read(framed.texts(mine).str.strip_chars_end("\r\n"), one)
    table = columns.read(framed, mine, one)
    reason = f"it opens like {one.name}, but none of its patterns reads it"
    return table.with_columns(pl.when(pl.col("_pattern").is_null()).then(pl.lit(reason)).alias("_reject")).drop("_pattern")


def _unread(framed: Framed, which: np.ndarray[tuple[int], np.dtype[np.bool_]], name: str, reason: str | None) -> pl.DataFrame:
    mine = np.flatnonzero(which)
    texts = framed.texts(mine).str.strip_chars_end("\r\n") if name == UNRECOGNISED else pl.Series([None] * len(mine), dtype=pl.String)
    return pl.DataFrame({"_row": mine, "message": texts}).with_columns(
        pl.lit(name).alias("parser"), pl.lit(reason, pl.String).alias("reject_reason")
    )


def _opened(outer: pl.DataFrame, use: FormatUse) -> pl.DataFrame:
    """Read what an envelope holds: the inner columns win, the outer fill what they leave null."""
    texts = outer[use.format.envelope].fill_null("")
    headers = framed_texts(texts)
    which = openings(headers.headers(np.arange(headers.height)), [inner.format for inner in use.inner])
    found = [outer.filter(pl.Series(which == REJECT))]
    for place, inner in enumerate(use.inner):
        mine = np.flatnonzero(which == place)
        if len(mine):
            held = outer[mine]
            found.append(_within(held, texts.gather(mine), use.format.name, inner))
    return pl.concat([one for one in found if one.height], how="diagonal").sort("_row")


def _within(outer: pl.DataFrame, texts: pl.Series, envelope: str, inner: FormatUse) -> pl.DataFrame:
    framed = framed_texts(texts)
    read = _read(framed, np.arange(framed.height), inner.format)
    kept = read["_reject"].is_null()
    read = read.drop("_reject").with_columns(parser=pl.lit(inner.format.name), _row=pl.int_range(pl.len(), dtype=pl.Int64))
    read = _opened(read, inner) if inner.inner else read
    merged = _merged(outer, read.drop("_row"), envelope)
    return pl.concat([merged.filter(kept), outer.filter(~kept)], how="diagonal").sort("_row")


def _merged(outer: pl.DataFrame, inner: pl.DataFrame, envelope: str) -> pl.DataFrame:
    """Lay inner columns over outer ones; the outer time is when the envelope recorded an event that has its own."""
    timed = inner["_local"].is_not_null() if "_local" in inner.columns else pl.Series([False] * outer.height)
    observed = outer.select(
        pl.when(timed).then(pl.col(name)).alias(_OBSERVED[name]) for name in _TIME if name in outer.columns
    )
    names = dict.fromkeys([*outer.columns, *inner.columns])
    laid = [_laid(outer, inner, name, timed) for name in names if name != "envelope"]
    path = [pl.lit(envelope), inner["envelope"]] if "envelope" in inner.columns else [pl.lit(envelope)]
    joined = pl.DataFrame(laid).with_columns(pl.concat_str(path, separator="/", ignore_nulls=True).alias("envelope"))
    kept = [name for name in observed.columns if name not in joined.columns]
    return pl.concat([joined, observed.select(kept)], how="horizontal")


def _laid(outer: pl.DataFrame, inner: pl.DataFrame, name: str, timed: pl.Series) -> pl.Series:
    if name not in inner.columns:
        return outer[name]
    if name not in outer.columns or name == "message":
        return inner[name]
    if name in _TIME:
        return pl.select(pl.when(timed).then(inner[name]).otherwise(outer[name]).alias(name)).to_series()
    return pl.select(pl.coalesce(inner[name], outer[name]).alias(name)).to_series()

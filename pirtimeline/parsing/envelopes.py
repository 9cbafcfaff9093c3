"""Envelopes opened: what stands in a log line is read again, each stream of an interleaved file for itself.

A container's log, a relay's syslog, a SIEM's export hold lines that are log lines themselves. A stack trace that was
wrapped line by line is one event again: its first row holds it, the rows below it are pieces of that event.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import columns, levels, structured, times
from pirtimeline.parsing.framing import REJECT, Framed, Places, framed_texts, openings
from pirtimeline.parsing.lines import Offsets
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.together import together

STREAM = (
    "_in",
    "host_name",
    "service_name",
    "process_name",
    "process_pid",
    "container_name",
    "container_id",
    "pod",
    "stream",
)
"""Columns that tell streams apart: the file, where several are read together, and what an envelope fills."""

TRACE_LINE = r"^\s+at [\w$.<>/@]|^\s*\.{3} \d+ (?:more|common frames omitted)|^(?:Caused by|\s*Suppressed): "
"""Lines that belong to the line above whatever that is."""

_TIME = ("timestamp_text", *times.FIELDS)
_OBSERVED = {name: f"_observed_{name.lstrip('_')}" for name in _TIME}


def read(framed: Framed, mine: Offsets, one: Format) -> pl.DataFrame:
    """Read events in `mine` of a framed block by their format's kind; `_reject` says why one could not be."""
    if one.kind != "lines":
        texts = framed.texts(mine)
        return _with_partial(structured.read(texts, one), texts, one)
    table = columns.read(framed, mine, one)
    table = _with_partial(table, framed.headers(mine), one) if one.partial else table
    reason = f"it opens like {one.name}, but none of its patterns reads it"
    return table.with_columns(pl.when(pl.col("_pattern").is_null()).then(pl.lit(reason)).alias("_reject")).drop(
        "_pattern"
    )


def _with_partial(table: pl.DataFrame, texts: pl.Series, one: Format) -> pl.DataFrame:
    """Mark the events that hold a part of a line, with which the next of their stream goes on."""
    return table.with_columns(texts.str.contains(one.partial).alias("_partial")) if one.partial else table


def opened(outer: pl.DataFrame, use: FormatUse) -> pl.DataFrame:
    """Read what an envelope holds: the inner columns win, the outer fill what they leave null.

    Args:
        outer: rows of the envelope's format in order, with `_row`.
        use: the envelope, and the formats of what it holds.

    Returns:
        The same rows; `_piece_row` is the `_row` of the event that a row only goes on with.
    """
    if not use.format.envelope or not outer.height or use.format.envelope not in outer.columns:
        return outer
    texts = outer[use.format.envelope].fill_null("")
    formats = [inner.format for inner in use.inner]
    which = openings(texts.str.splitn("\n", 2).struct.field("field_0"), formats, _or_null(outer, "process_name"))
    belongs = _continuations(outer, texts, which, formats)
    if not belongs.any():
        return _read_inner(outer, texts, which, use)
    heads, joined, owners = _joined(outer, texts, belongs)
    kept = [name for name in ("_row", "parser", "_in") if name in outer.columns]
    rest = outer.filter(pl.Series(belongs)).select(kept).with_columns(pl.Series("_piece_row", owners))
    read_heads = _read_inner(outer[heads], joined, which[heads], use)
    return pl.concat([read_heads, rest], how="diagonal").sort("_row")


def _or_null(table: pl.DataFrame, name: str) -> pl.Series:
    return table[name] if name in table.columns else pl.Series(name, [None] * table.height, dtype=pl.String)


def _continuations(
    outer: pl.DataFrame, texts: pl.Series, which: Places, formats: list[Format]
) -> npt.NDArray[np.bool_]:
    """Find rows whose line goes on with the one above it in the same stream."""
    order, begins = _streams(outer)
    at = which[order]
    place = np.arange(len(at))
    stream = np.maximum.accumulate(np.where(begins, place, 0))
    last = np.maximum.accumulate(np.where(at != REJECT, place, -1))
    above = np.where(last >= stream, at[last], REJECT)
    found = texts.str.contains(TRACE_LINE).to_numpy()[order] & ~begins
    for number, one in enumerate(formats):
        mine = np.flatnonzero((at == REJECT) & (above == number) & (last < place))
        found[mine] |= texts.gather(order[mine]).str.contains(one.continues).to_numpy()
    partial = _partial(outer)[order]
    found[1:] |= partial[:-1] & ~begins[1:]
    found &= (at == REJECT) | np.append(False, partial[:-1])
    belongs = np.zeros(len(found), np.bool_)
    belongs[order] = found
    return belongs


def _streams(outer: pl.DataFrame) -> tuple[Offsets, npt.NDArray[np.bool_]]:
    """Order rows by stream, each stream in its own order, and tell where each begins."""
    keys = [name for name in STREAM if name in outer.columns]
    code = outer.select(pl.struct(keys).rank("dense")).to_series().to_numpy() if keys else np.zeros(outer.height)
    order = np.argsort(code, kind="stable").astype(np.int64)
    begins = np.append(True, code[order][1:] != code[order][:-1]) if len(order) else np.zeros(0, np.bool_)
    return order, begins


def _partial(outer: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which rows hold a part of a line that the next row goes on with."""
    if "_partial" not in outer.columns:
        return np.zeros(outer.height, np.bool_)
    return outer["_partial"].fill_null(False).to_numpy()


def _joined(
    outer: pl.DataFrame, texts: pl.Series, belongs: npt.NDArray[np.bool_]
) -> tuple[Offsets, pl.Series, pl.Series]:
    """Join texts to events: the rows that begin them, their texts, and for the other rows whose event they are of."""
    order, _ = _streams(outer)
    owner = np.maximum.accumulate(np.where(~belongs[order], np.arange(len(order)), 0))
    after_partial = np.append(False, _partial(outer)[order][:-1])
    glue = np.where(belongs[order], np.where(after_partial, "", "\n"), "")
    table = pl.DataFrame({"owner": order[owner], "glue": glue, "text": texts.gather(order)})
    events = table.group_by("owner", maintain_order=True).agg(pl.concat_str("glue", "text").str.join("")).sort("owner")
    rows = outer["_row"].gather(order[owner])
    owners = pl.Series(np.zeros(outer.height, np.int64)).scatter(order, rows.cast(pl.Int64))
    return events["owner"].to_numpy().astype(np.int64), events["glue"], owners.filter(pl.Series(belongs))


def _read_inner(outer: pl.DataFrame, texts: pl.Series, which: Places, use: FormatUse) -> pl.DataFrame:
    """Read each text by the inner format that opens it; what none opens stays the envelope's."""
    found = [_unopened(outer, texts, which == REJECT)]
    for place, inner in enumerate(use.inner):
        mine = np.flatnonzero(which == place)
        if len(mine):
            found.append(_within(outer[mine], texts.gather(mine), use.format.name, inner))
    return pl.concat([one for one in found if one.height], how="diagonal").sort("_row")


def _unopened(outer: pl.DataFrame, texts: pl.Series, which: npt.NDArray[np.bool_]) -> pl.DataFrame:
    """Keep what no inner format reads as the envelope's own; a stack trace below its first line is one all the same."""
    mine = np.flatnonzero(which)
    table, held = outer[mine], texts.gather(mine)
    if "message" not in table.columns or not table.height:
        return table
    table = levels.with_found(table)
    if held.equals(table["message"].fill_null("")):
        return table
    halves = held.str.splitn("\n", 2).struct
    split = table.with_columns(halves.field("field_0").alias("message"))
    return columns.with_rest(split, halves.field("field_1").fill_null(""), np.arange(split.height))


def _within(outer: pl.DataFrame, texts: pl.Series, envelope: str, inner: FormatUse) -> pl.DataFrame:
    """Read texts by one inner format and lay what it says over the envelope's rows."""
    framed = framed_texts(texts)
    found = read(framed, np.arange(framed.height), inner.format).with_columns(
        parser=pl.lit(inner.format.name), _row=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    kept = found["_reject"].is_null()
    found = found.with_columns(outer["_in"]) if "_in" in outer.columns else found
    whole = together(found.drop("_reject"), texts, inner.format)
    merged = _merged(outer, opened(whole, inner), envelope)
    return pl.concat([merged.filter(kept), outer.filter(~kept)], how="diagonal").sort("_row")


def _merged(outer: pl.DataFrame, inner: pl.DataFrame, envelope: str) -> pl.DataFrame:
    """Lay inner columns over outer ones; the outer time is when the envelope recorded an event that has its own."""
    if "_piece_row" in inner.columns:
        inner = inner.with_columns(outer["_row"].gather(inner["_piece_row"].fill_null(0)).alias("_outer_row"))
        owner = pl.when(pl.col("_piece_row").is_not_null()).then("_outer_row")
        inner = inner.with_columns(owner.alias("_piece_row")).drop("_outer_row")
    inner = inner.drop("_row")
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

"""Events that are too long for one row: cut into pieces that point to their event, each with its own text."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl

PIECE = 1 << 20
"""Bytes of an event that one row holds."""

LINE_NEAR = 64 << 10
"""How far before a piece's end a line's end is looked for to cut at."""

OPEN = -1
"""In `_piece_of`: the event that was open when the block began."""


def cut(table: pl.DataFrame, data: bytes, encoding: str) -> pl.DataFrame:
    """Cut the events of a block that are longer than `PIECE`; `_piece_of` is the offset of a piece's event.

    Args:
        table: the block's rows.
        data: the block's bytes, counted from where `byte_offset` counts.
        encoding: that of the source.
    """
    long = table["byte_length"] > PIECE
    if not long.any():
        return table
    parts = [table.filter(~long)]
    for number in long.arg_true():
        row = table[number]
        parts += [_first(row, data, encoding), of_text(data, _bounds(data, row, encoding)[1:], row, encoding)]
    return pl.concat(parts, how="diagonal_relaxed").sort("_block", "byte_offset")


def of_text(data: bytes, bounds: list[int], event: pl.DataFrame, encoding: str) -> pl.DataFrame:
    """Make a row of each run of bytes between two bounds: a piece of the event that `event` is the first row of."""
    first, line = _at(event, "byte_offset"), _at(event, "line")
    rows: list[dict[str, Any]] = []
    line += data[first : bounds[0]].decode(encoding, "replace").count("\n")
    for begin, end in pairwise(bounds):
        text = data[begin:end].decode(encoding, "replace")
        rows.append(
            {
                "byte_offset": begin,
                "byte_length": end - begin,
                "line": line,
                "line_count": text.count("\n"),
                "message": text,
            }
        )
        line += text.count("\n")
    kept = [name for name in ("_block", "parser", "envelope", "_replaced") if name in event.columns]
    schema = {name: event.schema[name] for name in ("byte_offset", "byte_length", "line", "line_count")} | {
        "message": pl.String()
    }
    return pl.DataFrame(rows, schema=schema).with_columns(
        *[pl.lit(event[name][0], event.schema[name]).alias(name) for name in kept],
        pl.lit(first, pl.Int64).alias("_piece_of"),
    )


def runs(data: bytes, begin: int, end: int, encoding: str) -> list[int]:
    """Bound the pieces of a run of bytes: at a line's end where one is near, else between two characters."""
    bounds = [begin]
    while end - bounds[-1] > PIECE:
        bounds.append(_boundary(data, bounds[-1] + PIECE, encoding))
    return [*bounds, end]


def _bounds(data: bytes, row: pl.DataFrame, encoding: str) -> list[int]:
    begin = _at(row, "byte_offset")
    return runs(data, begin, begin + _at(row, "byte_length"), encoding)


def _boundary(data: bytes, at: int, encoding: str) -> int:
    if encoding.startswith("utf-16"):
        return at
    line = data.rfind(b"\n", at - LINE_NEAR, at)
    if line >= 0:
        return line + 1
    while encoding == "utf-8" and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def _first(row: pl.DataFrame, data: bytes, encoding: str) -> pl.DataFrame:
    """Shorten an event's first row to its own text: what lies in later pieces is taken from its longest column."""
    begin, end = _bounds(data, row, encoding)[:2]
    beyond = len(data[end : begin + _at(row, "byte_length")].decode(encoding, "replace"))
    count = data[begin:end].decode(encoding, "replace").count("\n")
    shortened = {}
    for name in ("stack_trace", "message"):
        text = row[name][0] if name in row.columns else None
        if text and len(text) > beyond:
            shortened[name] = text[: len(text) - beyond]
            break
    return row.with_columns(
        pl.lit(end - begin).cast(row.schema["byte_length"]).alias("byte_length"),
        pl.lit(count).cast(row.schema["line_count"]).alias("line_count"),
        *[pl.lit(text).alias(name) for name, text in shortened.items()],
    )


def _at(row: pl.DataFrame, name: str) -> int:
    return int(row[name][0])

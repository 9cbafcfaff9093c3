"""Sample bytes of sources to sample lines: the first of each, and one of every kind of line further in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pirtimeline.parsing.lines import lines_of

HEAD_LINES = 150
"""Lines taken as they stand from a source's beginning."""

KIND_LINES = 150
"""Lines taken further in: the first of each kind, as far as they are that many."""

LONGEST = 4096
"""Characters of a line that detection looks at."""

CHUNK = 32 << 20
"""Bytes of samples that are looked at together."""

_SCHEMA = {"source_id": pl.String, "piece": pl.UInt32, "line": pl.UInt32, "text": pl.String}


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a source gave as samples: pieces as `(offset, bytes)`, and how its text is written."""

    source_id: str
    pieces: tuple[tuple[int, bytes], ...]
    encoding: str
    newline: str


def sample_lines(sampled: Iterable[Sampled]) -> Iterator[pl.DataFrame]:
    """Reduce samples to the lines that detection looks at, some tens of MiB of samples at a time.

    Yields:
        `source_id`, `piece`, `line` (from 0 in its piece), `text`: in order, a source's lines together.
    """
    held: list[Sampled] = []
    size = 0
    for one in sampled:
        held.append(one)
        size += sum(len(data) for _, data in one.pieces)
        if size >= CHUNK:
            yield _reduced(held)
            held, size = [], 0
    if held:
        yield _reduced(held)


def _reduced(sampled: Sequence[Sampled]) -> pl.DataFrame:
    tables = [_lines(one, number) for one in sampled for number in range(len(one.pieces))]
    if not tables:
        return pl.DataFrame(schema=_SCHEMA)
    table = pl.concat(tables)
    kind = pl.col("text").str.slice(0, 48).str.replace_all(r"\d+", "0").str.replace_all(r"[^\W\d_]+", "a")
    head = (pl.col("piece") == 0) & (pl.col("line") < HEAD_LINES)
    first = pl.struct("source_id", kind).is_first_distinct()
    marked = table.with_columns(_head=head, _first=first & ~head)
    nth = pl.col("_first").cast(pl.UInt32).cum_sum().over("source_id")
    return marked.filter(pl.col("_head") | (pl.col("_first") & (nth <= KIND_LINES))).select(list(_SCHEMA))


def _lines(one: Sampled, number: int) -> pl.DataFrame:
    """Split a piece; a piece from further in begins and ends in the middle of a line, which is left out."""
    offset, data = one.pieces[number]
    lines = lines_of(data, one.encoding, one.newline)
    begin = 1 if offset else 0
    last = number == len(one.pieces) - 1
    end = len(lines.text) - (0 if lines.ended or last else 1)
    text = lines.text[begin:end].str.slice(0, LONGEST)
    return pl.DataFrame({"text": text}).select(
        pl.lit(one.source_id).alias("source_id"),
        pl.lit(number, pl.UInt32).alias("piece"),
        pl.Series("line", np.arange(begin, max(begin, end), dtype=np.uint32)),
        "text",
    )

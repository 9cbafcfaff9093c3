"""Sample bytes of sources to sample lines: the first of each, and one of every kind of line further in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
import polars as pl

from pirtimeline.parsing.lines import UTF8, lines_of, without_colour

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
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tables = [*pool.map(_with_kinds, _splits(sampled))]
    if not tables:
        return pl.DataFrame(schema=_SCHEMA)
    table = pl.concat(tables)
    head = (pl.col("piece") == 0) & (pl.col("line") < HEAD_LINES)
    first = pl.struct("source_id", "_kind").is_first_distinct()
    marked = table.with_columns(_head=head, _first=first & ~head)
    nth = pl.col("_first").cast(pl.UInt32).cum_sum().over("source_id")
    return marked.filter(pl.col("_head") | (pl.col("_first") & (nth <= KIND_LINES))).select(list(_SCHEMA))


def _splits(sampled: Sequence[Sampled]) -> Iterator[Callable[[], pl.DataFrame]]:
    """Give what splits the samples to lines: many small sources at once, else piece by piece."""
    for together, group in groupby(sampled, key=_plain):
        if together:
            yield partial(_lines_of_many, [*group])
        else:
            yield from (partial(_lines, one, number) for one in group for number in range(len(one.pieces)))


def _with_kinds(split: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Split samples to lines, and tell of which kind each is: what its beginning is but for numbers and words."""
    kind = pl.col("text").str.slice(0, 48).str.replace_all(r"\d+", "0").str.replace_all(r"[^\W\d_]+", "a")
    return split().with_columns(_kind=kind)


def _plain(one: Sampled) -> bool:
    """Tell whether a sample's lines are the same whatever stands beside it: a whole source of plain ASCII."""
    if one.encoding != UTF8 or one.newline != "lf" or len(one.pieces) != 1 or one.pieces[0][0]:
        return False
    data = one.pieces[0][1]
    return data.isascii() and bool(data) and b"\0" not in data and without_colour(data) is data


def _lines_of_many(sampled: Sequence[Sampled]) -> pl.DataFrame:
    """Split whole sources at once: by itself each costs a millisecond, however small it is."""
    texts = [data if data.endswith(b"\n") else data + b"\n" for one in sampled for _, data in one.pieces]
    lines = lines_of(b"".join(texts), UTF8, "lf")
    first = np.searchsorted(lines.offsets, np.cumsum([0, *(len(text) for text in texts)]))
    counts = np.diff(first)
    ids = pl.Series([one.source_id for one in sampled], dtype=pl.String)
    number = np.arange(first[-1]) - np.repeat(first[:-1], counts)
    return pl.DataFrame({"text": lines.text.str.slice(0, LONGEST)}).select(
        ids.gather(np.repeat(np.arange(len(sampled)), counts)).alias("source_id"),
        pl.lit(0, pl.UInt32).alias("piece"),
        pl.Series("line", number.astype(np.uint32)),
        "text",
    )


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

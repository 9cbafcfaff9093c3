"""Which formats read which lines, and which of them a source is read by: every format tried once over all lines."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import structured
from pirtimeline.parsing.plugin import Format

PATH_FAVOUR = 1.5
"""How much likelier a format's own path glob makes it."""

Matches = npt.NDArray[np.bool_]


def matches(text: pl.Series, formats: Sequence[Format], process: pl.Series | None = None) -> Matches:
    """Try every format on every line: lines x formats."""
    if not formats or not len(text):
        return np.zeros((len(text), len(formats)), np.bool_)
    tests = [_test(one, process is not None).alias(str(place)) for place, one in enumerate(formats)]
    told = pl.DataFrame({"text": text, "process": process}).select(tests)
    return np.column_stack([told[str(place)].to_numpy() for place in range(len(formats))]).astype(np.bool_)


def _test(one: Format, within: bool) -> pl.Expr:
    test = structured.opens(pl.col("text"), one)
    return test & pl.col("process").str.contains(one.inner).fill_null(False) if within and one.inner else test


def bounds(source_ids: pl.Series) -> dict[str, tuple[int, int]]:
    """Say where each source's lines begin and end."""
    runs = source_ids.rle().struct.unnest()
    ends = runs["len"].cum_sum()
    return {name: (end - count, end) for name, count, end in zip(runs["value"], runs["len"], ends, strict=True)}


def choose(found: Matches, formats: Sequence[Format], path: str) -> list[int]:
    """Choose formats one by one, each time the one that reads most of what is left."""
    candidates = [int(one) for one in np.flatnonzero(found.any(axis=0))]
    favour = {one: _favour(formats[one], path) for one in candidates}
    left = np.ones(len(found), np.bool_)
    chosen: list[int] = []
    while candidates:
        counts = {one: int(found[left, one].sum()) for one in candidates}
        best = max(counts, key=lambda one: (counts[one] * favour[one], _weight(formats[one]), formats[one].name))
        if not counts[best]:
            break
        chosen.append(best)
        left &= ~found[:, best]
        candidates.remove(best)
    return chosen


def _favour(one: Format, path: str) -> float:
    return PATH_FAVOUR if any(fnmatchcase(path, glob) for glob in one.paths) else 1.0


def _weight(one: Format) -> int:
    """Weigh how much a format says of a line: of two that read the same lines, the one that says more is right."""
    return max((len(pattern.regex) for pattern in one.patterns), default=len(one.starts))

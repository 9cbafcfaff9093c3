"""Read times fast where the texts of a block are written alike, which is how programs write them.

The first text says at which bytes hour, minute, second and fraction stand. Texts in a row that differ in these digits
alone are a run, most often a day's: its first and last are read by `parsing.assemble`, the others by what their digits
add to the first. What does not fit is left to `parsing.assemble` too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import assemble
from pirtimeline.parsing.layouts import Layout
from pirtimeline.parsing.lines import Bytes, Offsets, bytes_of
from pirtimeline.schema import LOCAL

_MICROS = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "fraction": 1_000_000}
_BELOW = {"hour": 24, "minute": 60, "second": 60}
"""A leap second is left to `assemble`, and so are the hours of a clock of twelve, which do not simply add up."""

_WORTH_IT = 64
_IN_A_RUN = 8
"""Texts that a run must have on average: runs cost a reading by `assemble` each."""


class _Cut(NamedTuple):
    """Where a part of the time of day stands in the first text."""

    role: str
    start: int
    stop: int


def read(texts: pl.Series, layout: Layout, *, order: str | None = None) -> pl.DataFrame | None:
    """Read the texts that are written exactly like the first one; null rows for the rest, None where there is no way.

    Example:
        >>> from pirtimeline.parsing.layouts import chrono
        >>> frame = read(pl.Series(["2024-01-02 03:04:05,678"] * 64), chrono("%Y-%m-%d %H:%M:%S,%3f"))
        >>> frame.select("_local", "_resolution_us").row(0)
        (datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), 1000)
    """
    first = str(texts[0])
    if len(texts) < _WORTH_IT or not first.isascii() or "minute" not in layout.roles:
        return None
    cuts = _cuts(first, layout)
    rows, held = _of_size(texts, len(first))
    micros, fits = _of_day(held, cuts)
    if not fits.all():
        rows, held, micros = rows[fits], held[fits], micros[fits]
    run = _runs(held, cuts)
    if not len(run) or (run[-1] + 1) * _IN_A_RUN > len(run):
        return None
    if len(rows) == len(texts):
        return _read_runs(texts, run, micros, layout, order)
    found = _read_runs(texts.gather(rows), run, micros, layout, order)
    return found if found is None else _placed(found, rows, len(texts))


def _cuts(first: str, layout: Layout) -> list[_Cut]:
    """Find the parts of the time of day in the first text, one after the other."""
    groups = pl.select(pl.lit(first).str.extract_groups(layout.capture)).to_series().struct.unnest().row(0)
    told = [(role, value) for role, value in zip(layout.roles, groups, strict=True) if value is not None]
    twelve = any(role == "half" for role, _ in told)
    cuts, at = [], 0
    for role, value in told:
        start = first.find(value, at)
        at = start + len(value)
        if role in _MICROS and not (twelve and role == "hour"):
            cuts.append(_Cut(role, start, at))
    return cuts


def _of_size(texts: pl.Series, size: int) -> tuple[Offsets, Bytes]:
    """Give the bytes of the texts that have so many, a row a text, and which they are."""
    data, bounds = bytes_of(texts)
    rows = np.flatnonzero(np.diff(bounds) == size)
    if len(rows) == len(texts):
        return rows, data.reshape(-1, size)
    pieces = np.ndarray((max(len(data) - size + 1, 0),), f"V{size}", buffer=data, strides=(1,))
    return rows, pieces[bounds[rows]].view(np.uint8).reshape(-1, size)


def _of_day(held: Bytes, cuts: list[_Cut]) -> tuple[Offsets, npt.NDArray[np.bool_]]:
    """Count what the digits of texts say in microseconds, and tell of which texts they are that."""
    micros, fits = np.zeros(len(held), np.int64), np.ones(len(held), np.bool_)
    for role, start, stop in cuts:
        unit = _MICROS[role] * 10 ** (0 if role == "fraction" else stop - start)
        value = np.zeros(len(held), np.int64)
        for at in range(start, stop):
            digit = held[:, at] - np.uint8(ord("0"))
            fits &= digit < 10
            unit //= 10
            value += digit * np.int64(unit)
        fits &= value < _BELOW.get(role, 1) * _MICROS[role]
        micros += value
    return micros, fits


def _runs(held: Bytes, cuts: list[_Cut]) -> Offsets:
    """Number the runs of texts that are equal but for the time of day."""
    size = held.shape[1]
    padded = np.zeros((len(held), -(-size // 8) * 8), np.uint8)
    padded[:, :size] = held
    mask = np.full(padded.shape[1], 255, np.uint8)
    for _, start, stop in cuts:
        mask[start:stop] = 0
    begins = np.zeros(len(held), np.bool_)
    for word, kept in zip(padded.view(np.uint64).T, mask.view(np.uint64), strict=True):
        begins[1:] |= (word[1:] ^ word[:-1]) & kept != 0
    return np.cumsum(begins)


def _read_runs(
    texts: pl.Series, run: Offsets, micros: Offsets, layout: Layout, order: str | None
) -> pl.DataFrame | None:
    """Read the first and last text of each run, and the others by what they add; None where the last does not fit."""
    first = np.flatnonzero(np.diff(run, prepend=-1))
    last = np.append(first[1:], len(run)) - 1
    both = assemble.read(texts.gather(np.concatenate([first, last])), layout, order=order)
    told, ends = both.head(len(first)), both.tail(len(first))
    if not _later(told, pl.Series(micros[last] - micros[first])).equals(ends):
        return None
    one = len(first) == 1
    rows = pl.DataFrame([column.new_from_index(0, len(run)) for column in told]) if one else told[run]
    return _later(rows, pl.Series(micros - micros[first][run]))


def _later(told: pl.DataFrame, micros: pl.Series) -> pl.DataFrame:
    return told.with_columns((pl.col("_local").cast(pl.Int64) + micros).cast(LOCAL).alias("_local"))


def _placed(found: pl.DataFrame, rows: Offsets, height: int) -> pl.DataFrame:
    """Lay rows that were read among those that were not, which are null."""
    place = pl.Series([None], dtype=pl.UInt32).new_from_index(0, height)
    return found.select(pl.all().gather(place.scatter(rows, np.arange(len(rows), dtype=np.uint32))))

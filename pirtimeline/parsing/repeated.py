"""Headers that repeat: what stands between a line's stamp and its message is cut out, so that each is read but once.

A program writes few headers (its levels, threads, loggers) and many lines. The first line of a block tells how wide
the stamp is and behind how many blanks the message begins. Lines that are written so differ in the digits of the
stamp, in the header, of which few differ, and in the message. A regex that reads a line in one pass, each character
leaving one way to go on, says the same of all lines with one header.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing.lines import Bytes, Offsets, bytes_of, slices

_SAMPLE, _FEW = 4096, 1024
"""First headers, and how many may differ among them where it pays to read each once."""

_MANY = 16
"""Lines that a header must have on average."""

_LONGEST, _LONGER = 128, 32
"""Bytes from a stamp to its message at most, and how many more than the first line others may have."""

_BLANK = ord(" ")
_NO_MESSAGE = b"|:>-"
"""What may stand between header and message too: lines whose message begins so are left."""


class Repeated(NamedTuple):
    """Lines with headers that repeat: which `rows`, the stamp and message of each, and its header's place in `headers`.

    `headers` are lines without a message, one for each header, all with the first line's stamp.
    """

    rows: Offsets
    stamps: pl.Series
    messages: pl.Series
    header: pl.Series
    headers: pl.Series


@cache
def any_digits(regex: str) -> bool:
    r"""Tell whether a regex reads stamps without regard to which digits they have, and nothing else within them.

    Example:
        >>> any_digits("^(?P<timestamp_text>[0-9]{4}-[0-9]{2}) x"), any_digits("^(?P<timestamp_text>[01][0-9]) x")
        (True, False)
    """
    begin = regex.find("(?P<timestamp_text>")
    if begin < 0:
        return False
    depth, end = 0, begin
    for found in re.finditer(r"\\.|\[(?:\\.|[^\]\\])*\]|[()]", regex[begin:]):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        end = begin + found.end()
        if not depth:
            break
    inner = regex[begin + len("(?P<timestamp_text>") : end]
    return not re.search(r"\d|\(\?P<", re.sub(r"\\d|\[0-9\]|\{[0-9,]+\}", "", inner))


def repeated(texts: pl.Series, head: str, stamp: str) -> Repeated | None:
    """Cut lines at the message where their headers repeat; None where they do not.

    Args:
        texts: lines.
        head: one of them up to its message; a blank stands last in it.
        stamp: the stamp in it.

    Example:
        >>> lines = pl.Series([f"12:00:{n:02} INFO up {n}" for n in range(60)] * 100)
        >>> found = repeated(lines, "12:00:00 INFO ", "12:00:00")
        >>> found.headers.to_list(), found.stamps[1], found.messages[1]
        (['12:00:00 INFO '], '12:00:01', 'up 1')
    """
    if len(texts) < _SAMPLE or not head.isascii() or not head.endswith(" "):
        return None
    cuts = _cuts(head, stamp)
    if len(head) - cuts.width > _LONGEST or _lines(texts.head(_SAMPLE), cuts).headers.n_unique() > _FEW:
        return None
    found = _lines(texts, cuts)
    known = found.headers.unique()
    if len(known) * _MANY > len(found.headers):
        return None
    codes = found.headers.cast(pl.Enum(known)).to_physical()
    return found._replace(header=codes, headers=pl.select(pl.lit(head[: cuts.width]) + known).to_series())


class _Cuts(NamedTuple):
    """Where a line is cut: its stamp's begin, the end of that as `width`, and the blanks from there to the message."""

    head: str
    begin: int
    width: int
    blanks: int


def _cuts(head: str, stamp: str) -> _Cuts:
    begin = head.find(stamp)
    width = begin + len(stamp)
    return _Cuts(head, begin, width, head[width:].count(" "))


def _lines(texts: pl.Series, cuts: _Cuts) -> Repeated:
    """Cut the lines that are written as the one that gave the cuts; the header of each is its own yet."""
    data, bounds = bytes_of(texts)
    rows = np.flatnonzero(_alike(data, bounds, cuts.head[: cuts.width].encode(), cuts.begin))
    ends = bounds[rows] + cuts.width
    ends += _behind(data, ends, cuts.blanks, len(cuts.head) - cuts.width)
    rows, ends = _with_messages(data, bounds, rows, ends)
    starts, stops = bounds[rows], bounds[rows + 1]
    stamps, messages = slices(data, starts + cuts.begin, starts + cuts.width), slices(data, ends, stops)
    return Repeated(rows, stamps, messages, pl.Series(rows), slices(data, starts + cuts.width, ends))


def written_alike(texts: pl.Series) -> bool:
    """Tell whether texts differ in nothing but which digits they have.

    Example:
        >>> written_alike(pl.Series(["a 12", "a 34"])), written_alike(pl.Series(["a 12", "b 34"]))
        (True, False)
    """
    first = "" if texts.has_nulls() or texts.is_empty() else str(texts[0])
    if not first or not first.isascii():
        return False
    data, bounds = bytes_of(texts)
    return bool((np.diff(bounds) == len(first)).all() and _alike(data, bounds, first.encode(), 0).all())


def _behind(data: Bytes, starts: Offsets, nth: int, usual: int) -> Offsets:
    """Count the bytes up to behind the nth blank of texts; more than there are where it lies too far off."""
    size = -(-(usual + _LONGER) // 64) * 64
    held = _windows(data, starts, size).view(np.uint8)
    blanks = np.packbits(held == _BLANK, bitorder="little").view("<u8").reshape(len(starts), -1)
    found, left = np.full(len(starts), len(data)), np.full(len(starts), nth)
    for at, word in enumerate(blanks.T):
        count = np.bitwise_count(word)
        here = (left > 0) & (left <= count)
        for done in range(1, nth):
            word = np.where(left > done, word & (word - np.uint64(1)), word)
        below = np.bitwise_count((word & (~word + np.uint64(1))) - np.uint64(1))
        found[here] = 64 * at + below[here] + 1
        left = np.where(here, 0, left - count)
    return found


def _windows(data: Bytes, starts: Offsets, size: int) -> npt.NDArray[np.uint64]:
    """Give so many bytes from each start on, NULs where the data ends, as words: a row a start."""
    data = data if len(data) >= size else np.append(data, np.zeros(size, np.uint8))
    pieces = np.ndarray((len(data) - size + 1,), f"V{size}", buffer=data, strides=(1,))
    held = pieces[np.minimum(starts, len(pieces) - 1)].view("<u8").reshape(-1, size // 8)
    last = len(pieces) - 1
    if (late := starts > last).any():
        held[late] = _windows(np.append(data[last:], np.zeros(size, np.uint8)), starts[late] - last, size)
    return held


def _with_messages(data: Bytes, bounds: Offsets, rows: Offsets, ends: Offsets) -> tuple[Offsets, Offsets]:
    """Keep the rows behind whose header a message begins, and begins like one."""
    first = data[np.minimum(ends, len(data) - 1)]
    begins = (first > _BLANK) & (first < 127) & ~np.isin(first, np.frombuffer(_NO_MESSAGE, np.uint8))
    kept = begins & (ends < bounds[rows + 1])
    return rows[kept], ends[kept]


_DIGIT, _HIGH, _STEP = (np.uint64(int(f"0x{byte * 8}", 16)) for byte in ("30", "f0", "06"))


def _alike(data: Bytes, bounds: Offsets, model: bytes, stamp: int) -> npt.NDArray[np.bool_]:
    """Find texts that begin like a model, but for other digits from the stamp on."""
    size = -(-len(model) // 8) * 8
    alike = np.diff(bounds) >= len(model)
    held = _windows(data, bounds[:-1], size)
    digits = bytes(255 if at >= stamp and chr(byte).isdigit() else 0 for at, byte in enumerate(model))
    masks = (model, digits, bytes(255 - one for one in digits))
    words = (np.frombuffer(one.ljust(size, b"\0"), "<u8") for one in masks)
    for word, same, free, fixed in zip(held.T, *words, strict=True):
        no_digit = ((word & _HIGH) ^ _DIGIT) | (((word + _STEP) & _HIGH) ^ _DIGIT)
        alike &= ((word ^ same) & fixed) | (no_digit & free) == 0
    return alike

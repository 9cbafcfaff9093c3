"""Bytes to lines: a block as valid UTF-8, with the place of each line in the source as it is.

Offsets count the bytes of the source, also where it is UTF-16 or holds bytes that do not decode: line ends are found
in the source and in its UTF-8 alike, and the n-th line of one is the n-th line of the other.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Offsets = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

UTF8, UTF16_LE, UTF16_BE, LATIN1 = "utf-8", "utf-16-le", "utf-16-be", "latin-1"
BINARY = "binary"
"""The encoding of a source that is no text: a parser in Python reads it, and its records count as lines."""

_BOMS = ((codecs.BOM_UTF8, UTF8), (codecs.BOM_UTF16_LE, UTF16_LE), (codecs.BOM_UTF16_BE, UTF16_BE))
PADDING = b"\0" * 16
"""So many NULs are no text: what a copy leaves of a file that was truncated while it was written."""

_NULS = re.compile(rb"\0{16,}")
_COLOUR = re.compile(rb"(?:\x1b|\\x1[bB]|\\u001[bB]|\\033|#033)\[[0-9;?]{0,16}[A-Za-z]")
_ESCAPED = (rb"\x1b[", rb"\x1B[", rb"\u001b[", rb"\u001B[", rb"\033[", b"#033[")
_LOOKED_AT = 1 << 20
_NEWLINES = {"lf": b"\n", "cr": b"\r"}


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block.

    `text` holds each line without its end; `offsets` (one more than lines) says where each begins in the source,
    counted from the block's first byte; `utf8` is the whole block, in which `places` says where each begins.
    `open_ends` are lines without an end, but for the last: NULs in front of a line are one of their own.
    """

    text: pl.Series
    offsets: Offsets
    utf8: bytes
    places: Offsets
    replaced: int
    ended: bool
    open_ends: Offsets

    def numbers(self, lines: Offsets) -> Offsets:
        """Count the line ends before lines."""
        return lines - np.searchsorted(self.open_ends, lines) if len(self.open_ends) else lines


def encoding_of(head: bytes) -> str:
    r"""Tell the encoding of a text from its first bytes: BOM, UTF-16 by its NULs, UTF-8, Latin-1 as the last resort.

    A few stray bytes do not make a UTF-8 file Latin-1: it takes more than one bad byte in fifty of those above ASCII.

    Example:
        >>> encoding_of("\ufeffab".encode("utf-16-le")), encoding_of(b"a\x00b\x00c\x00\n\x00"), encoding_of(b"\xe9 lan")
        ('utf-16-le', 'utf-16-le', 'latin-1')
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    return _utf16_without_bom(head) or _utf8_or_latin1(head)


def _utf16_without_bom(head: bytes) -> str:
    sample = np.frombuffer(head[: len(head) // 2 * 2], np.uint8)
    if sample.size < 8:
        return ""
    even, odd = sample[0::2] == 0, sample[1::2] == 0
    if odd.mean() > 0.4 and even.mean() < 0.05:
        return UTF16_LE
    return UTF16_BE if even.mean() > 0.4 and odd.mean() < 0.05 else ""


def _utf8_or_latin1(head: bytes) -> str:
    text = head.decode(UTF8, "replace")
    bad = text[:-4].count("�") - head[:-4].count("�".encode())
    high = sum(1 for byte in head if byte > 127) if bad > 0 else 0
    return LATIN1 if bad > max(high / 50, 0) and bad * 2 >= high else UTF8


def newline_of(head: bytes, encoding: str) -> str:
    """Tell whether lines end in line feeds (`lf`, also CR LF) or in carriage returns alone (`cr`)."""
    sample = head.decode(encoding, "replace")
    return "cr" if "\r" in sample and "\n" not in sample else "lf"


def lines_of(block: bytes, encoding: str = UTF8, newline: str = "lf") -> Lines:
    r"""Split a block into lines.

    Args:
        block: bytes of a source that begin at the start of a line.
        encoding: what `encoding_of` said of the source.
        newline: what `newline_of` said.

    Example:
        >>> found = lines_of(b"a\r\nb\xff\n")
        >>> found.text.to_list(), found.offsets.tolist(), found.replaced
        (['a', 'b�'], [0, 3, 6], 1)
    """
    utf8, replaced = _as_utf8(block, encoding)
    utf8 = without_colour(utf8)
    places, ended = _starts(utf8, _NEWLINES[newline])
    offsets = places if utf8 is block else _source_starts(block, encoding, newline, len(places) - 1)
    padded = _padded(utf8, places) if encoding in (UTF8, LATIN1) else {}
    if padded:
        offsets = _parted(offsets, padded if utf8 is block else _padded(block, offsets))
        places = _parted(places, padded)
    open_ends = np.array([line + number for number, line in enumerate(padded)], np.int64)
    text = _contents(utf8, places, newline, open_ends if ended else np.append(open_ends, len(places) - 2))
    return Lines(text, offsets, utf8, places, replaced, ended, open_ends)


def without_colour(utf8: bytes) -> bytes:
    r"""Leave out the codes by which programs colour what they write (ECMA-48), also as relays and JSON escape them.

    Escaped ones are looked for where a block's first MiB has some: few sources do, and all would pay for it.

    Example:
        >>> [without_colour(line) for line in (b"\x1b[32mINFO\x1b[0m up", b"#033[1;31mERROR#033[0m no", b"a[1m")]
        [b'INFO up', b'ERROR no', b'a[1m']
    """
    found = b"\x1b" in utf8
    if not found and (b"\\" in utf8[:_LOOKED_AT] or b"#" in utf8[:_LOOKED_AT]):  # a byte is looked for much faster
        found = any(one in utf8[:_LOOKED_AT] for one in _ESCAPED)
    return _COLOUR.sub(b"", utf8) if found else utf8


def _as_utf8(block: bytes, encoding: str) -> tuple[bytes, int]:
    try:
        if encoding == UTF8:
            _ = block.isascii() or block.decode(UTF8)
            return block, 0
        return block.decode(encoding).encode(UTF8), 0
    except UnicodeError:
        text = block.decode(encoding, "replace").encode(UTF8, "replace").decode(UTF8)
        return text.encode(UTF8), text.count("�")


def _starts(text: bytes, newline: bytes) -> tuple[Offsets, bool]:
    """Find where lines begin, with the end of the text last, and whether the last line has its end."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == newline[0]) + 1
    ended = bool(ends.size and ends[-1] == len(text)) or not text
    tail = [] if ended else [len(text)]
    return np.concatenate(([0], ends, tail)).astype(np.int64), ended


def _padded(text: bytes, starts: Offsets) -> dict[int, int]:
    """Find lines that begin with a run of NULs, and where that ends: what a copy leaves of a file that was truncated.

    The writer goes on behind the hole, so that the first line after it has no end before it.
    """
    if b"\0" not in text or PADDING not in text:  # one byte is looked for much faster than sixteen
        return {}
    data = np.frombuffer(text, np.uint8)
    lines = np.flatnonzero(data[starts[:-1]] == 0)
    ends = ((int(line), _NULS.match(text, int(starts[line]))) for line in lines)
    found = {line: nuls.end() for line, nuls in ends if nuls}
    return {line: end for line, end in found.items() if end < starts[line + 1] and text[end] not in b"\r\n"}


def _parted(starts: Offsets, padded: dict[int, int]) -> Offsets:
    """Let a line begin where NULs before it end."""
    return np.insert(starts, [line + 1 for line in padded], [*padded.values()])


def _source_starts(block: bytes, encoding: str, newline: str, count: int) -> Offsets:
    """Find the same lines in the source's own bytes: the n-th line end there is the n-th in its UTF-8."""
    byte = _NEWLINES[newline][0]
    if encoding in (UTF16_LE, UTF16_BE):
        units = np.frombuffer(block[: len(block) // 2 * 2], "<u2" if encoding == UTF16_LE else ">u2")
        ends = (np.flatnonzero(units == byte) + 1) * 2
    else:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == byte) + 1
    return np.concatenate(([0], ends, [len(block)])).astype(np.int64)[: count + 1 if ends.size >= count else None]


def _contents(utf8: bytes, places: Offsets, newline: str, endless: Offsets) -> pl.Series:
    starts, ends = places[:-1], places[1:].copy()
    ends -= 1
    ends[endless] += 1
    if newline == "lf" and len(ends) and b"\r" in utf8:
        data = np.frombuffer(utf8, np.uint8)
        ends -= (ends > starts) & (data[np.maximum(ends - 1, 0)] == 13)
    if b"\f" in utf8 or (b"\xef" in utf8 and b"\xef\xbb\xbf" in utf8):  # one byte is looked for much faster
        return slices(utf8, starts, ends).str.strip_chars_start("\ufeff\f")
    return slices(utf8, starts, ends)


def slices(utf8: bytes | Bytes, starts: Offsets, ends: Offsets) -> pl.Series:
    """View pieces of a valid UTF-8 buffer as a String series, without a copy.

    Pieces must be in order and must not overlap: what lies between them becomes pieces that are left out.

    Example:
        >>> slices(b"ab,cd", np.array([0, 3]), np.array([2, 5])).to_list()
        ['ab', 'cd']
    """
    import pyarrow as pa

    count = len(starts)
    bounds = np.empty(2 * count + 1, np.int64)
    bounds[0:-1:2], bounds[1::2], bounds[-1] = starts, ends, len(utf8) if count else 0
    pieces = pa.LargeStringArray.from_buffers(2 * count, pa.py_buffer(bounds), pa.py_buffer(utf8))
    return pl.Series("text", _Handed(pieces)).gather_every(2)


def bytes_of(texts: pl.Series) -> tuple[Bytes, Offsets]:
    """Give the bytes of texts one after the other, and where each begins and the last ends.

    Example:
        >>> data, bounds = bytes_of(pl.Series(["ab", "c"]))
        >>> data.tobytes(), bounds.tolist()
        (b'abc', [0, 2, 3])
    """
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0]


class _Handed:
    """An Arrow array as its C interface alone, which Polars takes over without importing all of pyarrow."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        handed: tuple[object, object] = self._array.__arrow_c_array__(requested_schema)
        return handed

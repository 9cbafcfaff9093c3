"""Lines to events: where each event begins, which format reads it, and its text without a copy.

An event begins at a line that one of the source's formats opens. A line that opens nothing belongs to the event above
where that event's format lets it; else it is a reject. Nothing here loops over lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import structured
from pirtimeline.parsing.lines import Lines, Offsets, lines_of, slices
from pirtimeline.parsing.plugin import Format

Places = npt.NDArray[np.int16]

REJECT = -1
"""The format of an event that none of the source's formats reads."""

STRUCTURE = -2
"""The format of what says nothing: blank lines alone, NUL padding."""

EVERYTHING = ".*"
"""A `continues` that lets every line belong to the event above."""


@dataclass(frozen=True, slots=True)
class Framed:
    """The events of a block: `first` line of each (one more than events), which format reads it, its header's line.

    The header stands in the first line but for blank lines above the first event, which belong to it. `sure` says that
    a format's own patterns told where its events begin, so that a single pattern needs no second look.
    """

    lines: Lines
    first: Offsets
    format: Places
    head: Offsets
    sure: bool = True

    @property
    def height(self) -> int:
        """Count the events."""
        return len(self.format)

    def headers(self, rows: Offsets, count: int = 1) -> pl.Series:
        """View the first `count` lines of the events in `rows`, without the last line's end."""
        head = self.head[rows]
        if count == 1:
            return self.lines.text.gather(head)
        last = np.minimum(head + count, self.first[1:][rows])
        return _without_line_end(slices(self.lines.utf8, self.lines.places[head], self.lines.places[last]))

    def rests(self, rows: Offsets, count: int = 1) -> pl.Series:
        """View what stands below the first `count` lines of the events in `rows`; empty text where nothing does."""
        last = np.minimum(self.head[rows] + count, self.first[1:][rows])
        ends = self.lines.places[self.first[1:][rows]]
        return slices(self.lines.utf8, self.lines.places[last], ends)

    def texts(self, rows: Offsets) -> pl.Series:
        """View the whole text of the events in `rows`, with its line ends."""
        return self.rests(rows, 0)

    def table(self, *, last: bool = True) -> pl.DataFrame:
        """Give place and lines of each event: `byte_offset`, `byte_length`, `line` (from 0), `line_count`.

        A line without its end counts where it is its source's `last`.
        """
        bounds = self.lines.offsets[self.first]
        ends = np.diff(self.first)
        if self.height and not self.lines.ended and not last:
            ends[-1] -= 1
        return pl.DataFrame(
            {
                "byte_offset": bounds[:-1].astype(np.uint64),
                "byte_length": np.diff(bounds).astype(np.uint64),
                "line": self.first[:-1].astype(np.uint64),
                "line_count": ends.astype(np.uint32),
            }
        )


def frame(lines: Lines, formats: Sequence[Format], breaks: Offsets | None = None) -> Framed:
    """Find the events of a block.

    Args:
        lines: the block's lines; the first is an event's first.
        formats: what the plan says of the source, in order: a line that several open goes to the first.
        breaks: lines at which a source of its own begins, where the block holds several; the first is 0.
    """
    breaks = np.zeros(1, np.int64) if breaks is None else breaks
    opened = openings(lines.text, formats)
    opened[_padding(lines) | _structure(lines.text, formats)] = STRUCTURE
    refused = _refused(lines.text, formats, opened, breaks) & ~_blank(lines.text)
    return _begun(lines, opened, (opened != REJECT) | refused, breaks)


def _begun(lines: Lines, opened: Places, begins: npt.NDArray[np.bool_], breaks: Offsets) -> Framed:
    """Let the first event of each source begin at the source's first line: blank lines above it belong to it."""
    count = len(opened)
    breaks = breaks[breaks < count]
    heads = np.flatnonzero(begins)
    at = np.searchsorted(heads, breaks)
    ends = np.append(breaks[1:], count)
    held = np.append(heads, count)[at] < ends
    alone = breaks[~held]
    opened[alone] = STRUCTURE
    heads = np.sort(np.concatenate([heads, alone]))
    first = heads.copy()
    first[np.searchsorted(heads, breaks)] = breaks
    return Framed(lines, np.append(first, count).astype(np.int64), opened[heads], heads.astype(np.int64))


def openings(text: pl.Series, formats: Sequence[Format], process: pl.Series | None = None) -> Places:
    """Tell for each line which format it opens an event of, by its place in `formats`; `REJECT` where none.

    Args:
        text: lines without their ends.
        formats: a line that several open goes to the first.
        process: whose lines they are, where an envelope holds them; a format that names its processes reads no others.
    """
    opened = np.full(len(text), REJECT, np.int16)
    tests = [structured.opens(pl.col("text"), one).alias(str(place)) for place, one in enumerate(formats)]
    found = pl.DataFrame({"text": text}).select(tests) if tests else pl.DataFrame()
    for place in reversed(range(len(formats))):
        mine = found[str(place)].to_numpy()
        if formats[place].inner and process is not None:
            mine = mine & process.str.contains(formats[place].inner).fill_null(False).to_numpy()
        opened[mine] = place
    return opened


def framed_texts(texts: pl.Series) -> Framed:
    r"""Frame texts that are known to be one event each: an envelope's inner lines, a format's samples.

    Example:
        >>> both = framed_texts(pl.Series(["a\nb", "c"]))
        >>> both.headers(np.arange(2)).to_list(), both.rests(np.arange(2)).to_list()
        (['a', 'c'], ['b\n', ''])
    """
    counts = (texts.str.count_matches("\n", literal=True) + 1).to_numpy().astype(np.int64)
    joined = "\n".join(texts.to_list()) + "\n" if len(texts) else ""
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Framed(lines_of(joined.encode()), first, np.zeros(len(texts), np.int16), first[:-1], sure=False)


def _refused(text: pl.Series, formats: Sequence[Format], opened: Places, breaks: Offsets) -> npt.NDArray[np.bool_]:
    """Find lines that open nothing and that the event above does not take."""
    above = _above(opened, breaks)
    refused = (opened == REJECT) & (above < 0)
    for place, one in enumerate(formats):
        mine = np.flatnonzero((opened == REJECT) & (above == place))
        if mine.size and one.continues != EVERYTHING:
            refused[mine] = ~text.gather(mine).str.contains(one.continues).to_numpy()
    found: npt.NDArray[np.bool_] = refused
    return found


def _above(opened: Places, breaks: Offsets) -> Places:
    """Give each line the format of the last event opened at or above it in its source."""
    known = np.where(opened != REJECT, np.arange(len(opened)), -1)
    last = np.maximum.accumulate(known) if len(known) else known
    begin = np.zeros(len(opened), np.int64)
    begin[breaks[breaks < len(opened)]] = breaks[breaks < len(opened)]
    begin = np.maximum.accumulate(begin) if len(begin) else begin
    return np.where(last >= begin, opened[last], REJECT).astype(np.int16)


def _blank(text: pl.Series) -> npt.NDArray[np.bool_]:
    blank: npt.NDArray[np.bool_] = (~text.str.contains(r"[^\s\x00\x{FEFF}]")).to_numpy()
    return blank


def _padding(lines: Lines) -> npt.NDArray[np.bool_]:
    """Find lines of NULs alone: what a copy leaves of a file that was truncated while it was open."""
    if b"\0" not in lines.utf8:
        return np.zeros(len(lines.text), np.bool_)
    return lines.text.str.contains(r"^\x00+$").to_numpy()


def _structure(text: pl.Series, formats: Sequence[Format]) -> npt.NDArray[np.bool_]:
    """Find lines that a format's options name as structure: the header of a table."""
    found = np.zeros(len(text), np.bool_)
    for one in formats:
        if regex := one.options.get("structure"):
            found |= text.str.contains(regex).to_numpy()
    return found


def _without_line_end(text: pl.Series) -> pl.Series:
    return text.str.strip_suffix("\n").str.strip_suffix("\r").str.replace_all("\r\n", "\n", literal=True)

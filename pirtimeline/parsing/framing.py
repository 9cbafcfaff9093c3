"""Lines to events: where each event begins, which format reads it, and its text without a copy.

An event begins at a line that one of the source's formats opens. A line that opens nothing belongs to the event above
where that event's format lets it; else it is a reject. Nothing here loops over lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import heads, structured
from pirtimeline.parsing.lines import Lines, Offsets, lines_of, slices
from pirtimeline.parsing.plugin import Format

Places = npt.NDArray[np.int16]

REJECT = -1
"""The format of an event that none of the source's formats reads."""

STRUCTURE = -2
"""The format of what says nothing: blank lines alone, NUL padding."""

_INDENTED = r"^(?:\s|"
_SAYS_SOMETHING = r"[^\s\x00\x{FEFF}]"

EVERYTHING = ".*"
"""A `continues` that lets every line belong to the event above."""


@dataclass(frozen=True, slots=True)
class Framed:
    """The events of a block: `first` line of each (one more than events), which format reads it, its header's line.

    The header stands in the first line but for blank lines above the first event, which belong to it. `captured` holds
    by its regex what a pattern says of the lines it matches, where that told which lines open events.
    """

    lines: Lines
    first: Offsets
    format: Places
    head: Offsets
    captured: Mapping[str, heads.Captured] = field(default_factory=dict)

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
        """View the whole text of the events in `rows`, without the line ends behind it."""
        data = np.frombuffer(self.lines.utf8, np.uint8)
        starts, ends = self.lines.places[self.head[rows]], self.lines.places[self.first[1:][rows]]
        left = np.arange(len(ends))
        while len(left := left[_line_end(data[np.maximum(ends[left] - 1, 0)]) & (ends[left] > starts[left])]):
            ends[left] -= 1
        return slices(self.lines.utf8, starts, ends)

    def table(self, *, last: bool = True) -> pl.DataFrame:
        """Give place and lines of each event: `byte_offset`, `byte_length`, `line` (from 0), `line_count`.

        A line without its end counts where it is its source's `last`.
        """
        bounds = self.lines.offsets[self.first]
        ends = np.diff(self.lines.numbers(self.first))
        if self.height and not self.lines.ended and not last:
            ends[-1] -= 1
        return pl.DataFrame(
            {
                "byte_offset": bounds[:-1].astype(np.uint64),
                "byte_length": np.diff(bounds).astype(np.uint64),
                "line": self.lines.numbers(self.first[:-1]).astype(np.uint64),
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
    opened, captured = _opened(lines.text, formats, None, capture=True)
    opened[_padding(lines) | _structure(lines.text, formats)] = STRUCTURE
    begins = (opened != REJECT) | _refused(lines.text, formats, opened, breaks)
    opened, first, head = _begun(opened, begins, breaks)
    return Framed(lines, first, opened, head, captured)


def _begun(opened: Places, begins: npt.NDArray[np.bool_], breaks: Offsets) -> tuple[Places, Offsets, Offsets]:
    """Let the first event of each source begin at the source's first line: blank lines above it belong to it.

    Returns:
        The format of each event, its first line (one more than events), the line of its header.
    """
    count = len(opened)
    breaks = breaks[breaks < count]
    found = np.flatnonzero(begins)
    at = np.searchsorted(found, breaks)
    ends = np.append(breaks[1:], count)
    held = np.append(found, count)[at] < ends
    alone = breaks[~held]
    if len(alone):
        opened[alone] = STRUCTURE
        found = np.sort(np.concatenate([found, alone]))
    first = np.append(found, count)
    first[np.searchsorted(found, breaks)] = breaks
    return opened[found], first.astype(np.int64), found.astype(np.int64)


def openings(text: pl.Series, formats: Sequence[Format], process: pl.Series | None = None) -> Places:
    """Tell for each line which format it opens an event of, by its place in `formats`; `REJECT` where none.

    Args:
        text: lines without their ends.
        formats: a line that several open goes to the first.
        process: whose lines they are, where an envelope holds them; a format that names its processes reads no others.
    """
    return _opened(text, formats, process, capture=False)[0]


def _opened(
    text: pl.Series, formats: Sequence[Format], process: pl.Series | None, *, capture: bool
) -> tuple[Places, dict[str, heads.Captured]]:
    """Test lines against formats in turn, each those that the formats before it left; capture headers on the way."""
    opened = np.full(len(text), REJECT, np.int16)
    captured: dict[str, heads.Captured] = {}
    every = np.arange(len(text))
    for place, one in enumerate(formats):
        left = _of_process(every, process, one.inner) if one.inner and process is not None else every
        mine = text if len(left) == len(text) else text.gather(left)
        if capture and heads.readable(one) and not any(each.regex in captured for each in one.patterns):
            read = heads.capture(mine, left, one.patterns)
            captured |= read
            opens = np.isin(left, np.concatenate([each.lines for each in read.values()]), assume_unique=True)
        else:
            opens = structured.opening(mine, one)
        if one.kind == "json":
            opens = opens & ~_in_a_body(text, left, opens)
        if one.leads:
            leads = mine.str.contains(one.leads) & ~_doubled(mine)
            opens = _from_lead(leads.to_numpy(), opens, left)
        opened[left[opens]] = place
        every = every[opened[every] == REJECT]
    return opened, captured


def _of_process(lines: Offsets, process: pl.Series, inner: str) -> Offsets:
    """Keep the lines of processes whose names match; names are few, so each is tried once."""
    told = process.gather(lines)
    names = told.unique().drop_nulls()
    found: Offsets = lines[told.is_in(names.filter(names.str.contains(inner)).implode()).fill_null(False).to_numpy()]
    return found


def _in_a_body(text: pl.Series, left: Offsets, opens: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    r"""Find brackets alone in a line that go on with the end of the line above: they begin no event of their own.

    Example:
        >>> text = pl.Series(["slow source[", "{", '{"a": 1}', "{"])
        >>> _in_a_body(text, np.arange(4), np.array([False, True, True, True])).tolist()
        [False, True, False, False]
    """
    found: npt.NDArray[np.bool_] = np.isin(left, _bodies(text, left[opens]), assume_unique=True)
    return found


def _bodies(text: pl.Series, lines: Offsets) -> Offsets:
    """Keep the lines that open a body: a bracket alone, below a line that ends with what opens one."""
    lines = lines[(lines > 0) & ~text.gather(lines).str.ends_with("}").to_numpy()]
    lines = lines[text.gather(lines).str.contains(r"^[\s,]*[\[{]\s*$").to_numpy()]
    found: Offsets = lines[text.gather(lines - 1).str.contains(r"\w.*[\[({:=]\s*$").to_numpy()]
    return found


def _doubled(text: pl.Series) -> pl.Series:
    """Find rulers right above their like: the upper one ends a record, the lower one leads the next.

    Example:
        >>> _doubled(pl.Series(["***", "a", "***", "***", "b"])).to_list()
        [False, False, True, False, False]
    """
    same = (text == text.shift(-1)).fill_null(False)
    rows = same.arg_true()
    rows = rows.filter(text.gather(rows).str.contains(r"^\W*$") & (rows > 0))
    return pl.repeat(False, len(text), eager=True).scatter(rows, True)


def _from_lead(leads: npt.NDArray[np.bool_], opens: npt.NDArray[np.bool_], lines: Offsets) -> npt.NDArray[np.bool_]:
    """Let an event begin with the lines that lead to its first one, where they stand right above it.

    Example:
        >>> leads, opens = np.array([1, 1, 0, 0, 1, 0], bool), np.array([0, 0, 1, 1, 0, 0], bool)
        >>> _from_lead(leads, opens, np.arange(6)).astype(int).tolist()
        [1, 0, 0, 1, 0, 0]
    """
    at = np.arange(len(lines))
    end = np.minimum.accumulate(np.where(leads & ~opens, len(lines), at)[::-1])[::-1]
    to = np.minimum(end, len(lines) - 1)
    leading = leads & ~opens & (end < len(lines)) & opens[to] & (lines[to] - lines == to - at)
    led = np.append(False, leading[:-1] & (np.diff(lines) == 1)) if len(lines) else leading
    found: npt.NDArray[np.bool_] = (opens | leading) & ~led
    return found


def framed_texts(texts: pl.Series) -> Framed:
    r"""Frame texts that are known to be one event each: an envelope's inner lines, a format's samples.

    Example:
        >>> both = framed_texts(pl.Series(["a\nb", "c"]))
        >>> both.headers(np.arange(2)).to_list(), both.rests(np.arange(2)).to_list()
        (['a', 'c'], ['b\n', ''])
    """
    counts = (texts.str.count_matches("\n", literal=True) + 1).to_numpy().astype(np.int64)
    joined = texts.str.join("\n").item() + "\n" if len(texts) else ""
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Framed(lines_of(joined.encode()), first, np.zeros(len(texts), np.int16), first[:-1])


def _refused(text: pl.Series, formats: Sequence[Format], opened: Places, breaks: Offsets) -> npt.NDArray[np.bool_]:
    """Find lines that say something, open nothing and that the event above does not take."""
    above = _above(opened, breaks)
    refused = (opened == REJECT) & (above < 0)
    for place, one in enumerate(formats):
        mine = np.flatnonzero((opened == REJECT) & (above == place))
        if mine.size and one.continues != EVERYTHING:
            refused[mine] = ~_taken(text.gather(mine), one.continues)
    suspects = np.flatnonzero(refused)
    refused[suspects] = text.gather(suspects).str.contains(_SAYS_SOMETHING).to_numpy()
    refused[_bodies(text, np.flatnonzero(refused & (above >= 0)))] = False
    found: npt.NDArray[np.bool_] = refused
    return found


def _taken(text: pl.Series, continues: str) -> npt.NDArray[np.bool_]:
    """Tell which lines an event takes; that most of them are indented is seen without the regex."""
    if not continues.startswith(_INDENTED):
        return text.str.contains(continues).to_numpy()
    taken: npt.NDArray[np.bool_] = (text.str.starts_with("\t") | text.str.starts_with(" ")).to_numpy().copy()
    others = np.flatnonzero(~taken)
    taken[others] = text.gather(others).str.contains(continues).to_numpy()
    return taken


def _above(opened: Places, breaks: Offsets) -> Places:
    """Give each line the format of the last event opened at or above it in its source."""
    known = np.where(opened != REJECT, np.arange(len(opened)), -1)
    last = np.maximum.accumulate(known) if len(known) else known
    begin = np.zeros(len(opened), np.int64)
    begin[breaks[breaks < len(opened)]] = breaks[breaks < len(opened)]
    begin = np.maximum.accumulate(begin) if len(begin) else begin
    return np.where(last >= begin, opened[last], REJECT).astype(np.int16)


def _padding(lines: Lines) -> npt.NDArray[np.bool_]:
    """Find lines of NULs alone: what a copy leaves of a file that was truncated while it was open."""
    if b"\0" not in lines.utf8:
        return np.zeros(len(lines.text), np.bool_)
    found: npt.NDArray[np.bool_] = lines.text.str.contains(r"^\x00+$").to_numpy()
    return found


def _structure(text: pl.Series, formats: Sequence[Format]) -> npt.NDArray[np.bool_]:
    """Find lines that a format's options name as structure: the header of a table."""
    found = np.zeros(len(text), np.bool_)
    for one in formats:
        if regex := one.options.get("structure"):
            found |= text.str.contains(regex).to_numpy()
    return found


def _line_end(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (data == 10) | (data == 13)
    return found


def _without_line_end(text: pl.Series) -> pl.Series:
    return text.str.strip_suffix("\n").str.strip_suffix("\r").str.replace_all("\r\n", "\n", literal=True)

"""Where a large plain source is entered so that only what lies near the window is read: bisection over its blocks.

A source is taken to be in the order of time as long as its probes are. A probe is a look at the first dated event of a
block; so few are needed that even of 10 GB less than a hundredth is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from pirtimeline.evidence.streams import Seekable
from pirtimeline.ingest.finish import Ongoing, finish
from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.splitting import BLOCK, HEAD, MARGIN, entry

PIECE = 64 << 10
"""Bytes that a probe reads at first."""

LONGEST = 1 << 20
"""Bytes within which a probe must meet a dated event."""

SPREAD = 12
"""Probes that are spread at a time over what is left to search, the first time over all of a source."""

APART = 1 << 32
"""What sets the offsets of one probe's events apart from those of the next."""

SLACK = timedelta(minutes=1)
"""How far lines of a source that is in order may stand out of it: threads and hosts write side by side."""

Spans = tuple[tuple[int, int], ...]
"""Runs of bytes, each (first, behind the last), in order, none touching the next."""


@dataclass(frozen=True, slots=True)
class Near:
    """What is to be read: from `span` before the window's start to its end; `end` is None where it is open."""

    start: datetime
    end: datetime | None
    span: timedelta

    @property
    def low(self) -> datetime:
        """Give the first instant that matters."""
        return self.start - self.span


@dataclass(frozen=True, slots=True)
class Way:
    """Which bytes of a source are to be read, after how many probes; `reason` says why all of them, where it is so."""

    spans: Spans
    probes: int = 0
    reason: str = ""


def way_into(stream: Seekable, plan: SourcePlan, size: int, near: Near) -> Way:
    """Find the blocks of a source that lie near the window, and its first.

    Args:
        stream: the source's bytes.
        plan: how it is read and dated.
        size: how many bytes it has.
        near: the window.

    Returns:
        Spans between beginnings of blocks. The whole source, with the reason, where it cannot be entered: nothing
        there is dated, stamps have no date, or its probes are out of order.
    """
    probes = _Probes(stream, plan, size)
    try:
        first, behind = _bisected(probes, near)
        begin, end = probes.begin(first, down=True), probes.begin(behind, down=False)
        banner = probes.begin(1, down=False)
    except _NoEntryError as error:
        return Way(((0, size),), len(probes.seen), str(error))
    return Way(joined([(0, banner), (begin, end)]), len(probes.seen))


def joined(spans: Sequence[tuple[int, int]]) -> Spans:
    """Put spans in order, those that touch together, without empty ones.

    Example:
        >>> joined([(5, 7), (0, 2), (2, 3), (4, 4)])
        ((0, 3), (5, 7))
    """
    found: list[tuple[int, int]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)


def without(spans: Spans, size: int) -> Spans:
    """Give what spans leave of so many bytes.

    Example:
        >>> without(((0, 3), (5, 7)), 10), without((), 4)
        (((3, 5), (7, 10)), ((0, 4),))
    """
    bounds = [0, *(place for span in spans for place in span), size]
    return joined([*zip(bounds[::2], bounds[1::2], strict=True)])


def missing(wanted: Spans, read: Spans, size: int) -> Spans:
    """Give what is wanted and was not read.

    Example:
        >>> missing(((0, 3), (5, 9)), ((0, 1), (6, 7)), 10)
        ((1, 3), (5, 6), (7, 9))
    """
    left = without(read, size)
    return joined([(max(a, c), min(b, d)) for a, b in wanted for c, d in left])


class _NoEntryError(Exception):
    """A source cannot be entered; its message is the reason that is written down."""


@dataclass(slots=True)
class _Probes:
    """Looks into a source, several at once. Place 0 is its beginning, 1 its second block, then 16 MiB on.

    `seen` has the time of the first dated event from a place on, `latest` the last time at the source's end.
    """

    stream: Seekable
    plan: SourcePlan
    size: int
    seen: dict[int, datetime] = field(default_factory=dict)
    latest: datetime | None = None

    @property
    def count(self) -> int:
        """Count the places."""
        return 1 + (self.size > HEAD) + (self.size - 1) // BLOCK

    def place(self, number: int) -> int:
        """Give the byte of a place."""
        return (0, HEAD)[number] if number < 2 else (number - 1) * BLOCK

    def look(self, numbers: Iterable[int]) -> None:
        """Look at places that were not looked at yet."""
        waiting = sorted({*numbers} - {*self.seen})
        count = PIECE
        while waiting and count <= LONGEST:
            pieces = [self._piece(self.place(number), count) for number in waiting]
            for number, times in zip(waiting, self._times(pieces), strict=True):
                if times:
                    self.seen[number] = times[0]
            waiting = [number for number in waiting if number not in self.seen]
            count *= 4
        if waiting:
            raise _NoEntryError(f"no event has a time from byte {self.place(waiting[0])} on")

    def look_at_the_end(self) -> None:
        """Look at the last events."""
        (times,) = self._times([self._piece(max(self.size - PIECE, 0), PIECE + MARGIN)])
        self.latest = max(times, default=None)

    def _piece(self, offset: int, count: int) -> bytes:
        """Read the whole events that begin in a run of bytes, as far as its lines are whole."""
        held, begin = self._held(offset, count)
        end = len(held) if offset + count >= self.size else _behind_last_line(held, self.plan)
        return b"" if begin is None else held[begin:end]

    def _held(self, offset: int, count: int) -> tuple[bytes, int | None]:
        """Read from a place on, and say where the first event begins in what was read."""
        if not offset:
            self.stream.seek(0)
            return self.stream.read(count), 0
        self.stream.seek(offset - MARGIN)
        held = self.stream.read(count + MARGIN)
        return held, entry(held, self.plan)

    def _times(self, pieces: Sequence[bytes]) -> list[list[datetime]]:
        """Give the times of the events of each piece; pieces are in the order of the source."""
        plan = self.plan
        table = parse_many(pieces, plan.formats, encoding=plan.encoding, newline=plan.newline)
        if "_lacks" in table.columns and (table["_lacks"] == "date").any():
            raise _NoEntryError("its times have no date")
        apart = table.with_columns(byte_offset=pl.col("byte_offset") + pl.col("_block").cast(pl.UInt64) * APART)
        rows = finish(apart, plan, Ongoing(), offset=0)[0].filter(pl.col("timestamp").is_not_null())
        found: list[list[datetime]] = [[] for _ in pieces]
        for number, at in rows.select(pl.col("byte_offset") // APART, "timestamp").iter_rows():
            found[number].append(at)
        return found

    def begin(self, number: int, *, down: bool) -> int:
        """Give the first byte of the block at a place, or of the next one down or up at which an event begins."""
        while 0 < number < self.count:
            offset, count = self.place(number), PIECE
            while count <= BLOCK:
                held, begin = self._held(offset, count)
                if begin is not None and begin < len(held):
                    return offset - MARGIN + begin
                count *= 4
            number += -1 if down else 1
        return self.size if number else 0

    def check(self) -> None:
        """Hold all that was seen against the order of time."""
        end = [] if self.latest is None else [(self.count, self.latest)]
        for (_, earlier), (after, later) in pairwise([*sorted(self.seen.items()), *end]):
            if later < earlier - SLACK:
                at = min(self.place(after), self.size)
                raise _NoEntryError(f"it is not in the order of time: what stands at byte {at} is earlier than before")

    def places_before(self, time: datetime) -> int:
        """Count the places whose first event is not later than a time, as far as one can tell from what was seen."""
        return max((number + 1 for number, at in self.seen.items() if at <= time), default=0)

    def between(self, time: datetime) -> range:
        """Give the places that were not looked at and of which one cannot tell yet."""
        low = self.places_before(time)
        return range(low, min((number for number in self.seen if number >= low), default=self.count))


def _behind_last_line(held: bytes, plan: SourcePlan) -> int:
    """Find where the last whole line ends."""
    end = ("\n" if plan.newline == "lf" else "\r").encode(plan.encoding)
    return held.rfind(end) + len(end) if end in held else 0


def _bisected(probes: _Probes, near: Near) -> tuple[int, int]:
    """Find the places between which the window lies, the first and the one behind the last; equal where none does."""
    probes.look_at_the_end()
    low, high = near.low - SLACK, None if near.end is None else near.end + SLACK
    times = [low] if high is None else [low, high]
    open_places = [range(probes.count)]
    while any(open_places):
        probes.look(number for places in open_places for number in _spread(places))
        probes.check()
        open_places = [probes.between(time) for time in times]
    if probes.latest is not None and probes.latest < low:
        return probes.count, probes.count
    first = max(probes.places_before(low) - 1, 0)
    return first, probes.count if high is None else max(probes.places_before(high), first)


def _spread(places: range) -> list[int]:
    """Choose some of many places, all over them."""
    some = min(SPREAD, len(places))
    return [places[step * len(places) // some] for step in range(some)]

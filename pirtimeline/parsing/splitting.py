"""A source's bytes to blocks: cut at the first event after the first MiB and after each multiple of 16 MiB.

What a block is depends on the source alone, so neither workers nor windows change it, and a source can be entered at
any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pirtimeline.parsing.framing import REJECT, openings
from pirtimeline.parsing.lines import lines_of
from pirtimeline.parsing.plan import SourcePlan

BLOCK = 16 << 20
"""Bytes of a source between two blocks."""

HEAD = 1 << 20
"""Bytes of a source's first block: its banner, with versions and arguments, is read whatever the window."""

LOOK = 1 << 20
"""Bytes that are looked through at a time for an event's first line."""


MARGIN = 4
"""Bytes before a place that tell whether a line begins at it: a line's end in any encoding."""


class Readable(Protocol):
    """What can be read forward."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class Block:
    """A run of a source's bytes; `within`: it begins inside an event that began before it; `last`: none follows."""

    offset: int
    data: bytes
    within: bool = False
    last: bool = True


def blocks(stream: Readable, plan: SourcePlan, *, offset: int = 0) -> Iterator[Block]:
    """Cut a source into blocks from one of them on, never holding more than two of them.

    Args:
        stream: the source's bytes from `offset` on.
        plan: how the source is read.
        offset: where a block begins, as `entry` finds it.

    An event that is longer than a block is cut where it is: the next block then begins `within` it. A source whose
    events are not told by lines (a JSON array, XML, quoted CSV) is one block, whatever its size.
    """
    if any(use.format.options.get("framing") for use in plan.formats):
        yield Block(0, _read(stream, 1 << 62))
        return
    rest, within = b"", False
    while True:
        start = following(offset) - offset
        front, ahead = rest[:start], rest[start:]
        body = _read(stream, start - len(front))
        margin = (front[-MARGIN:] + body[-MARGIN:])[-MARGIN:]
        ahead = margin + ahead + _read(stream, LOOK - len(ahead))
        if len(front) + len(body) < start or len(ahead) == len(margin):
            break
        ahead, cut = _look_ahead(stream, ahead, len(margin), plan)
        if cut is None and len(ahead) < len(margin) + BLOCK:  # the source ends before another event begins
            body += ahead[len(margin) :]
            break
        at = cut if cut is not None else _forced(ahead, plan)
        data = b"".join([front, body, ahead[len(margin) : at]])  # the one copy of a block
        yield Block(offset, data, within, last=False)
        within = cut is None
        offset, rest = offset + len(data), ahead[at:]
    if front or body or not offset:
        yield Block(offset, front + body, within)


def following(offset: int) -> int:
    """Give the place after which the next block begins, for a block that begins at an offset.

    Example:
        >>> following(0), following(HEAD), following(BLOCK + 17)
        (1048576, 16777216, 33554432)
    """
    return HEAD if offset < HEAD < BLOCK else (offset // BLOCK + 1) * BLOCK


def entry(held: bytes, plan: SourcePlan) -> int | None:
    """Find where the block after a place begins: its first byte's index in what stands from `MARGIN` before that place.

    None where no event begins in what is held; then the block before may reach on, and cannot be told from here.
    """
    return first_event(held, MARGIN, plan)


def _look_ahead(stream: Readable, held: bytes, start: int, plan: SourcePlan) -> tuple[bytes, int | None]:
    """Read on until an event begins at or after a place, at most a block: what is held then, and where it begins."""
    while True:
        ended = held[: held.rfind("\n".encode(plan.encoding)) + 1] if plan.newline == "lf" else held
        cut = first_event(ended if len(ended) > start else held, start, plan)
        if cut is not None or len(held) >= start + BLOCK:
            return held, cut
        more = _read(stream, LOOK)
        if not more:
            return held, first_event(held, start, plan)
        held += more


def _read(stream: Readable, count: int) -> bytes:
    """Read so many bytes, fewer at the end."""
    pieces = []
    while count > 0 and (piece := stream.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def first_event(held: bytes, start: int, plan: SourcePlan) -> int | None:
    """Find the first event that begins at or after a place; None where none does in what is held."""
    at, step = _line_after(held, start, plan), LOOK >> 4
    formats = [use.format for use in plan.formats]
    led = any(one.leads for one in formats)
    while at < len(held):
        end = _line_after(held, min(at + step, len(held)), plan) if at + step < len(held) else len(held)
        lines = lines_of(held[at:end], plan.encoding, plan.newline)
        opened = np.flatnonzero(openings(lines.text, formats) != REJECT)
        opened = opened[opened > 0] if led and at > 0 else opened  # what leads the first line is not seen
        if len(opened):
            return at + int(lines.offsets[opened[0]])
        at, step = end, LOOK
    return None


def _line_after(held: bytes, start: int, plan: SourcePlan) -> int:
    """Find the first line that begins at or after a place."""
    end = ("\n" if plan.newline == "lf" else "\r").encode(plan.encoding)
    step = len(end)
    found = start - step if start >= step else -step
    while (found := held.find(end, found if found >= 0 else 0)) >= 0:
        if found % step == 0:
            return found + step
        found += 1
    return len(held)


def _forced(held: bytes, plan: SourcePlan) -> int:
    """Cut inside an event: at a line's end where there is one, else between two characters."""
    last = _line_after(held, len(held) - LOOK, plan)
    if last < len(held):
        return last
    if plan.encoding == "utf-8":
        return next((len(held) - back for back in range(1, 5) if held[-back] & 0xC0 != 0x80), len(held))
    return len(held) // 4 * 4

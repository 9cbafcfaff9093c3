"""A large plain source read in ranges of 64 MiB, side by side on any machines, with the result of reading it in one go.

A range is read where there is room. What each tells of its times comes back, and a scan over that, in the order of the
source, says what each range must know of the rest before its rows are settled and written: by whoever holds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline import evidence
from pirtimeline.errors import SourceError
from pirtimeline.evidence.streams import Seekable
from pirtimeline.ingest import marks
from pirtimeline.ingest.batches import PART, Installed, Task, stamp_of
from pirtimeline.ingest.finish import Ongoing, finish, turns
from pirtimeline.ingest.parts import Parts
from pirtimeline.ingest.recover import parse_or_recover
from pirtimeline.ingest.resuming import independent
from pirtimeline.objects import Location
from pirtimeline.parsing import registry
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.splitting import MARGIN, Block, blocks, entry
from pirtimeline.parsing.turns import Turns

PIECE = 64 << 10
"""Bytes that are looked through first for the beginning of a range."""

Read = list[tuple[int, pl.DataFrame]]
"""The blocks of a range: first byte and rows of each, as they were read."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a block tells: of its times, and how many lines it has."""

    turns: Turns
    lines: int


@dataclass(frozen=True, slots=True)
class Known:
    """What a range must know of the rest: lines and times before it, and times behind it."""

    lines: int
    past: Turns
    following: Turns | None


@cache
def installed(folders: tuple[str, ...]) -> Installed:
    """Load formats and parsers on the machine that reads, once."""
    return registry.installed([Path(folder) for folder in folders])


def divisible(plan: SourcePlan, place: evidence.Place) -> bool:
    """Tell whether a source can be entered in the middle, and settled without what envelopes recorded before."""
    return not place.steps and independent(plan)


def ranges(stream: Seekable, plan: SourcePlan, size: int) -> list[tuple[int, int]]:
    """Divide a source where parts end: at the first event after each multiple of 64 MiB, where one begins near it."""
    begins = [0]
    for place in range(PART, size, PART):
        begin = _entered(stream, plan, place)
        if begin is not None and begin < size:
            begins.append(begin)
    return list(zip(begins, [*begins[1:], size], strict=True))


def _entered(stream: Seekable, plan: SourcePlan, place: int) -> int | None:
    count = PIECE
    while count <= 16 << 20:
        stream.seek(place - MARGIN)
        held = stream.read(count + MARGIN)
        found = entry(held, plan)
        if found is not None and found < len(held):
            return place - MARGIN + found
        count *= 4
    return None


def read_range(task: Task, place: evidence.Place, span: tuple[int, int], folders: tuple[str, ...]) -> Read:
    """Read a range of a source, block by block.

    Raises:
        SourceError: an event is so long that the range does not end where the next begins.
    """
    with evidence.open_source(place) as stream:
        stream.seek(span[0])
        return [
            (block.offset, parse_or_recover(block, task.plan, installed(folders)))
            for block in _within(blocks(stream, task.plan, offset=span[0]), span[1], task)
        ]


def _within(found: Iterator[Block], end: int, task: Task) -> Iterator[Block]:
    for block in found:
        if block.offset >= end:
            return
        if block.offset + len(block.data) > end:
            raise SourceError(
                "an event reaches over the end of a range", at=task.plan.path, hint="run without --scheduler"
            )
        yield block


def told_of(read: Read, plan: SourcePlan) -> list[Told]:
    """Say what each block of a range tells."""
    return [Told(turns(table, plan, offset), int(table["line_count"].sum())) for offset, table in read]


def write_range(
    case: Location, task: Task, read: Read, told: Sequence[Told], known: Known, folders: tuple[str, ...]
) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """Settle a range's rows and write its parts; give them and their tallies."""
    counted: Mapping[str, Any] = marks.NOTHING
    ongoing = Ongoing(lines=known.lines, past=known.past)
    parts = Parts(case, f"{task.plan.source_id}-{read[0][0]:014d}", stamp_of([task]), installed(folders))
    behind = [*(one.turns for one in told[1:]), known.following]
    for (offset, table), one, following in zip(read, told, behind, strict=True):
        rows, ongoing = finish(table, task.plan, ongoing, offset=offset, told=one.turns, following=following)
        counted = marks.added(counted, marks.tallies(rows).get(task.plan.source_id, marks.NOTHING))
        parts.add(rows)
    return parts.write(), counted

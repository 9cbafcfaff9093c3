"""A source read in stretches: what lies near the window now, the rest by a later run, and in the end the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import polars as pl

from pirtimeline.evidence.streams import Seekable
from pirtimeline.flight import in_flight
from pirtimeline.ingest import marks
from pirtimeline.ingest.batches import PART, Installed, Task, mark, read_block
from pirtimeline.ingest.entering import Spans, joined, missing, without
from pirtimeline.ingest.finish import Ongoing, finish, with_next
from pirtimeline.ingest.leading import Lead, lead_of
from pirtimeline.ingest.parts import write_parts
from pirtimeline.ingest.resettle import Run, runs_of, settled_again
from pirtimeline.ingest.selecting import Selected
from pirtimeline.ingest.streams import EARLY, settled_alike
from pirtimeline.objects import Location
from pirtimeline.parsing import clock
from pirtimeline.parsing.splitting import Block, blocks
from pirtimeline.parsing.turns import Turns, join_all

CHUNK = 4 << 20


def spans_read(told: Mapping[str, Any]) -> Spans:
    """Say which bytes of a committed source were read.

    Example:
        >>> spans_read({"size_bytes": 10, "skipped": [[3, 4]]}), spans_read({"size_bytes": 10})
        (((0, 3), (7, 10)), ((0, 10),))
    """
    skipped = joined([(offset, offset + length) for offset, length in told.get("skipped") or ()])
    return without(skipped, told["size_bytes"])


def wanted(selected: Selected) -> int:
    """Count the bytes that are to be read of a source now."""
    read = spans_read(selected.before) if selected.before else ()
    return sum(end - begin for begin, end in missing(selected.way.spans, read, selected.task.size))


@dataclass(frozen=True, slots=True)
class Hands:
    """What blocks are read with: the installed formats, a pool, and how many blocks at a time."""

    installed: Installed
    pool: Executor
    ahead: int


def build_stretches(case: Location, selected: Selected, stream: Seekable, hands: Hands) -> dict[str, Any]:
    """Read what is wanted of a source and was not read before; give what its commit mark says then.

    Rows that were read before are settled anew, from their parts, by what stands beside them now.
    """
    task, before, size = selected.task, selected.before, selected.task.size
    read = spans_read(before) if before else ()
    left = without(joined([*read, *selected.way.spans]), size)
    hashed = None if left or task.told["sha256"] else _Hashed(stream)
    lead = lead_of(case, task, selected.place, stream)
    found = _blocks(stream, task, missing(selected.way.spans, read, size), hashed, lead.size if lead else 0)
    new = _in_flight(found, task, hands)
    runs = [] if before is None else runs_of(case, before, task, hands.installed)
    again: list[_Placed] = []
    heard: list[Turns] = []
    settled = _settled(task, _merged([_Piece(run.offset, run.turns, run=run) for run in runs], new), heard, lead)
    stamp = marks.digest([marks.read_as(task.plan), marks.timed_as(task.plan), selected.way.spans])[:8]
    counted, parts = _written(case, task, _runs(settled, again), stamp, hands)
    for one in again:
        assert one.piece.run is not None and before is not None
        beside = one.past, one.following
        rows, kept = settled_again(case, one.piece.run, task, before, beside, stamp, hands.installed)
        counted = marks.added(counted, marks.tallies(rows)[task.plan.source_id])
        parts += kept
    sha256 = hashed.whole(size) if hashed else task.told["sha256"]
    told = mark(task, counted, sorted(parts, key=lambda part: str(part["path"])), sha256=sha256)
    early = None if settled_alike(heard, task.plan) else EARLY
    told |= marks.told(task.plan, join_all(clock.in_time(heard, task.plan.rule))) | {"dated_with": early}
    if before is None and not left:
        return told
    return told | {"lines": None, "skipped": [[begin, end - begin] for begin, end in left]}


def _written(
    case: Location, task: Task, runs: Iterable[tuple[int, pl.DataFrame]], stamp: str, hands: Hands
) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """Write a part for each parser of each run; give their tallies, and the parts."""
    counted: Mapping[str, Any] = marks.NOTHING
    writing: list[Future[list[dict[str, Any]]]] = []
    parts: list[dict[str, Any]] = []
    for offset, rows in runs:
        counted = marks.added(counted, marks.tallies(rows)[task.plan.source_id])
        name = f"{task.plan.source_id}-{offset:014d}"
        writing.append(hands.pool.submit(write_parts, case, rows, name, stamp, hands.installed))
        if len(writing) > 1:
            parts += writing.pop(0).result()
    return counted, parts + [part for one in writing for part in one.result()]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block that was read now, or a run that was read before, with what it tells of its times."""

    offset: int
    turns: Turns
    size: int = 0
    table: pl.DataFrame | None = None
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A piece among those beside it: what all before it and the next tell; its rows where it was read now."""

    piece: _Piece
    past: Turns
    following: Turns | None
    rows: pl.DataFrame | None


def _blocks(stream: Seekable, task: Task, spans: Spans, hashed: _Hashed | None, lead: int) -> Iterator[Block]:
    """Read spans block by block; both ends of a span are beginnings of blocks.

    The first `lead` bytes are a block of their own, within an event that began in the source before.
    """
    if lead:
        stream.seek(0)
        data = stream.read(lead)
        if hashed is not None:
            hashed.update(data)
        yield Block(0, data, within=True, last=False)
        spans = missing(spans, ((0, lead),), task.size)
    for begin, end in spans:
        if hashed is not None:
            hashed.up_to(begin)
        stream.seek(begin)
        for block in blocks(stream, task.plan, offset=begin):
            if block.offset >= end:
                break
            over = block.offset + len(block.data) - end
            kept = replace(block, data=block.data[:-over], last=False) if over > 0 else block
            if hashed is not None:
                hashed.update(kept.data)
            yield kept


def _in_flight(found: Iterable[Block], task: Task, hands: Hands) -> Iterator[_Piece]:
    """Read blocks on the pool, a few at a time; give them in their order."""
    reading = partial(read_block, plan=task.plan, installed=hands.installed)
    for block, (table, told) in in_flight(hands.pool, reading, found, hands.ahead):
        yield _Piece(block.offset, told, len(block.data), table)


def _merged(old: Sequence[_Piece], new: Iterable[_Piece]) -> Iterator[_Piece]:
    """Put what was read before among what is read now, in the order of their bytes."""
    waiting = [*old]
    for piece in new:
        while waiting and waiting[0].offset < piece.offset:
            yield waiting.pop(0)
        yield piece
    yield from waiting


def _settled(task: Task, pieces: Iterable[_Piece], heard: list[Turns], lead: Lead | None) -> Iterator[_Placed]:
    """Settle pieces in order, each with a look at the next; lines are counted as far as nothing is left out."""
    ongoing = Ongoing(open_event=lead.event if lead else None)
    at: int | None = 0
    for piece, following in with_next(pieces):
        heard.append(piece.turns)
        past, told = ongoing.past, following.turns if following else None
        if piece.table is None:
            yield _Placed(piece, past, told, None)
            ongoing = Ongoing(past=clock.extended(past, piece.turns, task.plan.rule), observed=ongoing.observed)
            continue
        rows, ongoing = finish(piece.table, task.plan, ongoing, offset=piece.offset, told=piece.turns, following=told)
        if at is not None and piece.offset != at:
            at = None
        yield _Placed(piece, past, told, rows if at is not None else rows.with_columns(line=pl.lit(None, pl.UInt64)))
        at = None if at is None else at + piece.size


def _runs(settled: Iterable[_Placed], again: list[_Placed]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Gather blocks that stand beside each other to runs of about `PART` bytes; keep what was read before."""
    held: list[_Placed] = []
    for one in settled:
        if held and (one.rows is None or not _goes_on(held, one.piece)):
            yield _run(held)
            held = []
        (again if one.rows is None else held).append(one)
    if held:
        yield _run(held)


def _goes_on(held: Sequence[_Placed], piece: _Piece) -> bool:
    last = held[-1].piece
    return last.offset + last.size == piece.offset and held[0].piece.offset // PART == piece.offset // PART


def _run(held: Sequence[_Placed]) -> tuple[int, pl.DataFrame]:
    tables = [one.rows for one in held if one.rows is not None]
    return held[0].piece.offset, pl.concat(tables, how="diagonal_relaxed")


class _Hashed:
    """A source's hash while its last stretches are read; what was read before passes through it once more."""

    def __init__(self, stream: Seekable) -> None:
        self._stream, self._hash, self._at = stream, hashlib.sha256(), 0

    def update(self, data: bytes) -> None:
        self._hash.update(data)
        self._at += len(data)

    def up_to(self, offset: int) -> None:
        """Hash what lies before a place and was not hashed yet."""
        self._stream.seek(self._at)
        while self._at < offset and (data := self._stream.read(min(CHUNK, offset - self._at))):
            self.update(data)

    def whole(self, size: int) -> str:
        """Hash what is left."""
        self.up_to(size)
        return self._hash.hexdigest()

"""Sources that are read and committed together: many small ones, or one large one block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pirtimeline.flight import in_flight, prepared
from pirtimeline.ingest import backsteps, marks
from pirtimeline.ingest.finish import Ongoing, finish, turns, with_next
from pirtimeline.ingest.parts import Parts, write_parts
from pirtimeline.ingest.recover import Read, parse_or_recover, recovered
from pirtimeline.ingest.resuming import Done, done_before, joined, note
from pirtimeline.ingest.streams import EARLY, settled_alike
from pirtimeline.ingest.together import settle_together
from pirtimeline.objects import Location
from pirtimeline.parsing import clock
from pirtimeline.parsing.blocks import parse, parse_many
from pirtimeline.parsing.columns import timed
from pirtimeline.parsing.lines import BINARY
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.splitting import BLOCK, Block, Readable, blocks
from pirtimeline.parsing.turns import NOTHING, Turns, join_all
from pirtimeline.schema import UNRECOGNISED

BATCH = 32 << 20
"""Bytes of small sources that are read and committed together."""

PART = 64 << 20
"""Bytes of a large source that one part of each parser holds."""

CHUNK = 4 << 20

Installed = Mapping[str, Format | Parser]


@dataclass(frozen=True, slots=True)
class Task:
    """A source to be read: its plan, and what its commit mark says before it is read."""

    plan: SourcePlan
    told: Mapping[str, Any] = field(hash=False)

    @property
    def size(self) -> int:
        """Count its bytes."""
        return int(self.told["size_bytes"])


def batches(tasks: Sequence[Task]) -> Iterator[tuple[Task, ...]]:
    """Divide sources into batches; what a batch is depends on their order and sizes alone."""
    held: list[Task] = []
    size = 0
    for task in tasks:
        if task.size > BLOCK:
            yield (task,)
            continue
        held.append(task)
        size += task.size
        if size >= BATCH or len(held) == MOST:
            yield tuple(held)
            held, size = [], 0
    if held:
        yield tuple(held)


def build_small(
    case: Location, batch: Sequence[Task], contents: Sequence[bytes], installed: Installed
) -> list[dict[str, Any]]:
    """Read small sources, write their parts and give what their commit marks say."""
    read = [*_rows_of_small(batch, contents, installed)]
    told = {key: one for _, mine in read for key, one in mine.items()}
    rows = pl.concat([rows for rows, _ in read], how="diagonal_relaxed").sort("source_id", "byte_offset")
    first = batch[0].plan.source_id
    parts = write_parts(case, rows, f"{first}-{0:014d}", stamp_of(batch), installed)
    counted = marks.tallies(rows)
    hashes = [hashlib.sha256(data).hexdigest() for data in contents]
    return [
        mark(task, counted.get(task.plan.source_id, marks.NOTHING), parts, sha256=sha)
        | marks.told(task.plan, told.get(task.plan.source_id, NOTHING))
        for task, sha in zip(batch, hashes, strict=True)
    ]


def mark(
    task: Task, counted: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], *, sha256: str | None
) -> dict[str, Any]:
    """Say of a source what its commit mark holds."""
    zone, basis = marks.zone_of(task.plan, counted["time_bases"])
    mine = [part for part in parts if task.plan.source_id in part["sources"]]
    return {
        **task.told,
        "sha256": sha256 or task.told["sha256"],
        "encoding": task.plan.encoding,
        "host_name": task.plan.host_name,
        "host_basis": task.plan.host_basis,
        "service_name": task.plan.service_name,
        "zone": zone,
        "zone_basis": basis,
        **{key: value for key, value in counted.items() if key != "falls"},
        **backsteps.told(task.plan, counted),
        "lines": None if task.plan.encoding == BINARY else counted["lines"],
        "parts": [part["path"] for part in mine],
        "part_sha256": {part["path"]: part["sha256"] for part in mine},
        "read_as": marks.read_as(task.plan),
        "timed_as": marks.timed_as(task.plan),
        "dated_with": None,
    }


Finished = tuple[pl.DataFrame, Mapping[str, Turns]]
"""Rows, and what their sources tell of their times."""

MOST = 5000
"""Sources of a batch at most: what is held of each while they are read is more than its bytes where these are few."""


def _rows_of_small(batch: Sequence[Task], contents: Sequence[bytes], installed: Installed) -> Iterator[Finished]:
    """Read the sources of a batch, those that hold the same formats together."""
    pairs = [(task.plan, data) for task, data in zip(batch, contents, strict=True)]
    for plan, data in pairs:
        if plan.parser:
            yield from _parsed(plan, data, installed)
    texts = sorted(((_alike(plan), plan, data) for plan, data in pairs if not plan.parser), key=itemgetter(0))
    left: list[Read] = []
    for _, group in groupby(texts, key=itemgetter(0)):
        yield from _together([(plan, data) for _, plan, data in group], left)
    better = recovered(left, installed)
    for place, one in enumerate(left):
        yield _alone(better.get(place, one.table), one.plan)


def _together(group: Sequence[tuple[SourcePlan, bytes]], left: list[Read]) -> Iterator[Finished]:
    """Read sources of the same formats, settle those that can be at once, and add the others to those left."""
    plan = group[0][0]
    if len(group) == 1:
        left.append(Read(Block(0, group[0][1]), plan, parse(Block(0, group[0][1]), plan)))
        return
    read = parse_many([data for _, data in group], plan.formats, encoding=plan.encoding, newline=plan.newline)
    settled = settle_together(read, [mine for mine, _ in group])
    yield from ((rows, settled.told) for rows in settled.rows)
    rest = read.filter(pl.col("_block").is_in(settled.left)) if settled.rows else read
    for (number,), found in rest.partition_by("_block", as_dict=True, maintain_order=True).items():
        mine, data = group[number]
        left.append(Read(Block(0, data), mine, found))


def _alone(table: pl.DataFrame, plan: SourcePlan) -> Finished:
    rows, ongoing = finish(table, plan, Ongoing(), offset=0)
    return rows, {plan.source_id: ongoing.past}


def _alike(plan: SourcePlan) -> str:
    return f"{marks.read_as(plan)} {plan.newline}" if not plan.formats else _format_key(plan)


def _format_key(plan: SourcePlan) -> str:
    told = plan.to_json()
    return marks.digest({key: told[key] for key in ("formats", "encoding", "newline")})


def _parsed(plan: SourcePlan, data: bytes, installed: Installed) -> Iterator[Finished]:
    """Read a source by a parser in Python; lines are counted in its bytes, or are records where it is binary."""
    parser = installed[plan.parser]
    assert not isinstance(parser, Format)
    ongoing = Ongoing()
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    for table in parser.read(BytesIO(data)):
        placed = _refused(table).with_columns(
            _records(table) if plan.encoding == BINARY else _lines(table, ends, data, ongoing.lines)
        )
        placed = placed.with_columns(_piece_of=pl.lit(None, pl.Int64), _block=pl.lit(0, pl.UInt32))
        placed = timed(placed, parser.time) if "timestamp_text" in placed.columns else placed
        rows, ongoing = finish(placed, plan, ongoing, offset=0)
        yield rows, {plan.source_id: ongoing.past}


def _refused(table: pl.DataFrame) -> pl.DataFrame:
    """Make rejects of what a parser gives with a reason why it cannot read it."""
    if "reject_reason" not in table.columns:
        return table
    refused = pl.col("reject_reason").is_not_null()
    return table.with_columns(parser=pl.when(refused).then(pl.lit(UNRECOGNISED)).otherwise("parser"))


def _records(table: pl.DataFrame) -> list[pl.Series]:
    """Number records from 0; the rows between them have no number."""
    numbers = (
        table["line"].cast(pl.Int64) - 1
        if "line" in table.columns
        else pl.Series([None] * table.height, dtype=pl.Int64)
    )
    return [numbers.alias("line"), pl.Series("line_count", [0] * table.height, dtype=pl.UInt32)]


def _lines(
    table: pl.DataFrame, ends: np.ndarray[tuple[int], np.dtype[np.int64]], data: bytes, before: int
) -> list[pl.Series]:
    """Count lines in the bytes of each row, from the first of these rows on."""
    begins = table["byte_offset"].to_numpy().astype(np.int64)
    behind = begins + table["byte_length"].to_numpy().astype(np.int64)
    first = np.searchsorted(ends, begins)
    counts = np.searchsorted(ends, behind) - first
    counts[behind == len(data)] += 0 if data.endswith(b"\n") else 1
    return [pl.Series("line", first - before), pl.Series("line_count", counts.astype(np.uint32))]


def build_large(
    case: Location, task: Task, stream: Readable, installed: Installed, pool: Executor, ahead: int
) -> dict[str, Any]:
    """Read a large source block by block, a few in flight, and write a part for each 64 MiB of it.

    What a run that was killed has done is not done again; its bytes pass through the hash.
    """
    hashed = _Hashed(stream)
    done = done_before(case, task.plan, stamp_of([task]))
    hashed.skip(done.end)
    heard = [*done.heard]
    parts, counted = _written(case, task, _settled(task, hashed, installed, pool, ahead, heard, done), installed, done)
    whole = join_all(clock.in_time(heard, task.plan.rule))
    early = None if settled_alike(heard, task.plan) else EARLY
    return mark(task, counted, parts, sha256=hashed.hexdigest()) | marks.told(task.plan, whole) | {"dated_with": early}


def _written(
    case: Location, task: Task, settled: Iterable[_Dated], installed: Installed, done: Done
) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """Write a part for each 64 MiB of a source, cut where the offset passes a multiple of it, and count its rows."""
    adding: list[Future[None]] = []
    written: list[Future[Done]] = []
    with ThreadPoolExecutor(1) as writer:
        for _, blocks_of_run in groupby(settled, key=lambda one: one.offset // PART):
            run = [*islice(blocks_of_run, 1)]
            name, counted = f"{task.plan.source_id}-{run[0].offset:014d}", marks.NOTHING
            parts, heard = Parts(case, name, stamp_of([task]), installed), list[Turns]()
            for one in chain(run, blocks_of_run):
                rows = one.rows.pop()
                counted = marks.added(counted, marks.tallies(rows).get(task.plan.source_id, marks.NOTHING))
                heard.append(one.told)
                while adding:
                    adding.pop().result()
                adding.append(writer.submit(parts.add, rows))
                del rows  # they live until they are written, no longer
                last = one
            ready = Done(last.end, tuple(heard), counted)
            written.append(writer.submit(_kept, case, task, parts, run[0].offset, ready, noted=last.clean))
        for waiting in adding:
            waiting.result()
        whole = joined([done, *(future.result() for future in written)])
    return [*whole.parts], whole.counted


def _kept(case: Location, task: Task, parts: Parts, begin: int, ready: Done, *, noted: bool) -> Done:
    """Write a run's parts, and note that it is done where the next one begins with an event."""
    done = replace(ready, parts=tuple(parts.write()))
    if noted:
        note(case, task.plan, stamp_of([task]), begin, done)
    return done


class _Dated(NamedTuple):
    """A block's bounds, its rows, what it told of its times, and whether what follows begins with an event.

    The rows are to be taken out of their list, so that nobody else holds them.
    """

    offset: int
    end: int
    rows: list[pl.DataFrame]
    told: Turns
    clean: bool


def _settled(
    task: Task, stream: Readable, installed: Installed, pool: Executor, ahead: int, heard: list[Turns], done: Done
) -> Iterator[_Dated]:
    """Read blocks on the pool and settle them in order, each with a look at the next."""
    ongoing = Ongoing(lines=int(done.counted["lines"]), past=done.past(task.plan))
    reading = partial(read_block, plan=task.plan, installed=installed)
    pieces = prepared(blocks(stream, task.plan, offset=done.end))
    read = in_flight(pool, reading, pieces, ahead)
    for (block, (table, told)), following in with_next(read):
        heard.append(told)
        behind = following[1][1] if following else None
        rows, ongoing = finish(table, task.plan, ongoing, offset=block.offset, told=told, following=behind)
        clean = following is None or not following[0].within
        dated = _Dated(block.offset, block.offset + len(block.data), [rows], told, clean)
        del table, rows
        yield dated


def read_block(block: Block, plan: SourcePlan, installed: Installed) -> tuple[pl.DataFrame, Turns]:
    """Read a block of a large source: its rows, and what they tell of their times."""
    table = parse_or_recover(block, plan, installed)
    return table, turns(table, plan, block.offset)


def stamp_of(batch: Sequence[Task]) -> str:
    """Give eight hex digits for the plans that rows were written by, so that new parts lie beside the old ones."""
    return marks.digest([[task.plan.source_id, marks.read_as(task.plan), marks.timed_as(task.plan)] for task in batch])[
        :8
    ]


class _Hashed:
    """A stream that is hashed as it is read."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._hash = stream, hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def skip(self, size: int) -> None:
        """Read so many bytes for the hash alone."""
        while size and (data := self.read(min(size, CHUNK))):
            size -= len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

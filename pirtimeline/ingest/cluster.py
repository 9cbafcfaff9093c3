"""Sources read by the workers of a Dask cluster, which see evidence and case at the same paths as this machine.

A worker that is lost is made up for by another; a part that is written twice has the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from pirtimeline import evidence
from pirtimeline.errors import CaseError
from pirtimeline.ingest import marks, ranges
from pirtimeline.ingest.batches import Task, build_large, build_small, mark
from pirtimeline.ingest.ranges import Known
from pirtimeline.ingest.streams import EARLY, settled_alike
from pirtimeline.objects import Location
from pirtimeline.parsing import clock
from pirtimeline.parsing.splitting import BLOCK
from pirtimeline.parsing.turns import NOTHING, Turns, join_all

AHEAD = 2
"""Ranges in flight for each thread of the cluster."""

RETRIES = 8
"""How often a task is tried again whose worker was lost or failed."""

CHUNK = 4 << 20

Done = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Shared:
    """The case's folder, the evidence in the order that places count it in, and the folders of parsers."""

    case: Location
    arguments: tuple[str, ...]
    folders: tuple[str, ...]

    def place(self, task: Task) -> evidence.Place:
        """Say where a source lies."""
        return evidence.place_from_json(task.told["place"], self.arguments)


def read_on(address: str, todo: Sequence[tuple[Task, ...]], shared: Shared) -> Iterator[Done]:
    """Read batches on a cluster; give what is to be committed of each as it is done.

    Args:
        address: of the scheduler: `tcp://host:8786`.
        todo: batches of sources.
        shared: what every worker is told.

    Raises:
        CaseError: the package is not installed, or nobody answers there.
    """
    with _client(address) as client:
        divided = [batch[0] for batch in todo if _divided(batch, shared)]
        whole = [batch for batch in todo if not _divided(batch, shared)]
        waiting = [client.submit(read_batch, batch, shared, pure=False, retries=RETRIES) for batch in whole]
        for task in divided:
            yield [_in_ranges(client, task, shared)]
        for future in waiting:
            yield future.result()


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        hint = "pip install 'pirtimeline[cluster]'"
        raise CaseError("a cluster needs the package distributed", at="--scheduler", hint=hint) from error
    try:
        connect: Any = Client
        return connect(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise CaseError(f"no scheduler answers: {error}", at=address, hint="start one: dask scheduler") from error


def _divided(batch: Sequence[Task], shared: Shared) -> bool:
    return len(batch) == 1 and batch[0].size > BLOCK and ranges.divisible(batch[0].plan, shared.place(batch[0]))


def read_batch(batch: tuple[Task, ...], shared: Shared) -> Done:
    """Read a batch on a worker as it is read locally."""
    known = ranges.installed(shared.folders)
    contents: dict[str, bytes] = {}
    tasks = {shared.place(task): task for task in batch}
    for place, stream in evidence.read(tasks):
        if tasks[place].size > BLOCK and not tasks[place].plan.parser:
            with ThreadPoolExecutor(1) as pool:
                return [build_large(shared.case, tasks[place], stream, known, pool, 1)]
        contents[tasks[place].plan.source_id] = stream.read()
    return build_small(shared.case, batch, [contents[task.plan.source_id] for task in batch], known)


def _in_ranges(client: Any, task: Task, shared: Shared) -> dict[str, Any]:
    """Read a large source in ranges: some are read ahead of the scan that says what each must know of the rest."""
    place = shared.place(task)
    with evidence.open_source(place) as stream:
        spans = ranges.ranges(stream, task.plan, task.size)
    submit = partial(client.submit, pure=False, retries=RETRIES)
    hashed = submit(hash_of, place)
    ahead = AHEAD * max(sum(client.nthreads().values()), 1)
    reading: deque[tuple[Any, Any]] = deque()
    heard: list[Turns] = []
    written: list[Any] = []
    known = Known(0, NOTHING, None)
    left = iter(spans)
    while True:
        for span in islice(left, ahead - len(reading)):
            read = submit(ranges.read_range, task, place, span, shared.folders)
            reading.append((read, submit(ranges.told_of, read, task.plan)))
        if not reading:
            break
        read, telling = reading.popleft()
        told = telling.result()
        behind = reading[0][1].result()[0].turns if reading else None
        arguments = (shared.case, task, read, told, replace(known, following=behind), shared.folders)
        written.append(submit(ranges.write_range, *arguments))
        heard += [one.turns for one in told]
        known = _extended(known, told, task)
    return _marked(task, heard, [future.result() for future in written], hashed.result())


def _extended(known: Known, told: Sequence[ranges.Told], task: Task) -> Known:
    """Add what a range tells to what is known of those before it."""
    past = known.past
    for one in told:
        past = clock.extended(past, one.turns, task.plan.rule)
    return Known(known.lines + sum(one.lines for one in told), past, None)


def _marked(
    task: Task, heard: Sequence[Turns], written: Sequence[tuple[Done, Mapping[str, Any]]], sha256: str
) -> dict[str, Any]:
    counted: Mapping[str, Any] = marks.NOTHING
    for _, more in written:
        counted = marks.added(counted, more)
    parts = [part for made, _ in written for part in made]
    whole = join_all(clock.in_time(heard, task.plan.rule))
    early = None if settled_alike(heard, task.plan) else EARLY
    return mark(task, counted, parts, sha256=sha256) | marks.told(task.plan, whole) | {"dated_with": early}


def hash_of(place: evidence.Place) -> str:
    """Hash a source; many machines cannot share one hash, so one of them reads it through."""
    digest = hashlib.sha256()
    with evidence.open_source(place) as stream:
        while data := stream.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()

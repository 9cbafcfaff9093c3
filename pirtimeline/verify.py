"""Hold a case against itself and its evidence: hashes, sums of bytes, every cited byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from pirtimeline import evidence, store
from pirtimeline.case import Case
from pirtimeline.errors import PirTimelineError
from pirtimeline.objects import Location, located
from pirtimeline.reading import CHUNK, evidence_arguments, open_sources
from pirtimeline.schema import event_id


def faults(case: Case, *, moved: str | Location | None = None) -> Iterator[str]:
    """Name everything that does not hold, a sentence each; nothing where all does.

    Where parts are damaged, what can only be told from their rows is left out.

    Args:
        case: the case to verify.
        moved: where its evidence lies now, if not where it was.
    """
    damaged = list(_parts(case))
    yield from damaged
    yield from () if damaged else _sums(case)
    yield from _arguments(case, moved)
    yield from _sources(case, moved)
    yield from () if damaged else _citations(case, moved)


def _parts(case: Case) -> Iterator[str]:
    """Hash every part again, and hold what lies in the folder against what the commit marks list."""
    told = {part: sha for one in case.sources for part, sha in one["part_sha256"].items()}
    there = store.parts_there(case.path)
    for part in sorted(there - set(told)):
        yield f"{part}: no source lists this part"
    for part, sha256 in sorted(told.items()):
        if part not in there:
            yield f"{part}: this part is missing"
        elif hashlib.sha256((case.path / part).read_bytes()).hexdigest() != sha256:
            yield f"{part}: this part was changed after it was written"


def _sums(case: Case) -> Iterator[str]:
    """Add up the bytes of each source's rows and what was skipped, and look for gaps and overlaps."""
    runs = pl.concat([case.rows().select(_RUN), _skipped(case).lazy()])
    at, length = pl.col("byte_offset"), pl.col("byte_length")
    placed = runs.sort("source_id", "byte_offset").with_columns(
        gap=(at - (at + length).shift(1).over("source_id")).fill_null(at)
    )
    summed = placed.group_by("source_id").agg(length.sum(), pl.col("gap").filter(pl.col("gap") != 0).first())
    found = {source_id: (count, gap) for source_id, count, gap in summed.collect().iter_rows()}
    for one in case.sources:
        count, gap = found.get(one["source_id"], (0, None))
        unread = sum(length for _, length in one.get("skipped") or ())
        if count != one["size_bytes"]:
            yield f"{one['paths'][0]}: its rows hold {count - unread} of {one['size_bytes'] - unread} bytes"
        elif gap is not None:
            yield f"{one['paths'][0]}: its rows leave bytes out, or hold them twice"


_RUN = ("source_id", pl.col("byte_offset", "byte_length").cast(pl.Int64))


def _skipped(case: Case) -> pl.DataFrame:
    """Lay out what a window left unread, as if it were rows."""
    runs = [(one["source_id"], *run) for one in case.sources for run in one.get("skipped") or ()]
    schema = {"source_id": pl.String, "byte_offset": pl.Int64, "byte_length": pl.Int64}
    return pl.DataFrame(runs, schema=schema, orient="row")


def _arguments(case: Case, moved: str | Location | None) -> Iterator[str]:
    """Hash again what was handed over."""
    told = {one["path"]: one["sha256"] for one in case.custody.get("arguments", ()) if one["sha256"]}
    for argument in evidence_arguments(case, moved):
        path = located(argument)
        if not path.exists():
            yield f"{argument}: the evidence is not there"
        elif path.is_file() and path.name in told and _hash(argument) != told[path.name]:
            yield f"{argument}: the evidence was changed after it was read"


def _hash(argument: str) -> str:
    digest = hashlib.sha256()
    with evidence.open_source(evidence.Place(argument)) as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _sources(case: Case, moved: str | Location | None) -> Iterator[str]:
    """Read every source again that was read whole, and hash it; of others what is cited is read."""
    sources = {one["source_id"]: one for one in case.sources}
    seen: set[str] = set()
    try:
        whole = [key for key, one in sources.items() if one["sha256"] is not None]
        seen |= sources.keys() - set(whole)
        for source_id, stream in open_sources(case, whole, moved=moved):
            seen.add(source_id)
            digest = hashlib.sha256()
            while piece := stream.read(CHUNK):
                digest.update(piece)
            if sources[source_id]["sha256"] != digest.hexdigest():
                yield f"{sources[source_id]['paths'][0]}: its content is not what was read"
    except (PirTimelineError, OSError) as error:
        left = next((one["paths"][0] for key, one in sources.items() if key not in seen), case.path)
        yield f"{left}: cannot be read again: {error}"


def _citations(case: Case, moved: str | Location | None) -> Iterator[str]:
    """Read every cited event again, by way of the table."""
    cited = _cited(case)
    known = set(case.events().select(event_id()).collect().to_series()) if cited else set()
    for one in sorted(cited - known):
        yield f"{one}: cited, but not in the case"
    there = sorted(cited & known)
    try:
        case.raw(there, moved=moved)
    except (PirTimelineError, OSError) as error:
        yield str(error)


def _cited(case: Case) -> set[str]:
    lists = [
        table.select(pl.col("event_ids").explode()).collect().to_series()
        for table in (case.findings(), case.timeline())
    ]
    return {*(one for ids in lists for one in ids.drop_nulls()), *_in_json(case.report)}


def _in_json(value: Any) -> Iterator[str]:
    """Find the event ids in a result, wherever they stand."""
    if isinstance(value, Mapping):
        ids: Sequence[str] = value.get("event_ids") or ()
        yield from ids
        for one in value.values():
            yield from _in_json(one)
    elif isinstance(value, list):
        for one in value:
            yield from _in_json(one)

"""Evidence that was written on: what was appended becomes a source of its own, and what else changed is an error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pirtimeline import evidence
from pirtimeline.errors import SourceError
from pirtimeline.evidence import Found, Place, Source
from pirtimeline.evidence.content import Looked, look, look_into
from pirtimeline.evidence.sources import BLOCK, Sampling
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.rotation import Place as Rank

TAIL = 4 << 10
"""Bytes at a source's end that must be as they were for what follows them to be appended."""

Mark = Mapping[str, Any]


def tail_hash(samples: Sequence[tuple[int, bytes]], place: Place) -> dict[str, str]:
    """Keep of a plain file how it ends, by which a later run knows that it was written on."""
    if any(step.kind != evidence.KIND for step in place.steps) or not samples:
        return {}
    return {"tail_sha256": hashlib.sha256(samples[-1][1][-TAIL:]).hexdigest()}


@dataclass(frozen=True, slots=True)
class Chain:
    """What a case holds of one plain file: its sources in the order in which the file grew."""

    members: tuple[Mark, ...]

    @property
    def end(self) -> int:
        """Count the bytes that the case holds of the file."""
        last = self.members[-1]
        return int(last.get("base_offset") or 0) + int(last["size_bytes"])

    def fits(self, file: Place, size: int) -> bool:
        """Tell whether a file still begins with what the case holds of it, by how that ended."""
        if size < self.end:
            return False
        with evidence.probed(file) as stream:
            count = min(TAIL, int(self.members[-1]["size_bytes"]))
            stream.seek(self.end - count)
            return hashlib.sha256(stream.read(count)).hexdigest() == self.members[-1].get("tail_sha256")


def chains(sources: Iterable[Mark], arguments: Sequence[str]) -> dict[tuple[str, str], Chain]:
    """Find what a case holds of each plain file.

    Args:
        sources: its commit marks.
        arguments: the evidence as it was when they were written, in the order that places count it in.
    """
    held: dict[tuple[str, str], list[Mark]] = {}
    for one in sources:
        told = one["place"]
        plain = all(kind == evidence.KIND for kind, _, _ in told["steps"])
        if plain and "tail_sha256" in one and told["argument"] < len(arguments):
            held.setdefault((arguments[told["argument"]], told["file"]), []).append(one)
    return {
        file: Chain(tuple(sorted(every, key=lambda one: one.get("base_offset") or 0))) for file, every in held.items()
    }


class Grown:
    """A walk whose files that grew come as what the case holds of them and what was appended.

    `grows` says of each appended source what its commit mark tells: `grows` and `base_offset`.
    """

    def __init__(self, found: Iterable[Found], held: Mapping[tuple[str, str], Chain]) -> None:
        self._found, self._held = found, held
        self.grows: dict[str, dict[str, Any]] = {}

    def __iter__(self) -> Iterator[Found]:
        for found in self._found:
            source = found.source
            chain = None if source.place.steps else self._held.get((source.place.argument, source.place.file))
            known = chain is not None and source.source_id == chain.members[0]["source_id"]
            if chain is None or known or not chain.fits(source.place, source.size_bytes):
                yield found
            else:
                yield from self._split(source, chain)

    def _split(self, source: Source, chain: Chain) -> Iterator[Found]:
        begin = 0
        for one in chain.members:
            end = begin + int(one["size_bytes"])
            old = replace(
                source,
                source_id=one["source_id"],
                identity=one["identity"],
                sha256=one["sha256"],
                mtime=datetime.fromisoformat(one["mtime"]),
            )
            if "grows" in one:
                self.grows[one["source_id"]] = {key: one[key] for key in ("grows", "base_offset")}
            yield _run(old, begin, end)[0]
            begin = end
        if begin < source.size_bytes:
            found, looked = _run(source, begin, source.size_bytes)
            key = (looked.ends or looked.sha256 or "")[:12]
            identity = "ends" if looked.ends else "content"
            self.grows[key] = {"grows": chain.members[-1]["source_id"], "base_offset": begin}
            yield replace(found, source=replace(found.source, source_id=key, identity=identity, sha256=looked.sha256))


def _run(source: Source, begin: int, end: int) -> tuple[Found, Looked]:
    """Look at a run of a file as at a source of its own."""
    place = source.place.into(evidence.part(begin, end))
    with evidence.open_source(source.place) as file:
        stream = evidence.slice_of(file, place.steps[-1])
        size = end - begin
        looked = look(stream.read(), Sampling()) if size <= BLOCK else look_into(stream, size, Sampling())
    return Found(replace(source, size_bytes=size, stored_size=size, place=place), looked.samples), looked


def inherited(plans: Mapping[str, SourcePlan], grows: Mapping[str, Mapping[str, Any]]) -> dict[str, SourcePlan]:
    """Let what was appended be read as what stands before it, and by what was found in it besides; both are one stream.

    Raises:
        SourceError: the file is none that can be appended to.
    """
    found = dict(plans)
    for key, told in grows.items():
        new, old = found[key], found[told["grows"]]
        if old.parser or any(use.format.options.get("framing") for use in old.formats):
            raise changed(old.path)
        known = {use.format.name for use in old.formats}
        more = tuple(use for use in new.formats if use.format.name not in known and not use.format.generic)
        rank = old.place or Rank(old.source_id, 0)
        rule = replace(old.inferred, mtime=new.inferred.mtime)
        found[old.source_id] = replace(old, place=rank)
        found[key] = replace(
            old,
            source_id=key,
            formats=(*old.formats, *more),
            rule=rule,
            inferred=rule,
            place=new.place or replace(rank, place=rank.place + 1),
        )
    return found


def changed(path: str) -> SourceError:
    """Say that evidence is not what it was."""
    return SourceError(
        "the evidence was changed after it was read", at=path, hint="restore it, or build a new case of what it is now"
    )


def require_unchanged(sources: Iterable[Mark], found: Mapping[str, Sequence[str]]) -> None:
    """Demand that evidence which is still there is what it was.

    Args:
        sources: the commit marks as they were.
        found: source id -> paths, of all that the evidence holds now.

    Raises:
        SourceError: a file holds something else now, and what it held is nowhere in the evidence.
    """
    there = {path for paths in found.values() for path in paths}
    for one in sources:
        if one["source_id"] not in found and (path := next((p for p in one["paths"] if p in there), None)):
            raise changed(path)

"""The bytes behind events: the evidence opened again at the places that a case names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import polars as pl

from pirtimeline import evidence
from pirtimeline.errors import CaseError, SourceError
from pirtimeline.objects import Location, located
from pirtimeline.settings import Settings

CHUNK = 4 << 20


class Opened(Protocol):
    """What must be known of a case to read behind its events; `Case` is one."""

    @property
    def path(self) -> Location:
        """Give the case's folder."""

    @property
    def settings(self) -> Settings:
        """Give what was declared, the evidence among it."""

    @property
    def sources(self) -> list[dict[str, Any]]:
        """Give what the commit marks say of each source."""

    def rows(self) -> pl.LazyFrame:
        """Give every row, with `event_id`."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Bytes of a source with what stands around them.

    `before`, `data` and `after` are bytes as they are in the evidence; `line` is the first line of `data`, from 1.
    """

    event_id: str
    path: str
    encoding: str
    line: int | None
    before: bytes
    data: bytes
    after: bytes

    @property
    def text(self) -> str:
        """Give the event's own bytes as text; what does not decode is U+FFFD."""
        return self.decoded(self.data)

    def decoded(self, data: bytes) -> str:
        """Give bytes of the same source as text."""
        return data.decode("utf-8" if self.encoding == "binary" else self.encoding, "replace")


def excerpts(
    case: Opened, event_ids: Sequence[str], *, moved: str | Location | None = None, around: int = 1024
) -> list[Excerpt]:
    """Read events with the bytes around them, as `Case.excerpts` says."""
    asked = list(dict.fromkeys(event_ids))
    spans = _spans(case, asked)
    if missing := [one for one in asked if one not in spans]:
        raise CaseError(
            f"no event {missing[0]}", at=case.path, hint="an event id is <source_id>:<byte_offset>, as query shows it"
        )
    by_source: dict[str, list[str]] = {}
    for one in asked:
        by_source.setdefault(one.partition(":")[0], []).append(one)
    sources = {one["source_id"]: one for one in case.sources}
    found: dict[str, Excerpt] = {}
    for source_id, stream in open_sources(case, [*by_source], moved=moved):
        mine = sorted(by_source[source_id], key=lambda one: spans[one][0])
        found |= _read(sources[source_id], stream, [(one, *spans[one]) for one in mine], around)
    return [found[one] for one in asked]


def open_sources(
    case: Opened, source_ids: Sequence[str], *, moved: str | Location | None = None
) -> Iterator[tuple[str, BinaryIO]]:
    """Open sources of a case again, with one pass through each archive.

    Raises:
        SourceError: the evidence is not where it was.
    """
    arguments = evidence_arguments(case, moved)
    sources = {one["source_id"]: one for one in case.sources}
    places = {evidence.place_from_json(sources[one]["place"], arguments): one for one in source_ids}
    for place, stream in evidence.read(places):
        yield places[place], stream


def evidence_arguments(case: Opened, moved: str | Location | None) -> tuple[str, ...]:
    """Name the evidence, in the order that places count it in; `moved` stands for the one, or holds all of them."""
    arguments = evidence.ordered(case.settings.evidence)
    if moved is None:
        return arguments
    now = located(moved)
    if len(arguments) == 1 and not (now / Path(arguments[0]).name).exists():
        return (str(moved),)
    return tuple(str(now / Path(one).name) for one in arguments)


def _spans(case: Opened, event_ids: Sequence[str]) -> dict[str, tuple[int, int, int | None]]:
    """Find where events lie: first byte, end, first line."""
    ids = pl.Series(event_ids, dtype=pl.String)
    source_ids = ids.str.split(":").list.first().unique()
    event = pl.coalesce("continues", "event_id")
    rows = case.rows().filter(pl.col("source_id").is_in(source_ids.implode())).filter(event.is_in(ids.implode()))
    spans = rows.group_by(event.alias("event")).agg(
        pl.col("byte_offset").min().alias("begin"),
        (pl.col("byte_offset") + pl.col("byte_length")).max().alias("end"),
        pl.col("line").min().alias("line"),
    )
    return {event: (begin, end, line) for event, begin, end, line in spans.collect().iter_rows()}


def _read(
    source: Mapping[str, Any], stream: BinaryIO, spans: Sequence[tuple[str, int, int, int | None]], around: int
) -> dict[str, Excerpt]:
    """Read spans in the order of their offsets from a stream that only goes forward."""
    found: dict[str, Excerpt] = {}
    at, held = 0, b""
    for event_id, begin, end, line in spans:
        low, high = max(begin - around, 0), end + around
        if low > at + len(held):
            at, held = _skip(stream, at + len(held), low), b""
        elif low > at:
            at, held = low, held[low - at :]
        while at + len(held) < high and (more := stream.read(high - at - len(held))):
            held += more
        if at + len(held) < end:
            raise SourceError(
                "the evidence is shorter than it was", at=source["paths"][0], hint="restore it, or build the case again"
            )
        pieces = held[low - at : begin - at], held[begin - at : end - at], held[end - at : high - at]
        found[event_id] = Excerpt(event_id, source["paths"][0], source["encoding"], line, *pieces)
    return found


def _skip(stream: BinaryIO, at: int, to: int) -> int:
    """Go forward to a place: at once where the stream can be entered anywhere, else by reading up to there."""
    if stream.seekable():
        return stream.seek(to)
    while at < to and (piece := stream.read(min(CHUNK, to - at))):
        at += len(piece)
    return at

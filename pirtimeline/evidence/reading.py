"""Open sources again by their places: one, or many with one pass through each archive."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from itertools import zip_longest
from typing import BinaryIO, cast

from pirtimeline.errors import SourceError
from pirtimeline.evidence import slices
from pirtimeline.evidence.codecs import decoded
from pirtimeline.evidence.containers import ARCHIVES, members
from pirtimeline.evidence.files import open_file, opened_in_turn
from pirtimeline.evidence.sources import MIB, Place, Step
from pirtimeline.evidence.streams import Note, body_of, chunks, file_of, stream_of

_Wanted = list[tuple[Place, tuple[Step, ...]]]
"""Places, and the steps that are still to go to each."""


def open_source(place: Place) -> BinaryIO:
    """Open a source's decompressed bytes, from the first to the last; a plain file can be entered anywhere.

    Raises:
        SourceError: where the evidence is gone, or no longer holds the source.
    """
    if all(step.kind == slices.KIND for step in place.steps):
        return reduce(partial(slices.opened, own=True), place.steps, _opened(place))
    return stream_of(_pieces(place))


def probed(place: Place) -> BinaryIO:
    """Open a plain file to look at it here and there: what is read is what is asked for, and no more.

    Raises:
        SourceError: where the evidence is gone.
    """
    return _opened(place, buffered=False)


def _pieces(place: Place) -> Iterator[bytes]:
    for _, stream in read([place]):
        yield from chunks(stream)


def read(places: Iterable[Place]) -> Iterator[tuple[Place, BinaryIO]]:
    """Open many sources with one pass through each archive; what is not wanted is passed over.

    Files come in the order in which they are first named, members in the order in which they lie in their archive.
    A stream is to be read before the next is asked for. A place that is named twice comes once.

    Raises:
        SourceError: where the evidence is gone, or no longer holds a source.
    """
    files: defaultdict[tuple[str, str], _Wanted] = defaultdict(list)
    for place in dict.fromkeys(places):
        files[place.argument, place.file].append((place, place.steps))
    opened = opened_in_turn(files)
    for wanted in files.values():
        with _opened(wanted[0][0], next(opened)) as file:
            yield from _served(file, wanted)


def _opened(place: Place, opener: Callable[[], BinaryIO] | None = None, *, buffered: bool = True) -> BinaryIO:
    try:
        file = opener() if opener else open_file(place.argument, place.file)
        return io.BufferedReader(cast(io.RawIOBase, file), MIB) if buffered else file
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        at = f"{place.argument}/{place.file}" if place.file else place.argument
        raise SourceError(
            f"the evidence cannot be opened again: {reason}", at=at, hint="name where it lies now with --evidence PATH"
        ) from error


def _served(file: BinaryIO, wanted: _Wanted) -> Iterator[tuple[Place, BinaryIO]]:
    """Give what is wanted of an open file: itself, or what lies one step further in."""
    ready = [place for place, steps in wanted if not steps]
    if ready:
        yield ready[0], file
        return
    for place, (step, *steps) in [one for one in wanted if one[1][0].kind == slices.KIND]:
        yield from _served(slices.opened(file, step), [(place, tuple(steps))])
    wanted = [one for one in wanted if one[1][0].kind != slices.KIND]
    if not wanted:
        return
    step = wanted[0][1][0]
    if step.kind in ARCHIVES:
        yield from _from_archive(step.kind, file, wanted)
    else:
        body = body_of(decoded(step.kind, file, Note()))
        yield from _served(file_of(body), [(place, steps[1:]) for place, steps in wanted])


def _from_archive(kind: str, file: BinaryIO, wanted: _Wanted) -> Iterator[tuple[Place, BinaryIO]]:
    due: defaultdict[int, _Wanted] = defaultdict(list)
    for place, steps in wanted:
        due[steps[0].index].append((place, steps[1:]))
    for member in members(kind, file, Note()):
        if here := due.pop(member.index, None):
            yield from _served(file_of(body_of(member.pieces)), here)
        if not due:
            return
    missing = next(iter(due.values()))[0][0]
    raise SourceError(
        "the evidence no longer holds this source", at=_spelled(missing), hint="was it changed or replaced?"
    )


def _spelled(place: Place) -> str:
    return "!".join(filter(None, (place.argument, place.file, *(step.member for step in place.steps))))


def same_content(one: Place, other: Place) -> bool:
    """Compare two sources byte for byte: for those that share an identity made of their ends."""
    with open_source(one) as left, open_source(other) as right:
        return all(a == b for a, b in zip_longest(chunks(left), chunks(right)))

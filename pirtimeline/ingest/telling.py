"""How far a run is, told to whoever looks on: it changes nothing of what is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pirtimeline.evidence.streams import Seekable


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a run is: the source that was read on, whether it is done, and what is done of all there is."""

    path: str
    size_bytes: int
    done: bool
    sources_done: int
    sources: int
    bytes_done: int
    bytes_total: int


Progress = Callable[[Advance], None]


class Telling:
    """Count what a run reads, and tell it.

    Example:
        >>> told = []
        >>> telling = Telling(told.append, sources=2, size=300)
        >>> telling.done("a.log", 100)
        >>> told[0].sources_done, told[0].bytes_done, told[0].bytes_total
        (1, 100, 300)
    """

    def __init__(self, progress: Progress | None, *, sources: int, size: int) -> None:
        self._progress, self._sources, self._size = progress, sources, size
        self._done, self._bytes, self._part = 0, 0, dict[str, int]()

    def read(self, path: str, size: int, count: int) -> None:
        """Tell that so many bytes more were read of a source of so many to be read."""
        now = min(count, size - self._part.get(path, 0))
        self._part[path] = self._part.get(path, 0) + now
        self._bytes += now
        self._tell(path, size, done=False)

    def done(self, path: str, size: int) -> None:
        """Tell that a source is done."""
        self._bytes += size - self._part.pop(path, 0)
        self._done += 1
        self._tell(path, size, done=True)

    def watched(self, stream: Seekable, path: str, size: int) -> Seekable:
        """Give a stream whose reads are told as they come."""
        return stream if self._progress is None else _Watched(stream, self, path, size)

    def _tell(self, path: str, size: int, *, done: bool) -> None:
        if self._progress is not None:
            self._progress(Advance(path, size, done, self._done, self._sources, self._bytes, self._size))


@dataclass(slots=True)
class _Watched:
    stream: Seekable
    telling: Telling
    path: str
    size: int

    def read(self, size: int = -1, /) -> bytes:
        data = self.stream.read(size)
        self.telling.read(self.path, self.size, len(data))
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()

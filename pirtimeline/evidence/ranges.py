"""Evidence in a bucket: its listing, and objects that are entered anywhere by asking for ranges of their bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, cast

from pirtimeline.errors import SourceError
from pirtimeline.evidence.entered import Entered
from pirtimeline.objects import ObjectPath, asking

FIRST = 1 << 20
"""Bytes of an object that are asked for when it is opened: all of most."""

MOST = 8 << 20
"""Bytes that are asked for at a time at most beyond what is wanted, where an object is read on and on."""

TOGETHER = 16
"""Objects that are opened side by side ahead of their turn: an answer takes long, whatever its size."""


class Ranges(Entered):
    """An object's bytes; where reads go on from one another, more and more is asked for at a time.

    It is one object from first to last: where it is put anew meanwhile, that is an error.
    """

    def __init__(self, place: ObjectPath) -> None:
        """Open an object.

        Raises:
            OSError: there is none.
            PirTimelineError: the server does not give it.
        """
        self._place = place
        with asking(place) as system:
            self._file: Any = system.open(place.key, "rb", cache_type="none")
        super().__init__(int(self._file.size))
        self._begin, self._held, self._ahead = 0, memoryview(b""), FIRST
        if self._size:
            self._held = self._asked(0, min(FIRST, self._size))

    def readall(self) -> bytes:
        """Read what is left."""
        return self.read(max(self._size - self._at, 0)) or b""

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # io hands over nothing else
        """Fill the buffer as far as the object reaches."""
        filled, wanted = 0, min(len(buffer), max(self._size - self._at, 0))
        while filled < wanted:
            piece = self._here(wanted - filled)
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._at += len(piece)
        return filled

    def _here(self, wanted: int) -> memoryview:
        """Give bytes from where we are: those at hand, else as many as are wanted, or more where reads go on."""
        end = self._begin + len(self._held)
        if not self._begin <= self._at < end:
            self._ahead = min(2 * self._ahead, MOST) if self._at == end else 0
            count = min(max(wanted, self._ahead), self._size - self._at)
            self._begin, self._held = self._at, self._asked(self._at, count)
        start = self._at - self._begin
        return self._held[start : start + wanted]

    def _asked(self, begin: int, count: int) -> memoryview:
        try:
            with asking(self._place):
                self._file.seek(begin)
                data = self._file.read(count)
        except OSError as error:
            raise self._changed() from error
        if len(data) < count:
            raise self._changed()
        return memoryview(data)

    def _changed(self) -> SourceError:
        hint = "copy it first, then run again"
        return SourceError("the evidence changed while it was read", at=self._place.url, hint=hint)


def opened_object(place: ObjectPath) -> BinaryIO:
    """Open an object of the evidence."""
    return cast(BinaryIO, Ranges(place))


def ahead(openers: Iterable[Callable[[], BinaryIO]]) -> Iterator[Callable[[], BinaryIO]]:
    """Open things a few ahead of their turn; each is given as what gives it, or raises what opening it raised.

    Example:
        >>> import io
        >>> [one().read() for one in ahead([lambda: io.BytesIO(b"a"), lambda: io.BytesIO(b"b")])]
        [b'a', b'b']
    """
    waiting: deque[Future[BinaryIO]] = deque()
    pool = ThreadPoolExecutor(TOGETHER)
    try:
        for opener in openers:
            waiting.append(pool.submit(opener))
            if len(waiting) > TOGETHER:
                yield waiting.popleft().result
        while waiting:
            yield waiting.popleft().result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

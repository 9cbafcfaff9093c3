"""Bytes that can only be read forward: taken in pieces, put back, counted, hashed on the way."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import BinaryIO, Protocol

from pirtimeline.evidence.sources import BLOCK, ENDS, MIB

Body = bytes | BinaryIO
"""The bytes of a file: in memory up to a block, else a stream."""


class Readable(Protocol):
    """What can be read forward: full reads, fewer bytes only at the end."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes."""


class Seekable(Protocol):
    """What can be entered anywhere."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Say where the next read begins."""


@dataclass(slots=True)
class Note:
    """What a reader has to say when it is through.

    `reason` says why bytes are missing, `remark` what else is odd, `refusal` why nothing was opened; `taken` counts
    the bytes that were read.
    """

    reason: str = ""
    remark: str = ""
    refusal: str = ""
    taken: int = 0

    @property
    def text(self) -> str:
        """Give both in one line."""
        return "; ".join(filter(None, (self.reason, self.remark)))


class Intake:
    """Read a stream forward and put back what was too much.

    Example:
        >>> intake = Intake(io.BytesIO(b"abcdef"), Note())
        >>> intake.read(4), intake.unread(b"cd"), intake.read(3)
        (b'abcd', None, b'cde')
    """

    __slots__ = ("_kept", "_note", "_stream")

    def __init__(self, stream: Readable, note: Note) -> None:
        self._stream, self._note, self._kept = stream, note, b""

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        data, self._kept = self._kept[:size], self._kept[size:]
        if len(data) < size:
            data = data + self._stream.read(size - len(data)) if data else self._stream.read(size)
        self._note.taken += len(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put the last bytes back."""
        self._kept = data + self._kept
        self._note.taken -= len(data)


class Bounded:
    """Read the next `size` bytes of a stream and no further; the note says where there are fewer.

    Example:
        >>> note = Note()
        >>> Bounded(io.BytesIO(b"abc"), 5, note).read(9), note.reason
        (b'abc', 'ends early: 3 of 5 bytes')
    """

    __slots__ = ("_left", "_note", "_size", "_stream")

    def __init__(self, stream: Readable, size: int, note: Note) -> None:
        self._stream, self._size, self._left, self._note = stream, size, size, note

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes within the bounds."""
        wanted = min(size, self._left)
        data = self._stream.read(wanted) if wanted else b""
        self._left -= len(data)
        if len(data) < wanted:
            self._note.reason = f"ends early: {self._size - self._left} of {self._size} bytes"
            self._left = 0
        return data

    def skip(self) -> None:
        """Pass over what was not read."""
        seek = getattr(self._stream, "seek", None)
        if self._left > MIB and seek and self._stream.seekable():  # type: ignore[attr-defined]  # it has seek
            seek(self._left, 1)
            self._left = 0
        while self.read(MIB):
            pass


class Pieces(io.RawIOBase):
    """Make a stream of an iterator of bytes (Python's streams are known by their base class).

    Example:
        >>> io.BufferedReader(Pieces(iter([b"ab", b"", b"c"]))).read()
        b'abc'
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer; io passes a memoryview
        """Fill the buffer as far as the pieces reach."""
        filled, room = 0, len(buffer)
        while filled < room:
            if not self._rest:
                try:
                    self._rest = memoryview(next(self._pieces))
                except StopIteration:
                    break
            count = min(room - filled, len(self._rest))
            buffer[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return filled

    def close(self) -> None:
        """Let go of what the pieces came from."""
        if not self.closed and (stop := getattr(self._pieces, "close", None)):
            stop()
        super().close()


def stream_of(pieces: Iterator[bytes]) -> BinaryIO:
    """Make a buffered stream of pieces."""
    return io.BufferedReader(Pieces(pieces), MIB)


def chunks(stream: Readable, size: int = MIB) -> Iterator[bytes]:
    """Read a stream to its end."""
    while data := stream.read(size):
        yield data


def body_of(pieces: Iterable[bytes]) -> Body:
    """Hold pieces in memory up to a block, else give them as a stream.

    Example:
        >>> body_of([b"ab", b"c"])
        b'abc'
    """
    rest, held, size = iter(pieces), [], 0
    for piece in rest:
        held.append(piece)
        size += len(piece)
        if size > BLOCK:
            return stream_of(chain(held, rest))
    return held[0] if len(held) == 1 else b"".join(held)


def file_of(body: Body) -> BinaryIO:
    """Give bytes as a stream that can be entered anywhere; a stream stays what it is."""
    return io.BytesIO(body) if isinstance(body, bytes) else body


class Ends:
    """Keep the size and both ends of what passes by: the identity of what is larger than a block."""

    __slots__ = ("_head", "_held", "_tail", "size")

    def __init__(self) -> None:
        self.size, self._head, self._tail, self._held = 0, bytearray(), deque[bytes](), 0

    def update(self, data: bytes) -> None:
        """Let the next bytes pass."""
        self.size += len(data)
        if len(self._head) < ENDS:
            self._head += data[: ENDS - len(self._head)]
        self._tail.append(data)
        self._held += len(data)
        while self._held - len(self._tail[0]) >= ENDS:
            self._held -= len(self._tail.popleft())

    def digest(self) -> str:
        """Hash the size in decimal digits, a line feed, the first and the last MiB."""
        return ends_digest(self.size, bytes(self._head), b"".join(self._tail)[-ENDS:])


def ends_digest(size: int, head: bytes, tail: bytes) -> str:
    r"""Hash the size in decimal digits, a line feed, the first and the last MiB (less where there is less).

    Example:
        >>> ends_digest(3, b"abc", b"abc") == sha256(b"3\nabcabc").hexdigest()
        True
    """
    return sha256(b"%d\n" % size + head + tail).hexdigest()


class Hashed:
    """Hash a file's bytes while they are read, each once, also when a reader jumps.

    Reads that go forward from what was hashed are hashed on the way, small gaps with them; `finish` hashes the rest.
    So a zip, whose directory stands at its end, is in effect read but once.
    """

    __slots__ = ("_at", "_file", "_hash", "ends")

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self._at, self.ends = file, sha256(), 0, Ends()

    def read(self, size: int = -1, /) -> bytes:
        """Read as the file does."""
        data = self._file.read(size)
        if self._at == self.ends.size:
            self._hash.update(data)
            self.ends.update(data)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; a small gap between what was hashed and it is hashed now."""
        target = offset if whence == 0 else self._file.seek(offset, whence)
        if 0 < target - self.ends.size <= MIB and self._at == self.ends.size:
            self._at = self._file.seek(self.ends.size)
            self.read(target - self.ends.size)
        self._at = self._file.seek(target)
        return self._at

    def tell(self) -> int:
        """Say where the next read begins."""
        return self._at

    def seekable(self) -> bool:
        """Say whether the file can be entered anywhere."""
        return self._file.seekable()

    def finish(self) -> None:
        """Read and hash what is left."""
        if self._at != self.ends.size:
            self._at = self._file.seek(self.ends.size)
        while self.read(MIB):
            pass

    def hexdigest(self) -> str:
        """Give the SHA-256 of what was read."""
        return self._hash.hexdigest()


Guard = Callable[[Iterator[bytes], Note], Iterator[bytes]]
"""Watches over bytes that are unpacked, and stops them where a limit is reached."""

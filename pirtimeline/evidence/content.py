"""Look at a source's bytes once: its hash, its identity, samples of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from pirtimeline.evidence.sources import BLOCK, ENDS, Sampling
from pirtimeline.evidence.streams import Ends, chunks, ends_digest

Samples = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a source gives; `sha256` is None where it was not read through.

    `ends` is the hash of its size and ends, empty up to a block: there the content is the identity.
    """

    size: int
    sha256: str | None
    ends: str
    samples: Samples


def look(data: bytes, sampling: Sampling) -> Looked:
    """Look at bytes in memory.

    Example:
        >>> look(b"abc", Sampling()).samples
        ((0, b'abc'),)
    """
    ends = ends_digest(len(data), data[:ENDS], data[-ENDS:]) if len(data) > BLOCK else ""
    return Looked(len(data), sha256(data).hexdigest(), ends, _cut(data, sampling))


def _cut(data: bytes, sampling: Sampling) -> Samples:
    spans = places(len(data), sampling)
    return ((0, data),) if spans == [(0, len(data))] else tuple((at, data[at : at + size]) for at, size in spans)


def look_into(file: BinaryIO, size: int, sampling: Sampling) -> Looked:
    """Look at a large file without reading it through: its ends and its samples."""
    head, tail = _at(file, 0, ENDS), _at(file, max(size - ENDS, 0), ENDS)
    samples = tuple((at, _at(file, at, count)) for at, count in places(size, sampling))
    return Looked(size, None, ends_digest(size, head, tail), samples)


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def look_through(stream: BinaryIO, sampling: Sampling) -> Looked:
    """Look at a stream that can only be read forward, holding no more than its samples.

    Example:
        >>> import io
        >>> data = bytes(range(256)) * 70_000
        >>> look_through(io.BytesIO(data), Sampling()) == look(data, Sampling())
        True
    """
    digest, ends, gathered = sha256(), Ends(), _Gathered(sampling)
    for chunk in chunks(stream):
        digest.update(chunk)
        gathered.update(ends.size, chunk)
        ends.update(chunk)
    identity = ends.digest() if ends.size > BLOCK else ""
    return Looked(ends.size, digest.hexdigest(), identity, gathered.samples(ends.size))


def places(size: int, sampling: Sampling) -> list[tuple[int, int]]:
    """Say which runs of a source of this size are sampled, as (offset, length); what touches is one run.

    Example:
        >>> places(20 << 20, Sampling())
        [(0, 1048576), (16777216, 65536), (20709376, 262144)]
    """
    if size <= sampling.whole:
        return [(0, size)]
    stride = _stride(size, sampling)
    runs = [(0, sampling.head), *((at, at + sampling.piece) for at in range(stride, size, stride))]
    return _merged([*runs, (max(size - sampling.tail, 0), size)], size)


def _merged(runs: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(runs):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return [(begin, min(end, size) - begin) for begin, end in merged]


def _stride(size: int, sampling: Sampling) -> int:
    stride = sampling.stride
    while size > stride * sampling.most:
        stride *= 2
    return stride


class _Gathered:
    """Keep of what passes by the pieces that may be samples once the size is known."""

    __slots__ = ("_head", "_pieces", "_sampling", "_stride", "_tail")

    def __init__(self, sampling: Sampling) -> None:
        self._sampling, self._stride = sampling, sampling.stride
        self._head, self._tail, self._pieces = bytearray(), b"", dict[int, bytearray]()

    def update(self, at: int, chunk: bytes) -> None:
        """Let the bytes from `at` pass."""
        room = max(self._sampling.whole, self._sampling.head) - len(self._head)
        if room > 0:
            self._head += chunk[:room]
        for begin in self._begins(at, at + len(chunk)):
            piece = self._pieces.setdefault(begin, bytearray())
            piece += chunk[begin + len(piece) - at : begin + self._sampling.piece - at]
        keep = self._sampling.tail
        self._tail = chunk[-keep:] if len(chunk) >= keep else (self._tail + chunk)[-keep:]
        if len(self._pieces) > self._sampling.most:
            self._thin()

    def _begins(self, low: int, high: int) -> Iterator[int]:
        """Give the multiples of the stride whose pieces reach into a run."""
        first = max(low - self._sampling.piece + 1, 1)
        return iter(range(-(-first // self._stride) * self._stride, high, self._stride))

    def _thin(self) -> None:
        self._stride *= 2
        self._pieces = {at: piece for at, piece in self._pieces.items() if at % self._stride == 0}

    def samples(self, size: int) -> Samples:
        """Put the samples of a source of this size together."""
        return tuple((at, self._run(at, count, size)) for at, count in places(size, self._sampling))

    def _run(self, at: int, count: int, size: int) -> bytes:
        """Fill a run from whatever piece holds its next byte."""
        held: list[tuple[int, bytes | bytearray]] = [
            (0, self._head),
            *self._pieces.items(),
            (size - len(self._tail), self._tail),
        ]
        out = bytearray()
        for begin, piece in sorted(held, key=lambda item: item[0]):
            here = at + len(out)
            if len(out) < count and begin <= here < begin + len(piece):
                out += piece[here - begin : here - begin + count - len(out)]
        return bytes(out)

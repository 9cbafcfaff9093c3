"""A run of a plain file's bytes as a source of its own: what was appended to a log, and what stood before it."""

from __future__ import annotations

import io
from typing import BinaryIO

from pirtimeline.evidence.entered import Entered
from pirtimeline.evidence.sources import Step

KIND = "bytes"
"""The kind of a step to a run of bytes; `index` is its first byte, `member` its first and the one behind its last."""


def part(begin: int, end: int) -> Step:
    """Make the step to a run of a file's bytes.

    Example:
        >>> part(10, 30).member
        '10-30'
    """
    return Step(KIND, begin, f"{begin}-{end}")


def opened(file: BinaryIO, step: Step, *, own: bool = False) -> BinaryIO:
    """Give a run of a file's bytes as a stream that can be entered anywhere; its `own` file is closed with it.

    Example:
        >>> opened(io.BytesIO(b"0123456789"), part(2, 5)).read()
        b'234'
    """
    begin, _, end = step.member.partition("-")
    return io.BufferedReader(_Slice(file, int(begin), int(end), own), 1 << 20)


class _Slice(Entered):
    """A run of a file's bytes."""

    def __init__(self, file: BinaryIO, begin: int, end: int, own: bool) -> None:
        super().__init__(end - begin)
        self._file, self._begin, self._own = file, begin, own

    def close(self) -> None:
        if self._own:
            self._file.close()
        super().close()

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # io hands over nothing else
        self._file.seek(self._begin + self._at)
        data = self._file.read(max(min(len(buffer), self._size - self._at), 0))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

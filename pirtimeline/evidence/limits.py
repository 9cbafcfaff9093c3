"""Watch over what is unpacked, and stop it where a limit is reached."""

from __future__ import annotations

from collections.abc import Iterator

from pirtimeline.evidence.sources import Limits
from pirtimeline.evidence.streams import Note


class BreachError(Exception):
    """A limit was reached: its message is the reason that is written down."""


class Meter:
    """Count what one walk unpacks.

    The ratio is held twice: of each step against what it took, and of all that was unpacked from a file against
    the file's own bytes, so that steps within steps do not multiply.
    """

    __slots__ = ("_base", "_from_file", "_limits", "_members", "_total")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = self._from_file = self._base = self._members = 0

    def enter(self, size: int) -> None:
        """Begin with a file of the evidence, so many bytes large."""
        self._base, self._from_file = size, 0

    def member(self) -> None:
        """Count a member of an archive.

        Raises:
            BreachError: where there are too many.
        """
        self._members += 1
        if self._members > self._limits.members:
            raise BreachError(f"more than {self._limits.members} members of archives")

    def depth(self, steps: int) -> None:
        """Hold the number of steps into a file.

        Raises:
            BreachError: where it lies too deep.
        """
        if steps > self._limits.depth:
            raise BreachError(f"nested deeper than {self._limits.depth} levels")

    def watched(self, pieces: Iterator[bytes], note: Note, *, packed: bool = True) -> Iterator[bytes]:
        """Let unpacked pieces pass. `note.taken` is what they were made of; a tar's members are not `packed`.

        Raises:
            BreachError: from the iteration, where a limit is reached; the note then has the reason.
        """
        size = 0
        for piece in pieces:
            size += len(piece)
            self._total += len(piece)
            self._from_file += len(piece)
            if reason := self._reached(size, note.taken if packed else size):
                note.reason = reason
                raise BreachError(reason)
            yield piece

    def _reached(self, size: int, taken: int) -> str:
        limits = self._limits
        if size > limits.source_bytes:
            return f"more than {limits.source_bytes} bytes when unpacked"
        if self._total > limits.total_bytes:
            return f"more than {limits.total_bytes} bytes unpacked in all"
        if size > limits.ratio_from and size > limits.ratio * taken:
            return f"unpacks to more than {limits.ratio} times its size"
        if self._from_file > limits.ratio_from and self._from_file > limits.ratio * limits.depth * self._base:
            return f"its file unpacks to more than {limits.ratio * limits.depth} times its size"
        return ""

"""A stream of known size that is entered anywhere: what a run of a file and an object of a bucket share."""

from __future__ import annotations

import io


class Entered(io.RawIOBase):
    """A stream of so many bytes, and where in it the next read begins; `readinto` is left to who has the bytes.

    Example:
        >>> stream = Entered(10)
        >>> stream.seek(-3, io.SEEK_END), stream.tell(), stream.seekable()
        (7, 7, True)
    """

    def __init__(self, size: int) -> None:
        """Begin at the first byte."""
        super().__init__()
        self._size, self._at = size, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be entered anywhere."""
        return True

    def tell(self) -> int:
        """Say where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, but not before the first byte."""
        self._at = max(offset + (0, self._at, self._size)[whence], 0)
        return self._at

"""Keep custody: what was handed over, its size and hash, and what was skipped and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

Record = dict[str, str | int | None]
"""`path`, `size_bytes`, `sha256` (of the stored bytes), `mtime` (ISO 8601, UTC) and `reason`; null where not known."""


def record(path: str, *, size: int | None = None, mtime: datetime | None = None, reason: str = "") -> Record:
    """Make a record of something that was handed over, opened or skipped.

    Example:
        >>> record("a.log", size=0, reason="empty")
        {'path': 'a.log', 'size_bytes': 0, 'sha256': None, 'mtime': None, 'reason': 'empty'}
    """
    time = iso(mtime) if mtime else None
    return {"path": path, "size_bytes": size, "sha256": None, "mtime": time, "reason": reason or None}


def iso(time: datetime) -> str:
    """Write an instant as ISO 8601 in UTC.

    Example:
        >>> iso(datetime(2024, 3, 4, 2, 58, 3, tzinfo=UTC))
        '2024-03-04T02:58:03Z'
    """
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class Custody:
    """The three lists of `evidence.json`. An archive that was passed stands in two: as argument, and as archive."""

    arguments: list[Record] = field(default_factory=list)
    archives: list[Record] = field(default_factory=list)
    skipped: list[Record] = field(default_factory=list)

    def skip(self, path: str, reason: str, *, size: int | None = None, mtime: datetime | None = None) -> None:
        """Write down what was not read, and why."""
        self.skipped.append(record(path, size=size, mtime=mtime, reason=reason))

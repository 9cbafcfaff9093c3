"""What evidence consists of: sources, where they lie, pieces of them, and how far unpacking may go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

MIB = 1 << 20
BLOCK = 16 * MIB
"""Up to here a source's identity is its content, and a file is held in memory while it is looked at."""

ENDS = MIB
"""How much of either end of a larger source counts for its identity."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step into a file: undo a compression, or enter a member of an archive.

    `kind` is `gz`, `bz2`, `xz`, `lzma`, `zst`, `tar` or `zip`; `index` counts an archive's members from 0, in the
    order in which they lie; `member` is the member's name, for people.
    """

    kind: str
    index: int = 0
    member: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Say how a source is opened again, here or on another machine that sees the same evidence.

    `argument` is the evidence as it was typed, `file` the file below it where it is a folder (else empty).

    Example:
        >>> Place("logs.tar.gz", steps=(Step("gz"), Step("tar", 3, "a.log"))).moved("/mnt/logs.tar.gz").argument
        '/mnt/logs.tar.gz'
    """

    argument: str
    file: str = ""
    steps: tuple[Step, ...] = ()

    def into(self, step: Step) -> Place:
        """Go one step further in."""
        return replace(self, steps=(*self.steps, step))

    def moved(self, argument: str) -> Place:
        """Name the same place after the evidence was moved."""
        return replace(self, argument=argument)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of evidence after unpacking.

    `path` is for people and globs: below a folder that was passed, else beginning with the file's own name; members
    of archives are joined by `!`. `sha256` is that of the decompressed content, None where it was not read through.
    `stored_size` counts the file's bytes before its own compression is undone, `size_bytes` those after. `mtime` is
    in UTC. `truncated` says in words why the bytes end early, and is empty where they do not.
    """

    source_id: str
    identity: str
    sha256: str | None
    size_bytes: int
    path: str
    mtime: datetime
    place: Place
    truncated: str = ""
    stored_size: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A source and pieces of its bytes as (offset, bytes), the first at 0.

    A second path of a hard link inside an archive comes without samples: its content was sampled at the first.
    """

    source: Source
    samples: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far unpacking may go. What lies beyond is skipped and listed with its reason.

    `ratio` is how many times larger unpacked bytes may be than what they came from, once `ratio_from` bytes were
    unpacked. Sizes count decompressed bytes; plain files on disk are not limited.
    """

    depth: int = 8
    ratio: int = 1000
    ratio_from: int = 64 * MIB
    source_bytes: int = 1 << 40
    total_bytes: int = 16 << 40
    members: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Which bytes of a source are looked at first.

    All of it up to `whole` bytes; else its first `head` bytes, `piece` bytes at each multiple of `stride`, and its
    last `tail` bytes. Where that made more than `most` pieces, the stride doubles until it does not.
    """

    whole: int = 4 * MIB
    head: int = MIB
    piece: int = 64 << 10
    stride: int = BLOCK
    tail: int = 256 << 10
    most: int = 256

"""Plain files and folders: the one place where evidence is opened on disk, always read-only."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pirtimeline.errors import SourceError
from pirtimeline.evidence.names import Distinct, shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

Row = tuple[str, int, int]
"""A file's path as shown, its size, and its mtime in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an argument: its name below it (empty for the argument itself), its path as shown, what disk says.

    `refusal` says why it is not opened.
    """

    file: str
    path: str
    size: int
    mtime_ns: int
    refusal: str = ""

    @property
    def row(self) -> Row:
        """Give what tells whether it changed."""
        return self.path, self.size, self.mtime_ns


def open_file(argument: str, file: str = "") -> io.FileIO:
    """Open a file of the evidence. A link below a folder is not followed, a FIFO not waited for.

    Raises:
        OSError: where it cannot be opened, or is no regular file.
    """
    path = Path(argument, file) if file else Path(argument)
    handle = os.open(path, _FLAGS | (_NO_LINK if file else 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{shown(path.name)} is no regular file")
        return io.FileIO(handle)
    except BaseException:
        os.close(handle)
        raise


def own_name(argument: str) -> str:
    """Give an argument's own name, without the way to it.

    Example:
        >>> own_name("/mnt/evidence/"), own_name("a/../logs.tar.gz")
        ('evidence', 'logs.tar.gz')
    """
    return shown(Path(os.path.abspath(argument)).name) or "/"  # noqa: PTH100  # resolve() would follow a link's name


def time_of(mtime_ns: int) -> datetime:
    """Give a time of the file system in UTC, to the microsecond.

    Example:
        >>> time_of(1_709_521_083_000_000_000).isoformat()
        '2024-03-04T02:58:03+00:00'
    """
    return _EPOCH + timedelta(microseconds=mtime_ns // 1000)


def entries(argument: str, exclude: Iterable[Path] = ()) -> list[Entry]:
    """List an argument's files in the order of their paths; for a file, itself.

    Raises:
        SourceError: where the argument is missing, cannot be read, or is neither file nor folder.
    """
    try:
        state = Path(argument).stat()
        if stat.S_ISDIR(state.st_mode):
            return _below(argument, frozenset(filter(None, map(_identity, exclude))))
        with open_file(argument):
            return [Entry("", own_name(argument), state.st_size, state.st_mtime_ns)]
    except FileNotFoundError:
        raise SourceError("no such file or folder", at=argument, hint="check the path of the evidence") from None
    except PermissionError:
        raise SourceError("permission denied", at=argument, hint="make it readable for this user") from None
    except OSError as error:
        raise SourceError(_said(error), at=argument, hint="pass a file, a folder or an archive") from None


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a folder by what the disk calls it, so that no other spelling of its path gets past."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _said(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _below(argument: str, exclude: frozenset[tuple[int, int]]) -> list[Entry]:
    names = Distinct()
    found = sorted(_scan(argument, "", exclude), key=lambda entry: entry.file.encode("utf-8", "surrogateescape"))
    return [Entry(e.file, names.name(shown(e.file)), e.size, e.mtime_ns, e.refusal) for e in found]


def _scan(argument: str, top: str, exclude: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    """Walk a folder without following anything; the argument itself must be readable, what lies in it need not."""
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            if exclude and _identity(Path(argument, folder)) in exclude:
                continue
            with os.scandir(Path(argument, folder)) as found:
                listed = list(found)
        except OSError as error:
            if not folder:
                raise
            yield Entry(folder, "", 0, 0, f"a folder that cannot be read: {_said(error)}")
            continue
        for item in listed:
            name = f"{folder}/{item.name}" if folder else item.name
            if item.is_dir(follow_symlinks=False):
                folders.append(name)
            else:
                yield _entry(item, name)


def _entry(item: os.DirEntry[str], name: str) -> Entry:
    try:
        state = item.stat(follow_symlinks=False)
    except OSError as error:
        return Entry(name, "", 0, 0, f"cannot be read: {_said(error)}")
    return Entry(name, "", state.st_size, state.st_mtime_ns, _refusal(state.st_mode))


def _refusal(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "",
        stat.S_IFLNK: "a symbolic link is not followed",
        stat.S_IFIFO: "a FIFO is not read",
        stat.S_IFSOCK: "a socket is not read",
        stat.S_IFCHR: "a character device is not read",
        stat.S_IFBLK: "a block device is not read",
    }
    return kinds.get(stat.S_IFMT(mode), "it is no regular file")


def fingerprint(arguments: Iterable[str | Path], *, exclude: Iterable[Path] = ()) -> list[Row]:
    """Sign the evidence by path, size and mtime of each file, without opening one.

    Equal signatures say that nothing changed, as far as the file system tells. Give an older one to `walk` as
    `known`, and files that are in it are not opened again.

    Raises:
        SourceError: as `walk` does, where an argument is missing or cannot be read.
    """
    skip = tuple(exclude)
    return [entry.row for argument in arguments for entry in entries(str(argument), skip)]

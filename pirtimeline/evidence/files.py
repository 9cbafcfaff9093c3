"""Plain files and folders, and objects of a bucket: the one place where evidence is opened, always read-only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from io import FileIO
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, cast

from pirtimeline.errors import SourceError
from pirtimeline.evidence.names import Distinct, shown
from pirtimeline.evidence.ranges import ahead, opened_object
from pirtimeline.objects import Location, ObjectPath, located, require_bucket

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

Openers = Iterator[Callable[[], BinaryIO]]
"""What opens files in their turn."""

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


def open_file(argument: str, file: str = "") -> BinaryIO:
    """Open a file of the evidence. A link below a folder is not followed, a FIFO not waited for.

    Raises:
        OSError: where it cannot be opened, or is no regular file.
    """
    place = located(argument)
    if isinstance(place, ObjectPath):
        return opened_object(place / file if file else place)
    path = place / file if file else place
    handle = os.open(path, _FLAGS | (_NO_LINK if file else 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{shown(path.name)} is no regular file")
        return cast(BinaryIO, FileIO(handle))
    except BaseException:
        os.close(handle)
        raise


def opened_in_turn(files: Iterable[tuple[str, str]]) -> Openers:
    """Give what opens files (an argument, a file below it), in turn; objects are opened some ahead of theirs."""
    for remote, some in groupby(files, key=lambda one: isinstance(located(one[0]), ObjectPath)):
        openers = (partial(open_file, *one) for one in some)
        yield from ahead(openers) if remote else openers


def own_name(argument: str) -> str:
    """Give an argument's own name, without the way to it.

    Example:
        >>> own_name("/mnt/evidence/"), own_name("a/../logs.tar.gz")
        ('evidence', 'logs.tar.gz')
    """
    place = located(argument)
    if isinstance(place, ObjectPath):
        return shown(place.name)
    return shown(Path(os.path.abspath(argument)).name) or "/"  # noqa: PTH100  # resolve() would follow a link's name


def time_of(mtime_ns: int) -> datetime:
    """Give a time of the file system in UTC, to the microsecond.

    Example:
        >>> time_of(1_709_521_083_000_000_000).isoformat()
        '2024-03-04T02:58:03+00:00'
    """
    return _EPOCH + timedelta(microseconds=mtime_ns // 1000)


def entries(argument: str, exclude: Iterable[Location] = ()) -> list[Entry]:
    """List an argument's files in the order of their paths; for a file, itself. An object's mtime is when it was put.

    Raises:
        SourceError: where the argument is missing, cannot be read, or is neither file nor folder.
    """
    place = located(argument)
    if isinstance(place, ObjectPath):
        return _objects(place, [one for one in exclude if isinstance(one, ObjectPath)])
    skip = [one for one in exclude if isinstance(one, Path)]
    try:
        state = place.stat()
        if stat.S_ISDIR(state.st_mode):
            return _below(argument, frozenset(filter(None, map(_identity, skip))))
        with open_file(argument):
            return [Entry("", own_name(argument), state.st_size, state.st_mtime_ns)]
    except FileNotFoundError:
        raise SourceError("no such file or folder", at=argument, hint="check the path of the evidence") from None
    except PermissionError:
        raise SourceError("permission denied", at=argument, hint="make it readable for this user") from None
    except OSError as error:
        raise SourceError(_said(error), at=argument, hint="pass a file, a folder or an archive") from None


def _objects(place: ObjectPath, exclude: Iterable[ObjectPath]) -> list[Entry]:
    """List the object that an argument names, or all below it."""
    require_bucket(place)
    if (told := place.told()) is not None:
        return [Entry("", own_name(place.url), told.size, told.mtime_ns)]
    hidden = tuple(f"{one.url}/" for one in exclude)
    names = Distinct()
    below = sorted(place.below().items(), key=lambda one: one[0].encode("utf-8", "surrogateescape"))
    found = [(name, told) for name, told in below if not f"{place.url}/{name}".startswith(hidden)]
    if not found and not below:
        raise SourceError("no such object, and none below it", at=place.url, hint="check the key of the evidence")
    return [Entry(name, names.name(shown(name)), told.size, told.mtime_ns) for name, told in found]


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


def fingerprint(arguments: Iterable[str | Path], *, exclude: Iterable[Location] = ()) -> list[Row]:
    """Sign the evidence by path, size and mtime of each file, without opening one.

    Equal signatures say that nothing changed, as far as the file system tells. Give an older one to `walk` as
    `known`, and files that are in it are not opened again.

    Raises:
        SourceError: as `walk` does, where an argument is missing or cannot be read.
    """
    skip = tuple(exclude)
    return [entry.row for argument in arguments for entry in entries(str(argument), skip)]

"""The case's files: written whole or not at all, read back, and swept of what no commit mark lists.

A file is written under a name of its own, then renamed; in a bucket it is put at once, whole. One whose bytes are
already there is left alone. Nothing needs a lock: an advisory one on the case's folder, or a lease in a bucket, only
tells whether another run still writes before parts are thrown away.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import polars as pl

from pirtimeline.errors import CaseError
from pirtimeline.leases import FOLDER, leased
from pirtimeline.objects import Location, ObjectPath, polars_options, read_all
from pirtimeline.parquet import Encoder, encoded
from pirtimeline.schema import EVENT_COLUMNS

CONTENTS = ("case.toml", "evidence.json", "plan.json", "sources", "events")
"""Names by which a folder is known to be a case."""


def write_bytes(path: Location, data: bytes | memoryview) -> bool:
    """Write a file whole or not at all; leave it alone where it holds these bytes. Tell whether it was written.

    Raises:
        CaseError: the disk is full, or the place cannot be written.
        PirTimelineError: the place is in a bucket that cannot be written.
    """
    if isinstance(path, ObjectPath):
        told = path.told()
        if told is not None and told.size == len(data) and path.read_bytes() == data:
            return False
        path.write_bytes(data)
        return True
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return False
    own = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with own.open("wb") as out:
            out.write(data)
        own.replace(path)
    except OSError as error:
        own.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    return True


def unwritable(path: Location, error: OSError) -> CaseError:
    """Say in words why a file of the case could not be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return CaseError(f"cannot write: {reason.lower()}", at=path, hint="free some space or name another --case")


def unreadable(path: Location, error: OSError) -> CaseError:
    """Say in words why a file of the case could not be read."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return CaseError(f"cannot read: {reason.lower()}", at=path, hint="make it readable for this user")


def write_json(path: Location, value: object) -> bool:
    """Write a value as JSON that people can read, keys in the order they stand in."""
    return write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace"))


def read_json(path: Location) -> dict[str, Any]:
    """Read a JSON object; an empty one where the file is absent.

    Raises:
        CaseError: the file is not what we wrote.
    """
    if not path.is_file():
        return {}
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CaseError(f"cannot be read: {error}", at=path, hint="build the case again") from error
    return told


def write_table(path: Location, table: pl.DataFrame) -> str:
    """Write a table as Parquet, whole or not at all, and give the SHA-256 of the file."""
    return _written(path, encoded(table))


def write_part(case: Location, name: str, table: pl.DataFrame) -> tuple[str, str]:
    """Write rows of one parser as a part, and give its path relative to the case and the SHA-256 of the file.

    Args:
        case: the case's folder.
        name: the part's name, unique for its rows and for the plan they were written by.
        table: rows with the column `parser`, all of one, and with all of the parser's own columns.
    """
    own = {one: dtype for one, dtype in table.schema.items() if one not in (*EVENT_COLUMNS, "parser")}
    part = Part(case, name, table["parser"][0], own)
    part.add(table)
    return part.path, part.write()


class Part:
    """A part of the event table that grows in memory and is written whole."""

    def __init__(self, case: Location, name: str, parser: str, own: Mapping[str, pl.DataType]) -> None:
        """Begin a part.

        Args:
            case: the case's folder.
            name: the part's name, unique for its rows and for the plan they were written by.
            parser: what read the rows.
            own: the parser's own columns.
        """
        self.path = f"events/parser={parser}/{name}.parquet"
        self._case = case
        self._columns = {**EVENT_COLUMNS, **dict(sorted(own.items()))}
        self._encoder = Encoder(self._columns)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows; columns that they do not have are null."""
        self._encoder.add(
            rows.select(pl.col(name).cast(dtype) for name, dtype in self._columns.items() if name in rows.columns)
        )

    def write(self) -> str:
        """Write the part, and give the SHA-256 of the file."""
        return _written(self._case / self.path, self._encoder.close())


def _written(path: Location, data: memoryview) -> str:
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def read_sources(case: Location) -> list[dict[str, Any]]:
    """Read the commit marks: every source of the case, in the order of their first path."""
    return sorted(each_source(case), key=lambda row: (row["paths"][0], row["source_id"]))


def each_source(case: Location) -> Iterator[dict[str, Any]]:
    """Read the commit marks source by source, none held."""
    return (one for _, batch in each_batch(case) for one in batch)


def read_alone(case: Location) -> list[dict[str, Any]]:
    """Read the commit marks of sources that were committed alone, as large ones are."""
    return [one for _, text in _marks(case) if text.count("\n") == 1 for one in _sources_of(text)]


def each_batch(case: Location) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Read the commit marks file by file, one held at a time: the name of the mark, and its sources.

    What is committed while they are read is not among them; a mark may be committed anew once it was given.
    """
    for name, text in _marks(case):
        yield name, _sources_of(text)


def _sources_of(text: str) -> list[dict[str, Any]]:
    """Read the lines of a mark as one list, so that their keys, which are the same, are held once."""
    found: list[dict[str, Any]] = json.loads(f"[{','.join(line for line in text.split(chr(10)) if line)}]")
    return found


def _marks(case: Location) -> Iterator[tuple[str, str]]:
    if isinstance(case, ObjectPath):
        found = read_all((case / "sources").glob("*.jsonl"))
        yield from ((url.rpartition("/")[2], data.decode()) for url, data in found.items())
        return
    for file in sorted((case / "sources").glob("*.jsonl")):
        with suppress(FileNotFoundError):  # another run took it back
            yield file.name, file.read_text("utf-8")


def scan(files: Sequence[Location], **options: Any) -> pl.LazyFrame:
    """Scan files of one case as one table, as `polars.scan_parquet` does."""
    first = files[0]
    if isinstance(first, ObjectPath):
        return pl.scan_parquet([str(file) for file in files], storage_options=polars_options(first), **options)
    return pl.scan_parquet(list(files), **options)  # type: ignore[arg-type]  # all are on the disk that the first is on


def read_table(path: Location) -> pl.DataFrame:
    """Read a file of the case as a table, without what its folder's name stands for."""
    file = io.BytesIO(path.read_bytes()) if isinstance(path, ObjectPath) else path
    return pl.read_parquet(file, hive_partitioning=False)


def absent(case: Location, parts: Iterable[str]) -> list[str]:
    """Name those of some parts of a case that are not there."""
    if isinstance(case, ObjectPath):
        there = parts_there(case)
        return [part for part in parts if part not in there]
    return [part for part in parts if not (case / part).is_file()]


def parts_there(case: Location) -> set[str]:
    """List the parts that lie in a case, whether a commit mark lists them or not."""
    if isinstance(case, ObjectPath):
        return {f"events/{name}" for name in (case / "events").below()}
    return {path.relative_to(case).as_posix() for path in (case / "events").glob("parser=*/*")}


def commit(case: Location, sources: Sequence[Mapping[str, Any]]) -> str:
    """Write the commit mark of sources that were written together, named after the first; give its name."""
    name = f"{sources[0]['source_id']}.jsonl"
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in sources)
    write_bytes(case / "sources" / name, text.encode("utf-8", "replace"))
    return name


def listed_parts(sources: Iterable[Mapping[str, Any]]) -> set[str]:
    """Name every part that a commit mark lists."""
    return {part for one in sources for part in one["parts"]}


def sweep(case: Location) -> None:
    """Throw away parts that no commit mark lists and files half-written by runs that died."""
    listed = listed_parts(each_source(case))
    for name in sorted(parts_there(case) - listed):
        (case / name).unlink(missing_ok=True)
    if isinstance(case, ObjectPath):
        return
    for folder in sorted((case / "events").glob("parser=*")):
        if not any(folder.iterdir()):
            folder.rmdir()
    for stray in [*case.glob(".*.tmp"), *case.glob("*/.*.tmp")]:
        stray.unlink(missing_ok=True)


@contextmanager
def writing(case: Location) -> Iterator[None]:
    """Hold the case while a run writes it; sweep it at the end unless another run still writes.

    Raises:
        CaseError: the folder holds something that is not a case.
    """
    if isinstance(case, ObjectPath):
        with _writing_objects(case):
            yield
        return
    try:
        if case.exists() and not case.is_dir():
            raise CaseError("this is a file, not a case", at=case, hint="name another --case")
        names = [one.name for one in case.iterdir()] if case.is_dir() else []
    except OSError as error:
        raise unreadable(case, error) from error
    _require_case(case, [name for name in names if not (name.startswith(".") and name.endswith(".tmp"))])
    try:
        case.mkdir(parents=True, exist_ok=True)
        held = os.open(case, os.O_RDONLY)
    except OSError as error:
        raise unwritable(case, error) from error
    try:
        alone = _shared(held)
        yield
        if alone is None or _alone(held):
            sweep(case)
    finally:
        os.close(held)


def _require_case(case: Location, names: Sequence[str]) -> None:
    """Demand that a folder holds nothing, or a case."""
    if names and not any(name in CONTENTS for name in names):
        raise CaseError("this folder holds something that is not a case", at=case, hint="name an empty or a new folder")


@contextmanager
def _writing_objects(case: ObjectPath) -> Iterator[None]:
    """Do in a bucket what `writing` does."""
    if case.is_file():
        raise CaseError("this is an object, not a case", at=case, hint="name another --case")
    _require_case(case, [one.name for one in case.iterdir() if one.name != FOLDER])
    with leased(case) as lease:
        yield
        if lease.alone():
            sweep(case)


def _shared(held: int) -> bool | None:
    """Tell other runs that this one writes; None where the system has no such lock."""
    try:
        import fcntl
    except ImportError:
        return None
    fcntl.flock(held, fcntl.LOCK_SH)
    return True


def _alone(held: int) -> bool:
    import fcntl

    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

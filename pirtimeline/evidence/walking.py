"""Walk evidence once: every source in it, however deep it lies, with samples, and custody of the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pirtimeline.errors import SourceError
from pirtimeline.evidence.codecs import decoded, foreign, gzip_mtime
from pirtimeline.evidence.containers import ARCHIVES, Member, head_of, members, what
from pirtimeline.evidence.content import Looked, look, look_into, look_through
from pirtimeline.evidence.custody import Custody, Record, record
from pirtimeline.evidence.files import Entry, Openers, Row, entries, opened_in_turn, own_name, time_of
from pirtimeline.evidence.limits import BreachError, Meter
from pirtimeline.evidence.names import Distinct, cleaned, refusal, shown
from pirtimeline.evidence.sources import BLOCK, Found, Limits, Place, Sampling, Source, Step
from pirtimeline.evidence.streams import Body, Hashed, Note, Readable, body_of, file_of
from pirtimeline.objects import Location


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it lies in its folder or archive. `dated` says that `mtime` is its own, not that of what holds it."""

    path: str
    place: Place
    mtime: datetime
    dated: bool = True
    note: Note = field(default_factory=Note)
    argument: Record | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that holds others, while it is open: its bytes as they are hashed, and what its readers had to say."""

    stored: Hashed
    notes: list[Note] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "; ".join(dict.fromkeys(note.text for note in self.notes if note.text))

    @property
    def reason(self) -> str:
        return next((note.reason for note in reversed(self.notes) if note.reason), "")


class Walk:
    """One pass over evidence. Iterate it once; then `custody` is complete.

    `found` counts the sources that were given, `unchanged` has the paths of files that were known and not opened.
    """

    def __init__(
        self,
        arguments: Iterable[str | Path],
        *,
        limits: Limits,
        sampling: Sampling,
        known: Collection[Row],
        exclude: Iterable[Location],
        hash_all: bool,
    ) -> None:
        self._sampling, self._known, self._hash_all = sampling, frozenset(map(_row, known)), hash_all
        self._meter, self._custody = Meter(limits), Custody()
        skip = tuple(exclude)
        self._listed = [(str(argument), entries(str(argument), skip)) for argument in arguments]
        self.found = 0
        self.unchanged: list[str] = []

    @property
    def custody(self) -> dict[str, list[Record]]:
        """Give what `evidence.json` holds: `arguments`, `archives`, `skipped`."""
        kept = self._custody
        return {"arguments": kept.arguments, "archives": kept.archives, "skipped": kept.skipped}

    def require(self) -> None:
        """Demand that something was found.

        Raises:
            SourceError: where no source was given and none is unchanged, with the reasons of what was skipped.
        """
        if self.found or self.unchanged:
            return
        skipped = [f"{row['path']}: {row['reason']}" for row in self._custody.skipped]
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        hint = (
            f"skipped were {'; '.join(skipped[:3])}{more}" if skipped else "pass files, folders or archives with logs"
        )
        at = ", ".join(argument for argument, _ in self._listed)
        raise SourceError("this evidence holds not one byte that can be read", at=at, hint=hint)

    def __iter__(self) -> Iterator[Found]:
        for argument, listed in self._listed:
            for found in self._argument(argument, listed):
                self.found += 1
                yield found

    def _argument(self, argument: str, listed: list[Entry]) -> Iterator[Found]:
        row = record(own_name(argument))
        self._custody.arguments.append(row)
        wanted = [entry.file for entry in listed if not entry.refusal and entry.row not in self._known]
        opened = opened_in_turn((argument, file) for file in wanted)
        for entry in listed:
            own = row if not entry.file else None
            if own is not None:
                own |= record(entry.path, size=entry.size, mtime=time_of(entry.mtime_ns))
            if entry.row in self._known:
                self.unchanged.append(entry.path)
            else:
                yield from self._entry(argument, entry, own, opened)

    def _entry(self, argument: str, entry: Entry, own: Record | None, opened: Openers) -> Iterator[Found]:
        file = _File(entry.path, Place(argument, entry.file), time_of(entry.mtime_ns), argument=own)
        if entry.refusal:
            self._custody.skip(entry.path, entry.refusal, size=entry.size, mtime=file.mtime)
            return
        try:
            with next(opened)() as file_opened:
                self._meter.enter(entry.size)
                body = file_opened if entry.size > BLOCK else file_opened.read()
                yield from self._limited(file, self._file(body, file))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._custody.skip(entry.path, f"cannot be read: {reason}", size=entry.size, mtime=file.mtime)

    def _limited(self, file: _File, found: Iterator[Found]) -> Iterator[Found]:
        """Skip a file, or what is left of it, where a limit is reached."""
        try:
            yield from found
        except BreachError as breach:
            self._custody.skip(file.path, str(breach), mtime=file.mtime)

    def _file(self, body: Body, file: _File) -> Iterator[Found]:
        """Give the sources in a file: itself, or what it holds."""
        head = head_of(body)
        kind = what(body)
        if kind:
            dated = gzip_mtime(head) if kind == "gz" and not file.dated else None
            return self._holder(kind, body, replace(file, mtime=dated) if dated else file)
        if said := foreign(head):
            self._skip(file, f"{said} is not opened", len(body) if isinstance(body, bytes) else None)
            return iter(())
        return self._leaf(body, file, None)

    def _holder(self, kind: str, body: Body, file: _File) -> Iterator[Found]:
        """Open a file that holds others, and keep custody of it."""
        row = record(file.path, mtime=file.mtime)
        self._custody.archives.append(row)
        opened, before = _Opened(Hashed(file_of(body))), self._written()
        try:
            yield from self._inside(kind, opened.stored, file, opened)
        finally:
            opened.stored.finish()
            row |= {"size_bytes": opened.stored.ends.size, "sha256": opened.stored.hexdigest()}
            row["reason"] = opened.text or None
            if file.argument is not None:
                file.argument.update({key: row[key] for key in ("size_bytes", "sha256", "reason")})
        after = self._written()
        if after == before:
            self._skip(file, opened.text or "it holds no file", opened.stored.ends.size)
        if file.argument is not None and after[0] == before[0] and opened.reason:
            raise SourceError(opened.reason, at=file.place.argument, hint="nothing in it can be read; get it again")

    def _written(self) -> tuple[int, int]:
        return self.found, len(self._custody.skipped)

    def _inside(self, kind: str, stored: Readable, file: _File, opened: _Opened) -> Iterator[Found]:
        """Go one step further in: enter an archive, or undo a compression and look again."""
        self._meter.depth(len(file.place.steps) + 1)
        note = Note()
        opened.notes.append(note)
        if kind in ARCHIVES:
            yield from self._archive(kind, stored, file, note)
            return
        body = body_of(self._meter.watched(decoded(kind, stored, note), note))
        file = replace(file, place=file.place.into(Step(kind)))
        if inner := what(body):
            yield from self._inside(inner, file_of(body), file, opened)
        else:
            yield from self._leaf(body, file, opened)

    def _archive(self, kind: str, stored: Readable, file: _File, note: Note) -> Iterator[Found]:
        names, made = Distinct(), dict[str, tuple[str, list[Source]]]()
        for member in members(kind, stored, note):
            self._meter.member()
            name = cleaned(member.name)
            path = f"{file.path}!{names.name(shown(name))}"
            if reason := refusal(name) or member.refusal:
                self._custody.skip(path, reason, size=member.size, mtime=member.mtime)
            elif member.link:
                yield from self._linked(*made.get(cleaned(member.link), ("", [])), path, member)
            else:
                own: list[Source] = []
                made[name] = (path, own)
                inner = self._inner(kind, member, path, file)
                for found in self._limited(inner, self._member(kind, member, inner)):
                    own.append(found.source)
                    yield found
        if note.refusal:
            self._skip(file, note.refusal, None)

    def _inner(self, kind: str, member: Member, path: str, outer: _File) -> _File:
        place = outer.place.into(Step(kind, member.index, shown(cleaned(member.name))))
        dated = member.mtime is not None
        return _File(path, place, member.mtime or outer.mtime, dated, member.note)

    def _member(self, kind: str, member: Member, inner: _File) -> Iterator[Found]:
        pieces = self._meter.watched(member.pieces, member.note, packed=kind == "zip")
        yield from self._file(body_of(pieces), inner)

    def _linked(self, first: str, targets: list[Source], path: str, member: Member) -> Iterator[Found]:
        """Give a hard link's sources: those of the earlier member, under another path."""
        if not targets:
            reason = f"a hard link to {shown(member.link)}, of which the archive holds no source before it"
            self._custody.skip(path, reason, mtime=member.mtime)
        for source in targets:
            below = source.path.removeprefix(first)
            yield Found(replace(source, path=path + below), ())

    def _leaf(self, body: Body, file: _File, opened: _Opened | None) -> Iterator[Found]:
        """Give a file that holds no other as a source."""
        looked = self._look(body)
        reasons = ([note.reason for note in reversed(opened.notes)] if opened else []) + [file.note.reason]
        truncated = next(filter(None, reasons), "")
        if file.argument is not None and opened is None:
            file.argument["sha256"] = looked.sha256
        if not looked.size:
            self._skip(file, truncated or "empty", 0)
            return
        yield Found(self._source(looked, file, opened, truncated), looked.samples)

    def _look(self, body: Body) -> Looked:
        if isinstance(body, bytes):
            return look(body, self._sampling)
        if body.seekable() and not self._hash_all:
            return look_into(body, body.seek(0, 2), self._sampling)
        return look_through(body, self._sampling)

    def _source(self, looked: Looked, file: _File, opened: _Opened | None, truncated: str) -> Source:
        ends, stored = looked.ends, looked.size
        if opened is not None:
            opened.stored.finish()
            stored = opened.stored.ends.size
            ends = opened.stored.ends.digest() if ends else ""
        return Source(
            source_id=(ends or looked.sha256 or "")[:12],
            identity="ends" if ends else "content",
            sha256=looked.sha256,
            size_bytes=looked.size,
            path=file.path,
            mtime=file.mtime,
            place=file.place,
            truncated=truncated,
            stored_size=stored,
        )

    def _skip(self, file: _File, reason: str, size: int | None) -> None:
        self._custody.skip(file.path, reason, size=size, mtime=file.mtime)


def _row(row: Iterable[str | int]) -> Row:
    """Take a row as JSON gives it back, a list, for what it was."""
    path, size, mtime_ns = row
    return str(path), int(size), int(mtime_ns)


def walk(
    arguments: Iterable[str | Path],
    *,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    known: Collection[Row] = (),
    exclude: Iterable[Location] = (),
    hash_all: bool = False,
) -> Walk:
    """Walk files, folders and archives in one pass each; iterate the result for the sources.

    Args:
        arguments: What the user passed. A file may be an archive or compressed; its first bytes tell, not its name.
        limits: How far unpacking may go; what lies beyond is skipped with its reason.
        sampling: Which pieces of each source come with it.
        known: Rows of an older `fingerprint`: files that are in it are not opened, their paths are `unchanged`.
        exclude: Folders that are not walked into and not mentioned: the case itself.
        hash_all: Read large plain files through, too, so that no `sha256` is None.

    Raises:
        SourceError: at once where an argument is missing or cannot be read; from the iteration where an argument is a
            broken archive from which nothing can be read. `Walk.require` raises where nothing was found at all.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.log").write_text("one line")
        ...     [(found.source.path, found.samples) for found in walk([folder])]
        [('a.log', ((0, b'one line'),))]
    """
    return Walk(
        arguments,
        limits=limits or Limits(),
        sampling=sampling or Sampling(),
        known=known,
        exclude=exclude,
        hash_all=hash_all,
    )

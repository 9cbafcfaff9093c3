"""Read zip archives: by their directory where they can be entered anywhere, else forward by their local headers.

Written from PKWARE's APPNOTE 6.3.10. A zip without its directory (a download that broke off) is read forward too.
Read
forward, a symbolic link looks like a file that holds its target's name: only the directory tells.
Members are counted from 0 in the order in which their bytes lie. Names that are not marked as UTF-8 are taken for it
where they are it, else for code page 437; `\\` counts as `/`. Times are the extended timestamp or NTFS's where
the member has one, else the DOS time, which has no zone and is taken for UTC.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

from pirtimeline.evidence.codecs import lzma_of_zip, stream_pieces
from pirtimeline.evidence.streams import Bounded, Intake, Note, Readable, Seekable, chunks
from pirtimeline.evidence.tars import Member

_LOCAL = struct.Struct("<4s5H3I2H")
_METHODS = {0: "stored", 8: "deflate", 12: "bz2", 14: "lzma", 93: "zst"}
_FULL = 0xFFFFFFFF
_DOCUMENTS = {
    "[Content_Types].xml": "an Office document is not opened",
    "AndroidManifest.xml": "an Android program is not opened",
}
_NO_TIME = (1 << 5 | 1, 0)
"""The first of January 1980, which stands for no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What a header says of a member; sizes are None where they follow its data."""

    raw_name: bytes
    flags: int
    method: int
    stamp: tuple[int, int]
    crc: int
    packed: int | None
    size: int | None
    extra: bytes
    mode: int = 0


def directory(file: Seekable) -> list[zipfile.ZipInfo] | None:
    """Read the directory, in the order in which the members lie; None where there is none that can be read."""
    try:
        infos = sorted(zipfile.ZipFile(file).infolist(), key=lambda info: info.header_offset)
        return infos if not infos or infos[0].header_offset >= 0 else None
    except (zipfile.BadZipFile, NotImplementedError, struct.error, OSError, ValueError):
        return None


def document(infos: list[zipfile.ZipInfo]) -> str:
    """Say why a zip is no archive of files but a document or a program; empty where it is one.

    Office documents, OpenDocument files, e-books, Java and Android programs are zips by their bytes. They hold no
    logs but thousands of parts, so they are skipped whole: by what they hold, never by their suffix.
    """
    names = {info.filename for info in infos}
    if "META-INF/MANIFEST.MF" in names and any(
        name.endswith(".class") or name.startswith("WEB-INF/") for name in names
    ):
        return "a Java archive (program) is not opened"
    if infos and infos[0].filename == "mimetype":
        return "an OpenDocument file or e-book is not opened"
    return next((said for name, said in _DOCUMENTS.items() if name in names), "")


def listed(file: Seekable, infos: list[zipfile.ZipInfo]) -> Iterator[Member]:
    """Give the members that the directory lists.

    Example:
        >>> import io
        >>> made = io.BytesIO()
        >>> with zipfile.ZipFile(made, "w") as archive:
        ...     archive.writestr("a.log", "abc")
        >>> [(m.name, b"".join(m.pieces)) for m in listed(made, directory(made) or [])]
        [('a.log', b'abc')]
    """
    index = 0
    for info in infos:
        entry = _entry(info)
        if entry.raw_name.endswith((b"/", b"\\")):
            continue
        file.seek(info.header_offset)
        head = file.read(_LOCAL.size)
        note = Note()
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            note.reason = "zip member is damaged: it has no header where the directory says"
            entry = replace(entry, packed=0)
        else:
            file.read(sum(_LOCAL.unpack(head)[-2:]))
        data = Bounded(file, entry.packed or 0, note)
        yield _member(entry, index, Intake(data, note), note)
        index += 1


def _entry(info: zipfile.ZipInfo) -> _Entry:
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "surrogateescape")
    y, mo, d, h, mi, s = info.date_time
    stamp = ((y - 1980) << 9 | mo << 5 | d, h << 11 | mi << 5 | s // 2)
    return _Entry(
        raw_name=raw, flags=info.flag_bits, method=info.compress_type, stamp=stamp, crc=info.CRC,
        packed=info.compress_size, size=info.file_size, extra=info.extra,
        mode=info.external_attr >> 16 if info.create_system == 3 else 0,
    )  # fmt: skip


def streamed(stream: Readable, note: Note) -> Iterator[Member]:
    """Give the members in the order of their local headers; `note` says why that ended, unless at the directory."""
    intake, index = Intake(stream, note), 0
    while (head := intake.read(_LOCAL.size))[:4] == b"PK\x03\x04" and len(head) == _LOCAL.size:
        entry = _local(head, intake)
        own = Note()
        bounded = entry.packed is not None
        data = Bounded(intake, entry.packed or 0, own)
        inner = Intake(data, own) if bounded else intake
        member = _member(entry, index, inner, own)
        if not entry.raw_name.endswith((b"/", b"\\")):
            yield member
            index += 1
        if not bounded and not _through(member, entry):
            note.reason = "zip archive cannot be read on: a member's size is not known"
            return
        data.skip()
        _descriptor(entry, intake, own)
    if head[:4] not in {b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x08"}:
        note.reason = "zip archive is damaged" if len(head) == _LOCAL.size else "zip archive ends early"


def _through(member: Member, entry: _Entry) -> bool:
    """Read a member of unknown size to its end; only what marks its own end has one."""
    if member.refusal or entry.method == 0:
        return False
    for _ in member.pieces:
        pass
    return not member.note.reason


def _local(head: bytes, intake: Intake) -> _Entry:
    _, _, flags, method, time, day, crc, packed, size, name_size, extra_size = _LOCAL.unpack(head)
    name, extra = intake.read(name_size), intake.read(extra_size)
    wide = _extra(extra, 1)
    if size == _FULL and len(wide) >= 8:
        size, wide = int.from_bytes(wide[:8], "little"), wide[8:]
    if packed == _FULL and len(wide) >= 8:
        packed = int.from_bytes(wide[:8], "little")
    open_end = bool(flags & 8) and not packed
    return _Entry(
        raw_name=name, flags=flags, method=method, stamp=(day, time), crc=crc,
        packed=None if open_end else packed, size=None if open_end else size, extra=extra,
    )  # fmt: skip


def _descriptor(entry: _Entry, intake: Intake, note: Note) -> None:
    """Pass over the sizes that follow a member's data: with or without a mark, with 4 or 8 bytes each."""
    if not entry.flags & 8:
        return
    ahead = intake.read(28)
    intake.unread(ahead)
    for size in (16, 24, 12, 20):
        if ahead[size : size + 2] == b"PK" and (ahead[:4] == b"PK\x07\x08") == (size in {16, 24}):
            intake.read(size)
            return


def _member(entry: _Entry, index: int, intake: Intake, note: Note) -> Member:
    refusal = _refusal(entry)
    pieces = iter(()) if refusal else _checked(_unpacked(entry, intake, note), entry, note)
    return Member(index, _name(entry), entry.size, _time(entry), pieces, note, refusal)


def _refusal(entry: _Entry) -> str:
    if entry.flags & 1:
        return "it is encrypted"
    if entry.method not in _METHODS:
        return f"its compression (zip method {entry.method}) is not supported"
    if entry.mode & 0o170000 == 0o120000:
        return "a symbolic link is not followed"
    return "" if entry.mode & 0o170000 in {0, 0o100000} else "it is no regular file"


def _unpacked(entry: _Entry, intake: Intake, note: Note) -> Iterator[bytes]:
    match _METHODS[entry.method]:
        case "stored":
            return chunks(intake)
        case "lzma":
            return lzma_of_zip(intake, note)
        case kind:
            return stream_pieces(kind, intake, note)


def _checked(pieces: Iterator[bytes], entry: _Entry, note: Note) -> Iterator[bytes]:
    """Hold what comes out against the size and the checksum that the archive gives."""
    crc = size = 0
    for piece in pieces:
        crc, size = crc32(piece, crc), size + len(piece)
        yield piece
    if entry.size is None:
        return
    if (size, crc) == (entry.size, entry.crc):
        note.reason = ""
    elif not note.reason:
        note.reason = "zip member is damaged: its checksum differs"


def _name(entry: _Entry) -> str:
    try:
        name = entry.raw_name.decode("utf-8")
    except UnicodeDecodeError:
        name = (
            entry.raw_name.decode("utf-8", "surrogateescape") if entry.flags & 0x800 else entry.raw_name.decode("cp437")
        )
    return name.replace("\\", "/")


def _extra(extra: bytes, wanted: int) -> bytes:
    """Find an extra field by its id."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == wanted:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""


def _time(entry: _Entry) -> datetime | None:
    unix, ntfs = _extra(entry.extra, 0x5455), _extra(entry.extra, 0x000A)
    if len(unix) >= 5 and unix[0] & 1:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int.from_bytes(unix[1:5], "little", signed=True))
    if len(ntfs) >= 16 and ntfs[4:6] == b"\x01\x00":
        return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(ntfs[8:16], "little") // 10)
    day, time = entry.stamp
    if (day, time) == _NO_TIME:
        return None
    try:
        return datetime(
            1980 + (day >> 9), day >> 5 & 15, day & 31, time >> 11, time >> 5 & 63, (time & 31) * 2, tzinfo=UTC
        )
    except ValueError:
        return None

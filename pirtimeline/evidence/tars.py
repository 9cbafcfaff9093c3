"""Read tar archives forward: v7, ustar, GNU and pax, with long names, hard links and sparse files.

Written for streams of any length: no header is held longer than its member, none may claim more than 1 MiB of names,
and behind a damaged place the next valid header goes on. Formats: POSIX.1-2017 `pax`, and the GNU tar manual,
"Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pirtimeline.evidence.streams import Bounded, Note, Readable, chunks

_SIZE = 512
_ZERO = bytes(_SIZE)
_NAMES = 1 << 20
_TAKE = 1 << 20

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEHIND = "bytes behind the tar archive's end were ignored"
_DAMAGED = "tar archive is damaged: bytes that are no header were passed over"

_EXTENDED = {b"x", b"X", b"g", b"L", b"K"}
_NOTHING = {tarfile.DIRTYPE, b"D", b"V"}
_REFUSED = {
    tarfile.SYMTYPE: "a symbolic link is not followed",
    tarfile.CHRTYPE: "a character device is not read",
    tarfile.BLKTYPE: "a block device is not read",
    tarfile.FIFOTYPE: "a FIFO is not read",
    b"M": "a piece of a file that began in another volume",
}
_BODILESS = {tarfile.LNKTYPE, tarfile.DIRTYPE} | set(_REFUSED) - {b"M"}

Map = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Member:
    """A member of an archive: its place in it, its name as stored, and its bytes.

    `refusal` says why it is not opened; `link` is the earlier member that a hard link repeats. `pieces` must be taken
    before the next member is asked for; `note` says what was wrong with them.
    """

    index: int
    name: str
    size: int | None
    mtime: datetime | None
    pieces: Iterator[bytes]
    note: Note
    refusal: str = ""
    link: str = ""


@dataclass(slots=True)
class _Content:
    """A member's stored bytes, how many, and where they belong in a sparse file of GNU's older format."""

    data: Bounded
    note: Note
    size: int
    spread: tuple[Map, int] | None


@dataclass(slots=True)
class _Said:
    """What extended headers say of the next member."""

    pax: dict[str, str] = field(default_factory=dict)
    name: str = ""
    link: str = ""


def is_header(block: bytes) -> bool:
    """Tell a tar header by its checksum; a name must stand before it, so zeros are none.

    Example:
        >>> is_header(tarfile.TarInfo("a.log").tobuf()), is_header(bytes(512))
        (True, False)
    """
    if len(block) < _SIZE or block[0] == 0 or block[148:156].strip(b"01234567 \0"):
        return False
    return _header(block[:_SIZE]) is not None


def _header(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return None


def members(stream: Readable, note: Note) -> Iterator[Member]:
    """Give an archive's members but folders, in their order; `note` says what is wrong with the archive.

    Example:
        >>> import io
        >>> info = tarfile.TarInfo("a.log")
        >>> info.size = 3
        >>> whole = info.tobuf() + b"abc".ljust(512, bytes(1)) + bytes(1024)
        >>> [(m.name, b"".join(m.pieces)) for m in members(io.BytesIO(whole), Note())]
        [('a.log', b'abc')]
    """
    index, said, common = 0, _Said(), dict[str, str]()
    for info, block in _headers(stream, note):
        if info.type in _EXTENDED:
            _extend(info, stream, said, common, note)
            continue
        pax = common | said.pax
        size = 0 if info.type in _BODILESS else max(_number(pax.get("size"), info.size), 0)
        damage = Note()
        spread = _old_map(block, stream) if info.type == tarfile.GNUTYPE_SPARSE else None
        data = Bounded(stream, size, damage)
        if info.type not in _NOTHING:
            yield _member(info, _Said(pax, said.name, said.link), index, _Content(data, damage, size, spread))
            index += 1
        said = _Said()
        data.skip()
        stream.read(-size % _SIZE)


def _headers(stream: Readable, note: Note) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Find the headers; what is none and no padding is passed over, and said so."""
    ended = lost = False
    while block := stream.read(_SIZE):
        if len(block) < _SIZE:
            note.reason = note.reason or ("" if ended else "tar archive ends early")
            return
        if block == _ZERO:
            ended = True
        elif (info := _header(block)) is not None:
            ended = lost = False
            yield info, block
        elif not lost:
            lost = True
            note.reason, note.remark = (note.reason, _BEHIND) if ended else (_DAMAGED, note.remark)
    if not (ended or lost or note.reason):
        note.remark = "tar archive has no end mark"


def _extend(info: tarfile.TarInfo, stream: Readable, said: _Said, common: dict[str, str], note: Note) -> None:
    """Read a header that extends the next one, or with `g` all that follow."""
    if not 0 <= info.size <= _NAMES:
        note.reason = "tar archive is damaged: a header claims an impossible size"
        return
    data = stream.read(info.size)
    stream.read(-info.size % _SIZE)
    text = data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    match info.type:
        case b"L":
            said.name = text
        case b"K":
            said.link = text
        case b"g":
            common.update(_records(data))
        case _:
            said.pax.update(_records(data))


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Cut `<length> <key>=<value>` records; what is no record ends them."""
    while data:
        digits, found, _ = data[:20].partition(b" ")
        if not found or not digits.isdigit() or not len(digits) + 3 < int(digits) <= len(data):
            return
        record, data = data[len(digits) + 1 : int(digits) - 1], data[int(digits) :]
        key, _, value = record.decode("utf-8", "surrogateescape").partition("=")
        yield key, value


def _member(info: tarfile.TarInfo, said: _Said, index: int, content: _Content) -> Member:
    """Join a header with what was said before it."""
    name = said.pax.get("GNU.sparse.name") or said.pax.get("path") or said.name or info.name
    link = (said.pax.get("linkpath") or said.link or info.linkname) if info.islnk() else ""
    made = Member(index, name, content.size, _time(said.pax.get("mtime"), info.mtime), iter(()), content.note)
    made.link, made.refusal = link, _REFUSED.get(info.type, "")
    if not (link or made.refusal):
        _fill(made, said.pax, content)
    return made


def _fill(made: Member, pax: dict[str, str], content: _Content) -> None:
    """Give a member its bytes, holes and all."""
    real = pax.get("GNU.sparse.realsize") or pax.get("GNU.sparse.size")
    if content.spread is not None:
        spread, made.size = content.spread
        made.pieces = _spread(content.data, spread, made.size)
    elif pax.get("GNU.sparse.major") == "1" and real is not None:
        made.size = _number(real, 0)
        made.pieces = _spread(content.data, _new_map(content.data), made.size)
    elif "GNU.sparse.map" in pax and real is not None:
        made.size = _number(real, 0)
        numbers = [_number(n, 0) for n in pax["GNU.sparse.map"].split(",")]
        made.pieces = _spread(content.data, _pairs(numbers), made.size)
    elif "GNU.sparse.numbytes" in pax:
        made.refusal = "a sparse file of tar's format 0.0 is not read"
    else:
        made.pieces = chunks(content.data)


def _old_map(block: bytes, stream: Readable) -> tuple[Map, int]:
    """Read where the data of a GNU sparse file belong, from its header and the blocks that extend it, and its size."""
    numbers, more, at, count = list[int](), block, 386, 4
    while True:
        numbers += [_field(more[at + 12 * i : at + 12 * i + 12]) for i in range(2 * count)]
        extended = more[at + 24 * count : at + 24 * count + 1]
        if extended in {b"", b"\0"}:
            return _pairs(numbers), _field(block[483:495])
        more, at, count = stream.read(_SIZE), 0, 21


def _new_map(data: Bounded) -> Map:
    """Read the map that stands before the data: decimal numbers, a line each, padded to a block."""
    text = data.read(_SIZE)
    due = 1 + 2 * _number(text.split(b"\n", 1)[0].decode("latin-1"), 0)
    while text.count(b"\n") < due and len(text) < _NAMES and (block := data.read(_SIZE)):
        text += block
    return _pairs([_number(n.decode("latin-1"), 0) for n in text.split(b"\n")[1:due]])


def _pairs(numbers: list[int]) -> Map:
    return tuple((at, size) for at, size in zip(numbers[::2], numbers[1::2], strict=False) if size)


def _spread(data: Bounded, spread: Map, size: int) -> Iterator[bytes]:
    """Put the data where they belong and zeros between."""
    at = 0
    for begin, count in (*spread, (size, 0)):
        while at < min(begin, size):
            zeros = bytes(min(begin - at, size - at, _TAKE))
            at += len(zeros)
            yield zeros
        while count and (piece := data.read(min(count, _TAKE))):
            at, count = at + len(piece), count - len(piece)
            yield piece
        if count:
            return


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default


def _field(raw: bytes) -> int:
    """Read a number as tar writes it: octal digits, or binary behind a set bit."""
    if raw[:1] >= b"\x80":
        return int.from_bytes(raw[1:], "big")
    digits = raw.strip(b" \0")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else 0


def _time(text: str | None, default: float) -> datetime | None:
    """Give a member's time; none for the zero that stands for no time, and for what no calendar has."""
    try:
        seconds = Decimal(text) if text else Decimal(default)
        return _EPOCH + timedelta(microseconds=int(seconds * 1_000_000)) if seconds > 0 else None
    except (ArithmeticError, ValueError):
        return None

"""Tell what a file is by its first bytes, and undo compressions piece by piece.

Formats: RFC 1952 (gzip), RFC 8878 (Zstandard), https://tukaani.org/xz/xz-file-format.txt, and for bzip2 and the older
.lzma what their tools read. A stream that ends early or is damaged gives its bytes up to there, and its `Note` says so.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

from pirtimeline.evidence.streams import Intake, Note, Readable
from pirtimeline.evidence.tars import is_header

HEAD = 512
"""How many first bytes tell what a file is: a tar's header block."""

TAKE = 64 << 10
GIVE = 1 << 20
_MEMORY = 256 << 20
_ZST = b"\x28\xb5\x2f\xfd"

_MAGIC = {
    b"\x1f\x8b\x08": "gz",
    b"\xfd7zXZ\x00": "xz",
    _ZST: "zst",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08PK": "zip",
}

_FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x04\x22\x4d\x18": "LZ4 compression",
    b"\x1f\x9d": "compress (.Z) compression",
    b"LZIP\x01": "lzip compression",
    b"MSCF\x00\x00\x00\x00": "a Windows cabinet",
}

WORDS = {
    "gz": "gzip",
    "bz2": "bzip2",
    "xz": "xz",
    "lzma": "lzma",
    "zst": "zstd",
    "tar": "tar archive",
    "zip": "zip archive",
}
"""How each kind is named to people."""


class Decompressor(Protocol):
    """What bz2, lzma and isal have in common."""

    @property
    def eof(self) -> bool:
        """Say whether the stream's end was met."""

    @property
    def needs_input(self) -> bool:
        """Say whether it can go on without new bytes."""

    @property
    def unused_data(self) -> bytes:
        """Give what was found behind the end."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Undo the next bytes."""


def kind_of(head: bytes) -> str:
    """Name what a file is by its first 512 bytes; empty for what is no container that can be opened.

    Example:
        >>> kind_of(b"\\x1f\\x8b\\x08\\x00"), kind_of(b"2024-03-04 a line")
        ('gz', '')
    """
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[:3] == b"BZh" and head[4:10] in {b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"}:
        return "bz2"
    if len(head) >= 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return "zst"
    if _is_lzma(head):
        return "lzma"
    return "tar" if is_header(head) else ""


def foreign(head: bytes) -> str:
    """Name a container that we know but do not open; empty for anything else."""
    return next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), "")


def _is_lzma(head: bytes) -> bool:
    """Tell the .lzma header, which has no magic: usual properties, a plain dictionary size, a size or none."""
    if len(head) < 14 or head[0] != 0x5D or head[13] != 0:
        return False
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    return dictionary >= 4096 and dictionary & (dictionary - 1) == 0 and (size == 2**64 - 1 or size < 1 << 40)


def gzip_mtime(head: bytes) -> datetime | None:
    """Read the time in a gzip header; None where it has none.

    Example:
        >>> gzip_mtime(bytes([31, 139, 8, 0, 0, 0, 0, 0]))
    """
    seconds = int.from_bytes(head[4:8], "little")
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def decoded(kind: str, stream: Readable, note: Note) -> Iterator[bytes]:
    """Undo a compression: all its members, streams and frames, one after the other.

    Example:
        >>> import gzip, io
        >>> b"".join(decoded("gz", io.BytesIO(gzip.compress(b"a") + gzip.compress(b"b")), Note()))
        b'ab'
    """
    intake, magic = Intake(stream, note), _START[kind]
    while True:
        yield from stream_pieces(kind, intake, note)
        if note.reason or not _goes_on(intake, note, magic):
            return


_START = {"gz": (b"\x1f\x8b",), "bz2": (b"BZh",), "xz": (b"\xfd7zXZ",), "lzma": (), "zst": (_ZST,)}


def stream_pieces(kind: str, intake: Intake, note: Note) -> Iterator[bytes]:
    """Undo one stream of a compression and leave the intake behind its end. Also knows a zip's raw `deflate`."""
    word = WORDS.get(kind, kind)
    if kind == "zst":
        return _zst_frame(intake, note)
    return _stream(_makers()[kind](), intake, note, word)


def _makers() -> dict[str, Callable[[], Decompressor]]:
    from isal import igzip_lib

    return {
        "gz": lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP),
        "deflate": lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE),
        "bz2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY),
    }


def _stream(step: Decompressor, intake: Intake, note: Note, word: str) -> Iterator[bytes]:
    damaged = _damages()
    while not step.eof:
        data = intake.read(TAKE) if step.needs_input else b""
        if not data and step.needs_input:
            note.reason = f"{word} stream ends early"
            return
        try:
            out = step.decompress(data, GIVE)
        except damaged:
            note.reason = f"{word} stream is damaged"
            return
        if out:
            yield out
    intake.unread(step.unused_data)


def _damages() -> tuple[type[Exception], ...]:
    """List what the decompressors raise on bytes that they cannot read."""
    from isal import igzip_lib

    isal_error: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # its stub calls the class a value
    return (isal_error, lzma.LZMAError, OSError, EOFError, ValueError)


def lzma_of_zip(intake: Intake, note: Note) -> Iterator[bytes]:
    """Undo method 14 of zip: a version, the size of the properties, these, and a raw LZMA stream (APPNOTE 5.8.8)."""
    head = intake.read(9)
    if len(head) < 9 or head[2:4] != b"\x05\x00":
        note.reason = "lzma stream is damaged"
        return iter(())
    rest, lc = divmod(head[4], 9)
    pb, lp = divmod(rest, 5)
    size = int.from_bytes(head[5:9], "little")
    chain = [{"id": lzma.FILTER_LZMA1, "dict_size": min(size, _MEMORY), "lc": lc, "lp": lp, "pb": pb}]
    try:
        return _stream(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain), intake, note, "lzma")
    except lzma.LZMAError:
        note.reason = "lzma stream is damaged"
        return iter(())


def _goes_on(intake: Intake, note: Note, start: tuple[bytes, ...]) -> bool:
    """Tell whether another stream follows; padding of zeros may stand between, anything else is named and left."""
    while head := intake.read(8):
        if head.startswith(start) or (start == (_ZST,) and _is_skippable(head)):
            intake.unread(head)
            return True
        if head.strip(b"\0"):
            break
    else:
        return False
    intake.unread(head)
    note.remark = "bytes behind the compressed stream were ignored"
    return False


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50


def _zst_frame(intake: Intake, note: Note) -> Iterator[bytes]:
    """Undo one frame, block after block: no block holds more than 128 KiB, so no call can give more."""
    import zstandard

    head = intake.read(8)
    if _is_skippable(head):
        _skip(intake, int.from_bytes(head[4:8], "little"), note)
        return
    intake.unread(head)
    step = zstandard.ZstdDecompressor().decompressobj()
    try:
        for part in _zst_parts(intake, note):
            if out := step.decompress(part):
                yield out
    except zstandard.ZstdError:
        note.reason = "zstd stream is damaged"


def _zst_parts(intake: Intake, note: Note) -> Iterator[bytes]:
    """Cut a frame into its header, its blocks and its checksum (RFC 8878, section 3.1.1)."""
    head = intake.read(5)
    flags = head[4] if len(head) == 5 else 0
    single, content = flags >> 5 & 1, flags >> 6
    size = (not single) + (0, 1, 2, 4)[flags & 3] + ((1 if single else 0), 2, 4, 8)[content]
    part, last = head + intake.read(size), False
    wanted = 5 + size
    while len(part) == wanted:
        yield part
        if last:
            return
        part, wanted, last = _zst_block(intake, checksum=bool(flags & 4))
        if not wanted:
            return
    note.reason = "zstd stream ends early"
    if len(part) > 3:
        yield part


def _zst_block(intake: Intake, *, checksum: bool) -> tuple[bytes, int, bool]:
    """Read a block, with the checksum where it is the last: its bytes, how many there should be, whether it is last."""
    head = intake.read(3)
    bits = int.from_bytes(head, "little")
    size = (1 if bits >> 1 & 3 == 1 else bits >> 3) + (4 if bits & 1 and checksum else 0)
    return head + intake.read(size), 3 + size, bool(bits & 1)


def _skip(intake: Intake, size: int, note: Note) -> None:
    while size:
        data = intake.read(min(size, GIVE))
        if not data:
            note.reason = "zstd stream ends early"
            return
        size -= len(data)

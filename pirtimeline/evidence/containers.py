"""Open what holds other files: one function that tells what a body is, one for each way in.

`walk` and `read` both go through here, so that a member has the same index for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader, BytesIO
from typing import BinaryIO, TypeGuard

from pirtimeline.evidence import tars, zips
from pirtimeline.evidence.codecs import HEAD, kind_of
from pirtimeline.evidence.streams import Body, Note, Readable, Seekable, stream_of
from pirtimeline.evidence.tars import Member

ARCHIVES = ("tar", "zip")

__all__ = ["ARCHIVES", "Member", "as_stream", "head_of", "members", "what"]


def head_of(body: Body) -> bytes:
    """Give the first 512 bytes and leave them to be read."""
    if isinstance(body, bytes):
        return body[:HEAD]
    if body.seekable():
        head = body.read(HEAD)
        body.seek(0)
        return head
    return body.peek(HEAD)[:HEAD]  # type: ignore[attr-defined,no-any-return]  # a BufferedReader, from `stream_of`


def what(body: Body) -> str:
    """Name the kind of a body, as `codecs.kind_of` does.

    Example:
        >>> what(b"PK\\x03\\x04"), what(b"just text")
        ('zip', '')
    """
    return kind_of(head_of(body))


def members(kind: str, file: Readable, note: Note) -> Iterator[Member]:
    """Give the members of an archive in their order; none of a document, whose `note` then has a refusal."""
    if kind == "tar":
        return tars.members(file if isinstance(file, BytesIO | BufferedReader) else as_stream(file), note)
    if _can_seek(file):
        if (infos := zips.directory(file)) is not None:
            note.refusal = zips.document(infos)
            return zips.listed(file, [] if note.refusal else infos)
        file.seek(0)
        note.remark = "zip archive has no directory that can be read"
    return zips.streamed(file, note)


def _can_seek(file: Readable) -> TypeGuard[Seekable]:
    return bool(getattr(file, "seekable", lambda: False)())


def as_stream(file: Readable) -> BinaryIO:
    """Give a reader that hashes as a buffered stream that goes forward."""
    return stream_of(iter(lambda: file.read(1 << 20), b""))

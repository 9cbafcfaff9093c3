"""Windows event logs as they lie on disk (EVTX): records as events, headers and slack as structure.

The layout is that of libevtx's documentation, "Windows XML Event Log (EVTX) format": a header of 4096 bytes, chunks of
64 KiB, each with a header of 512 bytes and records that begin with `2a 2a 00 00`, their length and their number, and
end with their length again. The binary XML within is read by the package `evtx`, chunk by chunk, since a record needs
its chunk's templates; where the records lie, that package does not say, so a short walk finds them.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import polars as pl

from pirtimeline.schema import STRUCTURE
from pirtimeline_parsers.windows_events import COLUMNS, Row, frame, row

MAGIC, CHUNK_MAGIC, RECORD_MAGIC = b"ElfFile\x00", b"ElfChnk\x00", b"\x2a\x2a\x00\x00"
FILE_HEADER, CHUNK, CHUNK_HEADER = 4096, 65536, 512
LEAST, MOST = 28, CHUNK - CHUNK_HEADER
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)

ALTERED = (
    "the checksum of its chunk does not match: the log was cut or not closed, or a record in the chunk was altered"
)

Piece = tuple[int, int, int | None]
"""Where a piece of a chunk begins and ends, and its record's number; None for what is no record."""


@dataclass(frozen=True, slots=True)
class WindowsEvtx:
    """Read an EVTX file."""

    name: str = "windows_evtx"
    title: str = "Windows event log (EVTX)"
    time: str = "iso8601"
    columns: Mapping[str, pl.DataType] = field(default_factory=lambda: COLUMNS)

    def sniff(self, head: bytes, path: str) -> bool:
        """Know the file by its first eight bytes, or by its chunks where its header is lost."""
        return head.startswith(MAGIC) or head[FILE_HEADER : FILE_HEADER + 8] == CHUNK_MAGIC

    def read(self, stream: BinaryIO) -> Iterator[pl.DataFrame]:
        """Read the file, a frame for each chunk."""
        header = stream.read(FILE_HEADER)
        if header:
            yield frame([_structure(0, len(header))])
        at, ordinal = len(header), 1
        while chunk := stream.read(CHUNK):
            rows = [_placed(each, at) for each in _rows(chunk)]
            for each in rows:
                if each["parser"] != STRUCTURE:
                    each["line"], ordinal = ordinal, ordinal + 1
            yield frame(rows)
            at += len(chunk)


def _placed(found: Row, at: int) -> Row:
    found["byte_offset"] += at
    return found


def _structure(start: int, end: int) -> Row:
    return {"byte_offset": start, "byte_length": end - start, "parser": STRUCTURE}


def _rows(chunk: bytes) -> Iterator[Row]:
    """Read one chunk: its header, its records in their order, and what lies between and behind them."""
    said, altered = _rendered(chunk), _altered(chunk)
    for start, end, number in _pieces(chunk):
        place = {"byte_offset": start, "byte_length": end - start, "line_count": 0}
        if number is None:
            lost = _lost(chunk, start, end)
            yield {**place, "parser": "windows_evtx", **lost} if lost else {**place, "parser": STRUCTURE}
            continue
        told = said.get(number)
        event = told.pop(0) if told else None
        found = row(event) if event is not None else _unreadable(number)
        found["timestamp_text"] = found.get("timestamp_text") or _stamp(chunk, start)
        if event is not None and altered:
            found["extra"] = _with_note(found.get("extra"), ALTERED)
        yield {**found, **place, "parser": "windows_evtx"}


def _pieces(chunk: bytes) -> Iterator[Piece]:
    """Cut a chunk into its header, records and the rest; a gap between records is what damage left."""
    at = begun = min(CHUNK_HEADER, len(chunk))
    if at:
        yield 0, at, None
    limit = _filled(chunk)
    while True:
        found = _next_record(chunk, at, limit)
        if found is None:
            break
        start, size, number = found
        if start > begun:
            yield begun, start, None
        yield start, start + size, number
        at = begun = start + size
    if begun < len(chunk):
        yield begun, len(chunk), None


def _lost(chunk: bytes, start: int, end: int) -> Row:
    """Say of what stands among a chunk's records, and is none, that it was one; padding and slack say nothing."""
    filled = _filled(chunk)
    known = chunk.startswith(CHUNK_MAGIC) or end < len(chunk)
    if start < CHUNK_HEADER or start >= filled or not known or not chunk[start : min(end, filled)].strip(b"\x00"):
        return {}
    cut = len(chunk) < CHUNK and end == len(chunk)
    what = "the file ends within an event record" if cut else "a damaged event record: its head or its length is broken"
    whole_head = chunk.startswith(RECORD_MAGIC, start) and start + LEAST <= end
    stamp = _stamp(chunk, start) if whole_head and cut else None
    return {"event_kind": "event", "reject_reason": what, "timestamp_text": stamp}


def _altered(chunk: bytes) -> bool:
    """Tell whether a chunk that says what its records add up to (CRC-32) holds others."""
    if len(chunk) < CHUNK_HEADER or not chunk.startswith(CHUNK_MAGIC):
        return False
    (sum_said,) = struct.unpack_from("<I", chunk, 52)
    return bool(sum_said) and zlib.crc32(chunk[CHUNK_HEADER : _filled(chunk)]) != sum_said


def _with_note(extra: str | None, note: str) -> str:
    return json.dumps({**json.loads(extra or "{}"), "pir_note": note}, ensure_ascii=False, separators=(",", ":"))


def _filled(chunk: bytes) -> int:
    """Tell where the chunk's records end, as its header says; the chunk's end where it says nothing sensible.

    Behind that lie records of earlier times that Windows has given up: slack, not evidence of this log.
    """
    if len(chunk) < CHUNK_HEADER or not chunk.startswith(CHUNK_MAGIC):
        return len(chunk)
    (free,) = struct.unpack_from("<I", chunk, 48)
    return min(free, len(chunk)) if CHUNK_HEADER <= free <= CHUNK else len(chunk)


def _next_record(chunk: bytes, at: int, limit: int) -> tuple[int, int, int] | None:
    """Find the next whole record: its mark, and its length at both its ends."""
    while (start := chunk.find(RECORD_MAGIC, at, limit)) >= 0:
        if start + LEAST <= len(chunk):
            size, number = struct.unpack_from("<IQ", chunk, start + 4)
            end = start + size
            if LEAST <= size <= MOST and end <= len(chunk) and chunk[end - 4 : end] == struct.pack("<I", size):
                return start, size, number
        at = start + 1
    return None


def _rendered(chunk: bytes) -> dict[int, list[Mapping[str, Any]]]:
    """Read a chunk's records by their numbers, which can repeat; those that cannot be read are left out."""
    from evtx import PyEvtxParser

    said: dict[int, list[Mapping[str, Any]]] = {}
    whole = chunk.ljust(CHUNK, b"\x00")
    file = _header() + (whole if whole.startswith(CHUNK_MAGIC) else CHUNK_MAGIC + whole[8:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            records: Any = PyEvtxParser(io.BytesIO(file), number_of_threads=1, skip_errors=True).records_json()
            for record in records:
                event = json.loads(record["data"]).get("Event")
                if isinstance(event, Mapping):
                    said.setdefault(record["event_record_id"], []).append(event)
        except (RuntimeError, ValueError):
            pass
    return said


def _header() -> bytes:
    """Write the header of a file of one chunk, so that each chunk is read by itself, whatever the file's own says."""
    head = bytearray(FILE_HEADER)
    struct.pack_into("<8sQQQIHHHH", head, 0, MAGIC, 0, 0, 1, 128, 1, 3, FILE_HEADER, 1)
    return bytes(head)


def _unreadable(number: int) -> Row:
    note = {"pir_note": "the record is damaged: its time and number are all that can be read"}
    return {
        "EventRecordID": str(number),
        "event_kind": "event",
        "extra": json.dumps(note, separators=(",", ":")),
    }


def _stamp(chunk: bytes, start: int) -> str | None:
    """Read the time in a record's header: hundreds of nanoseconds since 1601, UTC."""
    (ticks,) = struct.unpack_from("<Q", chunk, start + 16)
    try:
        at = EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")

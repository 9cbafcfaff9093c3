"""Write small EVTX files, as libevtx's documentation lays them out: enough to read them back, nothing more."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
HEADER, CHUNK, CHUNK_HEADER = 4096, 65536, 512


def ticks(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 10


class Binary:
    """Binary XML of one record, written at its place in the chunk: names are given by their place."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.out = bytearray(b"\x0f\x01\x01\x00")

    def name(self, text: str) -> None:
        where = self.at + len(self.out) + 4
        value = 0
        for char in text:
            value = (value * 65599 + ord(char)) & 0xFFFFFFFF
        self.out += struct.pack("<IIHH", where, 0, value & 0xFFFF, len(text)) + text.encode("utf-16-le") + b"\0\0"

    def element(self, name: str, attributes: dict[str, str] | None = None, inner: object = "") -> None:
        """Write an element with text, or with elements: a list of (name, attributes, inner)."""
        self.out += bytes([0x41 if attributes else 0x01])
        size_at = len(self.out)
        self.out += b"\0\0\0\0"
        start = len(self.out)
        self.name(name)
        if attributes:
            list_at = len(self.out)
            self.out += b"\0\0\0\0"
            for number, (key, value) in enumerate(attributes.items(), 1):
                self.out += bytes([0x46 if number < len(attributes) else 0x06])
                self.name(key)
                self.text(value)
            struct.pack_into("<I", self.out, list_at, len(self.out) - list_at - 4)
        self.out += b"\x02"
        if isinstance(inner, str):
            if inner:
                self.text(inner)
        else:
            for child in inner:  # type: ignore[attr-defined]
                self.element(*child)
        self.out += b"\x04"
        struct.pack_into("<I", self.out, size_at, len(self.out) - start)

    def text(self, value: str) -> None:
        self.out += b"\x05\x01" + struct.pack("<H", len(value)) + value.encode("utf-16-le")


def record(number: int, at: datetime, place: int, code: str, data: dict[str, str], channel: str = "Security") -> bytes:
    binary = Binary(place + 24)
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    system = [
        ("Provider", {"Name": "Invented-Provider"}, ""),
        ("EventID", None, code),
        ("Level", None, "4"),
        ("TimeCreated", {"SystemTime": stamp}, ""),
        ("EventRecordID", None, str(number)),
        ("Channel", None, channel),
        ("Computer", None, "pc1.example.org"),
    ]
    event_data = [("Data", {"Name": name}, value) for name, value in data.items()]
    binary.element("Event", None, [("System", None, system), ("EventData", None, event_data)])
    body = bytes(binary.out) + b"\x00"
    size = (24 + len(body) + 4 + 7) // 8 * 8
    body = body.ljust(size - 28, b"\0")
    return b"\x2a\x2a\0\0" + struct.pack("<IQQ", size, number, ticks(at)) + body + struct.pack("<I", size)


def chunk(records: list[tuple[int, datetime, str, dict[str, str]]]) -> bytes:
    out = bytearray(CHUNK_HEADER)
    last = 0
    for number, at, code, data in records:
        last = len(out)
        out += record(number, at, last, code, data)
    numbers = [number for number, *_ in records] or [1]
    struct.pack_into(
        "<8sQQQQIII", out, 0, b"ElfChnk\0", numbers[0], numbers[-1], numbers[0], numbers[-1], 128, last, len(out)
    )
    return bytes(out).ljust(CHUNK, b"\0")


def file(*chunks: bytes) -> bytes:
    head = bytearray(HEADER)
    struct.pack_into("<8sQQQIHHHH", head, 0, b"ElfFile\0", 0, len(chunks) - 1, 1, 128, 1, 3, HEADER, len(chunks))
    return bytes(head) + b"".join(chunks)

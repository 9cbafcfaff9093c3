"""Windows events as they are exported: JSON (evtx_dump, Zircolite, Winlogbeat, NXLog, PowerShell) and XML (`wevtutil`).

Objects stand one a line, spread over lines, or in an array; XML events with or without an element around them. What
stands between them (brackets, commas, a declaration) is structure; a line end belongs to the event before it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.etree import ElementTree

import polars as pl

from pirtimeline.schema import STRUCTURE
from pirtimeline_parsers.windows_events import COLUMNS, Row, frame, of_export, row

WINDOW = 1 << 20
"""Bytes that are read at a time."""

ROWS = 5000
"""Rows of a frame."""

SHAPES = (
    re.compile(rb'"Event"\s*:\s*\{[^}]{0,400}"(?:System|EventData)"\s*:|"System"\s*:\s*\{\s*"Provider"', re.DOTALL),
    re.compile(rb'"winlog"\s*:\s*\{'),
    re.compile(rb'"LogName"\s*:(?=[\s\S]{0,4000}"(?:ProviderName|MachineName)"\s*:)'),
    re.compile(rb'"EventID"\s*:(?=[\s\S]*"(?:Channel|SourceName|Provider_Name)"\s*:)'),
    re.compile(rb'"(?:Channel|SourceName|Provider_Name)"\s*:(?=[\s\S]*"EventID"\s*:)'),
)
XML = re.compile(rb"<Event[\s>][\s\S]{0,300}?(?:schemas\.microsoft\.com/win/2004|<System>)")
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
Piece = tuple[str, str | None]
"""A piece of the text, and what of it is an event; None for structure."""


def _plain(head: bytes) -> bytes:
    """Give the head as ASCII sees it, whichever of Windows' encodings it is in."""
    encoding, lead = _encoding(head)
    return head[lead:].decode(encoding, "replace").encode() if encoding != "utf-8" else head[lead:]


def _encoding(head: bytes) -> tuple[str, int]:
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


@dataclass(frozen=True, slots=True)
class WindowsJson:
    """Read Windows events exported as JSON."""

    name: str = "windows_json"
    title: str = "Windows events as JSON (evtx_dump, Winlogbeat, NXLog, ConvertTo-Json)"
    time: str = "iso8601"
    columns: Mapping[str, pl.DataType] = field(default_factory=lambda: COLUMNS)

    def sniff(self, head: bytes, path: str) -> bool:
        """Know an export by an object at its beginning and the keys that Windows' events have."""
        text = _plain(head).lstrip()
        return text[:1] in (b"{", b"[") and any(shape.search(text[:16384]) for shape in SHAPES)

    def read(self, stream: BinaryIO) -> Iterator[pl.DataFrame]:
        """Read the export, some thousand events a frame."""
        yield from _frames(stream, self.name, _objects, _of_json)


@dataclass(frozen=True, slots=True)
class WindowsXml:
    """Read Windows events exported as XML."""

    name: str = "windows_xml"
    title: str = "Windows events as XML (wevtutil, Get-WinEvent)"
    time: str = "iso8601"
    columns: Mapping[str, pl.DataType] = field(default_factory=lambda: COLUMNS)

    def sniff(self, head: bytes, path: str) -> bool:
        """Know an export by the first event's schema."""
        text = _plain(head).lstrip()
        return text.startswith(b"<") and XML.search(text[:8192]) is not None

    def read(self, stream: BinaryIO) -> Iterator[pl.DataFrame]:
        """Read the export, some thousand events a frame."""
        yield from _frames(stream, self.name, _elements, _of_xml)


def _frames(stream: BinaryIO, name: str, cut: Any, read: Any) -> Iterator[pl.DataFrame]:
    """Read pieces of a text into rows whose bytes follow one another without a gap."""
    head = stream.read(4)
    encoding, lead = _encoding(head)
    rows: list[Row] = [{"byte_offset": 0, "byte_length": lead, "parser": STRUCTURE, "line_count": 0}] if lead else []
    at, line = lead, 1
    for text, event in cut(_decoded(stream, head[lead:], encoding)):
        size, breaks = len(text.encode(encoding, "surrogateescape")), text.count("\n")
        place = {"byte_offset": at, "byte_length": size, "line": line, "line_count": breaks}
        rows.append({**(read(event, name) if event is not None else {"parser": STRUCTURE}), **place})
        at, line = at + size, line + breaks
        if len(rows) >= ROWS:
            yield frame(rows)
            rows = []
    if rows:
        yield frame(rows)


def _decoded(stream: BinaryIO, head: bytes, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    piece = head
    while piece:
        yield decoder.decode(piece)
        piece = stream.read(WINDOW)
    if last := decoder.decode(b"", final=True):
        yield last


def _objects(texts: Iterator[str]) -> Iterator[Piece]:
    """Cut JSON into its objects and what stands between them."""
    decoder = json.JSONDecoder()
    text, at = "", 0
    for more in (*_each(texts), ""):
        text, at = text[at:] + more, 0
        while True:
            start = text.find("{", at)
            if start < 0:
                break
            try:
                _, end = decoder.raw_decode(text, start)
            except json.JSONDecodeError:
                if more and len(text) - start < 8 * WINDOW:
                    break
                end = _line_end(text, start)
            end = _with_line_end(text, end)
            if start > at:
                yield text[at:start], None
            yield text[start:end], text[start:end]
            at = end
    if at < len(text):
        yield text[at:], None


def _each(texts: Iterator[str]) -> Iterator[str]:
    yield from (text for text in texts if text)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _with_line_end(text: str, end: int) -> int:
    """Take the line end, and blanks before it, with the event."""
    found = re.compile(r"[ \t]*\r?\n").match(text, end)
    return found.end() if found else end


def _elements(texts: Iterator[str]) -> Iterator[Piece]:
    """Cut XML into its events and what stands between them."""
    opens = re.compile(r"<Event[\s>]")
    text, at = "", 0
    for more in (*_each(texts), ""):
        text, at = text[at:] + more, 0
        while (found := opens.search(text, at)) is not None:
            close = text.find("</Event>", found.start())
            if close < 0 and more and len(text) - found.start() < 8 * WINDOW:
                break
            end = _with_line_end(text, close + len("</Event>")) if close >= 0 else len(text)
            if found.start() > at:
                yield text[at : found.start()], None
            yield text[found.start() : end], text[found.start() : end]
            at = end
    if at < len(text):
        yield text[at:], None


def _of_json(text: str, name: str) -> Row:
    try:
        found = json.loads(text)
        event = of_export(found) if isinstance(found, dict) else None
    except ValueError:
        return _refused(text, name, "it is no whole JSON object")
    if event is None:
        return _refused(text, name, "it is a JSON object, but no Windows event")
    return {**row(event), "parser": name}


def _of_xml(text: str, name: str) -> Row:
    try:
        return {**row(_shaped(ElementTree.fromstring(_harmless(text)))), "parser": name}
    except ElementTree.ParseError as error:
        return _refused(text, name, f"it is no whole XML element: {error}")


def _refused(text: str, name: str, reason: str) -> Row:
    shown = text.encode("utf-8", "replace").decode()
    return {"parser": name, "message": shown.rstrip("\n"), "event_kind": "event", "reject_reason": reason}


def _harmless(text: str) -> str:
    """Replace what XML forbids (control characters) and refuse what it should not do (entities of its own)."""
    cleaned = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "\ufffd", text)
    if "<!DOCTYPE" in cleaned or "<!ENTITY" in cleaned:
        raise ElementTree.ParseError("a document type is not read")
    return cleaned


def _shaped(element: ElementTree.Element) -> dict[str, Any]:
    """Bring an element into the shape that JSON exports have."""
    event: dict[str, Any] = {}
    for part in element:
        name = part.tag.rpartition("}")[2]
        if name == "System":
            event[name] = {child.tag.rpartition("}")[2]: _value(child) for child in part}
        elif name == "EventData":
            named = [(child.get("Name"), child.text or "") for child in part]
            plain = [text for own, text in named if own is None]
            event[name] = {own: text for own, text in named if own is not None} | ({"Data": plain} if plain else {})
        else:
            event[name] = {child.tag.rpartition("}")[2]: _value(child) for child in part.iter() if child is not part}
    return event


def _value(element: ElementTree.Element) -> Any:
    if element.attrib:
        return {"#attributes": dict(element.attrib), "#text": element.text}
    return element.text

"""HotSpot's fatal error log, `hs_err_pid*.log`: the whole file is one event, which a format of lines cannot say.

The file is described in Oracle's troubleshooting guide, "Fatal Error Log". It tells its time near its end (JDK 8) or in
its summary (JDK 9 and later), in the host's local time, since JDK 8 with a zone word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl

_OPENS = re.compile(
    rb"\A\s*#\s*\n# +(?:A fatal error has been detected by|There is insufficient memory for|An unexpected error)"
)
_SECTIONS = re.compile(
    rb"^(?:-{10,}  [A-Z ]+ ?-{10,}|Stack: \[|Dynamic libraries:|Register to memory mapping|vm_info: |Native frames: |"
    rb"# Problematic frame:|#  Out of Memory Error)",
    re.MULTILINE,
)

_FIELDS = {
    "event_code": r"^#  ((?:SIG[A-Z]+|EXCEPTION_[A-Z_]+|Internal Error|Out of Memory Error)(?: \([^)]*\))?)",
    "process_pid": r"\bpid=(\d+)",
    "process_thread_id": r"\btid=(\w+)",
    "jvm_version": r"^# JRE version: +(.+)$",
    "jvm_name": r"^# Java VM: +(.+)$",
    "jvm_frame": r"^# Problematic frame:\n# +(.+)$",
    "thread_name": r"^Current thread [^:]*: +\w+ \"(.*?)\"",
    "host_name": r"^Host: ([\w.-]+),",
    "severity_text": r"^# A (fatal) error",
}
_TIME = re.compile(r"^[Tt]ime: (\w{3} \w{3} +\d{1,2} \d{2}:\d{2}:\d{2} \d{4}(?: [A-Za-z]{2,5})?)", re.MULTILINE)
_ZONE = re.compile(r"^timezone: (\S+)", re.MULTILINE)
_ELAPSED = re.compile(r"elapsed time: (\d+(?:\.\d+)?) seconds")

_TEXTS = ("process_thread_id", "jvm_version", "jvm_name", "jvm_frame")
_TYPES: Mapping[str, pl.DataType] = {
    "byte_offset": pl.UInt64(),
    "byte_length": pl.UInt32(),
    "line": pl.UInt64(),
    "line_count": pl.UInt32(),
    "process_pid": pl.Int64(),
    "jvm_uptime_ms": pl.Float64(),
    **{
        name: pl.String()
        for name in (*_TEXTS, "event_code", "thread_name", "host_name", "severity_text", "timestamp_text")
    },
}


def _own_columns() -> dict[str, pl.DataType]:
    return {**{name: pl.String() for name in _TEXTS}, "jvm_uptime_ms": pl.Float64()}


@dataclass(frozen=True, slots=True)
class CrashFile:
    """Read a fatal error log as one event, its header as the message and all below it as the stack trace."""

    name: str = "jvm_hs_err"
    title: str = "HotSpot's fatal error log (hs_err_pid*.log)"
    time: str = "auto"
    columns: Mapping[str, pl.DataType] = field(default_factory=_own_columns)

    def sniff(self, head: bytes, path: str) -> bool:
        """Know the file by its first lines and a section of its own; by its name where its beginning is lost."""
        named = "hs_err" in path.rpartition("/")[2]
        return bool((_OPENS.match(head) or named) and _SECTIONS.search(head))

    def read(self, stream: BinaryIO) -> Iterator[pl.DataFrame]:
        """Read the file as a whole: it is small."""
        data = stream.read()
        if data:
            yield pl.DataFrame([_row(data)], schema_overrides=_TYPES)


def _row(data: bytes) -> dict[str, object]:
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    header, _, rest = text.partition("\n\n")
    found = {column: _first(regex, text) for column, regex in _FIELDS.items()}
    elapsed = _ELAPSED.search(text)
    return {
        "byte_offset": 0,
        "byte_length": len(data),
        "line": 0,
        "line_count": data.count(b"\n"),
        "parser": "jvm_hs_err",
        "timestamp_text": _time(text),
        "message": re.sub(r"^# ?", "", header, flags=re.MULTILINE).strip(),
        "stack_trace": rest.strip() or None,
        "jvm_uptime_ms": round(float(elapsed[1]) * 1000, 3) if elapsed else None,
        **found,
        "process_pid": int(found["process_pid"]) if found["process_pid"] else None,
    }


def _first(regex: str, text: str) -> str | None:
    match = re.search(regex, text, re.MULTILINE)
    return match[1].strip() if match else None


def _time(text: str) -> str | None:
    """Take the time with the zone word beside it, which JDK 8 writes on a line of its own."""
    match = _TIME.search(text)
    zone = _ZONE.search(text)
    if not match:
        return None
    return match[1] if match[1][-1].isalpha() or not zone else f"{match[1]} {zone[1]}"

"""Events and tables as people read them in a terminal."""

from __future__ import annotations

import io
import json
import shutil
import sys
from typing import Any

import polars as pl

from pirtimeline.case import Case
from pirtimeline.parsing.lines import BINARY
from pirtimeline.reading import Excerpt

DUMPED = 24
"""Lines of a dump that are shown at either end."""

PLACE = frozenset(
    ("source_id", "byte_offset", "byte_length", "line", "line_count", "event_id", "parser", "envelope", "continues")
) | {"timestamp", "local_timestamp", "time_basis", "resolution_us", "observed_timestamp"}
"""Columns that say where an event stands and when it was, which its head shows."""

FILE_WIDTH = 200
"""How wide a table is drawn that no terminal shows."""


def as_text(case: Case, one: Excerpt) -> str:
    """Show an excerpt: where it stands and when it was, then its lines, marked, among those around it.

    Of a binary source: what was read there, and the bytes.
    """
    row = event_row(case, one.event_id)
    place = f"{one.path}" + (f", line {one.line}" if one.line else "") + f", byte {one.event_id.partition(':')[2]}"
    dated = f"{row['timestamp']:%Y-%m-%d %H:%M:%S.%f} UTC ({row['time_basis']})" if row["timestamp"] else "undated"
    head = f"{one.event_id}  {place}\n{dated}  parser {row['parser']}" + (
        f" in {row['envelope']}" if row["envelope"] else ""
    )
    if one.encoding == BINARY:
        told = [f"  {name}: {value}" for name, value in said(case, one.event_id).items()]
        return "\n".join([head, *map(_printable, told), "bytes", *dumped(one.data)]) + "\n"
    around = [one.decoded(one.before), one.text, one.decoded(one.after)]
    before = around[0].split("\n")[1:] if around[0].count("\n") else []
    after = around[2].split("\n")[:-1]
    lines = (
        [f"  {line}" for line in before if line]
        + [f"> {line}" for line in around[1].splitlines()]
        + [f"  {line}" for line in after]
    )
    return head + "\n" + "\n".join(_printable(line) for line in lines) + "\n"


def as_object(case: Case, one: Excerpt) -> dict[str, Any]:
    """Give an excerpt as JSON: place, time, text, and its bytes in hexadecimal where they do not decode."""
    row = event_row(case, one.event_id)
    told = {
        "event_id": one.event_id,
        "path": one.path,
        "line": one.line,
        "byte_length": len(one.data),
        "timestamp": row["timestamp"].isoformat().replace("+00:00", "Z") if row["timestamp"] else None,
        "time_basis": row["time_basis"],
        "parser": row["parser"],
        "text": one.text,
        "before": one.decoded(one.before),
        "after": one.decoded(one.after),
    }
    if one.encoding == BINARY:
        text = ("text", "before", "after")
        rendered = {"fields": said(case, one.event_id), "hex": one.data.hex()}
        return {key: value for key, value in told.items() if key not in text} | rendered
    return told | ({"hex": one.data.hex()} if "�" in one.text else {})


def said(case: Case, event_id: str) -> dict[str, Any]:
    """Give what an event says: its columns, the parser's own and what is in `extra`, without its place and time."""
    parser = event_row(case, event_id)["parser"]
    row = case.rows(parser).filter(pl.col("event_id") == event_id).head(1).collect().row(0, named=True)
    extra: dict[str, Any] = json.loads(row.pop("extra") or "{}")
    return {name: value for name, value in row.items() if value is not None and name not in PLACE} | extra


def dumped(data: bytes) -> list[str]:
    """Write bytes as a dump in hexadecimal, sixteen a line, with what of them is ASCII; the middle of many is left out.

    Example:
        >>> dumped(bytes([42, 97, 0]))
        ['  00000000  2a 61 00                                         |*a.|']
    """
    lines = [
        f"  {at:08x}  {data[at : at + 16].hex(' '):47}  "
        f"|{''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in data[at : at + 16])}|"
        for at in range(0, len(data), 16)
    ]
    left = len(lines) - 2 * DUMPED
    return lines if left <= 1 else [*lines[:DUMPED], f"  ... {left} lines, which --raw shows", *lines[-DUMPED:]]


def event_row(case: Case, event_id: str) -> dict[str, Any]:
    """Find an event's row."""
    source_id, _, offset = event_id.partition(":")
    named = (pl.col("source_id") == source_id) & (pl.col("byte_offset") == int(offset))
    columns = ("timestamp", "time_basis", "parser", "envelope")
    return case.rows().filter(named).select(columns).collect().row(0, named=True)


def as_table(table: pl.DataFrame, form: str) -> str:
    """Print a table: drawn for people, or as CSV or JSON lines."""
    if form == "jsonl":
        return table.write_ndjson()
    if form == "csv":
        return table.select(_flat(name, dtype) for name, dtype in table.schema.items()).write_csv()
    return _drawn(table)


def _flat(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).cast(pl.List(pl.String)).list.join(" ") if isinstance(dtype, pl.List) else pl.col(name)


def _drawn(table: pl.DataFrame) -> str:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    drawn = Table(*[Column(name, overflow="fold") for name in table.columns], show_edge=False, pad_edge=False)
    for row in table.iter_rows():
        drawn.add_row(*[Text(_printable(_shown(value))) for value in row])
    out = io.StringIO()
    Console(file=out, width=_width()).print(drawn)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _width() -> int:
    """Give the terminal's width; what is read by a program or lies in a file has room."""
    return shutil.get_terminal_size((FILE_WIDTH, 24)).columns if sys.stdout.isatty() else FILE_WIDTH


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _printable(text: str) -> str:
    """Take the power out of control characters: a log must not steer the reader's terminal."""
    return "".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in text)

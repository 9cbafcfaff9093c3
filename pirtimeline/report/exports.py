"""The curated timeline in other people's formats: a table, Markdown, CSV, JSON lines, Timesketch, HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from pirtimeline.errors import CaseError
from pirtimeline.report import words
from pirtimeline.report.draft import Draft, draft, entry_id
from pirtimeline.report.entries import class_cell, time_cell, what_cell, where_cell
from pirtimeline.report.escaping import csv_text, one_line, shorten
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.tables import table

WIDTH = 120
"""How wide the table is in characters, unless told otherwise."""

CSV_COLUMNS = (
    "timestamp",
    "end_timestamp",
    "role",
    "title",
    "detail",
    "host_name",
    "service_name",
    "claim",
    "confidence",
    "event_ids",
    "origin",
)


def export(inputs: ReportInputs, form: str, *, width: int = WIDTH) -> str:
    """Write the timeline as `table`, `md`, `csv`, `jsonl`, `timesketch` or `html`, secrets masked, times in UTC.

    Raises:
        CaseError: for any other form.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> print(export(example_inputs(), "csv").splitlines()[1][:47])
        2024-03-04T02:40:00Z,,change,Deploy of shop 1.4
    """
    if form == "html":
        from pirtimeline.report.page import page

        return page(inputs)
    forms: Mapping[str, Callable[[Draft], str]] = {
        "table": lambda made: as_table(made, width=width),
        "md": as_markdown,
        "csv": as_csv,
        "jsonl": as_jsonl,
        "timesketch": as_timesketch,
    }
    if form not in forms:
        raise CaseError(f"no timeline format is called {form}", hint=f"one of {', '.join([*sorted(forms), 'html'])}")
    return forms[form](draft(inputs))


def as_table(made: Draft, *, width: int = WIDTH) -> str:
    """Write the timeline for a terminal.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> "02:59:60" in as_table(example_draft()), "03:00:00" in as_table(example_draft())
        (False, True)
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("Time (UTC)", "Role", "What happened", "Where", "Evidence"):
        shown.add_column(name, overflow="fold", no_wrap=name in ("Time (UTC)", "Role"))
    day = ""
    for entry in made.timeline.iter_rows(named=True):
        today = f"{entry['timestamp']:%Y-%m-%d}" if entry["timestamp"] else "undated"
        if today != day:
            shown.add_row(Text(today, style="bold"))
            day = today
        ids = entry["event_ids"] or []
        more = f" +{len(ids) - 1}" if len(ids) > 1 else ""
        cells = [
            words.clock(words.instant(entry["timestamp"])),
            entry["role"],
            shorten(one_line(entry["title"] or ""), 160),
            one_line(" / ".join(filter(None, (entry["host_name"], entry["service_name"])))),
            f"{ids[0]}{more}" if ids else "",
        ]
        shown.add_row(*(Text(str(cell)) for cell in cells))
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def as_markdown(made: Draft) -> str:
    """Write the timeline as a GFM table.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> as_markdown(example_draft()).splitlines()[0]
        '| Day | Time (UTC) | Role | What happened | Where | Class | Evidence |'
    """
    rows = [
        (
            entry_id(entry),
            [
                f"{entry['timestamp']:%Y-%m-%d}" if entry["timestamp"] else "undated",
                time_cell(made, entry),
                entry["role"],
                what_cell(entry),
                where_cell(entry),
                class_cell(entry),
                " ".join(f"`{name}`" for name in (entry["event_ids"] or [])[:2]),
            ],
        )
        for entry in made.timeline.iter_rows(named=True)
    ]
    return table(["Day", "Time (UTC)", "Role", "What happened", "Where", "Class", "Evidence"], rows) + "\n"


def as_csv(made: Draft) -> str:
    """Write the timeline as CSV (RFC 4180, LF), with what a spreadsheet would run disarmed.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> as_csv(example_draft()).splitlines()[0].split(",")[:3]
        ['timestamp', 'end_timestamp', 'role']
    """
    return _csv(CSV_COLUMNS, (_flat(entry) for entry in made.timeline.iter_rows(named=True)))


def as_jsonl(made: Draft) -> str:
    """Write the timeline as JSON, one object a line, keys as in `timeline.parquet`.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> json.loads(as_jsonl(example_draft()).splitlines()[0])["event_ids"]
        ['0a1b2c3d4e5f:0']
    """
    return _jsonl(
        {name: _plain(value) for name, value in entry.items()} for entry in made.timeline.iter_rows(named=True)
    )


def as_timesketch(made: Draft) -> str:
    """Write the timeline as Timesketch imports it: JSON lines with `message`, `datetime`, `timestamp_desc` and more.

    Source: Timesketch's guide "Import timelines": `datetime` is ISO 8601, `timestamp` microseconds since 1970. An entry
    that lasts is two events, its start and its end; one without a time is left out.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> json.loads(as_timesketch(example_draft()).splitlines()[0])["timestamp_desc"]
        'change'
    """
    return _jsonl(event for entry in made.timeline.iter_rows(named=True) for event in _sketched(entry))


def _sketched(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    ends = [(entry["timestamp"], entry["role"])]
    if entry["end_timestamp"] and entry["timestamp"] and entry["end_timestamp"] > entry["timestamp"]:
        ends.append((entry["end_timestamp"], f"{entry['role']} (end)"))
    message = ": ".join(filter(None, (entry["title"], entry["detail"])))
    return [
        {
            "message": message,
            "datetime": _iso(at, digits="microseconds"),
            "timestamp": round(at.timestamp() * 1_000_000),
            "timestamp_desc": told,
            "tag": [entry["role"]],
            **{
                name: entry[name]
                for name in ("host_name", "service_name", "claim", "confidence", "event_ids", "origin")
            },
        }
        for at, told in ends
        if at is not None
    ]


def _flat(entry: Mapping[str, Any]) -> list[str]:
    return [_cell(entry[name]) for name in CSV_COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _iso(value)
    return csv_text(" ".join(value) if isinstance(value, list) else str(value))


def _csv(header: Iterable[str], rows: Iterable[list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _plain(value: Any) -> Any:
    return _iso(value) if isinstance(value, datetime) else value


def _iso(at: datetime, *, digits: str = "auto") -> str:
    return at.isoformat(timespec=digits).replace("+00:00", "Z" if digits == "auto" else "+00:00")

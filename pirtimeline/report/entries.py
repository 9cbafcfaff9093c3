"""Entries of the curated timeline as rows of Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.citations import cite
from pirtimeline.report.draft import IN_BODY, Draft, entry_id
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.escaping import shorten
from pirtimeline.report.tables import row_id, table

BOLD = ("impact_start", "detected", "mitigated", "recovered")
"""The moments whose rows stand out."""

_RANK = {
    "impact": 0,
    "detection": 1,
    "recovery": 2,
    "change": 3,
    "containment": 4,
    "response": 5,
    "cause": 6,
    "communication": 7,
    "symptom": 8,
    "lead": 9,
}


def moments_of(draft: Draft, entry: Mapping[str, Any]) -> list[str]:
    """Name the moments that an entry stands for: those that share an event and the time with it.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> draft = example_draft()
        >>> [moments_of(draft, entry) for entry in draft.timeline.iter_rows(named=True)][1]
        ['impact_start']
    """
    ids = set(entry.get("event_ids") or [])
    at = words.instant(entry.get("timestamp"))
    return [
        name for name in words.MOMENTS if draft.at(name) == at and ids & set(draft.moment(name).get("event_ids") or [])
    ]


def of_roles(draft: Draft, *roles: str) -> list[dict[str, Any]]:
    """Give the entries of some roles, in the order of time.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> [entry["title"] for entry in of_roles(example_draft(), "change")]
        ['Deploy of shop 1.4.2 finished on app1']
    """
    return draft.timeline.filter(pl.col("role").is_in(roles)).to_dicts()


def body_table(draft: Draft) -> str:
    """Write the timeline for the report's body: at most 40 rows, the days' among them, the moments in bold.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> body_table(example_draft()).splitlines()[2].split("<!--")[0]
        '| **2024-03-04** | | | | | | | '
    """
    chosen = _chosen(draft)
    rows: list[tuple[str, list[str]]] = []
    day = ""
    for entry in chosen:
        today = _day(entry)
        if today != day:
            day = today
            rows.append((row_id("day", day), [f"**{day}**", *[""] * 7]))
        rows.append((entry_id(entry), _cells(draft, entry)))
    return table(["Time (UTC)", "Role", "What happened", "Where", "Evidence", "Class", "Confirmed", "Note"], rows)


def left_out(draft: Draft) -> int:
    """Count the entries that the body's timeline has no room for.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> left_out(example_draft())
        0
    """
    return draft.timeline.height - len(_chosen(draft))


def time_cell(draft: Draft, entry: Mapping[str, Any], *, day: bool = False) -> str:
    """Write an entry's time with the digits that its event gives, its end where it lasts, and how it is known.

    `day` puts the date before it, for tables that are not grouped by days.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> draft = example_draft()
        >>> time_cell(draft, draft.timeline.row(0, named=True))
        '02:40:00 (zone inferred)'
    """
    first = draft.cited.get((entry.get("event_ids") or [""])[0])
    at, end = words.instant(entry.get("timestamp")), words.instant(entry.get("end_timestamp"))
    resolution = first.resolution_us if first and first.timestamp else None
    text = (f"{at:%Y-%m-%d} " if at and day else "") + words.clock(at, resolution_us=resolution)
    if end and at and end > at:
        text += (
            f" – {words.clock(end, resolution_us=resolution)}" if end.date() == at.date() else f" – {words.moment(end)}"
        )
    basis = words.BASIS.get(first.time_basis) if first else None
    return f"{text} ({basis})" if basis else text


def where_cell(entry: Mapping[str, Any]) -> str:
    """Write host and service of an entry.

    Example:
        >>> where_cell({"host_name": "app1", "service_name": None})
        'app1'
    """
    return md(" / ".join(filter(None, (entry.get("host_name"), entry.get("service_name"))))) or "—"


def class_cell(entry: Mapping[str, Any]) -> str:
    """Write an entry's class of claim, with how sure a proposal is.

    Example:
        >>> class_cell({"claim": "proposed", "confidence": 0.8})
        'candidate (high)'
    """
    if entry.get("claim") == "proposed":
        return f"candidate ({words.confidence(entry.get('confidence'))})"
    return str(entry.get("claim") or "derived")


def what_cell(entry: Mapping[str, Any], *, width: int = 200) -> str:
    """Write an entry's title, and its detail where that says more.

    Example:
        >>> what_cell({"title": "Restart", "detail": "by kim"})
        'Restart — by kim'
    """
    title, detail = str(entry.get("title") or ""), told(entry)
    return md(title) + (f" — {md(shorten(detail, width))}" if detail else "")


def told(entry: Mapping[str, Any]) -> str:
    """Give of an entry's detail what its title does not say: parts that repeat it, or name its moment, are left out.

    Example:
        >>> told({"title": "Restart of tomcat", "detail": "moment: contained; Service restarted; restart of tomcat"})
        'Service restarted'
    """
    title = str(entry.get("title") or "").lower()
    parts = [part.strip() for part in str(entry.get("detail") or "").split("; ")]
    return "; ".join(part for part in parts if part and not part.startswith("moment: ") and part.lower() not in title)


def _cells(draft: Draft, entry: Mapping[str, Any]) -> list[str]:
    names = [name for name in moments_of(draft, entry) if name in BOLD]
    note = str(draft.decisions.get(entry_id(entry), {}).get("note") or "")
    confirmed = "[x]" if draft.decisions.get(entry_id(entry), {}).get("decision") == "confirm" else "[ ]"
    time, what = time_cell(draft, entry), what_cell(entry)
    if names:
        told = ", ".join(words.MOMENTS[name] for name in names)
        repeated = what.lower().startswith(told.lower())
        time, what = f"**{time}**", f"**{what}**" if repeated else f"**{told}:** {what}"
    cited = cite(entry["event_ids"], at_most=2) or ("noted by a person" if entry["origin"] == "note" else "")
    return [time, str(entry["role"]), what, where_cell(entry), cited, class_cell(entry), confirmed, md(note)]


def _chosen(draft: Draft) -> list[dict[str, Any]]:
    """Choose what the body shows: moments first, then by role, nearest to the impact; in the order of time again."""
    entries = draft.timeline.to_dicts()
    pivot = draft.at("impact_start")
    ranked = sorted(range(len(entries)), key=lambda i: _weight(draft, entries[i], pivot, i))
    kept = ranked[:IN_BODY]
    while kept and len(kept) + len({_day(entries[i]) for i in kept}) > IN_BODY:
        kept.pop()
    return [entries[i] for i in sorted(kept)]


def _day(entry: Mapping[str, Any]) -> str:
    return f"{entry['timestamp']:%Y-%m-%d}" if entry["timestamp"] else "undated"


def _weight(draft: Draft, entry: Mapping[str, Any], pivot: datetime | None, order: int) -> tuple[int, int, float, int]:
    at = words.instant(entry["timestamp"])
    far = abs((at - pivot).total_seconds()) if at and pivot else 0.0
    return (0 if moments_of(draft, entry) else 1, _RANK.get(str(entry["role"]), 10), far, order)

"""Section 5: versions, excerpts of key lines, where exceptions surfaced, security findings, the observed traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pirtimeline.masking import mask_frame
from pirtimeline.report import diagrams, words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import Cited, cite
from pirtimeline.report.claims import absent, todo
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.escaping import fence, shorten
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.sections.response import searched
from pirtimeline.report.sections.tactics import security
from pirtimeline.report.tables import row_id, table

EXCERPTS = 12
"""So many excerpts stand in the body; the page has every cited event."""

BESIDE = 600
"""A line around the cited one is quoted up to so many characters."""


def technical(draft: Draft) -> Section:
    """Quote the evidence: what ran, what it said, and who talked to whom.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> technical(example_draft()).title
        'Technical Details'
    """
    hardware = todo("service owner", "hardware, topology and configuration that no log shows; the code at fault.")
    return Section(
        "Technical Details",
        (
            "### Environment\n\n",
            Block("technical.environment", _environment(draft)),
            "### Log excerpts\n\n",
            Block("technical.excerpts", _excerpts(draft)),
            "### Where exceptions surfaced\n\n",
            Block("technical.exceptions", _exceptions(draft)),
            "### Security findings\n\n",
            Block("technical.security", security(draft)),
            "### Observed traffic\n\n",
            Block("technical.traffic", _traffic(draft)),
            Block("technical.hardware", hardware, "human"),
        ),
    )


def _environment(draft: Draft) -> str:
    found = draft.facts.get("environment") or []
    if not found:
        return draft.bullets([absent("A line that states a version or a start-up argument.", searched(draft))])
    rows = [
        (row_id("setting", *(str(s.get(k)) for k in ("name", "value", "host_name"))), _setting(s)) for s in found[:60]
    ]
    more = f"\n\n{len(found) - 60} further values stand in `report.json`." if len(found) > 60 else ""
    return table(["What", "Value", "Host", "As of (UTC)", "Evidence", "Note"], rows) + more


def _setting(setting: Mapping[str, Any]) -> list[str]:
    at = words.instant(setting.get("as_of"))
    return [
        md(str(setting.get("name"))),
        md(shorten(str(setting.get("value")), 160)),
        md(str(setting.get("host_name") or "—")),
        f"{at:%Y-%m-%d} {words.clock(at)}" if at else "—",
        cite(setting.get("event_ids"), at_most=1),
        "",
    ]


def _excerpts(draft: Draft) -> str:
    parts: list[str] = []
    seen: set[str] = set()
    for excerpt in draft.facts.get("excerpts") or []:
        name = str(next(iter(excerpt.get("event_ids") or []), ""))
        if name in draft.cited and name not in seen and len(parts) < EXCERPTS:
            seen.add(name)
            parts.append(_excerpt(draft, excerpt, draft.cited[name]))
    return "\n\n".join(parts) or draft.bullets([absent("A key line to quote.", searched(draft))])


def _excerpt(draft: Draft, excerpt: Mapping[str, Any], event: Cited) -> str:
    before, after = draft.context.get(event.event_id, ([], []))
    lines = [*_beside(draft, before), *(f"> {line}" for line in _clip(event.text, 30)), *_beside(draft, after)]
    title = f"**{md(str(excerpt.get('title') or ''))}** ({md(str(excerpt.get('place') or 'first'))})"
    when = words.moment(event.timestamp, resolution_us=event.resolution_us) if event.timestamp else _bounds(event)
    written = f", written as `{md(event.timestamp_text)}`" if event.timestamp_text else ""
    basis = f" ({words.BASIS[event.time_basis]})" if event.time_basis in words.BASIS else ""
    host = f" on {md(event.host_name)}" if event.host_name else ""
    moved = "" if event.from_bytes else " The evidence is not at hand: quoted from the case's columns."
    return f"{title}, {when}{basis}{host}{written}, {md(event.place)} {cite([event.event_id])}{moved}\n\n" + fence(
        "\n".join(lines)
    )


def _bounds(event: Cited) -> str:
    low, high = words.moment(event.not_before), words.moment(event.not_after)
    return f"undated, between {low} and {high}"


def _beside(draft: Draft, names: Sequence[str]) -> list[str]:
    """Quote the lines around, each event's first two."""
    found = [draft.cited[name] for name in names if name in draft.cited]
    return [f"  {shorten(line, BESIDE)}" for event in found for line in _clip(event.text, 2)]


def _clip(text: str, most: int) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if len(lines) <= most else [*lines[:most], f"… {len(lines) - most} more lines"]


def _exceptions(draft: Draft) -> str:
    found = exceptions(draft)
    if found.is_empty():
        return draft.bullets([absent("An exception with a stack trace.", searched(draft))])
    rows = [
        (
            row_id("exception", str(row["exception_type"]), str(row["cause"]), str(row["frame"])),
            [
                md(str(row["exception_type"])),
                md(str(row["cause"] or "—")),
                md(shorten(str(row["frame"] or "—"), 160)),
                f"{row['count']:,}",
                words.clock(words.instant(row["first"])) if row["first"] else "undated",
                words.clock(words.instant(row["last"])) if row["last"] else "undated",
                cite([row["event_id"]]),
                "",
            ],
        )
        for row in found.iter_rows(named=True)
    ]
    remark = (
        "A frame tells where an exception surfaced, not what is at fault: under memory pressure whoever allocates next "
        "is the victim."
    )
    header = [
        "Exception",
        "Innermost cause",
        "First frame of it",
        "Count",
        "First (UTC)",
        "Last (UTC)",
        "Evidence",
        "Note",
    ]
    return table(header, rows) + "\n\n" + remark


def exceptions(draft: Draft) -> pl.DataFrame:
    """Count exceptions in the window (or all) by type, innermost cause and its first frame; the ten most frequent.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> exceptions(example_draft()).select("exception_type", "count").rows()
        [('java.lang.OutOfMemoryError', 1)]
    """
    window = draft.facts.get("window") or {}
    start, end = words.instant(window.get("start")), words.instant(window.get("end"))
    inside = pl.coalesce("timestamp", "not_before").is_between(start, end) if start and end else pl.lit(value=True)
    trace = pl.col("stack_trace")
    innermost = trace.str.split("Caused by: ").list.last()
    cause = pl.when(trace.str.contains("Caused by: ", literal=True)).then(innermost.str.extract(r"^([\w.$]+)"))
    rows = (
        draft.events.filter(pl.col("exception_type").is_not_null() & inside)
        .select(
            "event_id",
            "timestamp",
            "exception_type",
            cause.alias("cause"),
            innermost.str.extract(r"(?m)^\s*at (.+?)\s*$").alias("frame"),
        )
        .group_by("exception_type", "cause", "frame")
        .agg(
            pl.len().alias("count"),
            pl.col("timestamp").min().alias("first"),
            pl.col("timestamp").max().alias("last"),
            pl.col("event_id").sort_by("timestamp", "event_id", nulls_last=True).first(),
        )
        .sort("count", "first", "event_id", descending=[True, False, False], nulls_last=True)
        .head(10)
        .collect()
    )
    return mask_frame(rows)


def _traffic(draft: Draft) -> str:
    drawn = diagrams.traffic(draft)
    if not drawn:
        return draft.bullets([absent("Traffic between named systems.", searched(draft))])
    edges = draft.facts.get("topology") or []
    ids = [name for edge in edges for name in (edge.get("event_ids") or [])[:1]]
    caption = (
        "Observed communications, not a topology: solid where something succeeded, dashed where all failed; the host "
        "of the first hypothesis is framed in red."
    )
    return f"{drawn}\n\n{caption} {cite(ids, at_most=8)}"

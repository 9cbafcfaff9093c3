"""Section 3: what was done after the alarm, by whom as a role, and what no log tells about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import cite
from pirtimeline.report.claims import Claim, absent, derived, todo
from pirtimeline.report.draft import Draft, Section, entry_id
from pirtimeline.report.entries import class_cell, of_roles, time_cell, what_cell, where_cell
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.tables import table


def response(draft: Draft) -> Section:
    """Tell detection, acknowledgement, containment, and every step between alarm and recovery.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> response(example_draft()).title
        'Initial Response and Containment'
    """
    decisions = todo("incident lead", "decisions, options that were rejected and why; who led.")
    escalation = todo("incident lead", "escalation: to whom, when, by which policy. External support?")
    return Section(
        "Initial Response and Containment",
        (
            Block("response.first", draft.bullets(_first(draft))),
            "### Steps\n\n",
            Block("response.steps", _steps(draft)),
            Block("response.tools", draft.bullets(_tools(draft))),
            Block("response.decisions", decisions, "human"),
            Block("response.escalation", escalation, "human"),
        ),
    )


def _first(draft: Draft) -> list[Claim]:
    start = draft.at("impact_start")
    claims = []
    for name, verb in (
        ("detected", "First alert"),
        ("acknowledged", "Acknowledged"),
        ("contained", "First containment"),
    ):
        moment, at = draft.moment(name), draft.at(name)
        if at is None:
            claims.append(absent(_missing(name), searched(draft)))
            continue
        after = f", {_after((at - start).total_seconds())}" if start else ""
        text = f"{verb} at {words.moment(at)}{after}{_by(draft, moment)}"
        proposed = moment.get("claim") == "proposed"
        claims.append(
            Claim(
                text=text if proposed else text + ".",
                kind="proposed" if proposed else "derived",
                event_ids=tuple(moment.get("event_ids") or ()),
                confidence=moment.get("confidence"),
                key=f"moment|{name}",
            )
        )
    return claims


def _after(seconds: float) -> str:
    return (
        f"{words.span(seconds)} after impact start" if seconds >= 0 else f"{words.span(-seconds)} before impact start"
    )


def _by(draft: Draft, moment: Mapping[str, Any]) -> str:
    """Name the entry that a moment stands for, where the timeline has one."""
    ids = set(moment.get("event_ids") or [])
    rows = draft.timeline.filter(pl.col("timestamp") == words.instant(moment.get("timestamp")))
    titles = [str(e["title"]) for e in rows.iter_rows(named=True) if ids & set((e["event_ids"] or [])[:1])]
    return f": {md(titles[0])}" if titles else ""


def _missing(name: str) -> str:
    told = {
        "detected": "No alert that belongs to this incident.",
        "acknowledged": "No acknowledgement of a page.",
        "contained": "No containing action after detection.",
    }
    return told[name]


def searched(draft: Draft) -> str:
    """Say where was looked: how many sources, of which hosts, and the time they cover.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> searched(example_draft())
        '2 sources of app1, web1, 2024-03-04 02:00:00 UTC to 2024-03-04 04:00:00 UTC'
    """
    covered = draft.facts.get("coverage") or {}
    hosts = covered.get("hosts") or sorted({str(s["host_name"]) for s in draft.sources if s.get("host_name")})
    first, last = words.instant(covered.get("first")), words.instant(covered.get("last"))
    named = f" of {', '.join(md(str(h)) for h in hosts[:8])}" if hosts else ""
    reach = f", {words.moment(first)} to {words.moment(last)}" if first and last else ""
    return words.count_of(len(draft.sources), "source") + named + reach


def _steps(draft: Draft) -> str:
    start = draft.at("detected") or draft.at("impact_start")
    entries = [
        entry
        for entry in of_roles(draft, "detection", "response", "containment", "communication", "recovery")
        if start is None or (entry["timestamp"] and entry["timestamp"] >= start)
    ]
    if not entries:
        return draft.bullets([absent("No action after detection.", searched(draft))])
    rows = [
        (
            entry_id(entry),
            [
                time_cell(draft, entry, day=True),
                str(entry["role"]),
                what_cell(entry),
                where_cell(entry),
                cite(entry["event_ids"], at_most=2),
                class_cell(entry),
                "[ ]",
                "",
            ],
        )
        for entry in entries
    ]
    return table(["Time (UTC)", "Role", "Action", "Where", "Evidence", "Class", "Confirmed", "Note"], rows)


def _tools(draft: Draft) -> list[Claim]:
    """Name the tools that the alerts and messages of the response came from."""
    found: dict[str, list[str]] = {}
    for entry in of_roles(draft, "detection", "communication", "response", "containment"):
        for name in (entry["event_ids"] or [])[:1]:
            if event := draft.cited.get(name):
                found.setdefault(f"{event.path} ({event.parser})", []).append(name)
    claims = [derived(f"Tool or channel seen: {md(where)}.", ids[:1]) for where, ids in sorted(found.items())]
    return claims or [absent("No monitoring, paging or ticket export.", searched(draft))]

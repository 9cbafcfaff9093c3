"""Section 6: what was done to restore the service, what it changed, and whether recovery was verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import cite
from pirtimeline.report.claims import absent, todo
from pirtimeline.report.draft import Draft, Section, entry_id
from pirtimeline.report.effects import effects
from pirtimeline.report.entries import of_roles, time_cell, what_cell, where_cell
from pirtimeline.report.sections.response import searched
from pirtimeline.report.tables import table

AUTOMATIC = ("health check", "probe", "ejected", "oomkill", "back-off", "restarting failed container", "auto")
"""Words of an action that a machine took by itself."""


def actions(draft: Draft) -> Section:
    """List actions with their measured effect, and the checks of recovery that the logs show.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> actions(example_draft()).title
        'Corrective Actions Taken'
    """
    workarounds = todo("service owner", "workarounds still in place, and until when; is the fix permanent?")
    restored = todo("service owner", "data restored from backups or snapshots: what, how, how was it checked?")
    return Section(
        "Corrective Actions Taken",
        (
            Block("actions.taken", _taken(draft)),
            Block("actions.workarounds", workarounds, "human"),
            "### Verification of recovery\n\n",
            Block("actions.recovery", _recovery(draft)),
            Block("actions.restored", restored, "human"),
        ),
    )


def _taken(draft: Draft) -> str:
    entries = [e for e in of_roles(draft, "response", "containment", "recovery") if e["timestamp"] and e["event_ids"]]
    if not entries:
        return draft.bullets([absent("A corrective action.", searched(draft))])
    changed = effects(draft.requests, [entry["timestamp"] for entry in entries])
    rows = [
        (
            entry_id(entry),
            [
                time_cell(draft, entry, day=True),
                what_cell(entry, width=120),
                where_cell(entry),
                _how(entry),
                changed[entry["timestamp"]].sentence or "no request logged",
                cite(entry["event_ids"], at_most=2),
                "",
            ],
        )
        for entry in entries
    ]
    header = ["Time (UTC)", "Action", "Where", "Automatic?", "Failed requests before and after", "Evidence", "Note"]
    remark = "What changes after an action need not be its effect: the counts stand beside each other, no more."
    return table(header, rows) + "\n\n" + remark


def _how(entry: Mapping[str, Any]) -> str:
    text = f"{entry['title']} {entry['detail'] or ''}".lower()
    return "automatic" if any(word in text for word in AUTOMATIC) else "not known"


def _recovery(draft: Draft) -> str:
    """Tick what the logs show of a recovery; what they do not show is said to be missing."""
    checks = [
        ("Share of failed requests back to the baseline", draft.moment("mitigated")),
        ("No failures beyond the baseline, volume back", draft.moment("recovered")),
        ("Alert resolved", _last(draft, "recovery", "resolv|recover|healthy|ok")),
        ("Service reported started", _last(draft, "response|recovery", "start(?:ed|up)|\\bup\\b")),
        ("Roll-back finished", _last(draft, "response|recovery|change", "roll.?back.*finish|finish.*roll.?back")),
    ]
    lines = []
    for title, found in checks:
        at = words.instant(found.get("timestamp"))
        if at is None:
            lines.append(f"- [ ] {title}: **Not in evidence.**")
            continue
        lines.append(f"- [x] {title}: {words.moment(at)}. {cite(found.get('event_ids'), at_most=2)}")
    return "\n".join(lines) + f"\n\nSearched: {searched(draft)}."


def _last(draft: Draft, roles: str, pattern: str) -> Mapping[str, Any]:
    start = draft.at("impact_start")
    rows = draft.timeline.filter(
        pl.col("role").is_in(roles.split("|"))
        & pl.col("title").str.to_lowercase().str.contains(pattern)
        & (pl.col("timestamp") >= start if start else pl.lit(value=True))
        & (pl.col("origin") != "moment")
    )
    return rows.row(-1, named=True) if rows.height else {}

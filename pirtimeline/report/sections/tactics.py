"""Findings of a security kind, by the tactics of MITRE ATT&CK that their rules' tags name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.claims import absent
from pirtimeline.report.draft import Draft
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.sections.findings import cells
from pirtimeline.report.sections.response import searched
from pirtimeline.report.tables import row_id, table

ORDER = (
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation",
    "stealth", "defense-evasion", "defense-impairment", "credential-access", "discovery", "lateral-movement",
    "collection", "command-and-control", "exfiltration", "impact",
)  # fmt: skip
"""Tactics as ATT&CK orders them; others come behind, those without one last."""

LISTED = 60
"""So many rows stand in the table; the appendix lists findings one by one."""

HEADER = ["Tactic", "Signature", "Level", "First (UTC)", "Last (UTC)", "Hosts", "Count", "Evidence", "Note"]


def security(draft: Draft) -> str:
    """List what signatures of a security kind found, by tactic; what is informational is only counted.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> "Not in evidence" in security(example_draft())
        True
    """
    kind = draft.findings.filter(pl.col("role") == "security")
    grave = kind.filter(pl.col("severity") != "informational")
    quiet = kind.height - grave.height
    aside = f"{words.count_of(quiet, 'informational finding')} of this kind left out here." if quiet else ""
    if grave.is_empty():
        claim = absent("A finding of a security kind above the level informational.", searched(draft))
        return "\n\n".join(filter(None, (draft.bullets([claim]), aside)))
    rows = [
        (row_id("security", tactic, str(row["signature_id"])), [md(tactic), *cells(row, HEADER[1:])])
        for tactic, row in _by_tactic(_joined(grave), draft.facts.get("tactics") or {})
    ]
    more = f"{words.count_of(len(rows) - LISTED, 'further row')} left out." if len(rows) > LISTED else ""
    remark = "These are what rules matched, not proof of an attack; they stand apart from the failure's timeline."
    return "\n\n".join(filter(None, (table(HEADER, rows[:LISTED]), more, aside, remark)))


def _joined(findings: pl.DataFrame) -> pl.DataFrame:
    """Join the findings of each signature: first, last, count, hosts, and the earliest's evidence."""
    ordered = findings.sort("first_timestamp", "finding_id", nulls_last=True)
    return ordered.group_by("signature_id", maintain_order=True).agg(
        pl.col("title", "severity", "event_ids").first(),
        pl.col("first_timestamp").min(),
        pl.col("last_timestamp").max(),
        pl.col("count").sum(),
        pl.col("hosts").explode().drop_nulls().unique().sort(),
    )


def _by_tactic(findings: pl.DataFrame, tactics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Pair findings with each of their tactics, in the order of ATT&CK."""
    pairs = [
        (str(tactic), row)
        for row in findings.iter_rows(named=True)
        for tactic in (tactics.get(row["signature_id"]) or ["none named"])
    ]
    places = {tactic: place for place, tactic in enumerate(ORDER)} | {"none named": len(ORDER) + 1}
    return sorted(pairs, key=lambda pair: (places.get(pair[0], len(ORDER)), pair[0]))

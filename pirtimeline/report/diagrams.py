"""Mermaid diagrams: observed traffic, and the fishbone's branches with what is proposed on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.draft import Draft
from pirtimeline.report.escaping import mermaid

NODES = 30
"""More nodes nobody reads: the busiest stay."""

_SHORT = 42


def traffic(draft: Draft) -> str:
    """Draw who was seen talking to whom: solid where it worked, dashed where all failed, the first origin in red.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> print(traffic(example_draft()).splitlines()[2])
            n0["app1"]
    """
    edges = _busiest(draft.facts.get("topology") or [])
    if not edges:
        return ""
    names = sorted({str(e["origin"]) for e in edges} | {str(e["target"]) for e in edges})
    node = {name: f"n{number}" for number, name in enumerate(names)}
    lines = [f'    {node[name]}["{mermaid(name)}"]' for name in names]
    lines += [_edge(edge, node) for edge in edges]
    root = str(draft.root.get("host_name"))
    if root in node:
        lines.append(f"    style {node[root]} stroke:#b42318,stroke-width:3px")
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def fishbone(draft: Draft) -> str:
    """Draw the branches of a fishbone as a mind map; what stands on them is proposed, the process branch is asked.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> print(fishbone(example_draft()).splitlines()[2])
          root(("Why did requests fail?"))
    """
    branches = {name: _items(draft, name) for name in _BRANCHES}
    lines = ["mindmap", '  root(("Why did requests fail?"))']
    number = 0
    for branch, items in branches.items():
        number += 1
        lines.append(f'    b{number}["{branch}"]')
        for item in items:
            number += 1
            lines.append(f'      i{number}["{mermaid(item, width=_SHORT)}"]')
    lines += ['    b0["Process and people"]', '      i0["for the review: what and how, not who"]']
    return "\n".join(["```mermaid", *lines, "```"])


def _busiest(edges: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    ranked = sorted(
        edges, key=lambda e: (-int(e.get("count") or 0), str(e.get("origin")), str(e.get("target")), str(e.get("kind")))
    )
    kept: list[Mapping[str, Any]] = []
    names: set[str] = set()
    for edge in ranked:
        both = names | {str(edge["origin"]), str(edge["target"])}
        if len(both) <= NODES:
            names = both
            kept.append(edge)
    return kept


def _edge(edge: Mapping[str, Any], node: Mapping[str, str]) -> str:
    count, failed = int(edge.get("count") or 0), int(edge.get("failed") or 0)
    bad = f", {failed:,} failed" if failed else ""
    label = mermaid(f"{edge.get('kind') or 'traffic'}: {count:,}{bad}")
    arrow = "-.->" if count and failed >= count else "-->"
    return f'    {node[str(edge["origin"])]} {arrow}|"{label}"| {node[str(edge["target"])]}'


_BRANCHES: Mapping[str, tuple[str, ...]] = {
    "Change": ("change",),
    "Code": ("exception", "oom", "memory", "leak", "npe", "deadlock", "stack"),
    "Configuration": ("config", "certificate", "tls", "keystore", "dns"),
    "Capacity": ("heap", "gc", "pool", "thread", "disk", "fd", "cpu", "limit", "exhaust"),
    "Dependency": ("db", "database", "upstream", "timeout", "refused", "replica"),
    "Network and security": ("network", "firewall", "login", "auth", "attack", "conn"),
}


def _items(draft: Draft, branch: str) -> list[str]:
    """Choose the findings of a branch by the words of their signature, the gravest roles first."""
    if branch == "Change":
        return _changes(draft)
    grave = draft.findings.filter(pl.col("role").is_in(["cause", "lead", "symptom"]))
    text = pl.concat_str("signature_id", "title", separator=" ").str.to_lowercase()
    other = [word for name, those in _BRANCHES.items() if name != branch and _before(name, branch) for word in those]
    mine = text.str.contains_any(list(_BRANCHES[branch]))
    taken = text.str.contains_any(other) if other else pl.lit(value=False)
    rows = grave.filter(mine & ~taken).sort("role", "first_timestamp", "title", nulls_last=True)
    return [str(title) for title in rows["title"].unique(maintain_order=True).head(3)]


def _changes(draft: Draft) -> list[str]:
    """Choose the changes before the impact: the first hypothesis' root, then the nearest."""
    start, root = draft.at("impact_start"), set(draft.root.get("event_ids") or [])
    before = [
        entry
        for entry in draft.timeline.filter(pl.col("role") == "change").iter_rows(named=True)
        if entry["timestamp"] and (start is None or entry["timestamp"] <= start)
    ]
    before.reverse()
    ranked = sorted(before, key=lambda entry: not root & set(entry["event_ids"] or []))
    return [f"{words.clock(words.instant(entry['timestamp']))} {entry['title']}" for entry in ranked[:3]]


def _before(name: str, branch: str) -> bool:
    order = list(_BRANCHES)
    return 0 < order.index(name) < order.index(branch)

"""Section 10: the evidence with its hashes, what matched, what was searched in vain, and how to check it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pirtimeline.report import words
from pirtimeline.report.blocks import Block
from pirtimeline.report.claims import absent, todo
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.sections.findings import cells
from pirtimeline.report.sections.response import searched
from pirtimeline.report.tables import row_id, table

LISTED = 200
"""So many sources and findings are listed; the case has all."""


_FINDING = ["First (UTC)", "Last (UTC)", "Role", "Level", "Signature", "Hosts", "Count", "Evidence", "Note"]


def appendices(draft: Draft) -> Section:
    """List evidence, findings, what is not in evidence, versions; leave room for contacts and approvals.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> appendices(example_draft()).title
        'Appendices'
    """
    contacts = "\n".join(
        [todo("incident lead", "contacts."), "", "| Name | Role | Phone | Mail |", "|---|---|---|---|", "| | | | |"]
    )
    approval = "\n".join(
        [todo("incident lead", "review and approval."), "", "| Name | Role | Date |", "|---|---|---|", "| | | |"]
    )
    history = "\n".join(
        [
            "| Version | Date | By | What changed |",
            "|---|---|---|---|",
            "| 0.1 | TODO | TODO(incident lead) | first draft |",
        ]
    )
    return Section(
        "Appendices",
        (
            "### Evidence\n\n",
            Block("appendices.evidence", _evidence(draft)),
            Block("appendices.handed", _handed(draft)),
            "### Findings\n\n",
            Block("appendices.findings", _findings(draft)),
            "### Not in evidence\n\n",
            Block("appendices.absent", _absent(draft)),
            "### How to check this report\n\n",
            Block("appendices.check", _check(draft)),
            "### Contacts\n\n",
            Block("appendices.contacts", contacts, "human"),
            "### Review and approval\n\n",
            Block("appendices.approval", approval, "human"),
            "### Version history\n\n",
            Block("appendices.history", history, "human"),
        ),
    )


def _evidence(draft: Draft) -> str:
    if not draft.sources:
        return "No source was read."
    rows = [(row_id("source", str(s["source_id"])), _manifest(s)) for s in draft.sources[:LISTED]]
    left = len(draft.sources) - LISTED
    more = f"\n\n{words.count_of(left, 'further source')} stand in `sources/` of the case." if left > 0 else ""
    return table(["Source", "Path", "Size", "SHA-256 of the content", "Modified (UTC)"], rows) + more


def _manifest(source: Mapping[str, Any]) -> list[str]:
    paths = [md(str(path)) for path in source.get("paths") or ["?"]]
    at = words.instant(source.get("mtime"))
    digest = source.get("sha256")
    return [
        f"`{source['source_id']}`",
        " = ".join(paths),
        f"{int(source.get('size_bytes') or 0):,} B",
        f"`{digest}`" if digest else "not read to its end",
        f"{at:%Y-%m-%d} {words.clock(at)}" if at else "—",
    ]


def _handed(draft: Draft) -> str:
    """Tell what was handed over, archives with their hashes."""
    lines = []
    for title, name in (("Handed over", "arguments"), ("Archive", "archives")):
        for item in (draft.custody.get(name) or [])[:50]:
            size = f", {int(item['size_bytes']):,} B" if item.get("size_bytes") is not None else ""
            digest = f", SHA-256 `{item['sha256']}`" if item.get("sha256") else ""
            lines.append(f"- {title}: {md(str(item.get('path')))}{size}{digest}")
    return "\n".join(dict.fromkeys(lines)) or "The case keeps no record of what was handed over."


def _findings(draft: Draft) -> str:
    if draft.findings.is_empty():
        return draft.bullets([absent("A match of a signature.", searched(draft))])
    ordered = draft.findings.sort("first_timestamp", "finding_id", nulls_last=True)
    rows = [(str(row["finding_id"])[:8], cells(row, _FINDING)) for row in ordered.head(LISTED).iter_rows(named=True)]
    left = ordered.height - LISTED
    more = f"\n\n{words.count_of(left, 'further finding')} stand in `findings.parquet`." if left > 0 else ""
    return table(_FINDING, rows) + more


def _absent(draft: Draft) -> str:
    claims = [absent(*_looked_for(item)) for item in draft.facts.get("not_in_evidence") or []]
    return draft.bullets(claims) or "Whatever was looked for was found."


def _looked_for(item: Any) -> tuple[str, str]:
    """Read what was looked for and where, from a text or a mapping."""
    if not isinstance(item, Mapping):
        return md(str(item)), ""
    where = str(item.get("searched") or item.get("where") or "")
    rest = [
        str(value)
        for key, value in item.items()
        if key not in ("searched", "where", "claim", "kind", "name") and isinstance(value, str)
    ]
    text = ": ".join(md(part) for part in rest if part)
    return (text if text.endswith((".", "!", "?")) else text + "."), md(where)


def _check(draft: Draft) -> str:
    ran = "; ".join(f"{md(name)} {md(value)}" for name, value in draft.versions.items())
    ids = draft.timeline["event_ids"].explode().drop_nulls()
    example = ids[0] if len(ids) else "EVENT_ID"
    return "\n".join(
        [
            "- `pirtimeline verify CASE` reads the evidence and every cited byte again and fails on any difference.",
            f"- `pirtimeline show CASE {example}` prints the bytes behind a citation with the lines around them.",
            "- `pirtimeline build --case CASE` makes this draft anew; what people wrote in it stays.",
            f"- Made with {ran or 'pirtimeline'}. Template: Post Incident Report v1.2.",
        ]
    )

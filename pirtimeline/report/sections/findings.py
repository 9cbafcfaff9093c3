"""A finding as the cells of a table, for whichever section lists it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pirtimeline.report import words
from pirtimeline.report.citations import cite
from pirtimeline.report.escaping import markdown as md


def cells(row: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """Write a finding's cells under their headings; the note is left to people."""
    told = {
        "First (UTC)": _when(row["first_timestamp"]),
        "Last (UTC)": _when(row["last_timestamp"]),
        "Role": str(row.get("role")),
        "Level": md(str(row["severity"] or "—")),
        "Signature": f"{md(str(row['title']))} ({md(str(row['signature_id']))})",
        "Hosts": md(", ".join(row["hosts"] or [])) or "—",
        "Count": f"{row['count']:,}",
        "Evidence": cite(row["event_ids"], at_most=1),
        "Note": "",
    }
    return [told[name] for name in columns]


def _when(at: Any) -> str:
    return f"{at:%Y-%m-%d} {words.clock(words.instant(at))}" if at else "undated"

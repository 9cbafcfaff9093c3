"""What to declare so that evidence is read better: zones, years, formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_SHOWN = 120
_LOOSE = 3


def advice(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say what to declare, what concerns a folder's sources once; each row keeps what concerns it under `advice`.

    Args:
        rows: what `inspect` tells of each source.

    Example:
        >>> row = {"path": "app1/a.log", "zone_basis": "zone_assumed", "undated": 0, "rejects": 0, "examples": []}
        >>> advice([{**row, "advice": []}])
        ["add --zone '*app1*=ZONE': 1 of its sources has no zone and is read as UTC"]
    """
    said = [*_zones(rows), *_years(rows), *_rejects(rows)]
    for text, concerned in said:
        for row in concerned:
            row["advice"].append(text)
    return [text for text, _ in said]


Said = tuple[str, list[dict[str, Any]]]


def _zones(rows: Sequence[dict[str, Any]]) -> Iterator[Said]:
    for folder, mine in _by_folder([row for row in rows if row["zone_basis"] == "zone_assumed"]):
        has, is_ = ("has", "is") if len(mine) == 1 else ("have", "are")
        yield f"add --zone '{folder}=ZONE': {len(mine)} of its sources {has} no zone and {is_} read as UTC", mine


def _years(rows: Sequence[dict[str, Any]]) -> Iterator[Said]:
    for folder, mine in _by_folder([row for row in rows if row["undated"]]):
        count = sum(row["undated"] for row in mine)
        yield f"add --year '{folder}=YYYY' or --collected-at TIME: {count} of its events lack a date", mine


def _rejects(rows: Sequence[dict[str, Any]]) -> Iterator[Said]:
    for row in rows:
        if row["rejects"] and row["examples"]:
            shown = row["examples"][0][:_SHOWN]
            hint = "pirtimeline parsers new NAME FILE writes a format for them"
            yield f"{row['path']}: {row['rejects']} rejects, such as {shown!r}; {hint}", [row]


def _by_folder(rows: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Put rows of one folder together under a glob; so many files in no folder that they are a folder, under `*`."""
    found: dict[str, list[dict[str, Any]]] = {}
    loose = [row for row in rows if "/" not in row["path"]]
    for row in rows:
        folder = str(row["path"]).rpartition("/")[0]
        name = folder or ("" if len(loose) > _LOOSE else row["path"])
        found.setdefault(f"*{name}*" if name else "*", []).append(row)
    return sorted(found.items())

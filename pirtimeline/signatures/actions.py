"""The documents of one file, each as it stands once `action` has lent it what others say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def merged(documents: Sequence[Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Resolve `action` among the documents of one file: global and repeat lend their keys, reset forgets them.

    Example:
        >>> merged([{"action": "global", "level": "low"}, {"title": "A"}, None])
        [(1, {'title': 'A', 'level': 'low'})]
    """
    if not any(document and "action" in document for document in documents):
        return [(index, document) for index, document in enumerate(documents) if document is not None]
    lent: dict[str, Any] = {}
    before: dict[str, Any] = {}
    out: list[tuple[int, Mapping[str, Any]]] = []
    for index, document in enumerate(documents):
        if document is None:
            continue
        own = dict(document)
        action = own.pop("action", None)
        if action == "global":
            lent = before = own
        elif action == "reset":
            lent = {}
        elif action == "repeat":
            before = _laid_over(before, own)
            out.append((index, before))
        elif "correlation" in own or "filter" in own:
            out.append((index, own))
        else:
            before = _laid_over(own, lent)
            out.append((index, before))
    return out


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one document over another: maps key by key, everything else as a whole."""
    out = dict(below)
    for key, value in above.items():
        known = out.get(key)
        out[key] = (
            _laid_over(known if isinstance(known, Mapping) else {}, value) if isinstance(value, Mapping) else value
        )
    return out

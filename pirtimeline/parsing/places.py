"""Where a key stands in a TOML file: `tomllib` keeps no positions, so a second look finds the line."""

from __future__ import annotations

import re
from collections.abc import Iterator

Place = tuple[str, int, str]
"""A table's name (empty at the top), its number among tables of that name, a key (empty for the header itself)."""

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[\w.-]+)\s*=""")
_QUOTES = re.compile(r"'''|\"\"\"")


def line_of(text: str, table: str = "", number: int = 0, key: str = "") -> int:
    r"""Find the line, from 1, of a key in a TOML text; that of its table's header where the key is not there.

    Example:
        >>> line_of("title = 'x'\n[[pattern]]\nregex = 'a'\n[[pattern]]\nregex = 'b'\n", "pattern", 1, "regex")
        5
        >>> line_of("title = 'x'\n[[pattern]]\n", "pattern", 0, "time")
        2
    """
    found = dict(_places(text))
    key = key.strip("\"'")
    return found.get((table, number, key)) or found.get((table, number, "")) or found.get(("", 0, table)) or 1


def _places(text: str) -> Iterator[tuple[Place, int]]:
    table, counts, inside = "", dict[str, int](), ""
    for line, content in enumerate(text.splitlines(), 1):
        if not inside:
            if header := _HEADER.match(content):
                table = header[1]
                counts[table] = counts.get(table, -1) + 1
                yield (table, counts[table], ""), line
            elif key := _KEY.match(content):
                yield (table, counts.get(table, 0), key[1].strip("\"'")), line
        for quote in _QUOTES.findall(content):
            inside = "" if inside == quote else inside or quote

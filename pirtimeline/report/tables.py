"""GFM tables whose rows carry a hidden id, so that a person's edits find their rows again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pirtimeline.report import blocks

HUMAN_COLUMNS = frozenset({"Confirmed", "Note", "Owner", "Due"})
"""The columns that belong to people: what stands there always wins."""

_ID = re.compile(r"[ \t]*<!--row:([0-9a-f]+(?:-\d+)?)-->")
_DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CELL_END = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """A row of a table: its hidden id (empty in a row that a person added), its cells, and its line as it stands."""

    id: str
    cells: tuple[str, ...]
    raw: str = ""


class Parsed(NamedTuple):
    """A table found in a text: the lines before it, its two head lines, its rows, and the lines after."""

    before: list[str]
    header: tuple[str, ...]
    head: list[str]
    rows: list[Row]
    after: list[str]


def row_id(*key: str) -> str:
    """Name a row by what it is about, not by what it says: eight hex digits of SHA-256.

    Example:
        >>> row_id("source", "0a1b2c3d4e5f")
        'f1e9a913'
    """
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:8]


def table(header: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Write a table of Markdown cells; `rows` pairs a row's id with its cells.

    Example:
        >>> print(table(["a", "b"], [("0f", ["1", "2"])]))
        | a | b |
        |---|---|
        | 1 | 2 <!--row:0f--> |
    """
    lines = [_line(header), "|" + "---|" * len(header)]
    return "\n".join(lines + [row_line(Row(name, tuple(cells))) for name, cells in _distinct(rows)])


def row_line(row: Row) -> str:
    """Write one row with its hidden id.

    Example:
        >>> row_line(Row("0f", ("1", "")))
        '| 1 | <!--row:0f--> |'
    """
    if not row.id:
        return _line(row.cells)
    return _line([*row.cells[:-1], f"{row.cells[-1]} <!--row:{row.id}-->".strip()])


def parse(text: str) -> Parsed | None:
    """Find the one table of a text; None where there is none.

    Example:
        >>> parse("lead\\n| a |\\n|---|\\n| x\\\\|y <!--row:0f--> |\\n").rows
        [Row(id='0f', cells=('x\\\\|y',), raw='| x\\\\|y <!--row:0f--> |')]
    """
    lines = blocks.lines(text.strip("\r\n"))
    starts = [at for at in range(len(lines) - 1) if "|" in lines[at] and _DELIMITER.fullmatch(lines[at + 1])]
    if not starts:
        return None
    at = starts[0]
    end = next((i for i in range(at + 2, len(lines)) if not lines[i].strip().startswith("|")), len(lines))
    rows = [_row(line) for line in lines[at + 2 : end]]
    return Parsed(lines[:at], cells(lines[at]), lines[at : at + 2], rows, lines[end:])


def cells(line: str) -> tuple[str, ...]:
    r"""Split a table's line into its cells; `\|` does not split.

    Example:
        >>> cells(r"| a \| b | c |")
        ('a \\| b', 'c')
    """
    inner = line.strip().removeprefix("|")
    parts = [part.strip() for part in _CELL_END.split(inner)]
    return tuple(parts[:-1] if len(parts) > 1 and not parts[-1] else parts)


def _row(line: str) -> Row:
    found = _ID.search(line)
    return Row(found.group(1) if found else "", cells(_ID.sub("", line)), line)


def _line(parts: Sequence[str]) -> str:
    return "|" + "".join(f" {part.strip()} |" if part.strip() else " |" for part in parts)


def _distinct(rows: Iterable[tuple[str, Sequence[str]]]) -> list[tuple[str, Sequence[str]]]:
    """Number ids that come again (`0f`, `0f-2`), so that each row has its own."""
    seen: dict[str, int] = {}
    result = []
    for name, parts in rows:
        seen[name] = seen.get(name, 0) + 1
        result.append((name if seen[name] == 1 else f"{name}-{seen[name]}", parts))
    return result

"""The lines that problems stand at: looked up in a second reading, since the quick YAML loader forgets them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pirtimeline.signatures.model import Problem

QUOTED = re.compile(r"'([^'\n]{1,200})'")
TOPICS = (
    ("correlation", ("correlation", "timespan", "aliases")),
    ("condition", ("condition", "quantifier", "selector")),
    ("logsource", ("logsource", "log source")),
    ("detection", ("detection",)),
    ("level", ("level",)),
    ("status", ("status",)),
    ("tags", ("tag",)),
    ("id", ("identifier", "same id", "uuid")),
    ("date", ("date",)),
    ("pir", ("'pir'", "role")),
    ("title", ("title",)),
)
"""Which key a message speaks of, by words in it."""


def placed(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Replace each problem's document by the line that it is about, as near as its words tell.

    A negative `line` is one that is known already.
    """
    files: dict[str, list[str]] = {}
    for problem in problems:
        if problem.line < 0:
            yield replace(problem, line=-problem.line)
            continue
        lines = files.setdefault(problem.path, _lines(problem.path))
        yield replace(problem, line=_line(lines, problem))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _line(lines: list[str], problem: Problem) -> int:
    """Find the line within the problem's document: what is quoted first, then the key it speaks of, else the head."""
    start, end = _extent(lines, problem.line)
    body = list(enumerate(lines[start:end], start + 1))
    for word in QUOTED.findall(problem.what):
        for number, text in body:
            if word in text and not text.lstrip().startswith("#"):
                return number
    what = problem.what.lower()
    for key, words in TOPICS:
        if any(word in what for word in words):
            for number, text in body:
                if re.match(rf"\s*-?\s*{key}\s*:", text):
                    return number
    return next((number for number, text in body if text.strip() and not text.startswith(("#", "---"))), start + 1)


def _extent(lines: list[str], index: int) -> tuple[int, int]:
    """Give the first line of a document and that after its last; an empty one before the first mark does not count."""
    marks = [number for number, text in enumerate(lines) if re.match(r"---(\s|$)", text)]
    leading = not marks or any(text.strip() and not text.startswith(("#", "%")) for text in lines[: marks[0]])
    starts = ([0] if leading else []) + marks
    if index >= len(starts):
        return 0, len(lines)
    return starts[index], (starts[index + 1] if index + 1 < len(starts) else len(lines))

"""The lines that problems stand at: looked up in a second reading, since the quick YAML loader forgets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pirtimeline.signatures.model import Problem

Keys = tuple[str | int, ...]
"""Keys and places in lists that lead to a part of a document."""

Failing = Callable[[Any], Keys | None]
"""Finds the part of a search identifier that cannot be read, below it; None where all can."""

VALUE = "\0"
"""A step that begins so leads to the value that follows, wherever it stands below."""


def placed(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Replace each problem's document by the line that it is about: that of the last key on its way that is there.

    A negative `line` is one that is known already.
    """
    files: dict[str, list[Any]] = {}
    for problem in problems:
        if problem.line < 0:
            yield replace(problem, line=-problem.line)
            continue
        if problem.path not in files:
            files[problem.path] = _documents(problem.path)
        nodes = files[problem.path]
        yield replace(problem, line=_line(nodes[problem.line], problem.where) if problem.line < len(nodes) else 1)


def _documents(path: str) -> list[Any]:
    """Read a file's documents as nodes, which know their lines."""
    import yaml

    try:
        return list(yaml.compose_all(Path(path).read_text("utf-8-sig"), Loader=yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []


def _line(node: Any, where: Sequence[str | int]) -> int:
    line = int(node.start_mark.line) + 1 if node is not None else 1
    for step in where:
        found = _step(node, step)
        if found is None:
            break
        line, node = found
    return line


def _step(node: Any, step: str | int) -> tuple[int, Any] | None:
    """Go one key, or one place of a list, further down: its line and its node."""
    values = getattr(node, "value", None)
    if isinstance(step, str) and step.startswith(VALUE):
        return _holding(node, step.removeprefix(VALUE))
    if not isinstance(values, list):
        return None
    if isinstance(step, int):
        if step < len(values) and not isinstance(values[step], tuple):
            return int(values[step].start_mark.line) + 1, values[step]
        return None
    for pair in values:
        if isinstance(pair, tuple) and pair[0].value == step:
            return int(pair[0].start_mark.line) + 1, pair[1]
    return None


def _holding(node: Any, text: str) -> tuple[int, Any] | None:
    """Find the first scalar below a node that is a text."""
    value = getattr(node, "value", None)
    if not isinstance(value, list):
        return (int(node.start_mark.line) + 1, node) if value == text else None
    below = (inner for each in value for inner in (each if isinstance(each, tuple) else (each,)))
    return next((found for inner in below if (found := _holding(inner, text)) is not None), None)


def located(document: Mapping[str, Any], told: str, failing: Failing) -> Keys:
    """Find the keys that lead to what an error is about: an item that fails by itself, else a key that it names.

    Args:
        document: the rule as it stands in its file.
        told: what the error says.
        failing: finds the part of a search identifier that cannot be read by itself.

    Example:
        >>> located({"title": "A", "level": "loud"}, "no such level: loud", lambda body: None)
        ('level',)
    """
    detection = document.get("detection", document.get("filter"))
    if isinstance(detection, Mapping):
        parent = "detection" if "detection" in document else "filter"
        for name, body in detection.items():
            if name not in ("condition", "rules") and (found := failing(body)) is not None:
                return (parent, str(name), *found)
    said = told.lower()
    if any(word in said for word in ("condition", "expected", "selector", "unbalanced", "aggregation")):
        return ("correlation" if "correlation" in document else "detection", "condition")
    inner = document.get("correlation")
    if isinstance(inner, Mapping) and (key := _named(inner, said)):
        return ("correlation", key)
    if "sigma tag " in said:
        tags = [str(tag) for tag in document.get("tags") or ()]
        return ("tags", next((n for n, tag in enumerate(tags) if "." not in tag), 0))
    if "role" in said:
        return ("pir", "role")
    return (key,) if (key := _named(document, said)) else ()


def _named(keys: Mapping[str, Any], said: str) -> str:
    words = {"identifier": "id", "log source": "logsource", "rule reference": "rules"}
    for spoken, key in (*words.items(), *((str(key), str(key)) for key in sorted(keys, key=lambda k: -len(str(k))))):
        if spoken in said and key in keys:
            return key
    return ""

"""Places as a case records them: by the argument's rank and what lies below it, never by where this machine has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pirtimeline.errors import SourceError
from pirtimeline.evidence.sources import Place, Step


def ordered(arguments: Iterable[str]) -> tuple[str, ...]:
    """Put evidence in an order that does not depend on how it was typed, each once.

    Example:
        >>> ordered(["/mnt/b.log", "a.log", "a.log"])
        ('a.log', '/mnt/b.log')
    """
    return tuple(sorted(set(arguments), key=lambda one: (Path(one).name, one)))


def place_json(place: Place, arguments: Sequence[str]) -> dict[str, Any]:
    """Write a place down: the rank of its argument, the file below it, the steps into it."""
    steps = [[step.kind, step.index, step.member] for step in place.steps]
    return {"argument": arguments.index(place.argument), "file": place.file, "steps": steps}


def place_from_json(told: Mapping[str, Any], arguments: Sequence[str]) -> Place:
    """Find a place again.

    Raises:
        SourceError: fewer pieces of evidence are named than the case was made of.
    """
    if told["argument"] >= len(arguments):
        raise SourceError("the evidence is not where it was", hint="name it with --evidence PATH")
    steps = tuple(Step(kind, index, member) for kind, index, member in told["steps"])
    return Place(arguments[told["argument"]], told["file"], steps)

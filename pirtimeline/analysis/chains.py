"""The chains that hypotheses are made by, read from `chains.yml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A step of a chain: which signatures satisfy it, and when it may come."""

    name: str
    any: tuple[str, ...] = ()
    role: str = ""
    core: bool = False
    cause: bool = False
    optional: bool = False
    before_core: bool = False
    after: timedelta | None = None
    reach: timedelta = timedelta(hours=1)
    slack: timedelta = timedelta(0)
    least: int = 1

    def matches(self, signature_id: str) -> bool:
        """Tell whether a signature satisfies this step.

        Example:
            >>> Link(name="pool", any=("db.pool.*",)).matches("db.pool.hikari")
            True
        """
        return any(fnmatchcase(signature_id, glob) for glob in self.any)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The change that a chain begins with: what kind counts most, how long before, and whether the chain needs one.

    `only`: of these kinds alone; `but`: not of those; `local`: on the host of the chain's core; `target`: what it must
    concern.
    """

    actions: tuple[str, ...]
    within: timedelta
    required: bool
    only: bool = False
    but: tuple[str, ...] = ()
    local: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """An explanation in general: how such an incident begins, what it is about, and what would refute it."""

    id: str
    name: str
    title: str
    alone: str
    change: Beginning | None
    steps: tuple[Link, ...]
    absent: tuple[str, ...]
    refuted: str
    security: bool

    @property
    def core(self) -> Link:
        """Give the step that the chain is about."""
        return next(step for step in self.steps if step.core)


def chains() -> tuple[Chain, ...]:
    """Read the chains.

    Example:
        >>> chains()[0].name
        'deploy-leak-oom'
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with (Path(__file__).parent / "chains.yml").open(encoding="utf-8") as file:
        return tuple(_chain(entry) for entry in yaml.load(file, Loader=loader))


def span(text: str) -> timedelta:
    """Read a span: a number and s, m, h or d.

    Example:
        >>> span("72h")
        datetime.timedelta(days=3)
    """
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise ValueError(f"not a span: {text!r}")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _chain(entry: dict[str, Any]) -> Chain:
    change = entry["change"]
    return Chain(
        id=entry["id"],
        name=entry["name"],
        title=entry["title"],
        alone=entry["alone"],
        change=_beginning(change) if change else None,
        steps=tuple(_link(step) for step in entry["steps"]),
        absent=tuple(entry.get("absent", ())),
        refuted=entry["refuted"],
        security=bool(entry.get("security", False)),
    )


def _beginning(entry: dict[str, Any]) -> Beginning:
    return Beginning(
        actions=tuple(entry["actions"]),
        within=span(entry["within"]),
        required=bool(entry["required"]),
        only=bool(entry.get("only", False)),
        but=tuple(entry.get("but", ())),
        local=bool(entry.get("local", False)),
        target=entry.get("target", ""),
    )


def _link(entry: dict[str, Any]) -> Link:
    plain = {key: value for key, value in entry.items() if key not in ("any", "after", "reach", "slack")}
    spans: dict[str, Any] = {key: span(entry[key]) for key in ("after", "reach", "slack") if key in entry}
    return Link(any=tuple(entry.get("any", ())), **plain, **spans)

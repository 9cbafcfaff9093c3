"""The shapes in which logs write times: one table, `shapes.toml`, the most specific first."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pirtimeline.errors import FormatError
from pirtimeline.parsing.layouts import Layout, layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way in which logs write times.

    `regex` finds it in a line: Rust dialect, unanchored, without named or capturing groups, to be embedded in a larger
    one. `layout` reads it. `lacks` is null, `year`, `date`, or `start` (seconds since an unknown start). `whole` says
    that it is too bare to be looked for inside a line. `rank` is its place in the table: of two shapes that match the
    same text the lower rank holds.
    """

    name: str
    rank: int
    regex: str
    layout: Layout
    lacks: str | None
    examples: tuple[str, ...]
    whole: bool = False


@cache
def shapes() -> tuple[Shape, ...]:
    """List the shapes, the most specific first.

    Example:
        >>> [shape.name for shape in shapes()][:2]
        ['iso8601', 'iso_ampm']
    """
    text = resources.files("pirtimeline.parsing").joinpath("shapes.toml").read_text("utf-8")
    return tuple(_shape(rank, entry) for rank, entry in enumerate(tomllib.loads(text)["shape"]))


def _shape(rank: int, entry: dict[str, object]) -> Shape:
    compiled = layout(str(entry["layout"]), tuple(entry.get("orders", ())))  # type: ignore[arg-type]  # TOML's lists
    return Shape(
        name=str(entry["name"]),
        rank=rank,
        regex=compiled.regex,
        layout=compiled,
        lacks=compiled.lacks,
        examples=tuple(entry["examples"]),  # type: ignore[arg-type]  # TOML's lists
        whole=bool(entry.get("whole", False)),
    )


@cache
def _named() -> dict[str, Shape]:
    return {shape.name: shape for shape in shapes()}


def shape(name: str) -> Shape:
    """Find a shape by its name.

    Example:
        >>> shape("clf").examples[0]
        '02/Jan/2024:03:04:05 -0500'
        >>> shape("syslog").lacks
        'year'

    Raises:
        FormatError: no shape has this name.
    """
    known = _named()
    if name not in known:
        raise FormatError(f"no shape of time is called {name!r}", hint=f"known are {', '.join(known)}")
    return known[name]

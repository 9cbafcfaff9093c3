"""What a rule asks of one event, as plain values: tests of fields, joined by all, any and not.

The shape is our own, so that pySigma is needed to read rules and not to run them: conditions compare, hash and
marshal as what they are. A test holds or does not hold; an absent field fails every test but `absent` and `null`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

TEXT_OPERATORS = ("equals", "contains", "startswith", "endswith", "like")
"""Tests of text against literals; `like` takes a tuple of literals and wildcards (`MANY`, `ONE`)."""

OPERATORS = (
    *TEXT_OPERATORS,
    "regex",
    "slow",
    "cidr",
    "number",
    "bool",
    "lt",
    "lte",
    "gt",
    "gte",
    "null",
    "exists",
    "fieldref",
    "fieldref_startswith",
    "fieldref_endswith",
    "fieldref_contains",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
)
"""All operators; `slow` is a regular expression that Rust's engine cannot run."""

MANY = 0
"""The wildcard `*` among the parts of `like`."""

ONE = 1
"""The wildcard `?` among the parts of `like`."""

Value = str | int | float | bool | tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """Ask whether a field meets one of several values.

    `field` is None for a keyword, which is looked for in the event's searchable text. `flags` are those of a regular
    expression (any of `i`, `m`, `s`); `cased` keeps upper and lower case apart.
    """

    field: str | None
    operator: str
    values: tuple[Value, ...] = ()
    cased: bool = False
    flags: str = ""


@dataclass(frozen=True, slots=True)
class All:
    """Ask for all of several conditions; none at all holds."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Ask for one of several conditions; none at all fails."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Ask that a condition fails."""

    item: Condition


Condition = Test | All | AnyOf | Not


def both(items: tuple[Condition, ...]) -> Condition:
    """Join conditions that must all hold, flat and without repetition.

    Example:
        >>> both((Test("a", "null"),))
        Test(field='a', operator='null', values=(), cased=False, flags='')
    """
    flat = tuple(dict.fromkeys(part for item in items for part in (item.items if isinstance(item, All) else (item,))))
    return flat[0] if len(flat) == 1 else All(flat)


def either(items: tuple[Condition, ...]) -> Condition:
    """Join conditions of which one must hold; tests that differ only in their values become one.

    Example:
        >>> either((Test("a", "equals", ("x",)), Test("a", "equals", ("y",)))).values
        ('x', 'y')
    """
    merged: dict[object, Condition] = {}
    for item in [part for each in items for part in (each.items if isinstance(each, AnyOf) else (each,))]:
        key: object = item
        if isinstance(item, Test) and item.values:
            key = (item.field, item.operator, item.cased, item.flags)
            known = merged.get(key)
            if isinstance(known, Test):
                values = tuple(dict.fromkeys((*known.values, *item.values)))
                merged[key] = Test(item.field, item.operator, values, item.cased, item.flags)
                continue
        merged[key] = item
    found = tuple(merged.values())
    return found[0] if len(found) == 1 else AnyOf(found)


def tests(condition: Condition) -> Iterator[Test]:
    """List the tests of a condition, from left to right.

    Example:
        >>> [t.field for t in tests(Not(All((Test("a", "null"), Test("b", "null")))))]
        ['a', 'b']
    """
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, Not):
        yield from tests(condition.item)
    else:
        for item in condition.items:
            yield from tests(item)

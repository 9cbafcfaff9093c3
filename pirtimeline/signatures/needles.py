"""The literals of which one must stand in a row for a condition to hold: what one pass over the text looks for."""

from __future__ import annotations

from collections.abc import Mapping

from pirtimeline.signatures.condition import TEXT_OPERATORS, All, AnyOf, Condition, Test
from pirtimeline.signatures.regex import literals
from pirtimeline.signatures.text import fold

Needle = tuple[str | None, str | int]
"""A field, and a folded literal that stands in it or a whole number that it is."""

Needles = frozenset[Needle]
"""One of them is true of every event that the condition matches."""


def needles(condition: Condition, weights: Mapping[Needle, float] | None = None) -> Needles | None:
    """Find the needles of a condition that promise the fewest rows, or None where it has none.

    `weights` tells how common literals are, where that is known; else a long literal is held to be rare.

    Example:
        >>> from pirtimeline.signatures.condition import Not
        >>> needles(All((Test("a", "endswith", ("x.exe",)), Not(Test("b", "equals", ("y",))))))
        frozenset({('a', 'x.exe')})
    """
    if isinstance(condition, Test):
        return _of_test(condition)
    if isinstance(condition, All):
        found = [n for item in condition.items if (n := needles(item, weights)) is not None]
        return min(found, key=lambda n: _cost(n, weights)) if found else None
    if isinstance(condition, AnyOf) and condition.items:
        parts = [needles(item, weights) for item in condition.items]
        known = [n for n in parts if n is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    return None


def _cost(candidates: Needles, weights: Mapping[Needle, float] | None) -> tuple[float, float, list[str]]:
    """Weigh needles by how many rows they let through; ties are broken by their text, never by chance."""
    seen = sum((weights or {}).get(needle, 0.0) for needle in candidates)
    length = sum(4.0 ** -min(len(wanted) if isinstance(wanted, str) else 3, 12) for _, wanted in candidates)
    return seen, length, sorted(f"{field} {wanted}" for field, wanted in candidates)


def every(condition: Condition) -> set[Needle]:
    """List all needles that a condition could be found by, in order to count how common each is."""
    if isinstance(condition, Test):
        return set(_of_test(condition) or ())
    if isinstance(condition, All | AnyOf):
        return {needle for item in condition.items for needle in every(item)}
    return set()


def _of_test(test: Test) -> Needles | None:
    if test.operator == "number" and all(isinstance(v, int) and abs(v) < 2**53 for v in test.values):
        return frozenset((test.field, v) for v in test.values if isinstance(v, int))
    if test.operator in TEXT_OPERATORS:
        found = [_longest_part(value) if isinstance(value, tuple) else fold(str(value)) for value in test.values]
    elif test.operator in ("regex", "slow"):
        sets = [literals(str(value), test.flags) for value in test.values]
        found = [fold(literal) for each in sets for literal in (each or [""])]
    else:
        return None
    return None if "" in found or not found else frozenset((test.field, literal) for literal in found)


def _longest_part(parts: tuple[str | int, ...]) -> str:
    return max((fold(part) for part in parts if isinstance(part, str)), key=len, default="")

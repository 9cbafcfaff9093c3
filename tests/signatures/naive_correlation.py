"""Sigma correlations, window by window in plain Python from the specification: slow, and easy to check.

A window ends at an event and reaches the time span back, both ends included. Windows in which the condition holds and
which share an event are one match.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

OPERATORS = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}

Item = dict[str, Any]
"""rule, at (seconds), events (ids), fields."""


def found(correlation: Mapping[str, Any], items: Sequence[Item]) -> dict[tuple[str, ...], list[list[Item]]]:
    """Give for each group its matches, each as the items of its windows in order of time."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        key = tuple(item["fields"].get(alias(correlation, name, item["rule"])) for name in correlation["group-by"])
        if item["rule"] in correlation["rules"] and None not in key:
            groups.setdefault(key, []).append(item)
    return {key: matches(correlation, sorted(own, key=lambda i: i["at"])) for key, own in groups.items()}


def alias(correlation: Mapping[str, Any], name: str, rule: str) -> str:
    return correlation.get("aliases", {}).get(name, {}).get(rule, name)


def windows(correlation: Mapping[str, Any], items: Sequence[Item]) -> list[list[Item]]:
    """Give every window in which the condition holds."""
    out = []
    for end in items:
        inside = [i for i in items if end["at"] - correlation["timespan"] <= i["at"] <= end["at"]]
        if holds(correlation, inside, end):
            out.append(inside)
    return out


def matches(correlation: Mapping[str, Any], items: Sequence[Item]) -> list[list[Item]]:
    joined: list[list[Item]] = []
    for window in windows(correlation, items):
        if joined and any(i in joined[-1] for i in window):
            joined[-1].extend(i for i in window if i not in joined[-1])
        else:
            joined.append(list(window))
    return joined


def holds(correlation: Mapping[str, Any], inside: Sequence[Item], end: Item) -> bool:
    kind, condition = correlation["type"], correlation.get("condition")
    rules = correlation["rules"]
    present = {i["rule"] for i in inside}
    if kind == "temporal_ordered":
        length = max(
            (n for n in range(1, len(rules) + 1) for c in combinations(rules, n) if in_order(c, inside, end)), default=0
        )
        return compared(condition or {"gte": len(rules)}, length)
    if kind == "temporal":
        return compared(condition or {"gte": len(rules)}, len(present))
    if kind == "event_count":
        return compared(condition, len(inside))
    values = [i["fields"].get(condition["field"]) for i in inside]
    values = [v for v in values if v is not None]
    if kind == "value_count":
        return compared(condition, len(set(values)))
    numbers = sorted(float(v) for v in values if v.lstrip("-").replace(".", "", 1).isdigit())
    return bool(numbers) and compared(condition, figure(kind, numbers, condition))


def figure(kind: str, numbers: Sequence[float], condition: Mapping[str, Any]) -> float:
    if kind == "value_sum":
        return sum(numbers)
    if kind == "value_avg":
        return fmean(numbers)
    share = 0.5 if kind == "value_median" else condition.get("percentile", 50) / 100
    place = share * (len(numbers) - 1)
    low = int(place)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (numbers[high] - numbers[low]) * (place - low)


def in_order(chain: Sequence[str], inside: Sequence[Item], end: Item) -> bool:
    """Tell whether the rules of a chain follow each other within the window, the last of them at its end."""
    if end["rule"] != chain[-1]:
        return False
    at = -1e18
    for rule in chain:
        later = [i["at"] for i in inside if i["rule"] == rule and i["at"] >= at]
        if not later:
            return False
        at = min(later)
    return at <= end["at"]


def compared(condition: Mapping[str, Any], value: float) -> bool:
    return all(OPERATORS[word](value, limit) for word, limit in condition.items() if word in OPERATORS)

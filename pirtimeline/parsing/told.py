"""What a source tells of its times, as JSON: what stays known of it when it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pirtimeline.parsing.turns import Edge, Track, Turns


def to_json(told: Turns) -> dict[str, Any]:
    """Write what a source tells as JSON can hold it.

    Example:
        >>> told = Turns(tracks={}, steps={("year", 7): (1, 40)}, ends={"year": (1, 0, 9)})
        >>> from_json(to_json(told)) == told
        True
    """
    return {
        "tracks": {kind: asdict(track) for kind, track in told.tracks.items()},
        "steps": [[kind, bucket, *found] for (kind, bucket), found in told.steps.items()],
        "ends": {kind: list(ends) for kind, ends in told.ends.items()},
        "first": told.first and asdict(told.first),
        "last": told.last and asdict(told.last),
        "orders": told.orders and {order: list(found) for order, found in told.orders.items()},
        "loose": told.loose,
    }


def from_json(said: Mapping[str, Any]) -> Turns:
    """Read it back.

    Example:
        >>> from_json({"tracks": {}, "steps": [], "ends": {}, "first": None, "last": None, "orders": None,
        ...            "loose": True}).loose
        True
    """
    orders = said["orders"]
    return Turns(
        tracks={kind: _track(track) for kind, track in said["tracks"].items()},
        steps={(kind, bucket): (count, offset) for kind, bucket, count, offset in said["steps"]},
        ends={kind: tuple(ends) for kind, ends in said["ends"].items()},
        first=said["first"] and Edge(**said["first"]),
        last=said["last"] and Edge(**said["last"]),
        orders=orders and {order: tuple(found) for order, found in orders.items()},
        loose=said["loose"],
    )


def _track(said: Mapping[str, Any]) -> Track:
    votes = tuple((base, count) for base, count in said["votes"])
    return Track(**{**said, "latest": tuple(said["latest"]), "leaps": tuple(said["leaps"]), "votes": votes})

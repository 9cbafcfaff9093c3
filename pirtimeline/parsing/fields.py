"""Keys of structured text to columns of the event table: what `fields.toml` and a format say a key means.

A key is resolved in the light of the other keys beside it: `name` is a service in a line of bunyan's and nothing
elsewhere. So keys are resolved by the set of known keys that an event has, and events share few such sets.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from pirtimeline.parsing.plugin import Format


class Target(NamedTuple):
    """What a key may fill: a column, at which rank of trust (lower first), with a hint of unit or scale."""

    column: str
    rank: int
    hint: str = ""


class Over(NamedTuple):
    """How an event says that something is over, and the key of when: a key that has one of some words."""

    key: str
    words: tuple[str, ...]
    time: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Columns that a set of keys gives away: `when` they all are there; `constants` are columns that they settle."""

    when: frozenset[str]
    targets: Mapping[str, tuple[Target, ...]]
    constants: Mapping[str, str]
    over: Over | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Keys that hold a time together; an `epoch` is seconds and nanoseconds."""

    keys: tuple[str, ...]
    epoch: bool


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Everything that tells columns from keys; all keys in it are as `plain` writes them."""

    targets: Mapping[str, tuple[Target, ...]]
    wrappers: tuple[str, ...]
    profiles: tuple[Profile, ...]
    joins: tuple[Join, ...]
    declared: Mapping[str, tuple[Target, ...]]
    parts: frozenset[str]


_PROFILE, _OWN, _WRAPPED, _GUESSED = -1_000, -2_000, 1_000, 100_000
"""Ranks: a format's own word comes before a profile's, that before the table, that before wrapped keys, and these
before keys that nobody listed."""

LIKELY = "likely"
"""The hint of a key that is not listed but is named like what it may fill: its value has to be beyond doubt."""

_LIKE_TIME = re.compile(
    r"^(?:date|time)|(?:time|stamp|date|edat|(?:event|log|start)ts)"
    r"(?:utc|gmt|local|sec|secs|seconds|ms|millis|us|ns|nanos)?$"
)
_LIKE_LEVEL = re.compile(r"severity(?:name|text|label)?$|(?:log|event|message|msg|error|syslog)(?:level|lvl)(?:name)?$")
_OTHER_TIME = re.compile(r"expir|birth|valid|until|next|deadline|due|timeout|timezone|update|modif|renew")
_FIRST_TIMES = ("event", "log", "start", "begin", "create")
_LATE_TIMES = re.compile(r"end|finish|stop|last|complet|receiv|ingest")


def plain(key: str) -> str:
    """Write a key so that its spelling does not count: lower case, no `-`, blank or inner `_`.

    Example:
        >>> plain("logLevel"), plain("log-level"), plain("Trace_ID"), plain("_time"), plain("a._B_c")
        ('loglevel', 'loglevel', 'traceid', '_time', 'a._bc')
    """
    return ".".join(_plain_part(part) for part in key.lower().split("."))


def _plain_part(part: str) -> str:
    body = part.lstrip("_")
    return part[: len(part) - len(body)] + body.replace("_", "").replace("-", "").replace(" ", "")


def field_map(one: Format | None = None) -> FieldMap:
    """Give the table of `fields.toml` with a format's own keys before it.

    Example:
        >>> resolve(field_map(), ["host.name", "colour"])
        {'host.name': (Target(column='host_name', rank=0, hint=''),)}
    """
    known = _table()
    if one is None or not one.fields:
        return known
    own = _targets({column: _keys_of(one.fields, column) for column in dict.fromkeys(one.fields.values())}, _OWN)
    parts = known.parts | _parts(own)
    return FieldMap(known.targets, known.wrappers, known.profiles, known.joins, own, parts)


def _keys_of(fields: Mapping[str, str], column: str) -> list[str]:
    return [key for key, filled in fields.items() if filled == column]


@cache
def _table() -> FieldMap:
    """Read the data file, once: it is part of the program."""
    told = tomllib.loads(files("pirtimeline.parsing").joinpath("fields.toml").read_text("utf-8"))
    profiles = tuple(_profile(one) for one in told["profile"])
    joins = tuple(Join(tuple(plain(key) for key in one["keys"]), one.get("epoch", False)) for one in told["join"])
    targets = _targets(told["columns"], 0)
    wrappers = tuple(plain(key) for key in told["wrappers"])
    named = [targets, *(one.targets for one in profiles)]
    parts = frozenset[str]().union(*(_parts(one) for one in named), *(one.when for one in profiles))
    parts = parts.union(*(one.keys for one in joins), *([one.over.time] for one in profiles if one.over))
    return FieldMap(targets, wrappers, profiles, joins, {}, parts)


def _profile(told: Mapping[str, Any]) -> Profile:
    when = frozenset(plain(key) for key in told["when"])
    over = told.get("over")
    ends = over and Over(plain(over["key"]), tuple(over["words"]), plain(over["time"]))
    return Profile(when, _targets(told["columns"], _PROFILE), told.get("set", {}), ends)


def _targets(columns: Mapping[str, Sequence[str]], rank: int) -> dict[str, tuple[Target, ...]]:
    found: dict[str, tuple[Target, ...]] = {}
    for column, keys in columns.items():
        for place, written in enumerate(keys):
            key, _, hint = written.partition("|")
            weak = key.endswith("?")
            key = plain(key.removesuffix("?"))
            target = Target(column, rank + place, "?" if weak else hint)
            if all(one.column != column for one in found.get(key, ())):
                found[key] = (*found.get(key, ()), target)
    return found


def _parts(targets: Iterable[str]) -> frozenset[str]:
    return frozenset(targets)


def known(table: FieldMap, key: str) -> bool:
    """Tell whether a dotted key can mean anything, alone or beside others.

    Example:
        >>> known(field_map(), "Fields.Level"), known(field_map(), "colour")
        (True, False)
        >>> known(field_map(), "widgets.size.height")
        False
    """
    written = plain(key)
    return likely(written) is not None or any(one in table.parts for one in unwrapped(table, written))


def likely(key: str) -> Target | None:
    """Tell from its name alone what a key that nobody listed may fill; of several times that which events begin with.

    Example:
        >>> likely("http.edgestarttimestamp"), likely("expirydate")
        (Target(column='timestamp_text', rank=100102, hint='likely'), None)
    """
    depth, name = key.count("."), key.rpartition(".")[2]
    if _LIKE_LEVEL.search(name):
        return Target("severity_text", _GUESSED + 100 * depth, LIKELY)
    if not _LIKE_TIME.search(name) or _OTHER_TIME.search(name):
        return None
    first = next((at for at, word in enumerate(_FIRST_TIMES) if word in name), len(_FIRST_TIMES))
    late = 10 if _LATE_TIMES.search(name) else 0
    return Target("timestamp_text", _GUESSED + 100 * depth + first + late, LIKELY)


def columns_of(key: str) -> tuple[str, ...]:
    """List the columns that a key may fill, whatever stands beside it; what it fills beside a method only, last.

    Example:
        >>> columns_of("displayMessage"), columns_of("protoPayload.methodName"), columns_of("colour")
        (('message',), ('event_action',), ())
    """
    table = _table()
    tables = (table.targets, *(one.targets for one in table.profiles))
    found = [target for one in unwrapped(table, plain(key)) for each in tables for target in each.get(one, ())]
    return tuple(dict.fromkeys(target.column for target in sorted(found, key=lambda target: target.hint == "?")))


def unwrapped(table: FieldMap, key: str) -> Iterator[str]:
    """Give a key, then what is left of it without the objects that wrap it, from without to within."""
    yield key
    if "." not in key:
        return
    for wrapper in table.wrappers:
        if key.startswith(wrapper + "."):
            yield from unwrapped(table, key[len(wrapper) + 1 :])


def resolve(table: FieldMap, keys: Sequence[str]) -> dict[str, tuple[Target, ...]]:
    """Tell what each key of an event may fill, in the light of all of them; keys that fill nothing are left out.

    Example:
        >>> resolve(field_map(), ["pid", "hostname", "level", "name"])["name"]
        (Target(column='service_name', rank=-1000, hint=''),)
    """
    profiles = matching(table, keys)
    found = {key: _targets_of(table, profiles, plain(key)) for key in keys}
    http = any(target.column == "http_method" for targets in found.values() for target in targets)
    strong = {key: tuple(t for t in targets if http or t.hint != "?") for key, targets in found.items()}
    return {key: tuple(_without_mark(t) for t in targets) for key, targets in strong.items() if targets}


def matching(table: FieldMap, keys: Iterable[str]) -> list[Profile]:
    """Find the profiles whose keys are all there, the most demanding first.

    Example:
        >>> [one.constants for one in matching(field_map(), ["labels.alertname", "startsAt"])]
        [{'event_kind': 'alert'}]
    """
    there = {one for key in keys for one in unwrapped(table, plain(key))}
    return sorted((one for one in table.profiles if one.when <= there), key=lambda one: -len(one.when))


def _targets_of(table: FieldMap, profiles: Sequence[Profile], key: str) -> tuple[Target, ...]:
    found: list[Target] = []
    for depth, one in enumerate(unwrapped(table, key)):
        named = [(table.declared, 0), (table.targets, 0), *((p.targets, 20 * i) for i, p in enumerate(profiles))]
        shift = depth * _WRAPPED
        found += [t._replace(rank=t.rank + later + shift) for told, later in named for t in told.get(one, ())]
    guess = likely(key)
    found += [guess] if guess and not found else []
    best: dict[str, Target] = {}
    for target in sorted(found, key=lambda one: one.rank):
        best.setdefault(target.column, target)
    return tuple(best.values())


def _without_mark(target: Target) -> Target:
    return target._replace(hint="") if target.hint == "?" else target

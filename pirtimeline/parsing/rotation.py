"""Sources that are one stream: a log that was rotated into several files, and the order of their events.

Names say which files may belong together; in which order they stand is told by the times in them: the order that
leaves the least silence between one file's last event and the next one's first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

import polars as pl

from pirtimeline.parsing.turns import DAY, HOUR

_SECOND = 1_000_000
_YEAR = 366 * DAY
_PERIODS: Mapping[str, int | None] = {"": None, "start": None, "year": _YEAR, "date": DAY}
_LATE: Mapping[str, int] = {"": 3 * HOUR, "start": 0, "year": DAY, "date": 2 * HOUR}
"""How far a file's first event may lie before the last one of the file before it: writers are late, clocks set back."""
_SILENT: Mapping[str, int] = {"": 1 << 62, "start": 1 << 62, "year": 335 * DAY, "date": 6 * HOUR}
"""How long a set may be silent between two files: where a whole turn could have passed, nothing ties them together."""
_KEPT: Mapping[str, int] = {"year": 2 * DAY, "date": 300 * _SECOND}
"""How well the files' changes must agree with their last events for being those of their last writing."""

_PACKED = r"\.(?:gz|bz2|xz|zst|lz4|z|zip)$"
_DATE = r"(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?:[-_.T]?\d\d(?:[-_.:h]?\d\d){0,2})?(?!\d)"
_DATED = re.compile(rf"[-_.]?(?<!\d){_DATE}(?:[-_.]\d{{1,6}}(?=\.|$))?")
_NUMBERED = re.compile(r"[-_.]\d{1,6}(?=\.[A-Za-z]{1,8}$|\.current$|$)")
_AGED = re.compile(r"\.(?:old|prev|previous|bak|current|backup)$", re.IGNORECASE)
_DESCENDS = 9
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a source in a rotated set: `of` names the set by its first source; `kept`: its files' changes are
    those of their last writing, so that each can be dated by its own."""

    of: str
    place: int
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A source that may belong to a set: its path, its last change, and the first and last time in it.

    `first` and `last` are microseconds of local time; of stamps that lack a year or a date (`kind`) within that.
    """

    source_id: str
    path: str
    mtime: datetime
    kind: str
    first: int
    last: int


def series(path: str) -> str:
    """Give a path without what rotation adds to it: files of one set have it in common.

    Example:
        >>> {series(name) for name in ("a/x.log", "a/x.log.2.gz", "a/x.log-20240107", "a/x.1.log", "a/x.log.old")}
        {'a/x.log'}
        >>> series("localhost_access_log.2024-01-07.txt"), series("orders-1.log")
        ('localhost_access_log.txt', 'orders.log')
    """
    folder, slash, name = path.rpartition("/")
    name = _AGED.sub("", re.sub(_PACKED, "", name, flags=re.IGNORECASE))
    bare = _NUMBERED.sub("", _DATED.sub("", name))
    return f"{folder}{slash}{bare}"


def orders(events: pl.DataFrame) -> dict[str, str]:
    """Tell how each source lists its events: `ascending` (the oldest first), `descending`, or `mixed`.

    Args:
        events: `source_id`, `local`, `offset_s`, `lacks` of events in the order of sources and places.
    """
    kind = pl.col("lacks").fill_null("")
    at = pl.col("local").dt.epoch("us") - pl.col("offset_s").fill_null(0).cast(pl.Int64) * _SECOND
    rows = events.filter(pl.col("local").is_not_null()).select("source_id", kind=kind, at=at)
    period = pl.col("kind").replace_strict(_PERIODS, default=None, return_dtype=pl.Int64)
    step = pl.col("at").diff().over("source_id", "kind")
    near = pl.when(period.is_null()).then(step).otherwise((step + period // 2) % period - period // 2)
    counted = (
        rows.select("source_id", step=near)
        .group_by("source_id")
        .agg(down=(pl.col("step") < 0).sum(), up=(pl.col("step") > 0).sum())
    )
    return {source_id: _order(down, up) for source_id, down, up in counted.iter_rows()}


def _order(down: int, up: int) -> str:
    if down >= _FEWEST and down >= _DESCENDS * up:
        return "descending"
    return "ascending" if down < _FEWEST or up >= _DESCENDS * down else "mixed"


def members(
    events: pl.DataFrame, found: Mapping[str, str], paths: Mapping[str, str], mtimes: Mapping[str, datetime]
) -> list[Member]:
    """Name the sources whose times can be held against each other.

    Args:
        events: as for `orders`.
        found: what `orders` gave.
        paths: source id -> its path.
        mtimes: source id -> its last change.
    """
    rows = events.filter(pl.col("local").is_not_null() & pl.col("offset_s").is_null())
    rows = rows.select("source_id", kind=pl.col("lacks").fill_null(""), at=pl.col("local").dt.epoch("us"))
    mine = rows.filter(pl.col("kind") == pl.col("kind").first().over("source_id"))
    ends = mine.group_by("source_id", maintain_order=True).agg(
        pl.col("kind").first(), first=pl.col("at").first(), last=pl.col("at").last()
    )
    return [
        Member(source_id=key, path=paths[key], mtime=mtimes[key], kind=kind, first=first, last=last)
        if found.get(key) != "descending"
        else Member(source_id=key, path=paths[key], mtime=mtimes[key], kind=kind, first=last, last=first)
        for key, kind, first, last in ends.iter_rows()
    ]


def sets(every: Sequence[Member]) -> dict[str, Place]:
    """Find rotated sets, and the place of each source in its own.

    Example:
        >>> at = datetime(2024, 1, 1)
        >>> new = Member(source_id="n", path="x.log", mtime=at, kind="date", first=10 * HOUR, last=12 * HOUR)
        >>> old = Member(source_id="o", path="x.log.1", mtime=at, kind="date", first=23 * HOUR, last=9 * HOUR)
        >>> {key: one.place for key, one in sets([new, old]).items()}
        {'o': 0, 'n': 1}
    """
    keyed = sorted(every, key=lambda one: (series(one.path), one.kind, one.path))
    found: dict[str, Place] = {}
    for (_, kind), group in groupby(keyed, key=lambda one: (series(one.path), one.kind)):
        found |= _set([*group], kind)
    return found


def _set(group: Sequence[Member], kind: str) -> dict[str, Place]:
    if len(group) < 2 or kind not in _SILENT:
        return {}
    tries = [*_tries(group)]
    best = min(tries, key=_silence)
    gaps = [_gap(before, behind) for before, behind in pairwise(best)]
    if any(gap < -_LATE[kind] or gap > _SILENT[kind] for gap in gaps):
        return {}
    kept = _changes_kept(best)
    return {one.source_id: Place(best[0].source_id, number, kept) for number, one in enumerate(best)}


def _tries(group: Sequence[Member]) -> Iterator[list[Member]]:
    """List the orders that a set may stand in: by its times, by its names in either direction, by its changes."""
    by_time = sorted(group, key=lambda one: (one.first, one.last, one.path))
    if _PERIODS[group[0].kind] is None:
        yield by_time
        return
    for backwards in (True, False):
        yield sorted(group, key=lambda one: _name_key(one.path, backwards))
    yield sorted(group, key=lambda one: (one.mtime, one.path))
    gaps = [_gap(by_time[place - 1], by_time[place]) for place in range(len(by_time))]
    cut = max(range(len(gaps)), key=lambda place: gaps[place])
    yield by_time[cut:] + by_time[:cut]


def _name_key(path: str, backwards: bool) -> tuple[bool, str, int]:
    """Order names by date, then number; what has neither is being written still, and comes last."""
    name = re.sub(_PACKED, "", path.rpartition("/")[2], flags=re.IGNORECASE)
    date = _DATED.search(name)
    number = re.search(r"(\d+)\D*$", name[date.end() :] if date else name)
    told = int(number[1]) if number and (date or series(path) != path) else 0
    current = not date and (not number or series(path) == path)
    return current, re.sub(r"\D", "", date[0]) if date else "", -told if backwards else told


def _gap(before: Member, behind: Member) -> int:
    """Measure the silence between two files, in microseconds; below zero where they overlap."""
    step, period, late = behind.first - before.last, _PERIODS[before.kind], _LATE[before.kind]
    return step if period is None else (step + late) % period - late


def _silence(tried: Sequence[Member]) -> int:
    return sum(abs(_gap(before, behind)) for before, behind in pairwise(tried))


def _changes_kept(tried: Sequence[Member]) -> bool:
    """Tell whether files were last changed as far apart as their last events are."""
    kind = tried[0].kind
    if kind not in _KEPT:
        return True
    period, slack = _PERIODS[kind] or 1, _KEPT[kind]
    apart = (
        (behind.mtime - before.mtime).total_seconds() * _SECOND - (behind.last - before.last)
        for before, behind in pairwise(tried)
    )
    grows = all(before.mtime < behind.mtime for before, behind in pairwise(tried))
    return grows and all((gap + slack) % period <= 2 * slack for gap in apart)

"""The years and days that stamps without them stand for, settled for a source (or a rotated set) as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pirtimeline.parsing import offsets
from pirtimeline.parsing.rule import TimeRule, in_utc, named_span
from pirtimeline.parsing.turns import DAY, SECOND, Track

_EPOCH = datetime(1970, 1, 1)
EPOCH_DAY = _EPOCH.date()
_TOLERANCE = timedelta(days=1)
_LEAP_SEARCH = 8


@dataclass(frozen=True, slots=True)
class Top:
    """The latest stamp of a stretch: turns since the source's first, and microseconds; and the rule it is under."""

    turns: int
    at: int
    rule: TimeRule


def first_year(track: Track, tops: Sequence[Top]) -> int | None:
    """Settle the year of a source's first stamp without year; null where nothing tells.

    A declared year comes first, then the dated lines among the stamps, the date in the file's name, the days of other
    sources beside it, and last the latest year in which no stamp lies more than a day behind the collection or the
    file's last change. A 29 February moves it back to a leap year, but not where it was declared.
    """
    rule = tops[0].rule
    if rule.year is not None:
        late = track.latest[0] > 0 and any(_too_late(rule.year, top) for top in tops)
        return rule.year - track.latest[0] if late and rule.year_basis != "inferred" else rule.year
    base = _voted(track)
    if base is None:
        base = next((year for top in tops if (year := _by_name(top)) is not None), None)
    if base is None:
        base = next((year for top in tops if (year := _by_neighbours(top)) is not None), None)
    if base is None:
        base = min((year for top in tops if (year := _by_bound(top)) is not None), default=None)
    return None if base is None else _leaping(base, track)


def scattered(track: Track) -> bool:
    """Tell whether the order of a source says nothing about its years: stamps jump to and fro by months.

    Example:
        >>> scattered(Track(first=0, last=0, turns=0, latest=(0, 0), rows=9, back=3, on=4))
        True
    """
    to_and_fro = track.back >= 2 and 4 * track.back >= track.on
    return to_and_fro or (track.turns >= 3 and track.rows < 30 * track.turns)


def _voted(track: Track) -> int | None:
    """Take what more than half of the dated neighbours say."""
    total = sum(count for _, count in track.votes)
    return next((base for base, count in track.votes if 2 * count > total), None)


def _by_name(top: Top) -> int | None:
    """Choose the year that puts the latest stamp nearest to the date in the file's name."""
    if top.rule.name_date is None:
        return None
    collected = TimeRule(collected_at=top.rule.collected_at)
    return _nearest(Top(top.turns, top.at, collected), *named_span(top.rule.name_date))


def _by_neighbours(top: Top) -> int | None:
    """Choose the year that puts the latest stamp nearest to the days of other sources."""
    if top.rule.beside is None:
        return None
    first, last = top.rule.beside.split("/")
    return _nearest(top, date.fromisoformat(first), date.fromisoformat(last))


def _nearest(top: Top, first: date, last: date) -> int:
    """Choose the year that puts the latest stamp nearest to a span of days, and not behind the bound."""
    tries = [first.year + more - top.turns for more in (-1, 0, 1)]
    fit = [year for year in tries if not _too_late(year, top)]
    return min(fit or tries[:1], key=lambda year: _away(_placed(year, top).date(), first, last))


def _away(day: date, first: date, last: date) -> int:
    return max((first - day).days, (day - last).days, 0)


def _by_bound(top: Top) -> int | None:
    """Choose the latest year in which the latest stamp is not behind the bound."""
    bound = top.rule.bound
    if bound is None:
        return None
    tries = [in_utc(bound).year + more - top.turns for more in (1, 0, -1)]
    return next(year for year in tries if not _too_late(year, top))


def _too_late(year: int, top: Top) -> bool:
    bound = top.rule.bound
    return bound is not None and _placed(year, top) > in_utc(bound).replace(tzinfo=None) + _TOLERANCE


def _placed(year: int, top: Top) -> datetime:
    stamp = _EPOCH + timedelta(microseconds=top.at)
    day = min(stamp.day, 28) if stamp.month == 2 else stamp.day
    return stamp.replace(year=min(max(year + top.turns, 1), 9999), day=day)


def _leaping(base: int, track: Track) -> int:
    """Move back to the next year that gives each 29 February a leap year, where one does."""
    tries = range(base, base - _LEAP_SEARCH - 1, -1)
    return next((year for year in tries if all(is_leap(year + turns) for turns in track.leaps)), base)


def is_leap(year: int) -> bool:
    """Tell whether a year has a 29 February.

    Example:
        >>> is_leap(2000), is_leap(1900), is_leap(2024)
        (True, False, True)
    """
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def first_day(track: Track, tops: Sequence[Top]) -> int | None:
    """Settle the day (since 1970) of a source's first stamp without date; null where nothing tells.

    The dated lines among the stamps come first. A date in the file's name is the day of the first stamp, or of the
    last where else the last would lie behind the bound. Without both, the last stamp is the one nearest to the file's
    last change, or the latest before the collection.
    """
    voted = _voted(track)
    if voted is not None:
        return voted
    rule = tops[0].rule
    if rule.name_date is not None and rule.name_date.count("-") == 2:
        day = (named_span(rule.name_date)[0] - _EPOCH.date()).days
        late = rule.bound is not None and _micros(in_utc(rule.bound) + _TOLERANCE) < (day + track.latest[0]) * DAY
        return day - track.latest[0] if late else day
    last = tops[-1].rule
    return _by_change(track, last) if last.bound is not None else None


def _by_change(track: Track, rule: TimeRule) -> int | None:
    turns, at = track.latest
    written, collected = rule.written, rule.collected_at
    if written is not None and (collected is None or in_utc(written) <= in_utc(collected) + _TOLERANCE):
        return (_there(written, rule) - at + DAY // 2) // DAY - turns
    return None if collected is None else (_there(collected, rule) - at) // DAY - turns


def _there(at: datetime, rule: TimeRule) -> int:
    """Give the wall time of an instant in the rule's zone, in microseconds."""
    micros = _micros(in_utc(at))
    return micros + offsets.at_instant(rule.zone, micros) * SECOND if rule.zone else micros


def _micros(at: datetime) -> int:
    return (at.replace(tzinfo=None) - _EPOCH) // timedelta(microseconds=1)

"""Years taken over from the evidence beside: days on which sources without years meet sources that write them.

A file's last change bounds the year of its stamps, and makes it where it is near the last of them. A copy's last change
is that of the copy, though: then the days that other sources date say more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from pirtimeline.parsing.rule import TimeRule, in_utc

_NEAR = timedelta(days=2)
"""A last change so near to a source's stamps is one."""

_BESIDE = 1
"""Days between stamps in different zones."""

_APART = 183
"""Days between two placings of one stamp, which are in different years."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The days of a source without years on which others have events, as an ISO interval, and why it is believed."""

    days: str
    because: Mapping[str, object]


@dataclass(frozen=True, slots=True, order=True)
class _Stretch:
    """Days that a source dates itself, its path, and the event that begins them."""

    first: date
    last: date
    path: str
    event: str


def beside(events: pl.DataFrame, rules: Mapping[str, TimeRule], paths: Mapping[str, str]) -> dict[str, Beside]:
    """Find the days of sources without years whose last change says nothing, in what other sources date.

    Args:
        events: samples of events: `source_id`, `byte_offset`, `local` (Datetime), `lacks`, `ambiguous`.
        rules: source id -> what is known of its time by itself.
        paths: source id -> path.

    Returns:
        source id -> days, for sources that meet more than half of the others in one year alone, and in another than
        that of their last change.

    Example:
        >>> local = [datetime(2024, 3, 18, 9), datetime(1970, 3, 18, 10)]
        >>> rows = {"source_id": ["a", "b"], "byte_offset": [0, 0], "local": local, "lacks": [None, "year"],
        ...         "ambiguous": [None, None]}
        >>> copied = TimeRule(mtime=datetime(2026, 11, 24))
        >>> beside(pl.DataFrame(rows), {"a": copied, "b": copied}, {"a": "app.log", "b": "syslog"})["b"].days
        '2024-03-18/2024-03-18'
    """
    yearless = events.filter((pl.col("lacks") == "year") & pl.col("local").is_not_null())
    asked = [key for key in yearless["source_id"].unique(maintain_order=True) if rules[key].name_date is None]
    if not asked:
        return {}
    dated = _dated(events, paths)
    own = yearless.filter(pl.col("source_id").is_in(asked)).group_by("source_id", maintain_order=True)
    stamps = own.agg(pl.col("local").dt.date().unique().sort(), last=pl.col("local").last())
    found = {}
    for key, days, last in stamps.iter_rows():
        if one := _of_source(days, last, rules[key], dated):
            found[key] = one
    return found


def _dated(events: pl.DataFrame, paths: Mapping[str, str]) -> list[_Stretch]:
    """List what sources date by themselves: of each its first to its last day."""
    sure = pl.col("lacks").is_null() & pl.col("local").is_not_null() & ~pl.col("ambiguous").fill_null(False)
    ends = events.filter(sure).group_by("source_id", maintain_order=True)
    spans = ends.agg(
        first=pl.col("local").min().dt.date(),
        last=pl.col("local").max().dt.date(),
        at=pl.col("byte_offset").gather(pl.col("local").arg_min()).first(),
    )
    return sorted(_Stretch(first, last, paths[key], f"{key}:{at}") for key, first, last, at in spans.iter_rows())


def _of_source(days: Sequence[date], last: datetime, rule: TimeRule, dated: Sequence[_Stretch]) -> Beside | None:
    written = None if rule.written is None else in_utc(rule.written).replace(tzinfo=None)
    if written is not None and any(abs(one - written) <= _NEAR for one in _in_years(last, written.year)):
        return None
    placed = [(day, one) for stamp in days for day, one in _meetings(stamp, dated, written)]
    met = dict(reversed(placed))
    if 2 * len({one for _, one in placed}) <= len(dated) or (max(met) - min(met)).days > _APART:
        return None
    first, end = min(met), max(met)
    if written is not None and _latest(last, written).year == _nearest(last, end).year:
        return None
    founder = met[first]
    text = f"{founder.path.rsplit('/', 1)[-1]} dates events on days on which this source has stamps without a year" + (
        "" if written is None else f", and its last change, {written:%Y-%m-%d}, is that of a copy"
    )
    because = {"field": "year", "value": end.year, "event_ids": [founder.event], "text": text}
    return Beside(f"{first}/{end}", because)


def _meetings(stamp: date, dated: Sequence[_Stretch], written: datetime | None) -> Iterable[tuple[date, _Stretch]]:
    """Place a day without its year where others have events, none after the last change."""
    for one in dated:
        for year in range(one.first.year - 1, one.last.year + 2):
            day = _placed(stamp, year)
            late = written is not None and day > written.date() + timedelta(days=_BESIDE)
            near = one.first - timedelta(days=_BESIDE) <= day <= one.last + timedelta(days=_BESIDE)
            if near and not late:
                yield day, one


def _placed(stamp: date, year: int) -> date:
    return stamp.replace(year=year, day=min(stamp.day, 28) if stamp.month == 2 else stamp.day)


def _in_years(stamp: datetime, year: int) -> list[datetime]:
    """Place a stamp without its year in a year, the one before and the one after."""
    return [datetime.combine(_placed(stamp.date(), year + more), stamp.time()) for more in (-1, 0, 1)]


def _latest(stamp: datetime, written: datetime) -> datetime:
    """Place a stamp in the latest year in which it is not behind a file's last change."""
    return max(one for one in _in_years(stamp, written.year) if one <= written + timedelta(days=1))


def _nearest(stamp: datetime, day: date) -> date:
    """Place a stamp in the year that puts it nearest to a day."""
    return min((one.date() for one in _in_years(stamp, day.year)), key=lambda one: abs(one - day))

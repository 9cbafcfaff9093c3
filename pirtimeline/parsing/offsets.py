"""Zones: what a person types for one, which offset it had when, and what zone words mean.

Transitions come from the time zone database by `zoneinfo`. A local time that the clock showed twice has two offsets (a
fold), one that it skipped has none (a gap); PEP 495 names them.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import polars as pl

from pirtimeline.errors import CaseError
from pirtimeline.parsing.layouts import words

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1)
_FIXED = re.compile(r"^(?:UTC|GMT)?([+-])(\d{1,2})(?::?([0-5]\d))?$", re.IGNORECASE)
_PROBE = timedelta(days=5)
_YEARS = (1900, 2100)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time through which a zone keeps one offset: local microseconds since 1970, `stop` excluded."""

    start: int
    stop: int
    offset_s: int
    word: str


def zone(text: str) -> str:
    """Check what a person typed for a zone: an IANA name, or an offset such as `+05:30`.

    Example:
        >>> zone("europe/berlin"), zone("+0530"), zone("Z")
        ('Europe/Berlin', '+05:30', 'UTC')

    Raises:
        CaseError: there is no such zone; the hint names close matches.
    """
    wanted = text.strip()
    if wanted.upper() in ("Z", "UTC", "GMT"):
        return "UTC"
    if found := _FIXED.match(wanted):
        hours, minutes = int(found[2]), int(found[3] or 0)
        if hours <= 14:
            return f"{found[1]}{hours:02}:{minutes:02}"
    known = _names()
    if wanted.lower() in known and wanted.lower() not in ("localtime", "factory"):
        return known[wanted.lower()]
    raise CaseError(f"there is no zone {text!r}", at="--zone", hint=_close(wanted, known))


@cache
def _names() -> dict[str, str]:
    """List the zones by their names in small letters: to look for them takes longer than to read a small source."""
    return {name.lower(): name for name in sorted(zoneinfo.available_timezones()) if "/" in name or name.isalpha()}


def _close(wanted: str, known: dict[str, str]) -> str:
    near = difflib.get_close_matches(wanted.lower(), known, n=3, cutoff=0.6)
    ends = sorted(name for key, name in known.items() if key.rsplit("/", 1)[-1] == wanted.lower().replace(" ", "_"))
    names = [*ends, *(known[key] for key in near if known[key] not in ends)][:3]
    said = f"did you mean {' or '.join(names)}? " if names else ""
    return f"{said}write an IANA name such as Europe/Berlin, or an offset such as +05:30"


def fixed(name: str) -> int | None:
    """Give the offset of a zone that has only one, in seconds.

    Example:
        >>> fixed("-03:30"), fixed("UTC"), fixed("Europe/Berlin")
        (-12600, 0, None)
    """
    if name == "UTC":
        return 0
    found = _FIXED.match(name)
    if not found:
        return None
    return int(f"{found[1]}1") * (int(found[2]) * 3600 + int(found[3] or 0) * 60)


def is_name(word: str) -> bool:
    """Tell whether a zone word is an IANA name of the database.

    Example:
        >>> is_name("Europe/Berlin"), is_name("CEST")
        (True, False)
    """
    return "/" in word and _loaded(word) is not None


@cache
def _loaded(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def spans(name: str, first_us: int, last_us: int) -> list[Span]:
    """List the spans of a zone that local times between two can fall into, in order.

    Args:
        name: an IANA name or a fixed offset.
        first_us: the earliest local time, in microseconds since 1970.
        last_us: the latest.

    Example:
        >>> first = 1_711_846_800_000_000  # 2024-03-31 01:00
        >>> [(span.offset_s, span.word) for span in spans("Europe/Berlin", first, first)]
        [(3600, 'CET'), (7200, 'CEST')]
    """
    offset = fixed(name)
    if offset is not None:
        return [Span(-(2**62), 2**62, offset, name)]
    years = [(_EPOCH + timedelta(microseconds=us + side)).year for us, side in ((first_us, -_DAY), (last_us, _DAY))]
    low, high = (min(max(year, _YEARS[0]), _YEARS[1]) for year in years)
    every = [change for year in range(low, high + 1) for change in _changes(name, year)]
    begin = [(-(2**62), *_at(name, datetime(low, 1, 1))), *every]
    found = [
        Span(start + offset * SECOND if i else start, _stop(begin, i) + offset * SECOND, offset, word)
        for i, (start, offset, word) in enumerate(begin)
    ]
    return [span for span in found if span.start <= last_us + _DAY and span.stop >= first_us - _DAY]


_DAY = 86_400 * SECOND


def _stop(begin: list[tuple[int, int, str]], i: int) -> int:
    return begin[i + 1][0] if i + 1 < len(begin) else 2**61


@cache
def _changes(name: str, year: int) -> tuple[tuple[int, int, str], ...]:
    """List a zone's changes in a year of UTC: instant in microseconds, offset and word from then on."""
    found = []
    for before, after in pairwise(_probes(year)):
        if _at(name, before) != _at(name, after):
            found.append(_search(name, before, after))
    return tuple(found)


def _probes(year: int) -> Iterator[datetime]:
    at = datetime(year, 1, 1)
    while at.year == year:
        yield at
        at += _PROBE
    yield datetime(year + 1, 1, 1)


def _at(name: str, utc: datetime) -> tuple[int, str]:
    there = utc.replace(tzinfo=UTC).astimezone(zoneinfo.ZoneInfo(name))
    return round((there.utcoffset() or timedelta()).total_seconds()), there.tzname() or ""


def _search(name: str, low: datetime, high: datetime) -> tuple[int, int, str]:
    """Find by bisection the first second of UTC with the later offset."""
    after = _at(name, high)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=round((high - low).total_seconds()) // 2)
        low, high = (low, middle) if _at(name, middle) == after else (middle, high)
    return round((high - _EPOCH).total_seconds()) * SECOND, *after


def locate(local: pl.Series, name: str) -> pl.DataFrame:
    """Give the offset of a zone at local times.

    Returns:
        `first` and `second`: offsets in seconds, different where the local time came twice; `gap`: whether it did not
        come at all (`first` is then the offset before the gap, so that the instant lies as far behind the change as the
        text lies behind the gap's begin); `fold_start` and `fold_stop`: the local bounds of a fold, in microseconds;
        `word` and `second_word`: the zone's words.

    Example:
        >>> from datetime import datetime
        >>> locate(pl.Series([datetime(2024, 10, 27, 2, 30)], dtype=pl.Datetime("us")), "Europe/Berlin").row(0)[:3]
        (7200, 3600, False)
    """
    micros = local.dt.epoch("us")
    low, high = micros.min(), micros.max()
    known = spans(name, int(low), int(high)) if isinstance(low, int) and isinstance(high, int) else spans("UTC", 0, 0)
    if len(known) == 1:
        return _alone(len(local), known[0])
    table = pl.DataFrame({"start": [s.start for s in known], "stop": [s.stop for s in known]})
    offsets, names = pl.Series([s.offset_s for s in known], dtype=pl.Int32), pl.Series([s.word for s in known])
    last = (table["start"].search_sorted(micros.fill_null(0), side="right").cast(pl.Int64) - 1).clip(0)
    before = (last - 1).clip(0)
    inside = micros < table["stop"].gather(last)
    twice = (last > 0) & inside & (micros < table["stop"].gather(before))
    frame = pl.DataFrame({"last": last, "first": before, "twice": twice, "gap": ~inside})
    earlier = pl.when("twice").then(pl.col("first")).otherwise(pl.col("last"))
    return frame.select(
        first=pl.lit(offsets).gather(earlier),
        second=pl.lit(offsets).gather("last"),
        gap=pl.col("gap"),
        fold_start=pl.when("twice").then(pl.lit(table["start"]).gather("last")),
        fold_stop=pl.when("twice").then(pl.lit(table["stop"]).gather("first")),
        word=pl.lit(names).gather(earlier),
        second_word=pl.lit(names).gather("last"),
    )


def _alone(height: int, span: Span) -> pl.DataFrame:
    return pl.select(
        first=pl.repeat(span.offset_s, height, dtype=pl.Int32),
        second=pl.repeat(span.offset_s, height, dtype=pl.Int32),
        gap=pl.repeat(False, height, dtype=pl.Boolean),
        fold_start=pl.repeat(None, height, dtype=pl.Int64),
        fold_stop=pl.repeat(None, height, dtype=pl.Int64),
        word=pl.repeat(span.word, height, dtype=pl.String),
        second_word=pl.repeat(span.word, height, dtype=pl.String),
    )


def meanings(word: str, day: str) -> tuple[int, ...]:
    """List the offsets that a zone word can mean on a local day, the commonest first; none where it is not known.

    Example:
        >>> meanings("CEST", "2024-07-01"), meanings("CST", "2024-07-01"), meanings("INFO", "2024-07-01")
        ((7200,), (-21600, 28800, -18000), ())
    """
    return tuple(offset for offset, start, stop in words().zones.get(word, ()) if start <= day < stop)


def at_instant(name: str, utc_us: int) -> int:
    """Give the offset of a zone at an instant, in seconds.

    Example:
        >>> at_instant("America/New_York", 1_700_000_000_000_000)
        -18000
    """
    offset = fixed(name)
    return _at(name, _EPOCH + timedelta(microseconds=utc_us))[0] if offset is None else offset

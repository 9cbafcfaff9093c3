"""What the plan says of a source's time: the part of it that the clock goes by, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

_OLDEST = datetime(1981, 1, 1, tzinfo=UTC)
_YEAR = r"(?P<year>20\d\d|19[89]\d)"
_MONTH = r"(?P<month>0[1-9]|1[0-2])"
_DAY = r"(?P<day>0[1-9]|[12]\d|3[01])"
_FULL = (
    re.compile(rf"(?<!\d){_YEAR}(?P<sep>[-_.]?){_MONTH}(?P=sep){_DAY}(?=\D|$|\d{{2}}(?:\d\d){{0,2}}(?!\d))"),
    re.compile(rf"(?<![A-Za-z])(?:u_)?(?:ex|nc|in)(?P<short>\d\d){_MONTH}{_DAY}(?!\d{{3}})"),
    re.compile(rf"(?<![A-Za-z])ULOG\.{_MONTH}{_DAY}(?P<short>\d\d)(?!\d)"),
)
_LESS = (
    re.compile(rf"(?<![A-Za-z\d]){_YEAR}[-_.]?{_MONTH}(?![A-Za-z\d])"),
    re.compile(rf"(?<![A-Za-z\d]){_YEAR}(?![A-Za-z\d])"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRule:
    """What is known of a source's time beside its text.

    Attributes:
        zone: IANA name or offset (`+05:30`) of times without one; null where nothing tells.
        zone_basis: `zone_declared` or `zone_inferred`; null without a zone.
        zone_from: the first local day (ISO) that the evidence of an inferred offset spans; null where it holds always.
        zone_to: the last such day.
        year: year of the source's first line without one, where it is known.
        year_basis: `declared`, or `inferred`.
        collected_at: when the evidence was collected, in UTC: nothing that is not dated by its text is later.
        mtime: when the source was last written, in UTC; it bounds a year, and tells a date only where no name does.
        name_date: what the file's name says: `2024`, `2024-01` or `2024-01-07`.
        beside: days (`2024-01-07/2024-01-09`) on which sources that write years have events, as this one does: they
            make its year where its last change is that of a copy.
        date_order: how dates of bare numbers are read: `mdy`, `dmy`, `ymd`.
        start: the instant from which seconds since a start count: with a zone, or the source's local time without one.
        descending: the source lists its newest events first.
    """

    zone: str | None = None
    zone_basis: str | None = None
    zone_from: str | None = None
    zone_to: str | None = None
    year: int | None = None
    year_basis: str | None = None
    collected_at: datetime | None = None
    mtime: datetime | None = None
    name_date: str | None = None
    beside: str | None = None
    date_order: str | None = None
    start: datetime | None = None
    descending: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give what is known as JSON can hold it, keys in a fixed order.

        Example:
            >>> TimeRule(zone="+01:00", zone_basis="zone_declared").to_dict()
            {'zone': '+01:00', 'zone_basis': 'zone_declared'}
        """
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        told |= {key: in_utc(told[key]) for key in ("collected_at", "mtime") if told[key] is not None}
        return {key: _text(value) for key, value in told.items() if value is not None and value is not False}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Read a rule back.

        Example:
            >>> TimeRule.from_dict({"mtime": "2024-01-02T03:04:05+00:00"}).mtime
            datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        """
        instants = ("collected_at", "mtime", "start")
        known = {one.name for one in fields(cls)}
        read: dict[str, Any] = {key: value for key, value in told.items() if key in known and value is not None}
        return cls(**(read | {key: datetime.fromisoformat(read[key]) for key in instants if key in read}))

    @property
    def bound(self) -> datetime | None:
        """Give the latest instant that a time without a year can stand for, a day of tolerance not counted."""
        return min((at for at in (self.collected_at, self.written) if at is not None), default=None)

    @property
    def written(self) -> datetime | None:
        """Give `mtime` where it can be one: archivers that keep none write 1970 or 1980."""
        return None if self.mtime is None or in_utc(self.mtime) < _OLDEST else self.mtime


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def in_utc(at: datetime) -> datetime:
    """Read a time without a zone as UTC, and bring others there.

    Example:
        >>> in_utc(datetime(2024, 1, 2)).isoformat()
        '2024-01-02T00:00:00+00:00'
    """
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def name_date(path: str) -> str | None:
    """Find the date that a file's name carries, else one that a folder above it carries to the day.

    Example:
        >>> name_date("logs/app.2024-01-07.log"), name_date("messages-20240107.gz"), name_date("x-2024.log")
        ('2024-01-07', '2024-01-07', '2024')
        >>> name_date("2024-01-07/app.log"), name_date("u_ex240107.log"), name_date("orders-1.log.gz")
        ('2024-01-07', '2024-01-07', None)
        >>> name_date("ULOG.010724")
        '2024-01-07'
    """
    *folders, name = re.split(r"[/!]", path)
    tries = [(pattern, name) for pattern in (*_FULL, *_LESS)] + [(_FULL[0], folder) for folder in reversed(folders)]
    for pattern, text in tries:
        dates = [said for found in pattern.finditer(text) if (said := _said(found.groupdict())) is not None]
        if dates:
            return dates[-1]
    return None


def _said(found: Mapping[str, str]) -> str | None:
    year = found["year"] if "year" in found else f"20{found['short']}"
    said = "-".join([year, *(found[part] for part in ("month", "day") if part in found)])
    try:
        named_span(said)
    except ValueError:
        return None
    return said


def named_span(said: str) -> tuple[date, date]:
    """Give the first and the last day of what a name says.

    Example:
        >>> named_span("2024-02")
        (datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))
    """
    parts = [int(part) for part in said.split("-")]
    first = date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)
    if len(parts) > 2:
        return first, first
    after = date(first.year + 1, 1, 1) if len(parts) == 1 or first.month == 12 else date(first.year, first.month + 1, 1)
    return first, after - timedelta(days=1)

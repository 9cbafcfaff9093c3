"""Times, spans and numbers as a report writes them: UTC, the digits that the log gave, words that a person reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

BASIS = {
    "zone_declared": "zone declared",
    "zone_inferred": "zone inferred",
    "year_inferred": "year inferred",
    "date_inferred": "date inferred",
    "ambiguous": "ambiguous",
    "zone_assumed": "UTC assumed",
    "undated": "undated",
}
"""How a time is known, in words; what the text says itself needs none."""

MOMENTS = {
    "trigger": "Trigger",
    "onset": "First symptom",
    "impact_start": "Impact start",
    "detected": "Detected",
    "acknowledged": "Acknowledged",
    "contained": "Contained",
    "mitigated": "Mitigated",
    "recovered": "Recovered",
}
"""The moments in the order in which they are told."""

DURATIONS = {
    "time_to_detect": "Time to detect (TTD)",
    "time_to_acknowledge": "Time to acknowledge (TTA)",
    "time_to_contain": "Time to contain",
    "time_to_mitigate": "Time to mitigate (TTM)",
    "time_to_recover": "Time to recover (TTR)",
    "lead_time": "Lead time of the trigger",
}


def instant(value: Any) -> datetime | None:
    """Read a time of `report.json`; a naive one is UTC.

    Example:
        >>> instant("2024-03-04T02:58:03Z")
        datetime.datetime(2024, 3, 4, 2, 58, 3, tzinfo=datetime.timezone.utc)
    """
    if value is None or value == "":
        return None
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def clock(at: datetime | None, *, resolution_us: int | None = None) -> str:
    """Write the time of day with the digits that are known: whole seconds, milliseconds or microseconds.

    Example:
        >>> clock(instant("2024-03-04T02:58:03.120Z")), clock(instant("2024-03-04T02:58:03Z"))
        ('02:58:03.120', '02:58:03')
    """
    if at is None:
        return "—"
    if resolution_us is None:
        resolution_us = 1 if at.microsecond % 1000 else 1000 if at.microsecond else 1_000_000
    digits = 0 if resolution_us >= 1_000_000 else 3 if resolution_us >= 1000 else 6
    fraction = f".{at.microsecond:06d}"[: digits + 1] if digits else ""
    return at.strftime("%H:%M:%S") + fraction


def moment(at: datetime | None, *, resolution_us: int | None = None) -> str:
    """Write date and time, saying that it is UTC.

    Example:
        >>> moment(instant("2024-03-04T02:58:03Z"))
        '2024-03-04 02:58:03 UTC'
    """
    return "—" if at is None else f"{at:%Y-%m-%d} {clock(at, resolution_us=resolution_us)} UTC"


def span(seconds: float | None) -> str:
    """Write a span of time in its two largest units.

    Example:
        >>> span(22.8), span(3725), span(0.137), span(-40), span(200000)
        ('22.8 s', '1 h 2 min', '0.137 s', '-40 s', '2 d 7 h')
    """
    if seconds is None:
        return "—"
    sign, rest = "-" if seconds < 0 else "", abs(seconds)
    if rest < 10:
        return f"{sign}{round(rest, 3):g} s"
    if rest < 60:
        return f"{sign}{round(rest, 1):g} s"
    parts = []
    whole = round(rest)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return sign + " ".join(parts[:2])


def number(value: Any) -> str:
    """Write a figure: thousands with commas, shares with what can be read.

    Example:
        >>> number(12345), number(0.01449), number(None)
        ('12,345', '0.0145', '—')
    """
    if value is None:
        return "—"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Write a share as per cent.

    Example:
        >>> share(0.01449), share(1.0), share(None)
        ('1.4 %', '100 %', '—')
    """
    if value is None:
        return "—"
    return f"{value * 100:.2g} %" if value < 0.1 else f"{value * 100:.3g} %"


def confidence(value: float | None) -> str:
    """Say how sure a proposal is: low below 0.4, high from 0.7.

    Example:
        >>> confidence(0.5), confidence(None)
        ('moderate', 'moderate')
    """
    if value is None:
        return "moderate"
    return "low" if value < 0.4 else "high" if value >= 0.7 else "moderate"


def bytes_size(size: int | None) -> str:
    """Write a size in bytes with a unit of 1024.

    Example:
        >>> bytes_size(20901), bytes_size(12)
        ('20.4 KiB', '12 B')
    """
    if size is None:
        return "—"
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def count_of(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun.

    Example:
        >>> count_of(1, "source"), count_of(2, "entry", "entries")
        ('1 source', '2 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"

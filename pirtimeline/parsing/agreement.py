"""Pairs of a local time and the instant it stands for, and the zone that they agree on."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from pirtimeline.parsing import offsets
from pirtimeline.parsing.turns import DAY, SECOND

QUARTER = 15 * 60 * SECOND
"""Offsets are multiples of a quarter of an hour."""

_FARTHEST = 15 * 3600 * SECOND
_OFF = 120 * SECOND
_SHARE = 0.75
_LIKELY = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Athens",
    "Europe/Kyiv",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Halifax",
    "America/Sao_Paulo",
    "Australia/Sydney",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "Asia/Jerusalem",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What pairs of local times and instants agree on.

    `zone` is an offset, or an IANA name where one explains different offsets at different dates; null where the pairs
    contradict each other. `zone_from` and `zone_to` are the first and last local day of the pairs, null for a name.
    `off_s` is by how many seconds the local times lie off the zone in the middle, `spread_s` how far the pairs lie
    from that.
    """

    zone: str | None
    zone_from: str | None
    zone_to: str | None
    pairs: int
    off_s: float
    spread_s: float


def agree(pairs: pl.DataFrame) -> Agreement | None:
    """Find the zone that pairs show; null where too few of them show any.

    Args:
        pairs: `local` and `instant`, both in microseconds since 1970.

    Example:
        >>> noon = 1_704_110_400_000_000
        >>> agree(pl.DataFrame({"local": [noon], "instant": [noon + 5 * 3_600_000_000 + 700_000]})).zone
        '-05:00'
    """
    away = pl.col("local") - pl.col("instant")
    rounded = pairs.with_columns(away=away, offset=((away + QUARTER // 2) // QUARTER) * QUARTER)
    rest = pl.col("away") - pl.col("offset")
    sane = rounded.with_columns(rest=rest).filter((pl.col("offset").abs() <= _FARTHEST) & (rest.abs() <= _OFF))
    if sane.is_empty() or sane.height < _SHARE * pairs.height:
        return None
    usual = sane.group_by(day=pl.col("local") // DAY, offset="offset").agg(
        count=pl.len(), instant=pl.col("instant").min()
    )
    days = usual.filter(pl.col("count") >= _SHARE * pl.col("count").sum().over("day")).sort("day")
    told = sane.join(days.select("offset").unique(), on="offset", how="semi")
    named = _named(days, usual)
    middle = _number(told["rest"].median())
    return Agreement(
        zone=named,
        zone_from=_day(days["day"].min()) if named and offsets.fixed(named) is not None else None,
        zone_to=_day(days["day"].max()) if named and offsets.fixed(named) is not None else None,
        pairs=pairs.height,
        off_s=middle / SECOND,
        spread_s=_number((told["rest"] - middle).abs().max()) / SECOND,
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _day(value: object) -> str:
    return str(pl.select(pl.lit(value).cast(pl.Int32).cast(pl.Date)).item())


def _named(days: pl.DataFrame, usual: pl.DataFrame) -> str | None:
    """Name the one offset of all days, else a zone that explains them; null where they contradict each other."""
    if days["day"].n_unique() < usual["day"].n_unique():
        return None
    shown = days["offset"].unique()
    if len(shown) == 1:
        return written(shown[0] // SECOND)
    return explained([(instant, offset // SECOND) for instant, offset in days.select("instant", "offset").iter_rows()])


def explained(shown: Sequence[tuple[int, int]]) -> str | None:
    """Find an IANA zone that had every shown offset (seconds) at its instant (microseconds), the likeliest first.

    Example:
        >>> explained([(1_704_110_400_000_000, -18000), (1_719_835_200_000_000, -14400)])
        'America/New_York'
    """
    fits = (
        name for name in (*_LIKELY, *_rest()) if all(offsets.at_instant(name, at) == offset for at, offset in shown)
    )
    return next(fits, None)


@cache
def _rest() -> tuple[str, ...]:
    return tuple(sorted(one for one in zoneinfo.available_timezones() if "/" in one and not one.startswith("Etc/")))


def written(offset_s: int) -> str:
    """Write an offset as a zone.

    Example:
        >>> written(-18000), written(19800)
        ('-05:00', '+05:30')
    """
    minutes = abs(offset_s) // 60
    return f"{'-' if offset_s < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"

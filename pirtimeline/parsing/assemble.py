"""Put times together from the parts that a layout's groups give: any layout, exact, some 3 million texts a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from pirtimeline.parsing.layouts import Layout, words
from pirtimeline.schema import LOCAL

FIELDS: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "_local": LOCAL,
        "_resolution_us": pl.Int64(),
        "_offset_s": pl.Int32(),
        "_zone_word": pl.String(),
        "_lacks": pl.String(),
        "_ambiguous": pl.Boolean(),
    }
)
"""What a text says of time, with types; `parsing.times.TimeFields` tells the meaning."""

SECOND = 1_000_000
DAY_S = 86_400
LEAP_YEAR = 2000
"""The year of a text without one: a leap year, so that 29 February is kept."""

_PIVOT = 70
_COUNTS = {"epoch_s": SECOND, "epoch_ms": 1000, "epoch_us": 1}
_SINCE_1601_S = 11_644_473_600
_SINCE_2001_S = 978_307_200
_MJD_OF_1970 = 40_587
_TAI_AHEAD_S = 10
_OFFSET = re.compile(r"^(?:UTC|GMT|UCT|UT|Z)? ?([+-])([0-9]{1,2})(?::?([0-9]{2}))?(?::?([0-9]{2}))?$")
_MINUTES = re.compile(r"^[+-][0-9]{3}$")
_UTC_WORDS = frozenset(["Z", "UTC", "GMT", "UCT", "UT", "ZULU", "ETC/UTC", "ETC/GMT", "ETC/UCT", "ETC/ZULU"])
_WHOLE = frozenset(
    [
        "year",
        "year2",
        "month",
        "day",
        "yday",
        "hour",
        "minute",
        "second",
        "millis",
        "elapsed",
        "west",
        "mjd",
        "day_second",
    ]
)
"""Roles whose texts are whole numbers."""

_NUMBERS = r"^(?:\d{1,2}:\d\d:\d\d(?:[.,:]\d+)?)?\D*([0-9]{1,4})[/.-]([0-9]{1,2})[/.-]([0-9]{1,4})"


def read(texts: pl.Series, layout: Layout, *, order: str | None = None) -> pl.DataFrame:
    """Read the texts that a layout matches as a whole; the other rows are null.

    Example:
        >>> from pirtimeline.parsing.layouts import layout
        >>> read(pl.Series(["2024-060"]), layout("<Y>-<j>"))["_local"].item()
        datetime.datetime(2024, 2, 29, 0, 0)
    """
    parts = _parts(texts, layout)
    roles = frozenset(parts.columns)  # numbers are cast before they are used: each stands in many terms
    counted = _counted(roles)
    local = _wall(roles, layout, order) if counted is None else counted
    zones = _zones(parts["zone"]) if "zone" in roles else {}
    said = {
        "_local": local.cast(LOCAL),
        "_resolution_us": _resolution(roles),
        "_offset_s": _offset(roles, zones) if counted is None else pl.lit(0, pl.Int32),
        "_zone_word": _zone_part(zones, 1, pl.String()),
        "_lacks": pl.lit(layout.lacks, pl.String),
        "_ambiguous": _several(layout, order),
    }
    frame = parts.select(**said)
    known = pl.col("_local").is_not_null()
    if not layout.any_zone and zones:
        known &= pl.col("_zone_word").is_null() | pl.col("_zone_word").is_in(_known_words(zones))
    return frame if frame.select(known.all()).item() else frame.with_columns(pl.when(known).then(pl.all()))


def _known_words(zones: Mapping[str, tuple[int | None, str | None]]) -> list[str]:
    found = (word for _, word in zones.values() if word is not None)
    return [word for word in found if word in words().zones or word.split("/")[0] in words().areas]


def _parts(texts: pl.Series, layout: Layout) -> pl.DataFrame:
    """Give a column for each role, numbers as such; of several groups with one role the first that matched."""
    groups = texts.rename("text").to_frame().select(pl.col("text").str.extract_groups(layout.capture)).unnest("text")
    held: dict[str, list[str]] = {}
    for role, column in zip(layout.roles, groups.columns, strict=True):
        held.setdefault(role, []).append(column)
    texts_of = {
        role: pl.coalesce(columns) if len(columns) > 1 else pl.col(columns[0]) for role, columns in held.items()
    }
    return groups.select((_whole(text) if role in _WHOLE else text).alias(role) for role, text in texts_of.items())


def _counted(roles: frozenset[str]) -> pl.Expr | None:
    """Give microseconds since 1970 for texts that count from an instant; null where the roles are those of a date."""
    fraction = _micros("fraction") if "fraction" in roles else pl.lit(0, pl.Int64)
    for role, unit in _COUNTS.items():
        if role in roles:
            return pl.col(role).cast(pl.Int64, strict=False) * unit + fraction * unit // SECOND
    if "elapsed" in roles:
        return None
    if "epoch_ns" in roles:
        return pl.col("epoch_ns").cast(pl.Int64, strict=False) // 1000
    if "tai" in roles:
        seconds, nanos = (pl.col("tai").str.slice(at, 8).str.to_integer(base=16, strict=False) for at in (8, 16))
        return (seconds.cast(pl.Int64) - _TAI_AHEAD_S) * SECOND + nanos.cast(pl.Int64) // 1000
    if "filetime" in roles:
        return pl.col("filetime").cast(pl.Int64, strict=False) // 10 - _SINCE_1601_S * SECOND
    if "webkit" in roles:
        return pl.col("webkit").cast(pl.Int64, strict=False) - _SINCE_1601_S * SECOND
    if "cocoa" in roles:
        return (pl.col("cocoa").cast(pl.Int64, strict=False) + _SINCE_2001_S) * SECOND + fraction
    if "mjd" in roles:  # https://www.rfc-editor.org/rfc/rfc5905, table 3: days since 17 November 1858
        return ((pl.col("mjd") - _MJD_OF_1970) * DAY_S + pl.col("day_second")) * SECOND + fraction
    return None


def _wall(roles: frozenset[str], layout: Layout, order: str | None) -> pl.Expr:
    """Give microseconds of the wall time as written."""
    if "elapsed" in roles:
        day, seconds = pl.lit(0, pl.Int64), pl.col("elapsed")
    else:
        day, seconds = _day(roles, layout, order), _clock_seconds(roles)
    micros = (day * DAY_S + seconds) * SECOND
    if "fraction" in roles:
        micros += _micros("fraction").fill_null(0)
    if "millis" in roles:
        micros += pl.col("millis").fill_null(0) * 1000
    return micros


def _whole(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars_start(" ").cast(pl.Int64, strict=False)


def _micros(role: str) -> pl.Expr:
    """Read digits after the point as microseconds; what is finer is cut off."""
    return pl.col(role).str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)


def _clock_seconds(roles: frozenset[str]) -> pl.Expr:
    hour = pl.col("hour") if "hour" in roles else pl.lit(0, pl.Int64)
    if "half" in roles:
        later = half(pl.col("half"))
        hour = pl.when(later.is_null()).then(hour).otherwise(hour % 12 + 12 * later)
    minute = pl.col("minute") if "minute" in roles else pl.lit(0, pl.Int64)
    second = pl.col("second").fill_null(0) if "second" in roles else pl.lit(0, pl.Int64)
    return hour * 3600 + minute * 60 + second


def half(text: pl.Expr) -> pl.Expr:
    """Tell the half of the day from its word: 0 before noon, 1 after.

    Example:
        >>> pl.select(half(pl.lit("p. m."))).item()
        1
    """
    return _mapped(text.str.to_lowercase().str.replace_all("[\u00a0\u202f]", " "), words().halves)


def _mapped(text: pl.Expr, known: Mapping[str, int]) -> pl.Expr:
    return text.replace_strict(dict(known), default=None, return_dtype=pl.Int64)


def _day(roles: frozenset[str], layout: Layout, order: str | None) -> pl.Expr:
    """Give the day as days since 1970; null where there is no such day."""
    if "third" in roles:
        readings = _readings()
        return pl.coalesce(readings[one] for one in _preferred(layout, order))
    if not {"day", "yday"} & roles:
        return pl.lit(0, pl.Int64)
    year = _year(roles)
    if "yday" in roles:
        nth = pl.col("yday")
        first = pl.date(year, 1, 1)
        return pl.when(nth.is_between(1, 365 + first.dt.is_leap_year().cast(pl.Int64))).then(_since_1970(first, nth))
    if "month" in roles:
        return real_day(year, pl.col("month"), pl.col("day"))
    name = pl.col("month_name").str.to_lowercase().str.strip_chars_end(".")
    return real_day(year, _mapped(name, words().months), pl.col("day"))


def _year(roles: frozenset[str]) -> pl.Expr:
    if "year" in roles:
        return pl.col("year")
    return _century(pl.col("year2")) if "year2" in roles else pl.lit(LEAP_YEAR, pl.Int64)


def _century(year: pl.Expr) -> pl.Expr:
    """Place a year of two digits between 1970 and 2069, as POSIX does; one of four stays."""
    return pl.when(year >= 100).then(year).otherwise(year + 1900 + 100 * (year < _PIVOT).cast(pl.Int64))


def real_day(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Give days since 1970, null where the calendar has no such day.

    Example:
        >>> frame = pl.DataFrame({"y": [2024, 2023], "m": [2, 2], "d": [29, 29]})
        >>> frame.select(real_day(pl.col("y"), pl.col("m"), pl.col("d"))).to_series().to_list()
        [19782, None]
    """
    first = pl.date(year, pl.when(month.is_between(1, 12)).then(month), 1)
    longest = first.dt.month_end().dt.day()
    return pl.when(day.is_between(1, longest)).then(_since_1970(first, day))


def _since_1970(first: pl.Expr, nth: pl.Expr) -> pl.Expr:
    """Count the days from 1970 to the nth from a date on."""
    return first.cast(pl.Int32).cast(pl.Int64) + nth - 1


def _preferred(layout: Layout, order: str | None) -> tuple[str, ...]:
    return (order, *layout.orders) if order in layout.orders and order is not None else layout.orders


def _several(layout: Layout, order: str | None) -> pl.Expr:
    """Tell which dates of bare numbers have several readings, where the source as a whole settles none."""
    if not layout.orders:
        return pl.lit(None, pl.Boolean)
    if order in layout.orders:
        return pl.lit(False, pl.Boolean)
    readings = _readings()
    stand = [readings[one] for one in layout.orders]
    return pl.min_horizontal(stand) != pl.max_horizontal(stand)


def _readings() -> dict[str, pl.Expr]:
    """Give the day in each order of a date of bare numbers; null where that order makes no date."""
    first, second, third = (_whole(pl.col(name)) for name in ("first", "second_number", "third"))
    short = pl.col("first").str.len_bytes().eq(2) & pl.col("third").str.len_bytes().eq(2)
    return {
        "mdy": real_day(_century(third), first, second),
        "dmy": real_day(_century(third), second, first),
        "ymd": pl.when(short).then(real_day(_century(first), second, third)),
    }


def numbers(texts: pl.Series, layout: Layout, order: str | None) -> pl.DataFrame:
    """Read dates of bare numbers: `text`, `day` (since 1970) and whether there are `several` readings.

    Example:
        >>> from pirtimeline.parsing.layouts import layout
        >>> numbers(pl.Series(["1/2/2024"]), layout("<n1>/<n2>/<n3>", ("mdy", "dmy")), None).row(0)
        ('1/2/2024', 19724, True)
    """
    read = _number_parts(texts).select(
        day=pl.coalesce(_readings()[one] for one in _preferred(layout, order)), several=_several(layout, order)
    )
    return read.insert_column(0, texts.rename("text"))


def readings_of_numbers(texts: pl.Series) -> pl.DataFrame:
    """Read the first date of bare numbers in texts in each order, as days since 1970.

    Example:
        >>> readings_of_numbers(pl.Series(["13/02/2024 10:00"])).row(0)
        (None, 19766, None)
    """
    return _number_parts(texts).select(**_readings())


def _number_parts(texts: pl.Series) -> pl.DataFrame:
    groups = texts.rename("text").to_frame().select(pl.col("text").str.extract_groups(_NUMBERS)).unnest("text")
    groups.columns = ["first", "second_number", "third"]
    return groups


def _resolution(roles: frozenset[str]) -> pl.Expr:
    """Give the unit of the last digit in microseconds."""
    unit = pl.lit(_unit(roles), pl.Int64)
    if "second" in roles and "minute" in roles:
        unit = pl.when(pl.col("second").is_null()).then(60 * SECOND).otherwise(unit)
    if "millis" in roles:
        unit = pl.when(pl.col("millis").is_null()).then(unit).otherwise(1000)
    if "fraction" not in roles:
        return unit.cast(pl.Int64)
    digits = pl.col("fraction").str.len_bytes().cast(pl.Int64)
    finer = _mapped(digits, {n: max(1, _unit(roles) // 10**n) for n in range(1, 10)})  # type: ignore[misc]
    return pl.coalesce(finer, unit).cast(pl.Int64)


def _unit(roles: frozenset[str]) -> int:
    if roles & {"epoch_us", "epoch_ns", "tai", "filetime", "webkit"}:
        return 1
    if "epoch_ms" in roles:
        return 1000
    if roles & {"second", "epoch_s", "cocoa", "elapsed", "day_second"}:
        return SECOND
    return 60 * SECOND if "minute" in roles else 3600 * SECOND if "hour" in roles else DAY_S * SECOND


def _zones(texts: pl.Series) -> dict[str, tuple[int | None, str | None]]:
    """Read the few different zone texts of a column, each once."""
    return {text: zone_text(text) for text in sorted(texts.drop_nulls().unique())}


def _zone_part(zones: Mapping[str, tuple[int | None, str | None]], part: int, dtype: pl.DataType) -> pl.Expr:
    known = {text: read[part] for text, read in zones.items() if read[part] is not None}
    if not known:
        return pl.lit(None, dtype)
    if len(known) == 1:
        ((text, value),) = known.items()
        return pl.when(pl.col("zone") == text).then(pl.lit(value, dtype))
    return pl.col("zone").replace_strict(known, default=None, return_dtype=dtype)


def _offset(roles: frozenset[str], zones: Mapping[str, tuple[int | None, str | None]]) -> pl.Expr:
    """Give the offset in seconds: of the zone's text, or of minutes that are counted west of UTC."""
    return -60 * pl.col("west").cast(pl.Int32) if "west" in roles else _zone_part(zones, 0, pl.Int32())


def zone_text(text: str) -> tuple[int | None, str | None]:
    """Read what stands beside a time as zone: its offset in seconds, or else the word.

    Example:
        >>> zone_text("+05:30"), zone_text("UTC"), zone_text("GMT-2"), zone_text("CET")
        ((19800, None), (0, None), (-7200, None), (None, 'CET'))
        >>> zone_text("+120")  # db2diag counts minutes
        (7200, None)
    """
    word = words().long_zones.get(text, text)
    if word.upper() in _UTC_WORDS:
        return 0, None
    if _MINUTES.match(word):
        return int(word) * 60, None
    found = _OFFSET.match(word)
    if not found:
        return None, word
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    return int(f"{found[1]}1") * (hours * 3600 + minutes * 60 + seconds), None

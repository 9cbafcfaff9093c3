"""Event texts to columns: what a format's patterns say of each event, typed, with its time as text.

Group names are columns. A group `<column>__<unit>` is converted: `duration_ms__s`, `jvm_heap_before_bytes__MiB`,
`severity_text__pri` (syslog's number). Several groups may fill one column: `user_name` and `user_name__2`, or two
units; of those that matched, the first counts (`duration_ms__s__2` is a second one in seconds).
Columns that begin with an underscore are the engine's own and never reach the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from pirtimeline.parsing import heads, levels, times, traces
from pirtimeline.parsing.framing import Framed, framed_texts
from pirtimeline.parsing.lines import Offsets
from pirtimeline.parsing.plugin import Format, Pattern
from pirtimeline.parsing.structured import in_utc
from pirtimeline.schema import EVENT_COLUMNS

OWN_TYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "time": pl.String(),
}

UNITS: Mapping[str, float] = {
    "ns": 1e-6,
    "us": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "min": 60e3,
    "h": 3600e3,
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "K": 1 << 10,
    "M": 1 << 20,
    "G": 1 << 30,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
}
"""Factors to milliseconds for durations and to bytes for sizes."""


def extract(texts: pl.Series, one: Format) -> pl.DataFrame:
    """Read texts that are one event each by a format's patterns.

    Args:
        texts: whole events, without their last line end.
        one: a format of kind `lines`.

    Returns:
        One row a text in the same order: `_pattern` (place of the pattern that matched, null where none did), the
        columns of the patterns' groups with their types, `severity`, and `times.FIELDS`.
    """
    framed = framed_texts(texts)
    return read(framed, np.arange(framed.height), one)


def read(framed: Framed, rows: Offsets, one: Format) -> pl.DataFrame:
    """Read the events in `rows` of a framed block by a format's patterns; see `extract` for the result."""
    found = [*_by_pattern(framed, rows, one)]
    table = pl.concat(found, how="diagonal") if len(found) > 1 else found[0]
    table = table.sort("_row") if len(found) > 1 else table
    table = _typed(table, one).drop("_row")
    return levels.with_found(table) if one.generic and "message" in table.columns else table


def _by_pattern(framed: Framed, rows: Offsets, one: Format) -> Iterator[pl.DataFrame]:
    """Give each pattern the events that those before it left; the last frame holds what none of them reads."""
    left = np.arange(len(rows))
    for place, pattern in enumerate(one.patterns):
        mine, groups = _matched(framed, rows, left, pattern)
        if len(mine):
            yield _groups(framed, rows[mine], groups, pattern, one.zone).with_columns(
                pl.Series("_row", mine), pl.lit(place, pl.Int16).alias("_pattern")
            )
        left = left if not len(mine) else np.setdiff1d(left, mine, assume_unique=True)
    if len(left) or not len(rows):
        yield pl.DataFrame({"_row": left}, schema={"_row": pl.Int64}).with_columns(
            pl.lit(None, pl.Int16).alias("_pattern")
        )


def _matched(framed: Framed, rows: Offsets, left: Offsets, pattern: Pattern) -> tuple[Offsets, pl.DataFrame]:
    """Give those of the events left that a pattern reads, and their groups, as framing found them where it did."""
    if (known := framed.captured.get(pattern.regex)) is not None:
        mine = left[known.holds(framed.head[rows[left]])]
        return mine, known.of(framed.head[rows[mine]])
    headers = framed.headers(rows[left], pattern.header_lines)
    matched, groups = heads.read(headers, pattern)
    return left[matched], groups


def _groups(framed: Framed, rows: Offsets, groups: pl.DataFrame, pattern: Pattern, zone: str) -> pl.DataFrame:
    if "message" not in groups.columns:
        groups = groups.with_columns(framed.headers(rows, pattern.header_lines).alias("message"))
    table = _with_rests(groups, framed, rows, pattern.header_lines)
    if "timestamp_text" not in table.columns:
        return table
    return in_utc(timed(table, pattern.time)) if zone else timed(table, pattern.time)


def timed(table: pl.DataFrame, time: str) -> pl.DataFrame:
    """Add what `timestamp_text` says, read as `time` tells: the columns of `times.FIELDS`."""
    return times.read(table, time)


def _with_rests(table: pl.DataFrame, framed: Framed, rows: Offsets, count: int) -> pl.DataFrame:
    """Look at what stands below the headers of those events that have more than so many lines."""
    longer = np.flatnonzero(framed.first[1:][rows] - framed.head[rows] > count)
    return with_rest(table, framed.rests(rows[longer], count), longer) if len(longer) else table


def with_rest(table: pl.DataFrame, rests: pl.Series, at: Offsets) -> pl.DataFrame:
    """Put what stands below headers where it belongs: a stack trace into its columns, else to the message.

    Args:
        table: rows with `message`.
        rests: the texts below the headers of some rows.
        at: which rows those are.
    """
    rests = rests.str.strip_chars_end("\r\n ")
    told = (rests != "").to_numpy()
    rows = at[told]
    if not len(rows):
        return table
    below = traces.below(rests.filter(told), table["message"].gather(rows))
    kept = [name for name in ("exception_type", "exception_message") if name in table.columns]
    blank = pl.Series([None], dtype=pl.String).new_from_index(0, table.height)
    return table.with_columns(
        (table["message"] if name == "message" else blank).clone().scatter(rows, below[name]).alias(name)
        for name in below.columns
        if name not in kept
    )


def _typed(table: pl.DataFrame, one: Format) -> pl.DataFrame:
    """Cast groups to the types of their columns; what a log writes for nothing (`-`, empty) is null."""
    groups: dict[str, list[pl.Expr]] = {}
    for group in table.columns:
        if not group.startswith("_"):
            groups.setdefault(group.partition("__")[0], []).append(_column(group, one))
    casts = [said[0] if len(said) == 1 else pl.coalesce(said).alias(name) for name, said in groups.items()]
    table = table.select(*[name for name in table.columns if name.startswith("_")], *casts)
    table = _split_url(table)
    if "severity_text" in table.columns:
        table = table.with_columns(levels.severities(table["severity_text"], one.severity).alias("severity"))
    return table


def _column(group: str, one: Format) -> pl.Expr:
    name, unit = column_and_unit(group)
    dtype = EVENT_COLUMNS[name] if name in EVENT_COLUMNS else OWN_TYPES[one.columns[name]]
    text = pl.col(group)
    if unit == "pri":
        return _syslog_word(text).alias(name)
    if dtype == pl.String:
        return (text if name == "message" else pl.when((text != "-") & (text != "")).then(text)).alias(name)
    if name.endswith("_bytes"):
        sizes = text.map_batches(lambda texts: _sizes(texts, unit), return_dtype=pl.Int64, is_elementwise=True)
        return sizes.cast(dtype, strict=False).alias(name)
    if unit:
        number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        return (number * UNITS[unit]).round(6).cast(dtype, strict=False).alias(name)
    if dtype == pl.Boolean:
        return text.str.to_lowercase().is_in(["true", "yes", "1", "y", "t"]).alias(name)
    if dtype == pl.Float64:
        return text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).alias(name)
    return text.cast(dtype, strict=False).alias(name)


def _sizes(texts: pl.Series, unit: str) -> pl.Series:
    """Read sizes in bytes; most are plain numbers."""
    plain = texts.cast(pl.Int64, strict=False)
    found = plain * int(UNITS.get(unit, 1))
    others = ((plain.is_null() & texts.is_not_null()) | (plain < 0)).arg_true()
    if others.is_empty():
        return found
    read = texts.gather(others).to_frame("text").select(_size(pl.col("text"), unit).cast(pl.Int64, strict=False))
    return found.scatter(others, read.to_series())


def _size(text: pl.Expr, unit: str) -> pl.Expr:
    """Read a size in bytes: `5454M`, `262144K`, `1.5G` by their letter, else by the group's unit."""
    number = text.str.extract(r"^([\d.,]+)").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    letter = text.str.extract(r"([KMGT])i?B?$")
    factor = letter.replace_strict(
        {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}, default=UNITS.get(unit, 1), return_dtype=pl.Float64
    )
    return (number * factor).round()


def _syslog_word(text: pl.Expr) -> pl.Expr:
    """Name the severity in syslog's PRI, which is facility times 8 plus severity (RFC 5424, section 6.2.1)."""
    severity = text.cast(pl.Int64, strict=False) % 8
    return severity.replace_strict(dict(enumerate(levels.SYSLOG_WORDS)), default=None, return_dtype=pl.String)


def _split_url(table: pl.DataFrame) -> pl.DataFrame:
    if "url_path" not in table.columns or "url_query" in table.columns:
        return table
    halves = pl.col("url_path").str.splitn("?", 2)
    return table.with_columns(
        halves.struct.field("field_0").alias("url_path"), halves.struct.field("field_1").alias("url_query")
    )


def column_and_unit(group: str) -> tuple[str, str]:
    """Split a group's name into its column and its unit, leaving out the number that tells apart groups of one column.

    Example:
        >>> column_and_unit("duration_ms__s__2"), column_and_unit("user_name__2"), column_and_unit("message")
        (('duration_ms', 's'), ('user_name', ''), ('message', ''))
    """
    name, *rest = group.split("__")
    return name, next((part for part in rest if not part.isdigit()), "")


def groups_of(regex: str) -> list[str]:
    """List the named groups of a regex.

    Example:
        >>> groups_of(r"(?P<host_name>a)(b)(?<message>c)")
        ['host_name', 'message']
    """
    return re.findall(r"\(\?P?<([A-Za-z_]\w*)>", regex)

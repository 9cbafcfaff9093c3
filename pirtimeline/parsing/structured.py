"""Formats by kind: how a line opens an event of one, and how its events are read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import json_lines, levels, times
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.structures import LOOKS, READERS
from pirtimeline.parsing.values import IN_UTC
from pirtimeline.schema import SEVERITY


def opens(text: pl.Expr, one: Format) -> pl.Expr:
    """Test whether a line opens an event of a format: its `starts`, else its patterns, and what its kind looks like."""
    looks = [LOOKS[one.kind](text)] if one.kind in LOOKS else []
    regexes = [one.starts] if one.starts else [pattern.regex for pattern in one.patterns]
    said = [pl.any_horizontal([text.str.contains(regex) for regex in regexes])] if regexes else []
    return pl.all_horizontal([*looks, *said])


def opening(texts: pl.Series, one: Format) -> npt.NDArray[np.bool_]:
    r"""Tell which lines open an event of a format; most objects are known by their first two bytes.

    Example:
        >>> opening(pl.Series(['{"a": 1}', "{", "x"]), Format(name="generic_json", title="", kind="json")).tolist()
        [True, True, False]
    """
    plain = one.kind == "json" and one.starts in ("", json_lines.STARTS) and not one.patterns
    found = texts.str.starts_with(json_lines.PLAIN).to_numpy().copy() if plain else np.zeros(len(texts), np.bool_)
    others = texts.filter(pl.Series(~found)) if plain else texts
    found[~found] = others.to_frame("text").select(opens(pl.col("text"), one)).to_series().to_numpy()
    return found


def read(texts: pl.Series, one: Format) -> pl.DataFrame:
    """Read events of a structured kind.

    Args:
        texts: whole events, without their last line end.
        one: a format of any kind but `lines`.

    Returns:
        One row a text in the same order: the columns that the format fills, `times.FIELDS`, and `_reject`: why a text
        is not of the kind.
    """
    table = READERS[one.kind](texts, one)
    table = table.with_columns(_severities(table, one).alias("severity"))
    if one.generic and "message" in table.columns:
        table = levels.with_found(table)
    if "timestamp_text" not in table.columns:
        return table.drop("_time", "_severity", strict=False)
    dated = timed(table).drop("_time", "_severity", strict=False)
    w3c = one.kind == "w3c" and one.options.get("clock") != "local"  # Windows' firewall says that it writes local time
    return in_utc(dated) if one.zone or w3c else dated


def _severities(table: pl.DataFrame, one: Format) -> pl.Series:
    """Say how grave events are: by the format's own words, the number that stood for a word, or our words."""
    none = pl.Series([None], dtype=pl.String).new_from_index(0, table.height)
    words = table["severity_text"] if "severity_text" in table.columns else none
    told = levels.severities(words, one.severity)
    if "_severity" not in table.columns or table["_severity"].null_count() == table.height:
        return told
    numbers = table["_severity"].cast(SEVERITY, strict=False)
    return pl.select(pl.coalesce(levels.mapped(pl.lit(words), one.severity), numbers, told)).to_series()


def timed(table: pl.DataFrame) -> pl.DataFrame:
    """Add what `timestamp_text` says, each row read as its `_time` tells.

    Example:
        >>> rows = pl.DataFrame({"timestamp_text": ["0", "1970-01-01T00:00:01Z"], "_time": ["epoch_s", "iso8601"]})
        >>> [at.second for at in timed(rows)["_local"]]
        [0, 1]
    """
    names = table["_time"].drop_nulls().unique().sort().to_list()
    if len(names) == 1:
        return _timed(table, names[0])
    rows = table.with_row_index("_at")
    read = [_timed(rows.filter(pl.col("_time") == name).select("_at", "timestamp_text"), name) for name in names]
    if not read:
        return table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in times.FIELDS.items())
    found = pl.concat(read).drop("timestamp_text")
    return rows.join(found, on="_at", how="left", maintain_order="left").drop("_at")


def _timed(table: pl.DataFrame, how: str) -> pl.DataFrame:
    read = times.read(table, how.removesuffix(IN_UTC))
    return in_utc(read) if how.endswith(IN_UTC) else read


def in_utc(table: pl.DataFrame) -> pl.DataFrame:
    """Say of times without an offset that they are UTC, as the format's own specification has it."""
    bare = pl.col("_local").is_not_null() & pl.col("_zone_word").is_null()
    utc = pl.when(bare).then(pl.col("_offset_s").fill_null(0)).otherwise("_offset_s")
    return table.with_columns(utc.alias("_offset_s"))

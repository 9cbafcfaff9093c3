"""Read times fast where all texts of a block are written alike, which is how programs write them.

The first text says at which bytes the parts stand; the others are read by fixed slices (some 15 million texts a
second). What does not fit is left to `parsing.assemble`, which agrees with this module on every text that both read.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pirtimeline.parsing import assemble
from pirtimeline.parsing.layouts import Layout
from pirtimeline.schema import LOCAL

_DIRECTIVES = {
    "year": "%Y",
    "year2": "%y",
    "month": "%m",
    "month_name": "%b",
    "day": "%e",
    "hour": "%H",
    "minute": "%M",
    "second": "%S",
}
_WORTH_IT = 64
_ENGLISH = frozenset(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
_SLICED = frozenset(["fraction", "zone", "weekday"])


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a part stands in the first text, in bytes."""

    role: str
    start: int
    stop: int


def read(texts: pl.Series, layout: Layout, *, order: str | None = None) -> pl.DataFrame | None:
    """Read the texts that are written exactly like the first one; null rows for the rest, None where there is no way.

    Example:
        >>> from pirtimeline.parsing.layouts import chrono
        >>> frame = read(pl.Series(["2024-01-02 03:04:05,678"] * 64), chrono("%Y-%m-%d %H:%M:%S,%3f"))
        >>> frame.select("_local", "_resolution_us").row(0)
        (datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), 1000)
    """
    first = str(texts[0])
    if len(texts) < _WORTH_IT or not first.isascii():
        return None
    model = assemble.read(texts.head(1), layout, order=order)
    cuts = _cuts(first, layout)
    if cuts is None or model["_local"].null_count():
        return None
    frame = _sliced(texts, first, cuts, model)
    return frame if frame["_local"][0] == model["_local"][0] else None


def _cuts(first: str, layout: Layout) -> list[_Cut] | None:
    """Find the parts in the first text, one after the other; none where a part has no chrono directive."""
    groups = pl.select(pl.lit(first).str.extract_groups(layout.capture)).to_series().struct.unnest().row(0)
    cuts, at = [], 0
    for role, value in zip(layout.roles, groups, strict=True):
        if value is None:
            continue
        start = first.find(value, at)
        at = start + len(value)
        cuts.append(_Cut(role, start, at))
        if (role not in _SLICED and role not in _DIRECTIVES) or (role == "month_name" and value not in _ENGLISH):
            return None
    return cuts


def _sliced(texts: pl.Series, first: str, cuts: list[_Cut], model: pl.DataFrame) -> pl.DataFrame:
    text = pl.col("text")
    fits = text.str.len_bytes() == len(first)
    micros = pl.lit(0, pl.Int64)
    for cut in cuts:
        if cut.role == "zone":
            fits &= text.str.slice(cut.start, cut.stop - cut.start) == first[cut.start : cut.stop]
        if cut.role == "fraction":
            width = min(6, cut.stop - cut.start)
            fits &= text.str.slice(cut.start - 1, 1) == first[cut.start - 1]
            micros = text.str.slice(cut.start, width).cast(pl.Int32, strict=False).cast(pl.Int64) * 10 ** (6 - width)
    local = _head(text, first, cuts, str(model["_lacks"][0])) + pl.duration(microseconds=micros)
    said = {name: pl.lit(model[name][0], dtype) for name, dtype in assemble.FIELDS.items() if name != "_local"}
    frame = texts.rename("text").to_frame().lazy().select(_local=pl.when(fits).then(local).cast(LOCAL)).collect()
    return frame.with_columns(pl.when(pl.col("_local").is_not_null()).then(value).alias(n) for n, value in said.items())


def _head(text: pl.Expr, first: str, cuts: list[_Cut], lacks: str) -> pl.Expr:
    """Read date and time to the second with one fixed format over what is neither fraction, zone nor weekday."""
    lead, format_ = {"year": (f"{assemble.LEAP_YEAR} ", "%Y "), "date": ("1970-01-01 ", "%Y-%m-%d ")}.get(
        lacks, ("", "")
    )
    pieces, at, start = [pl.lit(lead)] if lead else [], 0, 0
    for cut in cuts:
        format_ += first[at : cut.start].replace("%", "%%")
        if cut.role in _SLICED:
            if cut.start > start:
                pieces.append(text.str.slice(start, cut.start - start))
            start = cut.stop
        else:
            format_ += _DIRECTIVES[cut.role]
        at = cut.stop
    format_ += first[at:].replace("%", "%%")
    if start < len(first):
        pieces.append(text.str.slice(start, len(first) - start))
    whole = pieces[0] if len(pieces) == 1 else pl.concat_str(pieces)
    return whole.str.to_datetime(format_, time_unit="us", strict=False)

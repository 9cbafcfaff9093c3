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
_NUMBERS = ("first", "second_number", "third")
_SLICED = frozenset(["fraction", "zone", "weekday", "half", "numbers"])
_MOST_DATES = 4000


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a part stands in the first text, in characters."""

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
    if len(texts) < _WORTH_IT:
        return None
    model = assemble.read(texts.head(1), layout, order=order)
    cuts = _cuts(first, layout)
    if cuts is None or model["_local"].null_count():
        return None
    dates = _dates(texts, cuts, layout, order)
    if dates is not None and dates.height > _MOST_DATES:
        return None
    frame = _sliced(texts, first, cuts, model, dates)
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
        if role not in (*_SLICED, *_DIRECTIVES, *_NUMBERS) or (role == "month_name" and value not in _ENGLISH):
            return None
    dates = [cut for cut in cuts if cut.role in _NUMBERS]
    whole = [_Cut("numbers", dates[0].start, dates[-1].stop)] if dates else []
    return [*whole, *(cut for cut in cuts if cut not in dates)]


def _dates(texts: pl.Series, cuts: list[_Cut], layout: Layout, order: str | None) -> pl.DataFrame | None:
    """Read the few different dates of bare numbers, each once."""
    if cuts[0].role != "numbers":
        return None
    told = texts.str.slice(cuts[0].start, cuts[0].stop - cuts[0].start).unique().drop_nulls().sort()
    return assemble.numbers(told, layout, order) if len(told) <= _MOST_DATES else told.to_frame()


def _sliced(
    texts: pl.Series, first: str, cuts: list[_Cut], model: pl.DataFrame, dates: pl.DataFrame | None
) -> pl.DataFrame:
    text = pl.col("text")
    fits = (text.str.len_bytes() if first.isascii() else text.str.len_chars()) == len(first)
    local = _head(text, first, cuts, str(model["_lacks"][0]))
    ambiguous = pl.lit(model["_ambiguous"][0], pl.Boolean)
    for cut in cuts:
        part = text.str.slice(cut.start, cut.stop - cut.start)
        if cut.role == "zone":
            fits &= part == first[cut.start : cut.stop]
        elif cut.role == "fraction":
            fits &= text.str.slice(cut.start - 1, 1) == first[cut.start - 1]
            local += pl.duration(microseconds=_micros(part, cut.stop - cut.start))
        elif cut.role == "half":
            local += pl.duration(hours=assemble.half(part) * 12 - 12 * (local.dt.hour() == 12).cast(pl.Int64))
        elif cut.role == "numbers" and dates is not None:
            local += pl.duration(days=part.replace_strict(dates["text"], dates["day"], default=None))
            ambiguous = part.replace_strict(dates["text"], dates["several"], default=None)
    said = {name: pl.lit(model[name][0], dtype) for name, dtype in assemble.FIELDS.items()}
    known = {"_local": pl.when(fits).then(local).cast(LOCAL), "_ambiguous": ambiguous}
    frame = texts.rename("text").to_frame().lazy().select(**{**said, **known}).collect()
    return frame.with_columns(pl.when(pl.col("_local").is_not_null()).then(pl.all()))


def _micros(digits: pl.Expr, width: int) -> pl.Expr:
    unit = {1: 100_000, 2: 10_000, 3: 1000, 4: 100, 5: 10}.get(width, 1)
    return digits.str.slice(0, min(6, width)).cast(pl.Int32, strict=False).cast(pl.Int64) * unit


def _head(text: pl.Expr, first: str, cuts: list[_Cut], lacks: str) -> pl.Expr:
    """Read date and time to the second with one fixed format over what is not sliced otherwise."""
    leads = {"year": (f"{assemble.LEAP_YEAR} ", "%Y "), "date": ("1970-01-01 ", "%Y-%m-%d ")}
    lead, format_ = leads["date"] if cuts[0].role == "numbers" else leads.get(lacks, ("", ""))
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

"""Where in a line a timestamp stands: every line of a sample against every shape, all sources in one frame.

A line is searched twice: for the first stamp that tells a day and an instant of it (`full`), and for the first that
tells only one of them or is a bare number (`weak`), such as a time of day or seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from pirtimeline.parsing.moulds import mould
from pirtimeline.parsing.shapes import Shape, shapes

REACH = 240
"""Characters of a line within which a stamp must begin to be one of its header."""

_LONGEST = 96
_TRIES = 6
_BEFORE = r"[[:ascii:]&&[^\w./@-]]"
_FULL = "|".join(
    (
        r"[12]\d{3}(?:[-/.] ?\d|:\d\d:\d\d[ -]\d|[ /-]\pL{3}| ?[年년]|\d{4}|\.?\d{3}[ .]\d| \d\d \d)",
        r"\d{1,2}[/.-]\d{1,2}[/.-]\d\d",
        r"\d{1,2}\.?[ /-]?(?:de )?\pL{3,12}\.?(?:[ /-]| de )?,?(?: (?:at|um|à|às|alle|om|o))? *\d\d",
        r"\d{6}[ T_-]+\d{1,2}(?::|\d{4})",
        r"\d\d[-/]\d\d \d\d:|\d\d\.\d\d\.? \d\d:\d\d:",
        r"\d{1,2}月 \d",
        r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? +[\pL\d]",
        r"\pL{3,12}\.? +\d{1,2}(?:st|nd|rd|th)?,? +(?:at )?\d",
        r"\pL{3,12}\.?[/-]\d\d",
        r"[A-Z][\w/]{1,30} [12]\d{3}-\d",
        r"[IWEFDC](?:\d\d){2,4} \d",
        r"\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?(?: [A-Z][A-Za-z/_]{1,20})?,? "
        r"(?:[12]\d{3}[-/.]\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}[ -]\pL{3}[ -]\d{4})",
        r"@40000000[0-9a-f]",
    )
)
"""Where a stamp with day and instant could begin: coarse, so that it is found fast; the shapes decide."""

_WEAK = r"\d{1,2}:\d\d:\d\d|[12]\d{9}|(?:上午|下午|午前|午後|오전|오후) ?\d"
_SINCE_START = r"\d{1,9}\.\d{3,9}s?\]"
_EPOCHS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_RUNS_ON = r"^(?:\w|[.:/-]\d|[/@])"


def find_stamps(lines: pl.DataFrame) -> pl.DataFrame:
    """Find the stamps by which lines could open an event.

    Args:
        lines: `at` (number of the line in the whole frame), `source_id`, `text`.

    Returns:
        At most two rows a line: `at`, `source_id`, `shape`, `full`, `stamp`, `mould` (see `parsing.moulds`), `before`
        and `after` (the text around it).
    """
    known = [shape for shape in shapes() if not shape.whole]
    weak = [shape for shape in known if shape.lacks == "date" or shape.name in _EPOCHS]
    full = [shape for shape in known if shape not in weak]
    since_start = [shape for shape in shapes() if shape.lacks == "start"]
    looks = ((full, _FULL, True), (weak, _WEAK, False), (since_start, _SINCE_START, False))
    found = pl.concat(
        [one for known, coarse, day in looks for one in _search(lines, known, coarse, full=day)], rechunk=True
    )
    first_full = pl.col("place").filter(pl.col("full")).first().over("at")
    found = found.filter(pl.col("full") | (pl.col("place") < first_full).fill_null(True))
    return _one_shape_a_mould(found.drop("place")).sort("at", "full", descending=[False, True])


def at_head(text: pl.Series) -> pl.Series:
    """Tell which lines begin with what could be a stamp with a day, in a bracket or not: a fast look, no proof.

    Example:
        >>> at_head(pl.Series(["[2024-04-21 12:00:00] up", "at 2024-04-21 12:00:00"])).to_list()
        [True, False]
    """
    return text.str.contains(rf"^[\[(<\"]?(?:{_FULL})")


def _search(lines: pl.DataFrame, known: Sequence[Shape], coarse: str, *, full: bool) -> Iterator[pl.DataFrame]:
    """Look for the first place in each line where a shape stands; where the coarse look erred, look further on."""
    here = lines.select(
        "at", "source_id", "text", pl.lit(0, pl.UInt32).alias("from"), rest=pl.col("text").str.head(REACH)
    )
    within = f"{_BEFORE}(?:{coarse})"
    for attempt in range(_TRIES):
        byte = pl.col("rest").str.find(within if attempt else f"^(?:{coarse})|{within}")
        here = here.with_columns(byte=byte).filter(pl.col("byte").is_not_null())
        if here.is_empty() and attempt:
            break
        tried = _tried(here, known)
        yield _placed(tried.filter(pl.col("length") > 0), known, full=full)
        here = tried.filter((pl.col("length") == 0) & (pl.col("place") < REACH)).select(
            "at",
            "source_id",
            "text",
            pl.col("place").alias("from"),
            rest=pl.col("text").str.slice(pl.col("place"), REACH),  # its first character is the one before a next try
        )


def _tried(here: pl.DataFrame, known: Sequence[Shape]) -> pl.DataFrame:
    """Let every shape try the text at the place found.

    Returns:
        The rows with `place` (in characters), `length` of the longest reading, `shapes` (the numbers of those that
        read so much).
    """
    skipped = pl.col("rest").cast(pl.Binary).bin.head("byte").cast(pl.String).str.len_chars()
    here = here.with_columns(place=pl.col("from") + skipped)
    before = pl.col("text").str.slice("place", 1).str.contains(_BEFORE)
    here = here.with_columns(place=pl.col("place") + before.cast(pl.UInt32))
    rest = here.select(rest=pl.col("text").str.slice("place", _LONGEST))
    reads = rest.select(
        pl.col("rest").str.extract(f"^(?:{shape.regex})", 0).str.len_chars().alias(shape.name) for shape in known
    )
    length = reads.select(pl.max_horizontal(reads.columns).fill_null(0).alias("length")).to_series()
    which = reads.with_columns(length).select(
        pl.concat_list(
            pl.when(pl.col(name) == pl.col("length")).then(pl.lit(number, pl.Int16))
            for number, name in enumerate(reads.columns)
        ).list.drop_nulls()
    )
    return here.with_columns(length, shapes=which.to_series())


def _placed(found: pl.DataFrame, known: Sequence[Shape], *, full: bool) -> pl.DataFrame:
    """Cut lines around their stamps, and drop what is part of a longer number."""
    text = pl.col("text")
    table = found.with_columns(
        stamp=text.str.slice("place", "length"),
        before=text.str.head("place"),
        after=text.str.slice(pl.col("place") + pl.col("length")),
        full=pl.lit(full),
    )
    runs_on = pl.col("after").str.contains(r"^\d" if full else _RUNS_ON)
    table = table.filter(~runs_on & (pl.col("place") <= REACH)).with_columns(mould=mould(pl.col("stamp")))
    names = pl.col("shapes").list.eval(
        pl.element().replace_strict(dict(enumerate(shape.name for shape in known)), return_dtype=pl.String)
    )
    return table.select("at", "source_id", "place", "stamp", "mould", "before", "after", "full", names)


def _one_shape_a_mould(found: pl.DataFrame) -> pl.DataFrame:
    """Settle on one shape for the stamps of a source that are written alike: the one that reads most of them."""
    order = {shape.name: shape.rank for shape in shapes()}
    tries = found.select("source_id", "mould", shape="shapes").explode("shape").group_by("source_id", "mould", "shape")
    counted = tries.len().with_columns(order=pl.col("shape").replace_strict(order, return_dtype=pl.Int32))
    best = counted.sort(["len", "order"], descending=[True, False]).group_by("source_id", "mould", maintain_order=True)
    return found.drop("shapes").join(best.first().select("source_id", "mould", "shape"), on=["source_id", "mould"])

"""Times as their texts say them: text in, local time, resolution, offset and zone word out.

Nothing is assumed here: what a text lacks (a zone, a year, a date) is said in columns and settled by `parsing.clock`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from pirtimeline.errors import FormatError
from pirtimeline.parsing import assemble, layouts, quick, shapes
from pirtimeline.parsing.layouts import Layout

FIELDS = assemble.FIELDS
"""The private columns that a text's time gives, with their types; what they mean is told at `TimeFields`."""

ORDERS = ("mdy", "dmy", "ymd")
"""How a date of bare numbers can be read."""

KEYED = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "filetime", "webkit", "cocoa", "uptime", "mjd")
"""Shapes that only a key or a format can name: bare numbers that `auto` does not try."""

_CHOICES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFields:
    """What a text says of a time, as expressions.

    Attributes:
        local: `Datetime("us")`: the wall time as written, UTC where the text is (epochs); null where the text is no
            time. A text without a year has the year 2000, one without a date 1970-01-01, seconds since an unknown
            start count from 1970-01-01. A leap second `:60` is the first of the next minute.
        resolution_us: Int64: the unit of the last digit given, in microseconds, at least 1.
        offset_s: Int32: the offset in the text, in seconds east of UTC; 0 for `Z`, `UTC`, `GMT` and epochs.
        zone_word: String: a zone word or IANA name in the text that is no offset by itself.
        lacks: String: what the text lacks: null, `year`, `date` or `start`.
        ambiguous: Boolean: whether a date of bare numbers has two readings; null where no such date stands.
        together: a struct of all, its fields named `_local`, `_resolution_us`, ... Cheaper than the parts one by one.
    """

    local: pl.Expr
    resolution_us: pl.Expr
    offset_s: pl.Expr
    zone_word: pl.Expr
    lacks: pl.Expr
    ambiguous: pl.Expr
    together: pl.Expr


def convert(text: pl.Expr, time: str | Sequence[str], *, order: str | None = None) -> TimeFields:
    """Give expressions for what a column of texts says of time.

    Args:
        text: the texts, whole: nothing but the time.
        time: a chrono format, a shape's name, `auto`, or several of them; the first that reads a text holds.
        order: how a date of bare numbers is read in this source, where that is known.

    Example:
        >>> frame = pl.DataFrame({"at": ["02/Jan/2024:03:04:05 -0500"]})
        >>> fields = convert(pl.col("at"), "%d/%b/%Y:%H:%M:%S %z")
        >>> frame.select(fields.local, fields.offset_s, fields.resolution_us).row(0)
        (datetime.datetime(2024, 1, 2, 3, 4, 5), -18000, 1000000)
    """
    known = readings(time)
    together = text.map_batches(
        lambda texts: _read(texts, known, order).to_struct(texts.name),
        return_dtype=pl.Struct(FIELDS),
        is_elementwise=True,
    )
    parts = {name.removeprefix("_"): together.struct.field(name).alias(name) for name in FIELDS}
    return TimeFields(**parts, together=together)


def read(frame: pl.DataFrame, time: str | Sequence[str], *, order: str | None = None) -> pl.DataFrame:
    """Add to a frame with `timestamp_text` the private columns of `FIELDS`.

    Example:
        >>> read(pl.DataFrame({"timestamp_text": ["Jan  2 03:04:05"]}), "syslog").row(0)[1:]
        (datetime.datetime(2000, 1, 2, 3, 4, 5), 1000000, None, None, 'year', None)
    """
    return frame.with_columns(_read(frame["timestamp_text"], readings(time), order))


def readings(time: str | Sequence[str]) -> tuple[Layout, ...]:
    """Compile how times are written.

    Example:
        >>> readings("%H:%M")[0].roles
        ('hour', 'minute')

    Raises:
        FormatError: a shape or a directive is not known.
    """
    if isinstance(time, str):
        return _known(time)
    return tuple(layout for one in time for layout in _known(one))


def _known(time: str) -> tuple[Layout, ...]:
    if time == "auto":
        return tuple(shape.layout for shape in shapes.shapes() if shape.name not in KEYED)
    if "%" in time:
        return (layouts.chrono(time),)
    if not time:
        raise FormatError("a pattern does not say how its time is written", hint="add time = '%Y-%m-%d ...' or a shape")
    return (shapes.shape(time).layout,)


def _read(texts: pl.Series, known: Sequence[Layout], order: str | None) -> pl.DataFrame:
    """Read each text by the first layout that can, the quick way where all texts are written alike."""
    rows = pl.DataFrame({"text": texts.rename("text")}).with_row_index("row").filter(pl.col("text").is_not_null())
    done = list(_rounds(rows, known, order))
    if len(done) == 1 and done[0].height == len(texts):
        return done[0].drop("row")
    if not done:
        return pl.DataFrame(schema=FIELDS).clear(len(texts))
    every = pl.DataFrame({"row": pl.int_range(len(texts), eager=True, dtype=pl.UInt32)})
    return every.join(pl.concat(done), on="row", how="left", maintain_order="left").drop("row")


def _rounds(left: pl.DataFrame, known: Sequence[Layout], order: str | None) -> Iterator[pl.DataFrame]:
    """Yield frames of rows that were read, with `row`; each round sees only what is left.

    Where there are many layouts, the first text that is left chooses one, as long as that goes well: no two layouts of
    the table that differ read texts that differ in their digits alone.
    """
    for _ in range(_CHOICES if len(known) > 1 else 0):
        chosen = next((one for one in known if not left.is_empty() and _reads(one, left["text"][0])), None)
        if chosen is None:
            break
        left = yield from _attempts(left, chosen, order)
    for layout in known:
        left = yield from _attempts(left, layout, order)


def _reads(layout: Layout, text: str) -> bool:
    alone = pl.Series([text])
    return bool(alone.str.contains(layout.capture)[0]) and assemble.read(alone, layout)["_local"].null_count() == 0


def _attempts(left: pl.DataFrame, layout: Layout, order: str | None) -> Generator[pl.DataFrame, None, pl.DataFrame]:
    for attempt in (quick.read, quick.read, quick.read, assemble.read):
        found = None if left.is_empty() else attempt(left["text"], layout, order=order)
        if found is None:
            continue
        good = found["_local"].is_not_null()
        if good.any():
            frame = found.insert_column(0, left["row"])
            yield frame if good.all() else frame.filter(good)
            left = left.filter(~good)
    return left


def date_order(texts: pl.Series) -> str | None:
    """Decide for a source as a whole how its dates of bare numbers are read: `mdy`, `dmy`, `ymd`; null if unsettled.

    A reading falls where it makes an impossible date; of several that stand, the one holds that alone never steps
    back from one line to the next by a day or more.

    Example:
        >>> date_order(pl.Series(["01/02/2024 10:00:00", "13/02/2024 10:00:00"]))
        'dmy'
        >>> date_order(pl.Series(["01/02/2024 10:00:00"])) is None
        True
    """
    days = assemble.readings_of_numbers(texts.drop_nulls())
    whole = [order for order in ORDERS if days.height and days[order].is_not_null().all()]
    if len(whole) < 2 or (days[whole[0]] == days[whole[1]]).all():
        return whole[0] if whole else None
    steady = [order for order in whole if not (days[order].diff() < 0).any()]
    return steady[0] if len(steady) == 1 else None

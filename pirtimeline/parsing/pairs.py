"""Pairs of key and value to columns of the event table, for every kind of text that has keys.

Which pair fills which column is settled by the set of known keys of an event (`fields.resolve`) and by what its value
looks like (`values.reading`): of several keys for one column, the first in the order of trust whose value fits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing.fields import FieldMap, Join, Target, field_map, matching, plain, resolve, unwrapped
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.repeated import written_alike
from pirtimeline.parsing.values import DAY, HALF, IN_UTC, OF_DAY, Reading, reading
from pirtimeline.schema import EVENT_COLUMNS

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

OWN_TYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "time": pl.String(),
}
"""The types of a format's own columns; a time stays text."""


class Assigned(NamedTuple):
    """Columns of the events, and which pairs say no more than these columns."""

    frame: pl.DataFrame
    used: Flags


@dataclass(slots=True)
class _Filling:
    """What has been filled so far: pieces of columns by row, and the pairs that are used up."""

    height: int
    stale: Flags
    pieces: dict[str, list[tuple[Ints, pl.Series]]] = field(default_factory=lambda: defaultdict(list))
    filled: dict[str, Flags] = field(default_factory=dict)
    used: Flags = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the pairs that a later one of the same key outdoes."""
        self.used = self.stale.copy()

    def free(self, column: str, rows: Ints) -> Flags:
        """Tell which rows still lack a column."""
        return ~self.filled.setdefault(column, np.zeros(self.height, np.bool_))[rows]

    def put(self, column: str, rows: Ints, values: pl.Series) -> None:
        """Fill a column in rows that lack it; nulls fill nothing."""
        fits = self.free(column, rows)
        fits = fits & values.is_not_null().to_numpy() if values.has_nulls() else fits
        if not fits.all():
            rows, values = rows[fits], values.filter(fits)
        if len(rows):
            self.pieces[column].append((rows, values))
            self.filled[column][rows] = True

    def column(self, name: str) -> pl.Series:
        """Lay the pieces of a column into their rows, null where there is none."""
        pieces = self.pieces[name]
        rows = np.concatenate([rows for rows, _ in pieces])
        values = pl.concat([values for _, values in pieces])
        if len(rows) == self.height and (np.diff(rows) > 0).all():
            return values.alias(name)
        place = np.full(self.height, len(rows), np.int64)
        place[rows] = np.arange(len(rows))
        return pl.concat([values, pl.Series([None], dtype=values.dtype)]).gather(place).alias(name)


class _Claim(NamedTuple):
    """Pairs of one key that may fill a column."""

    target: Target
    pairs: Ints
    key: str


def assign(pairs: pl.DataFrame, names: Sequence[str], height: int, one: Format) -> Assigned:
    """Fill columns from pairs.

    Args:
        pairs: `row`, `key` (place in `names`), `value` (text without quotes) and `form` (of `values`); those of one
            event stand in the order of its text; they are read fastest in order of key and row.
        names: dotted keys.
        height: how many events there are.
        one: the format, whose own `fields` and `columns` come first.

    Example:
        >>> pairs = pl.DataFrame({"row": [0, 0], "key": [0, 1], "value": ["warn", "x"], "form": [0, 0]})
        >>> frame, used = assign(pairs, ["level", "colour"], 1, Format(name="mine", title=""))
        >>> frame.to_dicts(), used.tolist()
        ([{'severity_text': 'warn'}], [True, False])
    """
    row = pairs["row"].to_numpy().astype(np.int64)
    key = pairs["key"].to_numpy().astype(np.int64)
    shapes = _shapes(row, key, height)
    table = field_map(one)
    values = pairs.select("row", "value", "form").rechunk()
    if _ordered(row, key):
        order, by_key = np.arange(len(row)), _ByKey(row, key, values)
    else:
        order = _by_key_and_row(row, key)
        by_key = _ByKey(row[order], key[order], values[order])
    state = _Filling(height, _stale(by_key))
    claims = _by_column(_claims(table, shapes, names, by_key, shapes.of_pair[order]))
    for claim in _ends(table, shapes, names, by_key):
        _fill(state, "timestamp_text", [claim], by_key, one)
    for column, claimed in claims.items():
        _fill(state, column, claimed, by_key, one)
    _join_times(state, table, by_key, names)
    halves = [claim._replace(target=claim.target._replace(hint=HALF)) for claim in claims.get("timestamp_text", [])]
    _fill(state, "timestamp_text", halves, by_key, one)
    _settle(state, table, shapes, names)
    used = np.empty_like(state.used)
    used[order] = state.used
    return Assigned(_frame(state, one), used)


def _ordered(row: Ints, key: Ints) -> bool:
    """Tell whether pairs stand in order of key, and those of a key in order of row.

    Example:
        >>> _ordered(np.array([0, 3, 1]), np.array([0, 0, 1])), _ordered(np.array([3, 0]), np.array([0, 0]))
        (True, False)
    """
    up = np.diff(key)
    return bool(((up > 0) | (up == 0) & (np.diff(row) >= 0)).all())


def _by_key_and_row(row: Ints, key: Ints) -> Ints:
    """Order pairs by key, and those of a key by row; rows come in long runs, and keys are few."""
    by_row = np.arange(len(row)) if (np.diff(row) >= 0).all() else np.argsort(row, kind="stable")
    sorted_keys = key[by_row]
    small = sorted_keys.astype(np.uint16) if key.max(initial=0) < 1 << 16 else sorted_keys
    return by_row[np.argsort(small, kind="stable")]


class _ByKey(NamedTuple):
    """Pairs in order of key, those of one key in order of row; `values` has `row`, `value` and `form`."""

    row: Ints
    key: Ints
    values: pl.DataFrame

    def take(self, pairs: Ints) -> pl.DataFrame:
        """Give the values of some pairs; those of a run without a copy."""
        first, count = int(pairs[0]), len(pairs)
        return self.values[first : first + count] if int(pairs[-1]) - first == count - 1 else self.values[pairs]


class _Shapes(NamedTuple):
    """The sets of keys that events have: `of_pair` tells each pair's set, `of_row` each event's."""

    keys: list[list[int]]
    of_pair: Ints
    of_row: Ints


def _shapes(row: Ints, key: Ints, height: int) -> _Shapes:
    """Find the distinct sets of keys."""
    of_row = np.zeros(height, np.int64)
    first = np.zeros(min(height, 1), np.int64)
    if not _all_alike(row, key, height):
        of_row, first = _sets(row, key, height)
    shown = np.zeros(height, np.bool_)
    shown[first] = True
    keys: list[list[int]] = [[] for _ in first]
    for pair in np.flatnonzero(shown[row]).tolist():
        keys[of_row[row[pair]]].append(int(key[pair]))
    return _Shapes([list(dict.fromkeys(one)) for one in keys], of_row[row], of_row)


def _all_alike(row: Ints, key: Ints, height: int) -> bool:
    """Tell whether every event has the same keys: they come key by key, each for all events."""
    if not height or len(row) % height:
        return False
    by_key, rows = key.reshape(-1, height), row.reshape(-1, height)
    return bool((by_key == by_key[:, :1]).all() and (rows == np.arange(height)).all())


def _sets(row: Ints, key: Ints, height: int) -> tuple[Ints, Ints]:
    """Number the sets of keys that events have, and give for each the first event.

    Sums of random numbers that stand for keys tell sets apart. The numbers are whole and below 2^40, so that the sums
    are exact in any order; there are two for each key.
    """
    random = np.random.Generator(np.random.PCG64(0)).integers(1, 1 << 40, (2, int(key.max(initial=0)) + 1))
    sums = np.stack([np.bincount(row, weights[key].astype(np.float64), height) for weights in random], axis=1)
    _, first, of_row = np.unique(sums.view("c16").ravel(), return_index=True, return_inverse=True)
    return of_row, first


def _stale(by_key: _ByKey) -> Flags:
    """Find pairs whose key comes again in the same event: of equal keys the last counts."""
    again = (np.diff(by_key.row) == 0) & (np.diff(by_key.key) == 0)
    return np.append(again, False) if len(by_key.row) else np.zeros(0, np.bool_)


def _claims(table: FieldMap, shapes: _Shapes, names: Sequence[str], by_key: _ByKey, shape: Ints) -> Iterator[_Claim]:
    """Give for each key the columns that it may fill, with the pairs for which it may; `shape` is that of each pair."""
    bounds = np.searchsorted(by_key.key, np.arange(len(names) + 1))
    for (one, target), places in _meanings(table, shapes, names).items():
        mine = np.arange(bounds[one], bounds[one + 1])
        if len(places) < len(shapes.keys):
            within = np.zeros(len(shapes.keys), np.bool_)
            within[places] = True
            mine = mine[within[shape[mine]]]
        yield _Claim(target, mine, names[one])


def _meanings(table: FieldMap, shapes: _Shapes, names: Sequence[str]) -> dict[tuple[int, Target], list[int]]:
    """Tell for each key and each thing that it may mean in which sets of keys it does."""
    means: dict[tuple[int, Target], list[int]] = defaultdict(list)
    for place, keys in enumerate(shapes.keys):
        told = resolve(table, [names[one] for one in keys])
        for one in keys:
            for target in told.get(names[one], ()):
                means[one, target].append(place)
    return means


def _ends(table: FieldMap, shapes: _Shapes, names: Sequence[str], by_key: _ByKey) -> Iterator[_Claim]:
    """Give the time at which something ended where an event says that it did: it is the event's time then."""
    for place, keys in enumerate(shapes.keys):
        said = {plain(names[one]): one for one in keys}
        for over in (one.over for one in matching(table, [names[one] for one in keys])):
            if over is None or over.key not in said or over.time not in said:
                continue
            told = np.flatnonzero(by_key.key == said[over.key])
            ended = by_key.values[told]["value"].str.to_lowercase().is_in(over.words).to_numpy()
            rows = by_key.row[told[ended]]
            rows = rows[shapes.of_row[rows] == place]
            times = np.flatnonzero(by_key.key == said[over.time])
            mine = times[np.isin(by_key.row[times], rows)]
            if len(mine):
                yield _Claim(Target("timestamp_text", 0), mine, names[said[over.time]])


def _by_column(claims: Iterable[_Claim]) -> dict[str, list[_Claim]]:
    """Bring claims into the order in which columns are filled, each with its claims in the order of trust."""
    by_column: dict[str, list[_Claim]] = defaultdict(list)
    for claim in claims:
        by_column[claim.target.column].append(claim)
    first = {name: place for place, name in enumerate(_ORDER)}
    columns = sorted(by_column, key=lambda name: (first.get(name, len(first)), name))
    return {column: sorted(by_column[column], key=lambda claim: claim.target.rank) for column in columns}


_SAYS_UTC = re.compile("(?<!o)utc|gmt", re.IGNORECASE)
"""What tells of a key that its times are in UTC, such as `timestampUTC` or `Time (UTC)`; an outcome does not."""

_ORDER = (
    "timestamp_text",
    "severity_text",
    "message",
    "stack_trace",
    "exception_type",
    "exception_message",
    "client_ip",
)
"""Columns that choose first where one key could fill several."""


def _fill(state: _Filling, column: str, claims: Sequence[_Claim], by_key: _ByKey, one: Format) -> None:
    dtype = None if column in EVENT_COLUMNS else OWN_TYPES[one.columns.get(column, "string")]
    for target, mine, key in claims:
        free = state.free(column, by_key.row[mine]) & ~(state.stale if target.rank < 0 else state.used)[mine]
        mine = mine if free.all() else mine[free]
        if not len(mine):
            continue
        told = reading(column, target.hint, dtype)
        values = _read_values(by_key.take(mine), told)
        fits = values[column].is_not_null()
        if not fits.all():
            mine, values = mine[fits.to_numpy()], values.filter(fits)
        if column == "timestamp_text" and _SAYS_UTC.search(key):
            values = values.with_columns(pl.col("_time") + IN_UTC)
        for name in told.columns:
            state.put(name, by_key.row[mine], values[name])
        state.used[mine[values["whole"].to_numpy()]] = True


def _read_values(values: pl.DataFrame, told: Reading) -> pl.DataFrame:
    return values.select(**(told.usually if _usual(values, told) else told.columns), whole=told.whole)


def _usual(values: pl.DataFrame, told: Reading) -> bool:
    """Tell whether all values are what most are; where all are written alike, one is looked at for all."""
    if told.usual is None or not values.select(told.usual.fill_null(False).all()).item():
        return False
    texts = values["value"]
    return not told.shape or bool((texts.head(1) if written_alike(texts) else texts).str.contains(told.shape).all())


def _join_times(state: _Filling, table: FieldMap, by_key: _ByKey, names: Sequence[str]) -> None:
    """Join times that stand in several keys, where an event has no time yet."""
    places = {key: at for at, name in reversed([*enumerate(names)]) for key in unwrapped(table, plain(name))}
    for join in table.joins:
        if all(one in places for one in join.keys):
            _join(state, join, [np.flatnonzero(by_key.key == places[one]) for one in join.keys], by_key)


_ZONE = r"^[+-]\d\d:?\d\d$|^Z$|^[A-Z]{3,4}$"


def _join(state: _Filling, join: Join, mine: Sequence[Ints], by_key: _ByKey) -> None:
    parts = [by_key.take(at).select("row", "value").unique("row", keep="last", maintain_order=True) for at in mine]
    joined = parts[0].rename({"value": "0"})
    for place, part in enumerate(parts[1:], 1):
        joined = joined.join(part.rename({"value": str(place)}), on="row", maintain_order="left")
    joined = joined.filter(_seconds(join.epoch))
    if join.epoch:
        text, kind = pl.format("{}.{}", "0", pl.col("1").str.pad_start(9, "0")), "epoch_s"
    else:
        zones = [pl.concat_str(pl.col(str(n)).str.extract(rf"({_ZONE})", 1)) for n in range(2, len(parts))]
        text, kind = pl.concat_str(pl.col("0"), pl.col("1"), *zones, separator=" ", ignore_nulls=True), "auto"
    joined = joined.with_columns(text=text)
    rows = joined["row"].to_numpy().astype(np.int64)
    free = state.free("timestamp_text", rows)
    state.put("timestamp_text", rows, joined["text"])
    state.put("_time", rows, pl.repeat(kind, joined.height, eager=True))
    done = np.zeros(state.height, np.bool_)
    done[rows[free]] = True
    for at in mine:
        state.used[at[done[by_key.row[at]]]] = True


def _seconds(epoch: bool) -> pl.Expr:
    if epoch:
        return pl.col("0").str.contains(r"^\d{9,11}$") & pl.col("1").str.contains(r"^\d{1,9}$")
    return pl.col("0").str.contains(DAY) & pl.col("1").str.contains(OF_DAY)


def _settle(state: _Filling, table: FieldMap, shapes: _Shapes, names: Sequence[str]) -> None:
    """Fill the columns that a profile settles, and what a stack trace's first or last line says of its exception."""
    for place, keys in enumerate(shapes.keys):
        for profile in matching(table, [names[one] for one in keys]):
            for column, word in profile.constants.items():
                rows = np.flatnonzero(shapes.of_row == place)
                state.put(column, rows, pl.repeat(word, len(rows), dtype=pl.String, eager=True))
    if state.pieces.get("stack_trace"):
        traces = state.column("stack_trace")
        rows = np.flatnonzero(traces.is_not_null().to_numpy())
        for name, said in exception(traces.gather(rows)).items():
            state.put(name, rows, said)


_RAISED = r"^\s*(?:Exception in thread \"[^\"]*\" )?((?:[\w$]+[.\\:]+)*[A-Za-z_$][\w$]*)(?:: *([^\n]*))?(?:\n|$)"
_PYTHON = r"(?m)^((?:\w+\.)*\w+)(?:: ([^\n]*))?\s*\z"


def exception(traces: pl.Series) -> dict[str, pl.Series]:
    r"""Read type and message of the outermost exception: in a trace's first line, in Python's in the last.

    Example:
        >>> python = "Traceback (most recent call last):\n  f\nE: x"
        >>> said = exception(pl.Series(["a.B: no\n\tat c.D(E.java:1)", python]))
        >>> said["exception_type"].to_list(), said["exception_message"].to_list()
        (['a.B', 'E'], ['no', 'x'])
    """
    text = pl.col("trace")
    python = text.str.starts_with("Traceback (most recent")
    both = pl.DataFrame({"trace": traces}).select(
        **{
            name: pl.when(python).then(text.str.extract(_PYTHON, place)).otherwise(text.str.extract(_RAISED, place))
            for place, name in enumerate(("exception_type", "exception_message"), 1)
        }
    )
    return {name: both[name] for name in both.columns}


def _frame(state: _Filling, one: Format) -> pl.DataFrame:
    order = [*EVENT_COLUMNS, "_time", "_severity", *one.columns]
    missing = [name for name in one.columns if name not in state.pieces]
    columns = [state.column(name) for name in order if state.pieces.get(name)]
    columns += [pl.Series(name, [None] * state.height, OWN_TYPES[one.columns[name]]) for name in missing]
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=state.height)

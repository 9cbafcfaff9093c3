"""Many JSON objects that one program wrote alike: the same keys in the same order, other values.

A template is made from one object. It tells the text that all have in common from the places of values; an object that
has that text, and valid values between, is read by comparing machine words, without looking for its keys. Whatever no
template fits goes the general way (`json_tokens`), with the same result.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from pirtimeline.parsing.json_tokens import Bytes, Flags, Ints, Names, Tokens, joined, kept, tokens, value_ends, views

_STRING_OR_SCALAR = re.compile(rb'"[^"]*"|[^\s",:\[\]{}]+')
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_SCALAR = rf"(?:{_NUMBER}|true|false|null)"
_PAD = 12

_MOST, _POOR = 64, 16
"""Templates that are tried at most, and how many may fit next to nothing: text of more shapes goes the general way."""


class Place(NamedTuple):
    """A place in every object of a template: so many bytes behind the beginning of one of its fixed texts."""

    run: int
    offset: int


class _Anchor(NamedTuple):
    """Where a fixed text begins: `offset` bytes before a quote, or (-1) the object's begin, or (-2) its end."""

    quote: int
    offset: int


class _Check(NamedTuple):
    """A word of a fixed text: in which run, how far in, which of its bytes count, and what they are."""

    run: int
    offset: int
    mask: np.uint64
    word: np.uint64


@dataclass(frozen=True, slots=True)
class Template:
    """What objects written alike have in common.

    `runs` are the fixed texts, between any two of them stands a value; `anchors` tell where they begin; `quotes` counts
    an object's quotes; `scalars` are regexes for what stands behind a run that is no string; `checks` tell the words of
    the runs. `keys` are the wanted keys of the sample `found`, `codes` their names, `starts` and `ends`
    the places of their values.
    """

    runs: tuple[bytes, ...]
    anchors: tuple[_Anchor, ...]
    quotes: int
    scalars: tuple[tuple[int, str], ...]
    checks: tuple[_Check, ...]
    found: Tokens
    keys: Ints
    codes: Ints
    starts: tuple[Place, ...]
    ends: tuple[Place, ...]
    bounds: tuple[int, ...]
    lefts: dict[bytes, tuple[list[Place], list[Place]]] = field(default_factory=dict)

    def left(self, used: Flags) -> tuple[list[Place], list[Place]]:
        """Find what an object is without the used keys: where pieces begin and end."""
        asked = used.tobytes()
        if asked not in self.lefts:
            begins, stops = kept(self.found, self.keys[used])
            self.lefts[asked] = [self.place(at) for at in begins.tolist()], [self.place(at) for at in stops.tolist()]
        return self.lefts[asked]

    def place(self, offset: int) -> Place:
        """Turn a place of the sample, where a value ends or none is, into one of every object."""
        run = bisect_right(self.bounds, offset) - 1
        return Place(run, offset - self.bounds[run])

    def start(self, offset: int) -> Place:
        """Turn a place of the sample where a value begins into one of every object: an empty value ends there too."""
        run = bisect_left(self.bounds, offset) - 1
        return Place(run, offset - self.bounds[run])


def template(text: bytes, names: Names, *, compound: bool) -> Template | None:
    """Make a template from a valid object on one line; None where it has escapes, or equal keys side by side.

    Args:
        text: the object.
        names: tells which keys are wanted.
        compound: whether values that are objects are wanted too.
    """
    data = np.frombuffer(text + bytes(_PAD), np.uint8)
    if b"\\" in text or (data[:-_PAD] < 32).any():
        return None
    found = tokens(data, np.array([0, len(text)]))
    codes = names.of(found)
    named = [(int(found.parent[key]), _key(found, key)) for key in range(len(found.value))]
    if len(set(named)) < len(named):
        return None
    first = data[found.value]
    keys = np.flatnonzero((codes >= 0) & ((first != ord("{")) | compound))
    keys = keys[np.argsort(found.start(keys), kind="stable")]
    return _composed(text, found, keys, codes[keys])


def _key(found: Tokens, key: int) -> bytes:
    string = int(found.string[key])
    return found.data[int(found.opens[string]) : int(found.closes[string])].tobytes()


def _composed(text: bytes, found: Tokens, keys: Ints, codes: Ints) -> Template:
    values = _values(text)
    begins = [0, *(end for _, end, _ in values)]
    ends = [*(start for start, _, _ in values), len(text)]
    runs = tuple(text[a:b] for a, b in zip(begins, ends, strict=True))
    anchors = (
        _Anchor(-1, 0),
        *(
            _anchor(text, begin, run, kind)
            for begin, run, (_, _, kind) in zip(begins[1:], runs[1:], values, strict=True)
        ),
    )
    scalars = tuple((place, kind) for place, (_, _, kind) in enumerate(values) if kind)
    made = Template(runs, anchors, text.count(b'"'), scalars, _checks(runs), found, keys, codes, (), (), tuple(begins))
    quote = (found.data[found.value[keys]] == ord('"')).astype(np.int64)
    starts = tuple(made.start(int(at)) for at in found.value[keys] + quote)
    stops = tuple(made.place(int(at)) for at in value_ends(found, keys) - quote)
    return Template(runs, anchors, made.quotes, scalars, made.checks, found, keys, codes, starts, stops, made.bounds)


def _values(text: bytes) -> list[tuple[int, int, str]]:
    """Find the values of an object: begin, end, and for what is no string a regex of what may stand there.

    Scalars with no string between them, as a list has, are taken together.
    """
    found: list[tuple[int, int, str]] = []
    for piece in _STRING_OR_SCALAR.finditer(text):
        start, end = piece.span()
        if text[start] == ord('"'):
            is_key = text[end:].lstrip()[:1] == b":"
            found += [] if is_key else [(start + 1, end - 1, "")]
        elif found and found[-1][2] and b'"' not in text[found[-1][1] : start]:
            begin, before, kind = found.pop()
            found.append((begin, end, kind + re.escape(text[before:start].decode()) + _SCALAR))
        else:
            found.append((start, end, _SCALAR))
    return found


def _anchor(text: bytes, begin: int, run: bytes, kind: str) -> _Anchor:
    """Find the quote by which a run's begin is known: its own first, else it ends with the object."""
    offset = run.find(b'"') if kind else 0
    return _Anchor(-2, len(run)) if offset < 0 else _Anchor(text[: begin + offset].count(b'"'), offset)


def _checks(runs: Sequence[bytes]) -> tuple[_Check, ...]:
    return tuple(
        _Check(
            place,
            at,
            np.uint64((1 << 8 * min(8, len(run) - at)) - 1),
            np.uint64(int.from_bytes(run[at : at + 8], "little")),
        )
        for place, run in enumerate(runs)
        for at in range(0, len(run), 8)
    )


class Fit(NamedTuple):
    """Objects that fit a template: which, and where each of its runs begins in each (objects x runs)."""

    template: Template
    rows: Ints
    runs: Ints

    def at(self, places: Sequence[Place]) -> Ints:
        """Give places in the bytes: objects x places."""
        run, offset = np.array([(place.run, place.offset) for place in places], np.int64).reshape(-1, 2).T
        return self.runs[:, run] + offset


class _Block(NamedTuple):
    """Objects as bytes, where each begins (and the last ends), their quotes, and the first quote of each."""

    data: Bytes
    bounds: Ints
    quotes: Ints
    first: Ints


@dataclass(slots=True)
class Templates:
    """The templates of a run of text, made as it is read, in the order in which they are made."""

    names: Names
    compound: bool
    made: list[Template] = field(default_factory=list)
    poor: int = 0

    def fit(self, data: Bytes, bounds: Ints) -> tuple[list[Fit], Ints]:
        """Find for each object a template that it fits; give also the objects that fit none.

        Args:
            data: objects one after the other, with 12 more bytes behind them; each begins and ends with a bracket.
            bounds: where each begins, and where the last ends.
        """
        quotes = np.flatnonzero(data == ord('"'))
        first = np.searchsorted(quotes, bounds)
        block = _Block(data, bounds, quotes, first)
        odd = np.flatnonzero((data[: bounds[-1]] < 32) | (data[: bounds[-1]] == ord("\\")))
        left = np.ones(len(bounds) - 1, np.bool_)
        left[np.searchsorted(bounds, odd, "right") - 1] = False
        fits = [self._take(one, block, left) for one in self.made]
        while left.sum() * 16 >= len(left) and left.any() and len(self.made) < _MOST and self.poor < _POOR:
            row = int(np.argmax(left))
            one = self._new(block, row)
            fits += [self._take(one, block, left)] if one else []
            self.poor += len(fits[-1].rows) * 256 < len(left) if one else 1
            left[row] = False
        taken = [fit for fit in fits if len(fit.rows)]
        rest = np.ones(len(left), np.bool_)
        for fit in taken:
            rest[fit.rows] = False
        return taken, np.flatnonzero(rest)

    def _take(self, one: Template, block: _Block, left: Flags) -> Fit:
        rows = np.flatnonzero(left & (np.diff(block.first) == one.quotes))
        fit = _fit(one, block, rows)
        left[fit.rows] = False
        return fit

    def _new(self, block: _Block, row: int) -> Template | None:
        text = block.data[block.bounds[row] : block.bounds[row + 1]].tobytes()
        one = template(text, self.names, compound=self.compound) if is_object(text) else None
        self.made += [one] if one else []
        return one


def is_object(text: bytes) -> bool:
    """Tell whether a text is a valid JSON object.

    Example:
        >>> is_object(b'{"a": 1}'), is_object(b'{"a": tru}')
        (True, False)
    """
    try:
        return isinstance(json.loads(text, parse_constant=_refuse, parse_int=len), dict)
    except (ValueError, RecursionError):
        return False


def _refuse(word: str) -> None:
    raise ValueError(word)


def _fit(one: Template, block: _Block, rows: Ints) -> Fit:
    """Find which of some objects fit a template; all have as many quotes as it."""
    begins = [_begins(anchor, block, rows) for anchor in one.anchors]
    ends = block.bounds[rows + 1]
    good = begins[-1] + len(one.runs[-1]) == ends
    for begin, run in zip(begins, one.runs, strict=True):
        good &= begin + len(run) <= ends
    if not good.all():
        rows, begins = rows[good], [begin[good] for begin in begins]
    words = np.ndarray((len(block.data) - 7,), "<u8", buffer=block.data, strides=(1,))
    same = np.ones(len(rows), np.bool_)
    for run_of, offset, mask, word in one.checks:
        same &= (words[begins[run_of] + offset] & mask) == word
    return _valid_scalars(one, block.data, _chosen(rows, np.stack(begins, axis=1), same))


def _chosen(rows: Ints, runs: Ints, same: Flags) -> tuple[Ints, Ints]:
    return (rows, runs) if same.all() else (rows[same], runs[same])


def _valid_scalars(one: Template, data: Bytes, found: tuple[Ints, Ints]) -> Fit:
    """Leave out objects that have something else where the template has a number, a truth value or null."""
    rows, runs = found
    for place, regex in one.scalars:
        start = runs[:, place] + len(one.runs[place])
        length = np.maximum(runs[:, place + 1] - start, 0)
        told = views(data, start, length).str.contains(f"^{regex}$").to_numpy()
        rows, runs = _chosen(rows, runs, told)
    return Fit(one, rows, runs)


def _begins(anchor: _Anchor, block: _Block, rows: Ints) -> Ints:
    """Find where a run begins in each of some objects."""
    if anchor.quote >= 0:
        begins: Ints = block.quotes[block.first[rows] + anchor.quote] - anchor.offset
        return begins
    return block.bounds[rows] if anchor.quote == -1 else block.bounds[rows + 1] - anchor.offset


def values(fit: Fit, data: Bytes) -> tuple[pl.Series, Bytes]:
    """Give the values of the wanted keys, object by object, and the byte that each begins with, a quote for strings."""
    starts, ends = fit.at(fit.template.starts), fit.at(fit.template.ends)
    sample = fit.template.found
    quoted = sample.data[sample.value[fit.template.keys]] == ord('"')
    first = np.where(quoted, np.uint8(ord('"')), data[starts])
    return views(data, starts.ravel(), (ends - starts).ravel()), first.ravel()


def without(fit: Fit, data: Bytes, used: Flags) -> pl.Series:
    """Copy objects without the keys that are used; null where nothing stays.

    Args:
        fit: the objects.
        data: their bytes.
        used: objects x wanted keys.
    """
    if (used == used[:1]).all():
        return _left(fit, data, used[0])
    parts, rows = [], []
    for mine in _ways(used):
        parts.append(_left(Fit(fit.template, fit.rows[mine], fit.runs[mine]), data, used[mine[0]]))
        rows.append(mine)
    return pl.concat(parts).gather(np.argsort(np.concatenate(rows)))


def _ways(used: Flags) -> list[Ints]:
    """Group rows that are equal."""
    packed = np.packbits(used, axis=1)
    padded = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    words = padded.view(np.uint64)
    order = np.lexsort(words.T)
    changes = np.flatnonzero((words[order][1:] != words[order][:-1]).any(axis=1)) + 1
    return [np.sort(mine) for mine in np.split(order, changes)]


def _left(fit: Fit, data: Bytes, used: Flags) -> pl.Series:
    """Copy objects without the same keys of each."""
    begins, stops = fit.template.left(used)
    starts, ends = fit.at(begins), fit.at(stops)
    counts = np.arange(0, starts.size + 1, len(begins))
    return joined(data, starts.ravel(), ends.ravel(), counts)

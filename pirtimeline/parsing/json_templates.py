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

from pirtimeline.parsing.json_tokens import (
    PAD,
    Bytes,
    Flags,
    Hashes,
    Ints,
    Names,
    Tokens,
    kept,
    tokens,
    value_ends,
    views,
)

_STRING_OR_SCALAR = re.compile(rb'"[^"]*"|[^\s",:\[\]{}]+')
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_SCALAR = rf"(?:{_NUMBER}|true|false|null)"
_NOTHING_LEFT = re.compile(rb"\{\s*\}")

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


_WIDE = 32
"""Bytes of a fixed text that are compared at once, as words of 8."""


class _Check(NamedTuple):
    """A piece of a fixed text: in which run, how far in, and its words: which bits count, and what they are."""

    run: int
    offset: int
    words: tuple[tuple[np.uint64, np.uint64], ...]


@dataclass(frozen=True, slots=True)
class Template:
    """What objects written alike have in common.

    `runs` are the fixed texts, between any two of them stands a value; `anchors` tell where they begin; `quotes` counts
    an object's quotes; `scalars` are regexes for what stands behind a run that is no string; `checks` tell the runs
    piece by piece. `keys` are the wanted keys of the sample `found`, `codes` their names, `starts` and `ends`
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
    data = np.frombuffer(text + bytes(PAD), np.uint8)
    if b"\\" in text or (data[:-PAD] < 32).any():
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
    pieces = [(place, at, run[at : at + _WIDE]) for place, run in enumerate(runs) for at in range(0, len(run), _WIDE)]
    return tuple(
        _Check(place, at, tuple(_word(text[i : i + 8]) for i in range(0, len(text), 8))) for place, at, text in pieces
    )


def _word(text: bytes) -> tuple[np.uint64, np.uint64]:
    return np.uint64((1 << 8 * len(text)) - 1), np.uint64(int.from_bytes(text, "little"))


class Fit(NamedTuple):
    """Objects that fit a template: which, in which bytes, and where each of its runs begins (runs x objects)."""

    template: Template
    rows: Ints
    data: Bytes
    runs: Ints

    def at(self, place: Place) -> Ints:
        """Give a place in the bytes for each object."""
        begins: Ints = self.runs[place.run] + place.offset
        return begins

    def piece(self, begin: Place, end: Place) -> pl.Series:
        """View what stands between two places of each object."""
        starts = self.at(begin)
        return views(self.data, starts, self.at(end) - starts)


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
            data: objects one after the other, with `PAD` more bytes behind them; each begins and ends with a bracket.
            bounds: where each begins, and where the last ends.
        """
        quotes = np.flatnonzero(data == ord('"'))
        first = np.searchsorted(quotes, bounds)
        block = _Block(data, bounds, quotes, first)
        odd = (data[: bounds[-1]] < 32) | (data[: bounds[-1]] == ord("\\"))
        left = np.ones(len(bounds) - 1, np.bool_)
        if odd.any():
            left[np.searchsorted(bounds, np.flatnonzero(odd), "right") - 1] = False
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
    runs, same = np.stack(begins), np.ones(len(rows), np.bool_)
    pieces = np.ndarray((len(block.data) - _WIDE + 1,), f"V{_WIDE}", buffer=block.data, strides=(1,))
    for check in one.checks:
        held = pieces[runs[check.run] + check.offset].view("<u8").reshape(-1, _WIDE // 8)
        for place, (mask, word) in enumerate(check.words):
            same &= (held[:, place] & mask) == word
    return _valid_scalars(_chosen(Fit(one, rows, block.data, runs), same))


def _chosen(fit: Fit, which: Flags) -> Fit:
    return fit if which.all() else fit._replace(rows=fit.rows[which], runs=fit.runs[:, which])


def _valid_scalars(fit: Fit) -> Fit:
    """Leave out objects that have something else where the template has a number, a truth value or null."""
    for place, regex in fit.template.scalars:
        start = fit.runs[place] + len(fit.template.runs[place])
        length = np.maximum(fit.runs[place + 1] - start, 0)
        fits = _plain_numbers(fit.data, start, length)
        if len(others := np.flatnonzero(~fits)):
            fits[others] = views(fit.data, start[others], length[others]).str.contains(f"^{regex}$").to_numpy()
        fit = _chosen(fit, fits)
    return fit


_LOOKED_AT = 16
_BITS = (np.uint32(1) << np.arange(_LOOKED_AT + 1, dtype=np.uint32)) - np.uint32(1)


def _plain_numbers(data: Bytes, starts: Ints, lengths: Ints) -> Flags:
    r"""Find numbers as most are written, without a regex: digits, a point between them, 16 bytes at most.

    Example:
        >>> text = np.frombuffer(b"10.50,7,007,-1" + bytes(16), np.uint8)
        >>> _plain_numbers(text, np.array([0, 6, 8, 12]), np.array([5, 1, 3, 2])).tolist()
        [True, True, False, False]
    """
    told = np.ndarray((len(data) - _LOOKED_AT + 1,), f"V{_LOOKED_AT}", buffer=data, strides=(1,))[starts]
    held = told.view(np.uint8).reshape(-1, _LOOKED_AT)
    size = np.minimum(lengths, _LOOKED_AT)
    within = _BITS[size]
    digits, points = _bits(held - np.uint8(48) < 10) & within, _bits(held == ord(".")) & within
    zero = (held[:, 0] == ord("0")) & (digits & 2 > 0)
    last = (within >> 1) + 1
    known = (lengths > 0) & (lengths <= _LOOKED_AT) & (digits | points == within)
    found: Flags = known & ~zero & (points & (points - 1) == 0) & (points & (last | 1) == 0)
    return found


def _bits(flags: Flags) -> Hashes:
    """Write the 16 flags of each row as the bits of a number, the first as its lowest."""
    return np.packbits(flags.ravel(), bitorder="little").view("<u2").astype(np.uint32)


def _begins(anchor: _Anchor, block: _Block, rows: Ints) -> Ints:
    """Find where a run begins in each of some objects."""
    if anchor.quote >= 0:
        begins: Ints = block.quotes[block.first[rows] + anchor.quote] - anchor.offset
        return begins
    return block.bounds[rows] if anchor.quote == -1 else block.bounds[rows + 1] - anchor.offset


def values(fit: Fit) -> list[tuple[pl.Series, Bytes]]:
    """Give for each wanted key the values of the objects, and the byte that each begins with, a quote for strings."""
    one, quote = fit.template, np.uint8(ord('"'))
    quoted = one.found.data[one.found.value[one.keys]] == quote
    return [
        (fit.piece(start, end), np.full(len(fit.rows), quote) if text else fit.data[fit.at(start)])
        for start, end, text in zip(one.starts, one.ends, quoted.tolist(), strict=True)
    ]


def without(fit: Fit, used: Flags) -> pl.Series:
    """Copy objects without the keys that are used; null where nothing stays.

    Args:
        fit: the objects.
        used: wanted keys x objects.
    """
    if (used == used[:, :1]).all():
        return _left(fit, used[:, 0])
    parts, rows = [], []
    for mine in _ways(used.T):
        parts.append(_left(fit._replace(rows=fit.rows[mine], runs=fit.runs[:, mine]), used[:, mine[0]]))
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


def _left(fit: Fit, used: Flags) -> pl.Series:
    """Copy objects without the same keys of each: what is left of the fixed texts is the same in all of them."""
    bounds = [*zip(*fit.template.left(used), strict=True)]
    fixed = [fit.template.runs[begin.run][begin.offset : end.offset] for begin, end in bounds]
    inside = [begin.run == end.run for begin, end in bounds]
    if all(inside) and _NOTHING_LEFT.fullmatch(b"".join(fixed)):
        return pl.Series("extra", [None], dtype=pl.String).new_from_index(0, len(fit.rows))
    pieces = [
        pl.lit(text.decode()) if same else pl.lit(fit.piece(begin, end))
        for (begin, end), text, same in zip(bounds, fixed, inside, strict=True)
    ]
    told = pl.select(pl.concat_str(pieces)).to_series().alias("extra")
    return told if len(told) == len(fit.rows) else told.new_from_index(0, len(fit.rows))

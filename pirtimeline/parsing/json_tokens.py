"""The keys of many JSON objects at once, as places in their bytes: where each key and its value begins and ends.

Works on the bytes of whole columns with numpy, after the first stage of simdjson (Langdale and Lemire, 2019, "Parsing
Gigabytes of JSON per Second"): quotes, then brackets outside strings, then keys by the colon behind them. No value is
decoded, so that what is copied from the text stays as it was logged: 1.10, and integers of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

_QUOTE, _BACKSLASH, _COLON, _COMMA = 34, 92, 58, 44
_DEEPEST = 8
"""Objects nested deeper than this keep their keys to themselves: such keys stay in `extra`."""

PAD = 32
"""Bytes behind the last object: so many may be looked at from any byte on."""

_LONGEST = 128
"""Bytes of a key that is still looked at: longer ones mean nothing that we know."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The keys of objects that nest in nothing but objects, level by level, in the order of the text.

    `data` holds the objects one after the other, `bounds` where each begins and the last ends. `opens`/`closes` are
    the quotes of every string, `string` tells which string a key is; `value` is where its value begins; `parent` is
    the key whose value holds it, -1 outermost; `level` slices the keys by depth; `ends[d]` are the closing brackets
    that lead back to depth `d`; `slashes` are the backslashes.
    """

    data: Bytes
    bounds: Ints
    opens: Ints
    closes: Ints
    string: Ints
    value: Ints
    parent: Ints
    level: tuple[slice, ...]
    ends: tuple[Ints, ...]
    slashes: Ints

    def start(self, keys: Ints) -> Ints:
        """Give the place of the opening quote of keys."""
        return self.opens[self.string[keys]]

    def row(self, keys: Ints) -> Ints:
        """Tell which object, counted from 0, holds keys."""
        return np.searchsorted(self.bounds, self.start(keys), "right") - 1


def tokens(data: Bytes, bounds: Ints) -> Tokens:
    """Find the keys of valid JSON objects that stand one after the other without anything between them.

    Args:
        data: the objects, with `PAD` more bytes behind them.
        bounds: where each object begins, and where the last one ends.
    """
    slashes = np.flatnonzero(data == _BACKSLASH)
    marks = _quotes(data, slashes)
    opens, closes = marks[0::2], marks[1::2]
    after = _skip_blank(data, closes + 1)
    string = np.flatnonzero(data[after] == _COLON)
    value = _skip_blank(data, after[string] + 1)
    brackets = _brackets(data, marks)
    depth = np.cumsum(np.where(data[brackets] & 2, 1, -1))
    at = depth[np.searchsorted(brackets, opens[string]) - 1]
    return _levels((data, bounds, slashes), (opens, closes, string, value, at), brackets, depth)


def _levels(
    source: tuple[Bytes, Ints, Ints], found: tuple[Ints, Ints, Ints, Ints, Ints], brackets: Ints, depth: Ints
) -> Tokens:
    """Keep the keys that nest in nothing but objects, and tell each the key that holds it."""
    data, bounds, slashes = source
    opens, closes, string, value, at = found
    opening = (data[brackets] & 2) > 0
    kept: list[Ints] = []
    parents: list[Ints] = []
    ends: list[Ints] = []
    before = 0
    for level in range(1, _DEEPEST + 1):
        mine = np.flatnonzero(at == level) if at.size and level <= at.max() else np.zeros(0, np.int64)
        parent = np.full(len(mine), -1, np.int64)
        if level > 1 and mine.size:
            openers = brackets[opening & (depth == level)]
            mine, parent = _held(mine, openers[np.searchsorted(openers, opens[string[mine]]) - 1], kept[-1], value)
            parent = parent + before - len(kept[-1])
        if not mine.size:
            break
        kept.append(mine)
        parents.append(parent)
        ends.append(brackets[~opening & (depth == level)])
        before += len(mine)
    keys = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    stops = np.cumsum([0, *map(len, kept)])
    slices = tuple(slice(int(a), int(b)) for a, b in pairwise(stops))
    parent = np.concatenate(parents) if parents else np.zeros(0, np.int64)
    return Tokens(data, bounds, opens, closes, string[keys], value[keys], parent, slices, tuple(ends), slashes)


def _held(mine: Ints, container: Ints, above: Ints, value: Ints) -> tuple[Ints, Ints]:
    """Keep keys whose object is the value of a key above them, not an element of a list."""
    values = value[above]
    at = np.minimum(np.searchsorted(values, container), len(values) - 1)
    held = values[at] == container
    return mine[held], at[held]


def _quotes(data: Bytes, slashes: Ints) -> Ints:
    """Find the quotes that open and close strings: those behind an even run of backslashes."""
    quote = data == _QUOTE
    if slashes.size:
        first = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
        length = np.diff(first, append=slashes.size)
        quote[(slashes[first] + length)[length % 2 == 1]] = False
    return np.flatnonzero(quote)


def _brackets(data: Bytes, marks: Ints) -> Ints:
    """Find brackets outside strings: those before which an even number of quotes stands."""
    folded = data & 0xDF
    found = np.flatnonzero((folded == 0x5B) | (folded == 0x5D))
    outside: Flags = np.searchsorted(marks, found) % 2 == 0
    return found[outside]


def _skip_blank(data: Bytes, at: Ints) -> Ints:
    """Move places in `at` over blanks; changes and returns it."""
    blank = np.flatnonzero(data[at] <= 32)
    while blank.size:
        at[blank] += 1
        blank = blank[data[at[blank]] <= 32]
    return at


def value_ends(found: Tokens, keys: Ints) -> Ints:
    """Find where the values of keys end."""
    start = found.value[keys]
    first = found.data[start]
    ends = start.copy()
    texts = first == _QUOTE
    ends[texts] = found.closes[found.string[keys[texts]] + 1] + 1
    compound = (first & 0xDF) == 0x5B
    for level, keys_of_level in enumerate(found.level):
        mine = np.flatnonzero(compound & (keys >= keys_of_level.start) & (keys < keys_of_level.stop))
        closing = found.ends[level]
        ends[mine] = closing[np.searchsorted(closing, start[mine])] + 1 if mine.size else 0
    return _scalar_ends(found.data, ends, np.flatnonzero(~texts & ~compound))


def _scalar_ends(data: Bytes, ends: Ints, mine: Ints) -> Ints:
    while mine.size:
        ends[mine] += 1
        byte = data[ends[mine]]
        mine = mine[(byte > 32) & (byte != _COMMA) & ((byte & 0xDF) != 0x5D)]
    return ends


_MASKS = (np.uint64(1) << (np.arange(8, dtype=np.uint64) * np.uint64(8))) - np.uint64(1)
_MASKS = np.append(_MASKS, np.uint64(0xFFFFFFFFFFFFFFFF))
_MIX, _STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def paths(found: Tokens) -> Hashes:
    """Give each key 64 bits mixed from the keys that lead to it: equal for equal paths."""
    start = found.opens[found.string] + 1
    hashes = _text_hashes(found.data, start, found.closes[found.string] - start)
    for level in found.level[1:]:
        hashes[level] = _mixed(hashes[level], hashes[found.parent[level]] * _STEP)  # a.b is not b.a
    return hashes


def _text_hashes(data: Bytes, start: Ints, length: Ints) -> Hashes:
    words = np.ndarray((len(data) - 7,), "<u8", buffer=data, strides=(1,))
    hashes = length.astype(np.uint64)
    left = np.arange(len(start))
    for done in range(0, _LONGEST, 8):
        word = words[start[left] + done] & _MASKS[np.minimum(length[left] - done, 8)]
        hashes[left] = _mixed(hashes[left], word)
        left = left[length[left] > done + 8]
        if not left.size:
            break
    return hashes


def _mixed(hashes: Hashes, word: Hashes) -> Hashes:
    mixed = (hashes ^ word) * _MIX
    return mixed ^ (mixed >> np.uint64(29))


@dataclass(slots=True)
class Names:
    """The dotted paths met so far, by their hashes: which of them are wanted, and their place in `wanted`."""

    wants: Callable[[str], bool]
    wanted: list[str] = field(default_factory=list)
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    places: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def of(self, found: Tokens) -> Ints:
        """Give each key the place of its path in `wanted`, -1 where it is not."""
        hashes = paths(found)
        at, met = self._at(hashes)
        if not met.all():
            self._learn(found, hashes, np.flatnonzero(~met))
            at, _ = self._at(hashes)
        return self.places[at]

    def _at(self, hashes: Hashes) -> tuple[Ints, Flags]:
        if not len(self.hashes):
            return np.zeros(len(hashes), np.int64), np.zeros(len(hashes), np.bool_)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return at, self.hashes[at] == hashes

    def _learn(self, found: Tokens, hashes: Hashes, new: Ints) -> None:
        """Take in paths that were not met before, in the order in which they come."""
        first = pl.DataFrame({"hash": hashes[new], "at": new}).unique("hash", keep="first", maintain_order=True)
        places = []
        for key in first["at"].to_list():
            name = path_of(found, key)
            places.append(len(self.wanted) if self.wants(name) else -1)
            self.wanted += [name] if places[-1] >= 0 else []
        all_hashes = np.concatenate([self.hashes, first["hash"].to_numpy()])
        order = np.argsort(all_hashes)
        self.hashes, self.places = all_hashes[order], np.concatenate([self.places, places])[order].astype(np.int64)


def in_order(found: Tokens, keys: Ints) -> Ints:
    """Sort keys by their place in the text: they come level by level."""
    return keys[np.argsort(found.start(keys), kind="stable")] if len(found.level) > 1 else keys


def path_of(found: Tokens, key: int) -> str:
    """Write the dotted path of a key, as it stands in the text; empty where a part is too long to be one of ours."""
    start, end = int(found.opens[found.string[key]]) + 1, int(found.closes[found.string[key]])
    if end - start > _LONGEST:
        return ""
    name = found.data[start:end].tobytes().decode()
    parent = int(found.parent[key])
    return name if parent < 0 else f"{path_of(found, parent)}.{name}"


_INLINE = 12
"""Bytes that a view holds itself."""


def views(data: Bytes, starts: Ints, lengths: Ints) -> pl.Series:
    """View pieces of valid UTF-8 as a String series without copying any of more than 12 bytes (Arrow's string views).

    Args:
        data: fewer than 2 GiB, with 16 more bytes behind the last piece.
        starts: where the pieces begin.
        lengths: their bytes.

    Example:
        >>> text = b"a long piece of text and short" + bytes(16)
        >>> views(np.frombuffer(text, np.uint8), np.array([0, 25]), np.array([20, 5])).to_list()
        ['a long piece of text', 'short']
    """
    import pyarrow as pa

    held = np.ndarray((len(data) - 15,), "V16", buffer=data, strides=(1,))[starts].view("<u8").reshape(-1, 2)
    low, high = held[:, 0], held[:, 1]
    made = np.empty((len(starts), 2), "<u8")
    made[:, 0] = lengths.astype(np.uint64) | (low & _MASKS[np.minimum(lengths, 4)]) << np.uint64(32)
    made[:, 1] = (low >> np.uint64(32) | high << np.uint64(32)) & _MASKS[np.clip(lengths - 4, 0, 8)]
    if lengths.max(initial=0) > _INLINE:
        made[:, 1] = np.where(lengths > _INLINE, starts.astype(np.uint64) << np.uint64(32), made[:, 1])
    array = pa.Array.from_buffers(pa.string_view(), len(starts), [None, pa.py_buffer(made), pa.py_buffer(data)])
    return pl.Series("value", array, dtype=pl.String)


def without(found: Tokens, keys: Ints) -> pl.Series:
    """Copy the objects without some of their keys; what loses all its keys goes too, null where nothing stays.

    Args:
        found: the keys of the objects.
        keys: those to leave out.
    """
    starts, ends = kept(found, keys)
    inner = found.bounds[1:-1]  # the outermost brackets stay, so that what is kept goes on from one object to the next
    at = np.searchsorted(starts, inner, "right")
    starts, ends = np.insert(starts, at, inner), np.insert(ends, at - 1, inner)
    return _joined(found.data, starts, ends, np.searchsorted(starts, found.bounds))


def kept(found: Tokens, keys: Ints) -> tuple[Ints, Ints]:
    """Find what is left of the bytes without some keys, their values and commas: where pieces begin and end."""
    gone = np.zeros(len(found.value), np.bool_)
    gone[keys] = True
    keys = np.concatenate([keys, _emptied(found, gone)])
    starts, ends = _cuts(found, gone, keys)
    begins, stops = np.append(0, np.maximum.accumulate(ends)), np.append(starts, found.bounds[-1])
    some = stops > begins
    return begins[some], stops[some]


def _joined(data: Bytes, starts: Ints, ends: Ints, bounds: Ints) -> pl.Series:
    """Join pieces of valid UTF-8 to objects, null where that gives an empty one.

    Args:
        data: the bytes, as for `views`.
        starts: where the pieces begin.
        ends: where they end.
        bounds: which piece is the first of each object, and how many there are.
    """
    import pyarrow as pa

    pieces = views(data, starts, ends - starts).to_arrow(compat_level=pl.CompatLevel.newest())
    lists = pa.LargeListArray.from_arrays(pa.array(bounds, pa.int64()), pieces)
    text = pl.Series("extra", lists).list.join("")
    return text.set(text.str.contains(r"^\{\s*\}$"), None)


def _emptied(found: Tokens, gone: Flags) -> Ints:
    """Mark keys too whose objects lose all that they hold, and give them."""
    emptied = [np.zeros(0, np.int64)]
    for level in reversed(found.level[1:]):
        parents = found.parent[level]
        base = int(parents.min())
        held = np.bincount(parents - base)
        lost = np.bincount(parents - base, weights=gone[level])
        empty = base + np.flatnonzero((held > 0) & (held == lost))
        empty = empty[~gone[empty]]
        gone[empty] = True
        emptied.append(empty)
    return np.concatenate(emptied)


def _cuts(found: Tokens, gone: Flags, keys: Ints) -> tuple[Ints, Ints]:
    """Find the bytes to leave out: each key with its value and comma, and the comma before a last key."""
    starts = found.start(keys)
    ends = _skip_blank(found.data, value_ends(found, keys))
    comma = found.data[ends] == _COMMA
    ends = _skip_blank(found.data, ends + comma)
    last = _last_kept(found, gone, keys[~comma])
    before = value_ends(found, last)
    commas = _skip_blank(found.data, before.copy()) + 1
    starts, ends = np.concatenate([starts, before]), np.concatenate([ends, commas])
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order]


def _last_kept(found: Tokens, gone: Flags, ending: Ints) -> Ints:
    """Find for keys that end their object the last key before them that stays in it."""
    kept = []
    for level in found.level:
        mine = ending[(ending >= level.start) & (ending < level.stop)]
        if not mine.size:
            continue
        places = np.arange(level.start, level.stop)
        last = np.maximum.accumulate(np.where(gone[level], -1, places))[mine - level.start]
        inside = (last >= 0) & (found.parent[last] == found.parent[mine])
        if level.start == 0:
            inside &= found.row(np.maximum(last, 0)) == found.row(mine)
        kept.append(last[inside])
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)

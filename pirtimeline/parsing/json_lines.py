"""Events of kind `json`: one JSON object each, on one line or many, with keys nested or dotted.

The objects of a block are read together: their keys are found with numpy (`json_tokens`), the values of known keys
become columns (`pairs`), and what is left of the text is `extra`, with every value as it was logged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from pirtimeline.parsing import json_templates
from pirtimeline.parsing.fields import field_map, known
from pirtimeline.parsing.json_faults import checked
from pirtimeline.parsing.json_templates import Fit, Templates
from pirtimeline.parsing.json_tokens import PAD, Bytes, Flags, Ints, Names, in_order, tokens, value_ends, views, without
from pirtimeline.parsing.lines import bytes_of
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import ARRAY, LITERAL, NULL, NUMBER, OBJECT, TEXT

_AROUND = " \t\r\n,\x1e\ufeff\x00"
"""What may stand around an object: blanks, the commas of an array, a record separator (RFC 7464), a BOM."""

_CEE = "@cee:"
"""The cookie by which syslog messages tell that they are JSON (CEE 1.0, rsyslog's mmjsonparse)."""


CONTINUES = r'^(?:\s|$|[}\]"])'
"""Lines that belong to the object above, in a source of lines: indented ones, brackets that close, further keys."""


STARTS = r'^[\x{FEFF}\x1e]*(?:@cee:\s*)?\{\s*(?:"|\}|$)'
"""What opens an object in a source of lines, where no format says more."""

PLAIN = '{"'
"""How most objects begin: what begins so looks like an object, and is opened by `STARTS`."""


def looks_like(text: pl.Expr) -> pl.Expr:
    r"""Test whether a line may open an event of this kind: an object with a key, or its first bracket alone.

    Example:
        >>> lines = ['{"a": 1}', '  {', '[{"a": 1},', "{a}", 'x {"a": 1}']
        >>> pl.DataFrame({"t": lines}).select(looks_like(pl.col("t"))).to_series().to_list()
        [True, True, True, False, False]
    """
    return text.str.contains(r'^[\x{FEFF}\x1e\x00\s]*(?:@cee:\s*)?(?:\[\s*|,\s*)*\{\s*(?:"|\}|$)')


def with_prefix(text: pl.Expr) -> pl.Expr:
    r"""Split a text before the object that ends it: fields `prefix` and `object`, null where none does.

    Example:
        >>> lines = ['2026-11-23 INFO got {"a": {"b": 1}}', '@cee: {"a": 1}', '{"a": 1}', 'set {x}']
        >>> found = pl.DataFrame({"t": lines}).select(with_prefix(pl.col("t")).struct.unnest())
        >>> found.rows()
        [('2026-11-23 INFO got ', '{"a": {"b": 1}}'), ('@cee: ', '{"a": 1}'), (None, None), (None, None)]
    """
    return text.str.extract_groups(r'(?s)^(?P<prefix>[^{]*[^\s{][^{]*)(?P<object>\{\s*".*\})\s*$')


def read(texts: pl.Series, one: Format) -> pl.DataFrame:
    """Read one JSON object a text.

    Args:
        texts: one String an event, without its last line end.
        one: the format, whose own `fields` and `columns` count first.

    Returns:
        One row a text, in the same order: columns of the event table, the format's own, `extra`, `_time` (how
        `timestamp_text` is written), `_severity` (ours, where the level is a number), and `_reject`.

    Example:
        >>> mine = Format(name="mine", title="", kind="json")
        >>> found = read(pl.Series(['{"ts":1.5e9,"level":"warn","n":1.10}', "{"]), mine)
        >>> found.select("timestamp_text", "_time", "severity_text", "extra", "_reject").rows()[0]
        ('1.5e9', 'epoch_s', 'warn', '{"n":1.10}', None)
        >>> found["_reject"][1]
        'not a JSON object: unexpected end at byte 1'
    """
    bare, framed = _bare(texts)
    table = field_map(one)
    names = Names(lambda name: known(table, name))
    parts, rest = _alike(bare, framed, Templates(names, compound=bool(one.columns)))
    found = checked(bare.gather(rest))
    good = np.flatnonzero(found.reasons.is_null().to_numpy())
    parts += _others(found.texts.gather(good), rest[good], names, compound=bool(one.columns))
    reasons = pl.Series("_reject", [None], dtype=pl.String).new_from_index(0, len(texts))
    reasons = reasons.scatter(rest, found.reasons) if len(good) < len(rest) else reasons
    return _table(parts, names, len(texts), one).with_columns(reasons)


def _bare(texts: pl.Series) -> tuple[pl.Series, Ints]:
    """Leave out what stands around objects, most often nothing, and give the rows of what stands in brackets then."""
    framed = _framed(texts)
    rows = np.flatnonzero(~framed)
    if not len(rows):
        return texts, np.arange(len(texts))
    inner = texts.gather(rows).str.strip_chars(_AROUND).str.strip_prefix(_CEE).str.strip_chars_start(" ")
    framed[rows] = _framed(inner)
    return inner if len(rows) == len(texts) else texts.clone().scatter(rows, inner), np.flatnonzero(framed)


def _framed(texts: pl.Series) -> Flags:
    return (texts.str.starts_with("{") & texts.str.ends_with("}")).to_numpy(writable=True)


class _Part(NamedTuple):
    """Some of the texts: their rows in order, pairs of known keys, and what copies objects without used pairs."""

    rows: Ints
    pairs: pl.DataFrame
    without: Callable[[Flags], pl.Series]


_NO_PAIRS = pl.DataFrame(schema={"row": pl.Int64, "key": pl.Int64, "value": pl.String, "form": pl.UInt8})


def _table(parts: Sequence[_Part], names: Names, height: int, one: Format) -> pl.DataFrame:
    """Fill columns from the pairs of all parts, and lay what is left of each object into its row."""
    pairs = pl.concat([_NO_PAIRS, *(part.pairs for part in parts)])
    columns, used = assign(pairs, names.wanted, height, one)
    bounds = np.cumsum([0, *(part.pairs.height for part in parts)])
    extras = [part.without(used[begin:end]) for part, (begin, end) in zip(parts, pairwise(bounds), strict=True)]
    rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in parts)])
    extra = pl.concat([pl.Series("extra", [], dtype=pl.String), *extras])
    if not np.array_equal(rows, np.arange(height)):
        place = np.full(height, len(rows), np.int64)
        place[rows] = np.arange(len(rows))
        extra = extra.append(pl.Series([None], dtype=pl.String)).gather(place)
    return columns.with_columns(extra)


_STEP = 2 << 20
"""Bytes of text that are looked at together: what numpy makes of them stays in the processor's cache."""


def _steps(objects: pl.Series) -> list[tuple[int, int]]:
    """Cut a column of texts into runs of some bytes: where each begins and how many texts it has."""
    ends = objects.str.len_bytes().cum_sum().to_numpy()
    cuts = np.unique(np.searchsorted(ends, np.arange(0, int(ends[-1]) if len(ends) else 0, _STEP), "left"))
    return [(int(a), int(b - a)) for a, b in pairwise(np.unique(np.append(cuts, len(objects)))) if b > a]


def _alike(bare: pl.Series, framed: Ints, templates: Templates) -> tuple[list[_Part], Ints]:
    """Read the texts in brackets that templates fit, and give the rows of the others."""
    objects = bare if len(framed) == len(bare) else bare.gather(framed)
    found: dict[int, list[Fit]] = {}
    for at, step in _steps(objects):
        fits, _ = templates.fit(*_padded(objects[at : at + step]))
        for fit in fits:
            found.setdefault(id(fit.template), []).append(fit._replace(rows=framed[at + fit.rows]))
    parts = [_templated(fits) for fits in found.values()]
    rest = np.ones(len(bare), np.bool_)
    for part in parts:
        rest[part.rows] = False
    return parts, np.flatnonzero(rest)


def _templated(fits: Sequence[Fit]) -> _Part:
    """Read the objects that fit one template, key by key; each of the fits holds some of them."""
    rows = np.concatenate([fit.rows for fit in fits])
    codes = fits[0].template.codes
    told = [said for of_key in zip(*map(json_templates.values, fits), strict=True) for said in of_key]
    pairs = pl.DataFrame(
        {
            "row": np.tile(rows, len(codes)),
            "key": np.repeat(codes, len(rows)),
            "value": pl.concat([pl.Series([], dtype=pl.String), *(values for values, _ in told)]),
            "form": _FORMS[np.concatenate([np.zeros(0, np.uint8), *(first for _, first in told)])],
        }
    )
    return _Part(rows, pairs, lambda used: _without(fits, used.reshape(len(codes), len(rows))))


def _without(fits: Sequence[Fit], used: Flags) -> pl.Series:
    bounds = np.cumsum([0, *(len(fit.rows) for fit in fits)])
    return pl.concat(
        [json_templates.without(fit, used[:, a:b]) for fit, (a, b) in zip(fits, pairwise(bounds), strict=True)]
    )


def _others(objects: pl.Series, rows: Ints, names: Names, *, compound: bool) -> list[_Part]:
    """Read valid objects on one line each, whatever their keys."""
    return [_part(objects[at : at + step], rows[at : at + step], names, compound) for at, step in _steps(objects)]


def _part(objects: pl.Series, rows: Ints, names: Names, compound: bool) -> _Part:
    data, bounds = _padded(objects)
    found = tokens(data, bounds)
    key = names.of(found)
    keys = in_order(found, np.flatnonzero((key >= 0) & ((data[found.value] != ord("{")) | compound)))
    form = _FORMS[data[found.value[keys]]]
    quote = (form == TEXT).astype(np.int64)
    starts, ends = found.value[keys] + quote, value_ends(found, keys) - quote
    escapes = np.searchsorted(found.slashes, starts) < np.searchsorted(found.slashes, ends)
    values = views(data, starts, ends - starts)
    escaped = np.flatnonzero((form == TEXT) & escapes)
    values = values.scatter(escaped, unescaped(values.gather(escaped))) if len(escaped) else values
    pairs = pl.DataFrame({"row": rows[found.row(keys)], "key": key[keys], "value": values, "form": form})
    return _Part(rows, pairs, lambda used: without(found, keys[used]))


def _padded(objects: pl.Series) -> tuple[Bytes, Ints]:
    """Give the bytes of texts one after the other, with `PAD` more behind them, and where each begins."""
    data, bounds = bytes_of(objects)
    padded = np.zeros(len(data) + PAD, np.uint8)
    padded[: len(data)] = data
    return padded, bounds


_FORMS = np.full(256, NUMBER, np.uint8)
_FORMS[[ord(one) for one in '"tfn{[']] = (TEXT, LITERAL, LITERAL, NULL, OBJECT, ARRAY)


def unescaped(texts: pl.Series) -> pl.Series:
    r"""Resolve the escapes of JSON strings that stand without their quotes; a lone surrogate becomes U+FFFD.

    Example:
        >>> unescaped(pl.Series([r"a\tb\u00e9", r"\ud800"])).to_list()
        ['a\tbé', '�']
    """
    if texts.str.contains(r"\\u[dD][89a-fA-F]").any():
        decoded = [
            json.loads(f'"{text}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts
        ]
        return pl.Series(texts.name, decoded, dtype=pl.String)
    return pl.select(pl.format('"{}"', texts).str.json_decode(pl.String)).to_series().alias(texts.name)

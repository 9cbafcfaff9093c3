"""Events of kind `json`: one JSON object each, on one line or many, with keys nested or dotted.

The objects of a block are read together: their keys are found with numpy (`json_tokens`), the values of known keys
become columns (`pairs`), and what is left of the text is `extra`, with every value as it was logged.
"""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing.fields import field_map, known
from pirtimeline.parsing.json_tokens import Bytes, Ints, Names, Tokens, in_order, tokens, value_ends, views, without
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import ARRAY, LITERAL, NULL, NUMBER, OBJECT, TEXT

Flags = npt.NDArray[np.bool_]

_AROUND = " \t\r\n,\x1e\ufeff\x00"
"""What may stand around an object: blanks, the commas of an array, a record separator (RFC 7464), a BOM."""


CONTINUES = r'^(?:\s|$|[}\]"])'
"""Lines that belong to the object above, in a source of lines: indented ones, brackets that close, further keys."""


def looks_like(text: pl.Expr) -> pl.Expr:
    r"""Test whether a line may open an event of this kind: an object with a key, or its first bracket alone.

    Example:
        >>> lines = ['{"a": 1}', '  {', '[{"a": 1},', "{a}", 'x {"a": 1}']
        >>> pl.DataFrame({"t": lines}).select(looks_like(pl.col("t"))).to_series().to_list()
        [True, True, True, False, False]
    """
    return text.str.contains(r'^[\x{FEFF}\x1e\x00\s]*(?:\[\s*|,\s*)*\{\s*(?:"|\}|$)')


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
    objects, reasons = _objects(texts)
    good = np.flatnonzero(reasons.is_null().to_numpy())
    table = _read_valid(objects if len(good) == len(texts) else objects.gather(good), one)
    if len(good) < len(texts):
        place = pl.Series([None] * len(texts), dtype=pl.UInt32).scatter(good, np.arange(len(good), dtype=np.uint32))
        table = table.select(pl.all().gather(place))
    return table.with_columns(reasons.alias("_reject"))


def _read_valid(objects: pl.Series, one: Format) -> pl.DataFrame:
    """Read texts that each are a valid object on one line."""
    table = field_map(one)
    names = Names(lambda name: known(table, name))
    steps = _steps(objects)
    parts = [_part(objects[at : at + step], names, one) for at, step in steps]
    shifted = [part.pairs.with_columns(pl.col("row") + at) for part, (at, _) in zip(parts, steps, strict=True)]
    pairs = pl.concat([_NO_PAIRS, *shifted])
    columns, used = assign(pairs, names.wanted, len(objects), one)
    bounds = np.cumsum([0, *(part.pairs.height for part in parts)])
    extras = [_left(part, used[begin:end]) for part, (begin, end) in zip(parts, pairwise(bounds), strict=True)]
    return columns.with_columns(pl.concat([pl.Series("extra", [], dtype=pl.String), *extras]))


_STEP = 2 << 20
"""Bytes of text that are looked at together: what numpy makes of them stays in the processor's cache."""

_NO_PAIRS = pl.DataFrame(schema={"row": pl.Int64, "value": pl.String, "form": pl.UInt8, "key": pl.Int64})


def _steps(objects: pl.Series) -> list[tuple[int, int]]:
    """Cut a column of texts into runs of some bytes: where each begins and how many texts it has."""
    ends = objects.str.len_bytes().cum_sum().to_numpy()
    cuts = np.unique(np.searchsorted(ends, np.arange(0, int(ends[-1]) if len(ends) else 0, _STEP), "left"))
    return [(int(a), int(b - a)) for a, b in pairwise(np.unique(np.append(cuts, len(objects)))) if b > a]


class _Part(NamedTuple):
    """Some of the texts, their keys, and the pairs of known keys with values that can fill a column."""

    found: Tokens
    keys: Ints
    ends: Ints
    pairs: pl.DataFrame


def _part(objects: pl.Series, names: Names, one: Format) -> _Part:
    data, bounds = _bytes(objects)
    found = tokens(data, bounds)
    key = names.of(found)
    wanted = np.flatnonzero(key >= 0)
    form = _FORMS[data[found.value[wanted]]]
    told = (form != NULL) & ((form != OBJECT) | bool(one.columns))
    keys = in_order(found, wanted[told])
    form = _FORMS[data[found.value[keys]]]
    quote = (form == TEXT).astype(np.int64)
    starts, ends = found.value[keys] + quote, value_ends(found, keys) - quote
    values = views(data, starts, ends - starts)
    escaped = np.flatnonzero(
        (form == TEXT) & (np.searchsorted(found.slashes, starts) < np.searchsorted(found.slashes, ends))
    )
    values = values.scatter(escaped, unescaped(values.gather(escaped))) if len(escaped) else values
    frame = pl.DataFrame({"row": found.row(keys), "value": values, "form": form, "key": key[keys]})
    return _Part(found, keys, ends + quote, frame)


def _left(part: _Part, used: Flags) -> pl.Series:
    """Copy what the columns do not say."""
    return without(part.found, part.keys[used], part.ends[used])


def _bytes(objects: pl.Series) -> tuple[Bytes, Ints]:
    """Give the bytes of texts one after the other, with 12 more behind them, and where each begins."""
    array = objects.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    padded = np.zeros(int(bounds[-1] - bounds[0]) + 12, np.uint8)
    padded[:-12] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return padded, bounds - bounds[0]


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


class _Checked(NamedTuple):
    texts: pl.Series
    reasons: pl.Series


def _objects(texts: pl.Series) -> _Checked:
    """Bring texts into the form of one valid object on one line each; say why, where that cannot be."""
    bare = texts.str.strip_chars(_AROUND)
    framed = (bare.str.starts_with("{") & bare.str.ends_with("}")).to_numpy()
    valid = framed.copy()
    valid[framed] = _valid(bare if framed.all() else bare.filter(framed))
    reasons = pl.Series("_reject", [None] * len(texts), dtype=pl.String)
    bad = np.flatnonzero(~valid)
    if len(bad):
        mended = [mend(text) for text in bare.gather(bad).to_list()]
        bare = bare.scatter(bad, pl.Series([text for text, _ in mended], dtype=pl.String))
        reasons = reasons.scatter(bad, pl.Series([why for _, why in mended], dtype=pl.String))
    if bare.str.contains("\n", literal=True).any() or bare.str.contains("\r", literal=True).any():
        bare = bare.str.replace_all(r"[ \t]*[\r\n]\s*", "")
    return _Checked(bare, reasons)


_NOTHING = {"\x01": pl.Null()}
"""A schema that lets Polars check objects without keeping any of them."""

_FEW = 256


def _valid(texts: pl.Series) -> Flags:
    """Tell which texts are valid JSON: all at once by simdjson, and where that stumbles, in ever smaller pieces."""
    if len(texts) <= _FEW:
        return np.array([not _fault(text) for text in texts.to_list()], np.bool_)
    if _all_valid(texts):
        return np.ones(len(texts), np.bool_)
    step = max(_FEW, -(-len(texts) // 16))
    return np.concatenate([_valid(texts[at : at + step]) for at in range(0, len(texts), step)])


def _all_valid(texts: pl.Series) -> bool:
    """Check texts as the lines of one file; a line end within a text, which only a string may not hold, as a tab."""
    lines = texts.str.replace_all("\n", "\t", literal=True) if texts.str.contains("\n", literal=True).any() else texts
    _, _, data = (lines + "\n").to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    try:
        return pl.read_ndjson(io.BytesIO(data), schema=_NOTHING).height == len(texts)
    except pl.exceptions.ComputeError:
        return False


def _fault(text: str) -> str:
    """Say what is wrong with a text that should be a JSON object, and at which byte; empty where nothing is."""
    try:
        held = json.loads(text, parse_constant=_refuse, parse_int=len)
    except json.JSONDecodeError as error:
        at = len(text[: error.pos].encode())
        end = error.pos >= len(text) or "Unterminated" in error.msg
        return (
            f"not a JSON object: {'unexpected end' if end else error.msg} at byte {len(text.encode()) if end else at}"
        )
    except ValueError as error:
        return f"not a JSON object: {error}"
    except RecursionError:
        return "not a JSON object: it nests too deeply"
    return "" if isinstance(held, dict) else "not a JSON object, but another JSON value"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON value")


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b|\bnan\b', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f]")
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)', re.DOTALL)


def mend(text: str) -> tuple[str, str | None]:
    r"""Mend what writers of JSON by hand get wrong within strings; give the text, and a reason where it stays broken.

    Control characters and stray backslashes within strings are escaped, NaN and Infinity become strings.

    Example:
        >>> mend('{"a": "x\ty", "b": NaN}'), mend('{"a": "C:\\dir"}')
        (('{"a": "x\\u0009y", "b": "NaN"}', None), ('{"a": "C:\\\\dir"}', None))
        >>> mend('{"a": tru}')
        ('{"a": tru}', 'not a JSON object: Expecting value at byte 6')
    """
    why = _fault(text)
    if not why:
        return text, None
    mended = _STRING.sub(_mended_piece, text)
    return (text, why) if _fault(mended) else (mended, None)


def _mended_piece(found: re.Match[str]) -> str:
    piece = found.group()
    if not piece.startswith('"'):
        return f'"{piece}"'
    escaped = _ESCAPE.sub(lambda one: one.group() if one.group(1) else r"\\", piece)
    return _CONTROL.sub(lambda one: f"\\u{ord(one.group()):04x}", escaped)

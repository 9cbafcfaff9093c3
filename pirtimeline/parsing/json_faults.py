"""Texts that should be JSON objects: which are, what is wrong with the others, and what can be mended."""

from __future__ import annotations

import io
import json
import re
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

Flags = npt.NDArray[np.bool_]


class Checked(NamedTuple):
    """Texts as one valid object on one line each, and why those are not that could not be brought into that form."""

    texts: pl.Series
    reasons: pl.Series


def checked(texts: pl.Series) -> Checked:
    """Bring texts without blanks around them into the form of one valid object on one line each.

    Example:
        >>> found = checked(pl.Series(['{"a": 1}', '{"a":\\n 1}', "{"]))
        >>> found.texts.to_list(), found.reasons.to_list()
        (['{"a": 1}', '{"a":1}', '{'], [None, None, 'not a JSON object: unexpected end at byte 1'])
    """
    bare = texts
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
    return Checked(bare, reasons)


_NOTHING = {"\x01": pl.Null()}
"""A schema that lets Polars check objects without keeping any of them."""

_FEW = 256


def _valid(texts: pl.Series) -> Flags:
    """Tell which texts are valid JSON: all at once by simdjson, and where that stumbles, in ever smaller pieces."""
    if len(texts) <= _FEW:
        return np.array([not fault(text) for text in texts.to_list()], np.bool_)
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


def fault(text: str) -> str:
    """Say what is wrong with a text that should be a JSON object, and at which byte; empty where nothing is.

    Example:
        >>> fault('{"a": 1}'), fault('{"a": x}')
        ('', 'not a JSON object: Expecting value at byte 6')
    """
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
    why = fault(text)
    if not why:
        return text, None
    mended = _STRING.sub(_mended_piece, text)
    return (text, why) if fault(mended) else (mended, None)


def _mended_piece(found: re.Match[str]) -> str:
    piece = found.group()
    if not piece.startswith('"'):
        return f'"{piece}"'
    escaped = _ESCAPE.sub(lambda one: one.group() if one.group(1) else r"\\", piece)
    return _CONTROL.sub(lambda one: f"\\u{ord(one.group()):04x}", escaped)

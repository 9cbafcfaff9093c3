"""Events of kind `logfmt`: `key=value` pairs, values bare or in double quotes.

Heroku's logfmt (as go-kit and logrus write it) and its many relatives: FortiGate, SonicWall, pfSense, auditd's tails. A
bare value may hold blanks: it ends where the next key begins.
"""

from __future__ import annotations

import json
import re

import numpy as np
import polars as pl

from pirtimeline.parsing.extras import objects
from pirtimeline.parsing.levels import SYSLOG_WORDS
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import TEXT

KEY = r"[A-Za-z_@][\w.@/:%-]*"
_PAIR = rf'(?:^|[\s,;])({KEY})=("(?:[^"\\]|\\.)*")?'
_PRIORITY = r"^\s*<(\d{1,3})>\d?\s?"
_PIECE, _SPLIT = "\x1e", "\x1f"


def looks_like(text: pl.Expr) -> pl.Expr:
    """Test whether a line is of this kind: it opens with a key and has two pairs or more.

    Example:
        >>> lines = ["level=info msg=\\"a b\\"", "a=1", "GET /x?a=1 b=2"]
        >>> pl.DataFrame({"t": lines}).select(looks_like(pl.col("t"))).to_series().to_list()
        [True, False, False]
    """
    return text.str.contains(
        rf'^\s*(?:<\d{{1,3}}>)?{KEY}=(?:"(?:[^"\\]|\\.)*"|[^"\s]\S*|)[\s,;]+(?:[^\s="]+\s+){{0,8}}{KEY}='
    )


def read(texts: pl.Series, one: Format) -> pl.DataFrame:
    """Read one line of pairs a text; see `json_lines.read` for the result.

    Words before the first key make the whole text the message, where no key says one.

    Example:
        >>> mine = Format(name="mine", title="", kind="logfmt")
        >>> read(pl.Series(['ts=1700758468.1 level=warn msg="a \\"b\\"" n=1']), mine).row(0, named=True)
        {'timestamp_text': '1700758468.1', 'severity_text': 'warn', 'message': 'a "b"', '_time': 'epoch_s', \
'extra': '{"n":"1"}', '_reject': None}
    """
    priority, texts = texts.str.extract(_PRIORITY).alias("severity_text"), texts.str.replace(_PRIORITY, "")
    found, before = pairs_of(texts)
    names = found["name"].unique(maintain_order=True)
    key = (
        found["name"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64)
        if len(names)
        else found["name"]
    )
    pairs = found.select("row", "value", key=key, form=pl.lit(TEXT, pl.UInt8))
    columns, used = assign(pairs, names.to_list(), len(texts), one)
    none = np.ones(len(texts), np.bool_)
    none[found["row"].to_numpy()] = False
    return _with_priority(_with_words(columns, texts, before), priority).with_columns(
        objects(pairs, names.to_list(), ~used, len(texts)),
        _reject=pl.when(pl.Series(none)).then(pl.lit("no key=value pair")),
    )


def _with_priority(columns: pl.DataFrame, priority: pl.Series) -> pl.DataFrame:
    """Take the severity in syslog's PRI (RFC 5424, section 6.2.1) where no key says one."""
    if not priority.is_not_null().any():
        return columns
    number = priority.cast(pl.Int64, strict=False) % 8
    word = number.replace_strict(dict(enumerate(SYSLOG_WORDS)), default=None, return_dtype=pl.String)
    if "severity_text" not in columns.columns:
        return columns.with_columns(word.alias("severity_text"))
    return columns.with_columns(columns["severity_text"].fill_null(word))


def _with_words(columns: pl.DataFrame, texts: pl.Series, before: pl.Series) -> pl.DataFrame:
    """Take the whole text for the message where words stand before its first key."""
    whole = pl.when(before.str.contains(r"\w")).then(texts)
    told = pl.coalesce("message", whole) if "message" in columns.columns else whole
    if not before.str.contains(r"\w").any():
        return columns
    return columns.with_columns(told.alias("message"))


def pairs_of(texts: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    r"""Split texts into pairs: `row`, `name`, `value`; and give what stands before the first key of each.

    Example:
        >>> pairs, before = pairs_of(pl.Series(['up: a=1 b="x=1 \"y\"" c=two words d=']))
        >>> pairs.rows(), before.to_list()
        ([(0, 'a', '1'), (0, 'b', 'x=1 "y"'), (0, 'c', 'two words'), (0, 'd', '')], ['up:'])
    """
    safe = texts.str.replace_many([_PIECE, _SPLIT], [" ", " "])
    marked = safe.str.replace_all(_PAIR, f"{_PIECE}${{1}}{_SPLIT}${{2}}")
    pieces = pl.DataFrame({"row": np.arange(len(texts)), "piece": marked.str.split(_PIECE)}).explode("piece")
    first = pieces["row"].is_first_distinct()
    before = pieces.filter(first)["piece"].str.strip_chars()
    halves = pl.col("piece").str.splitn(_SPLIT, 2).struct
    rest = pieces.filter(~first).select(
        "row", name=halves.field("field_0"), value=halves.field("field_1").str.strip_chars()
    )
    return rest.with_columns(unquoted(rest["value"])), before


def unquoted(values: pl.Series) -> pl.Series:
    r"""Take quotes and escapes from values that have them.

    Example:
        >>> unquoted(pl.Series([r'"a\nb"', r'"C:\dir"', "plain", '"'])).to_list()
        ['a\nb', 'C:\\dir', 'plain', '"']
    """
    within = (values.str.len_bytes() > 1) & values.str.starts_with('"') & values.str.ends_with('"')
    if not within.any():
        return values
    bare = pl.select(
        pl.when(within).then(values.str.slice(1, values.str.len_chars() - 2)).otherwise(values)
    ).to_series()
    escaped = np.flatnonzero((within & bare.str.contains("\\", literal=True)).to_numpy())
    told = [_unescaped(text) for text in bare.gather(escaped).to_list()]
    return bare.scatter(escaped, pl.Series(told, dtype=pl.String)).alias(values.name)


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except ValueError:
        return re.sub(r'\\(["\\])', r"\1", text)

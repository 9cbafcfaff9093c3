"""Events of kind `keys`: one `KEY=value` or `Key: value` a line, a blank line between events.

Systemd's journal is exported so (`journalctl -o export`), and many a tool prints its records.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pirtimeline.parsing.extras import objects
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import TEXT

_PAIR = r"^\s*(?P<name>[A-Za-z_@][\w.@ -]{0,60}?)\s*(?:=|:(?:\s|$))\s*(?P<value>.*)$"


def looks_like(text: pl.Expr) -> pl.Expr:
    """Test whether a line is a key and a value.

    Example:
        >>> lines = ["__CURSOR=s=1", "Source: app", "no value"]
        >>> pl.DataFrame({"t": lines}).select(looks_like(pl.col("t"))).to_series().to_list()
        [True, True, False]
    """
    return text.str.contains(_PAIR)


def read(texts: pl.Series, one: Format) -> pl.DataFrame:
    r"""Read one event a text; see `json_lines.read` for the result. A line without a key goes on with the value above.

    Example:
        >>> mine = Format(name="mine", title="", kind="keys")
        >>> found = read(pl.Series(["_HOSTNAME=a\nPRIORITY=3\nMESSAGE=no\n way"]), mine)
        >>> found.select("host_name", "_severity", "message").row(0)
        ('a', 'ERROR', 'no\n way')
    """
    found = _pairs(texts)
    names = found["name"].unique(maintain_order=True)
    code = dict(zip(names.to_list(), range(len(names)), strict=True))
    key = found["name"].replace_strict(code, return_dtype=pl.Int64) if code else found["name"].cast(pl.Int64)
    pairs = found.select("row", "value", key=key, form=pl.lit(TEXT, pl.UInt8))
    columns, used = assign(pairs, names.to_list(), len(texts), one)
    none = np.ones(len(texts), np.bool_)
    none[found["row"].to_numpy()] = False
    return columns.with_columns(
        objects(pairs, names.to_list(), ~used, len(texts)),
        _reject=pl.when(pl.Series(none)).then(pl.lit("no line of key and value")),
    )


def _pairs(texts: pl.Series) -> pl.DataFrame:
    """Give `row`, `name`, `value` of each pair; lines without a key are joined to the value above them."""
    lines = pl.DataFrame({"row": np.arange(len(texts)), "line": texts.str.split("\n")}).explode("line")
    halves = pl.col("line").str.extract_groups(_PAIR).struct
    told = lines.with_columns(name=halves.field("name"), value=halves.field("value"))
    told = told.with_columns(pair=pl.col("name").is_not_null().cum_sum().over("row")).filter(pl.col("pair") > 0)
    return (
        told.group_by("row", "pair", maintain_order=True)
        .agg(
            pl.col("name").first(),
            pl.when(pl.col("name").is_not_null()).then("value").otherwise("line").str.join("\n").alias("value"),
        )
        .select("row", "name", pl.col("value").str.strip_chars_end())
    )

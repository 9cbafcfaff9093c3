"""The column `extra`, for kinds whose values are text: JSON objects of the pairs that fill no column."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_ESCAPES |= {chr(code): f"\\u{code:04x}" for code in range(32) if chr(code) not in _ESCAPES}


def quoted(text: pl.Expr) -> pl.Expr:
    r"""Write texts as JSON strings (RFC 8259, section 7).

    Example:
        >>> pl.DataFrame({"t": ['say "hi"\n', "é"]}).select(quoted(pl.col("t"))).to_series().to_list()
        ['"say \\"hi\\"\\n"', '"é"']
    """
    return pl.format('"{}"', text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values())))


def objects(pairs: pl.DataFrame, names: Sequence[str], keep: npt.NDArray[np.bool_], height: int) -> pl.Series:
    """Write the pairs to keep of each event as one JSON object, in their order; null where an event keeps none.

    Args:
        pairs: `row`, `key` (place in `names`) and `value`, in order of row.
        names: the keys.
        keep: which pairs.
        height: how many events there are.

    Example:
        >>> pairs = pl.DataFrame({"row": [0, 0, 2], "key": [0, 1, 1], "value": ["x", "y", "z"]})
        >>> objects(pairs, ["a", "b"], np.array([True, True, True]), 3).to_list()
        ['{"a":"x","b":"y"}', None, '{"b":"z"}']
    """
    kept = pairs.filter(keep)
    keys = pl.Series("name", [f"{json.dumps(name, ensure_ascii=False)}:" for name in names], dtype=pl.String)
    written = kept.select("row", keys.gather(kept["key"]), quoted(pl.col("value")))
    joined = written.group_by("row", maintain_order=True).agg(pl.concat_str("name", "value").str.join(","))
    place = pl.Series([None] * height, dtype=pl.UInt32)
    place = place.scatter(joined["row"].to_numpy(), np.arange(joined.height, dtype=np.uint32))
    return pl.select(pl.concat_str(pl.lit("{"), joined["name"].gather(place), pl.lit("}"))).to_series().alias("extra")


def from_columns(cells: pl.DataFrame) -> pl.Series:
    """Write each row of a frame of texts as one JSON object of its cells that are not null; null where all are.

    Example:
        >>> from_columns(pl.DataFrame({"a": ["x", None], "b": ["y", None]})).to_list()
        ['{"a":"x","b":"y"}', None]
    """
    if not cells.width:
        return pl.Series("extra", [None] * cells.height, dtype=pl.String)
    written = [
        pl.format("{}:{}", pl.lit(json.dumps(name, ensure_ascii=False)), quoted(pl.col(name))).alias(name)
        for name in cells.columns
    ]
    joined = pl.concat_str(written, separator=",", ignore_nulls=True)
    return cells.select(
        pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).alias("extra")
    ).to_series()

"""Lines that are one event because they say so: records with one key, also where others lie between them."""

from __future__ import annotations

import polars as pl

from pirtimeline.parsing.pieces import PIECE
from pirtimeline.parsing.plugin import Format


def together(table: pl.DataFrame, texts: pl.Series, one: Format) -> pl.DataFrame:
    """Let the first row of each key be the event, and the others go on with it.

    Args:
        table: rows of a format in order, with `_row`, and `_in` where they are of several files read together.
        texts: the text of each row.
        one: the format; its `together` is the column that holds the key.

    Returns:
        The same rows; the first of a key has what any of them says, and their texts in its message; `_piece_row` is the
        `_row` of the event that a row only goes on with.

    Example:
        >>> rows = pl.DataFrame({"_row": [0, 1, 2], "parser": "a_b", "trace_id": ["7", "8", "7"], "message": "x"})
        >>> found = together(rows, pl.Series(["7 x", "8 x", "7 y"]), Format(name="a_b", title="", together="trace_id"))
        >>> found["_piece_row"].to_list(), found["message"].to_list()
        ([None, None, 0], ['x\\n7 y', 'x', None])
    """
    if not one.together or one.together not in table.columns:
        return table
    keys = [name for name in ("_in", "host_name", one.together) if name in table.columns]
    row = pl.col("_row")
    owner = pl.when(pl.col(one.together).is_null()).then(row).otherwise(row.first().over(keys))
    rows = table.with_columns(owner.alias("_owner"), _text=texts)
    goes_on = pl.col("_owner") != row
    kept = [name for name in ("_row", "parser", "_in") if name in rows.columns]
    rest = rows.filter(goes_on).select(*kept, _piece_row="_owner")
    if not rest.height:
        return table
    event = rows.filter(pl.col("_owner").is_in(rest["_piece_row"].unique().implode()))
    said = [pl.col(name).drop_nulls().first() for name in table.columns if name not in ("_row", "message")]
    line = pl.when(goes_on).then("_text").otherwise("message")
    joined = event.with_columns(message=line).group_by("_owner", maintain_order=True)
    whole = joined.agg(row.first(), *said, pl.col("message").str.join("\n").str.head(PIECE)).select(table.columns)
    alone = table.filter(~row.is_in(event["_row"].implode()))
    return pl.concat([alone, whole, rest], how="diagonal").sort("_row")

"""Columns of texts that repeat: each distinct text is read once, and what it says is laid where it stands."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

_LOOKED_AT, _FEW = 1024, 64
"""First texts of a column, and how many may differ among them where they are read once each."""


def by_distinct(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Read a column of texts by what its distinct texts say, where these are few.

    Args:
        texts: a String column.
        read: gives as many values as it is given texts, each by its text alone; null for a null text.

    Example:
        >>> by_distinct(pl.Series(["a", "b", None, "a"] * 20), lambda texts: texts.str.len_bytes()).head(4).to_list()
        [1, 1, None, 1]
    """
    if len(texts) <= _LOOKED_AT or texts.head(_LOOKED_AT).n_unique() > _FEW:
        return read(texts)
    known = texts.unique().drop_nulls()
    if len(known) > _LOOKED_AT:
        return read(texts)
    return read(known).gather(texts.cast(pl.Enum(known)).to_physical()).alias(texts.name)

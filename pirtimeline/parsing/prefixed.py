"""JSON objects behind a text that has no time, as `docker compose` and process managers write them: `web-1 | {...}`."""

from __future__ import annotations

import polars as pl

from pirtimeline.parsing.generic import NAME
from pirtimeline.parsing.json_lines import CONTINUES, with_prefix
from pirtimeline.parsing.plugin import Format, Pattern

_MOST = 0.5
_CLOCK = r"\d:\d\d|\d{9}|\"|="
_OBJECT = r'(?P<message>\{\s*".*\})\s*$'
_NAMED = r"^\[?(?P<process_name>[A-Za-z][\w.@/-]*)(?:\[(?P<process_pid>\d+)\])?\]?\s*[|:]?\s*"

PREFIXED = Format(
    name=NAME,
    title="a text before a JSON object",
    patterns=(
        Pattern(regex=_NAMED + _OBJECT, undated=True),
        Pattern(regex=r"^(?P<prefix>[^{]*[^\s{][^{]*)" + _OBJECT, undated=True),
    ),
    continues=CONTINUES,
    columns={"prefix": "string"},
    generic=True,
)
"""The format of such lines; what stands in the object is read again."""


def prefixed(samples: pl.DataFrame) -> tuple[dict[str, tuple[Format, ...]], pl.Series]:
    """Find the sources whose unclaimed lines are objects behind a text, and which lines these are.

    Args:
        samples: `source_id`, `text`, `claimed`, in order.

    Returns:
        For each such source its format, and for each line whether it is claimed now, by it or before.

    Example:
        >>> columns = {"source_id": "a", "text": ['web-1 | {"level":"info"}'], "claimed": [False]}
        >>> [*prefixed(pl.DataFrame(columns))[0]]
        ['a']
    """
    before = with_prefix(pl.col("text")).struct.field("prefix")
    mine = ~pl.col("claimed") & before.is_not_null() & ~before.str.contains(_CLOCK)
    left = ~pl.col("claimed") & pl.col("text").str.contains(r"\S")
    told = samples.with_columns(mine=mine & pl.col("text").str.contains('{"', literal=True), left=left)
    share = pl.col("mine").sum().over("source_id") / pl.col("left").sum().over("source_id")
    told = told.with_columns(mine=pl.col("mine") & (share >= _MOST))
    found = told.filter("mine")["source_id"].unique(maintain_order=True)
    return dict.fromkeys(found, (PREFIXED,)), told.select(pl.col("claimed") | pl.col("mine")).to_series()

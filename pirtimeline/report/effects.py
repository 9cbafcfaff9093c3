"""What an action changed: the share of failed requests before and after it, at the tier that users meet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from pirtimeline.report import words

BESIDE = timedelta(seconds=60)
"""How long before and after an action requests are counted."""


class Effect(NamedTuple):
    """Failed and all requests in the spans before and after an instant."""

    failed_before: int
    total_before: int
    failed_after: int
    total_after: int

    @property
    def sentence(self) -> str:
        """Say it in words; empty where no request was logged on either side."""
        if not self.total_before and not self.total_after:
            return ""
        before, after = _share(self.failed_before, self.total_before), _share(self.failed_after, self.total_after)
        return f"{before} failed in the {words.span(BESIDE.total_seconds())} before, {after} after"


def effects(requests: pl.LazyFrame, instants: Iterable[datetime]) -> dict[datetime, Effect]:
    """Count requests (`timestamp`, `failed`) around each instant; that the action changed them is for people to say.

    Example:
        >>> effects(pl.LazyFrame(), [])
        {}
    """
    at = sorted(set(instants))
    if not at:
        return {}
    inside = pl.col("timestamp").is_between(at[0] - BESIDE, at[-1] + BESIDE)
    table = requests.filter(inside).collect(engine="streaming")
    return {instant: _effect(table, instant) for instant in at}


def _effect(rows: pl.DataFrame, at: datetime) -> Effect:
    before = rows.filter(pl.col("timestamp").is_between(at - BESIDE, at, closed="left"))["failed"]
    after = rows.filter(pl.col("timestamp").is_between(at, at + BESIDE, closed="left"))["failed"]
    return Effect(int(before.sum()), len(before), int(after.sum()), len(after))


def _share(failed: int, total: int) -> str:
    return f"{failed:,} of {total:,} ({words.share(failed / total)})" if total else "none of 0"

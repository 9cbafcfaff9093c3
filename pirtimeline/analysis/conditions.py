"""Windowed conditions as findings: what only a comparison with the baseline can show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pirtimeline.analysis.impact import cited
from pirtimeline.schema import FINDING_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A windowed condition that held: when, how often, where, and the figures in words."""

    signature_id: str
    first: datetime
    last: datetime
    count: int
    event_ids: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    detail: str = ""

    @property
    def finding_id(self) -> str:
        """Give the id of its finding: 12 hex digits of SHA-256 of signature, host, service and first event."""
        words = (self.signature_id, ",".join(self.hosts), ",".join(self.services), self.event_ids[0])
        return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def findings(conditions: Iterable[Condition], rules: pl.DataFrame) -> pl.DataFrame:
    """Make findings of conditions; one whose header is not among the rules is left out: it was switched off.

    Example:
        >>> findings([], pl.DataFrame(schema=["signature_id", "title", "severity", "role"])).height
        0
    """
    known = {row[0]: row[1:] for row in rules.select("signature_id", "title", "severity", "role").iter_rows()}
    rows = [
        (c.finding_id, c.signature_id, *told, c.first, c.last, c.count, list(c.hosts), list(c.services), list(ids))
        for c in conditions
        for ids in [cited(c.event_ids)]
        if (told := known.get(c.signature_id)) is not None
    ]
    return pl.DataFrame(rows, schema=FINDING_COLUMNS, orient="row")


def runs(flags: pl.Series, *, least: int) -> Iterator[tuple[int, int]]:
    """Give the stretches of at least `least` true values as index ranges [start, end).

    Example:
        >>> list(runs(pl.Series([False, True, True, False, True]), least=2))
        [(1, 3)]
    """
    start = None
    for index, flag in enumerate([*flags.to_list(), False]):
        if flag and start is None:
            start = index
        if not flag and start is not None:
            if index - start >= least:
                yield start, index
            start = None

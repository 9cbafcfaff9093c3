"""The rows that chains are matched against: every hit and every windowed condition, placed in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.chains import Link
from pirtimeline.analysis.conditions import Condition
from pirtimeline.analysis.facts import Inputs, Interval
from pirtimeline.analysis.observations import with_details

UNDATED = 200
"""So many undated hits of a signature are placed by their bounds; the first ones tell when it began."""

COLUMNS = ("signature_id", "title", "level", "prior", "at", "until", "host_name", "service_name", "event_ids", "detail")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found, one row a hit or condition, and the spans that say what is usual and what is the incident's."""

    rows: pl.DataFrame
    calm: Interval | None
    during: Interval | None

    def of(self, link: Link) -> pl.DataFrame:
        """Give the rows that satisfy a link, in the order of time."""
        names = [n for n in self.rows["signature_id"].unique().sort() if link.matches(n)]
        return self.rows.filter(pl.col("signature_id").is_in(names))

    def before(self, link: Link, until: datetime) -> int:
        """Count the rows that satisfy a link before an instant: how usual it is."""
        return self.of(link).filter(pl.col("at") < until).height

    def new(self, rows: pl.DataFrame, link: Link, since: datetime) -> bool:
        """Tell whether what satisfies a link from `since` on is a change: three times as frequent as before."""
        earlier = self.before(link, since)
        if not earlier or self.calm is None or self.during is None:
            return True
        usual = earlier / max((since - self.calm.start).total_seconds(), 1.0)
        now = rows.height / max((self.during.end - since).total_seconds(), 1.0)
        return now >= 3.0 * usual


def evidence(
    inputs: Inputs, hits: pl.DataFrame, conditions: Iterable[Condition], calm: Interval | None, during: Interval | None
) -> Evidence:
    """Put hits and conditions into one table; undated hits stand between the bounds that their neighbours give."""
    dated = hits.filter(pl.col("timestamp").is_not_null()).with_columns(at="timestamp", until="timestamp")
    rank = pl.int_range(pl.len()).over("signature_id", "host_name")
    undated = hits.filter(pl.col("timestamp").is_null()).filter(rank < UNDATED)
    bounded = with_details(inputs, undated).with_columns(
        at=pl.coalesce("not_before", "not_after"), until=pl.coalesce("not_after", "not_before")
    )
    single = [
        t.filter(pl.col("at").is_not_null()).select(
            *(c for c in COLUMNS if c not in ("event_ids", "detail")),
            event_ids=pl.concat_list("event_id"),
            detail=pl.lit(""),
        )
        for t in (dated, bounded)
    ]
    rows = pl.concat([*(t.select(COLUMNS) for t in single), _rows(conditions, inputs.rules)], how="vertical_relaxed")
    return Evidence(rows.sort("at", "until", "signature_id", nulls_last=True, maintain_order=True), calm, during)


def _rows(conditions: Iterable[Condition], rules: pl.DataFrame) -> pl.DataFrame:
    known = {row[0]: row[1:] for row in rules.select("signature_id", "title", "severity", "role").iter_rows()}
    utc = pl.Datetime("us", "UTC")
    text = pl.String()
    schema = dict.fromkeys(COLUMNS, text) | {"at": utc, "until": utc, "event_ids": pl.List(text)}
    rows = [
        (c.signature_id, *told, c.first, c.first, *places, list(c.event_ids[:20]), c.detail)
        for c in conditions
        for places in [((c.hosts or (None,))[0], (c.services or (None,))[0])]
        if (told := known.get(c.signature_id)) is not None
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def within(rows: pl.DataFrame, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """Keep the rows that may lie in a span: undated ones by their bounds."""
    if start is not None:
        rows = rows.filter(pl.col("until") >= start)
    return rows if end is None else rows.filter(pl.col("at") <= end)


LATE = timedelta(seconds=60)
"""A step may stand so long before the one that causes it: timeouts and access logs write late."""

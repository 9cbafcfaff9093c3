"""The incident as the counts show it: which series, which outage in it, and the events that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from pirtimeline.analysis import rates, requests, windows
from pirtimeline.analysis.coverage import span
from pirtimeline.analysis.facts import Interval
from pirtimeline.schema import SEVERITY


@dataclass(frozen=True, slots=True)
class Incident:
    """Requests that face users, their failures counted once, the series of both, and the outage found in it.

    Where errors of all logs show the outage, `failed` are these, and `beside` all events of their hosts.
    """

    tiers: requests.Tiers
    answered: pl.LazyFrame
    failed: pl.DataFrame
    bins: pl.DataFrame
    every: timedelta
    outage: windows.Outage | None
    beside: pl.LazyFrame | None = None

    @property
    def span(self) -> Interval | None:
        """Give what the series covers."""
        if self.bins.is_empty():
            return None
        return Interval(self.bins["bin"][0], self.bins["bin"][-1] + self.every)

    @property
    def interval(self) -> Interval | None:
        """Give the bins of the outage as a span of time."""
        if self.outage is None:
            return None
        return Interval(self.bins["bin"][self.outage.first], self.bins["bin"][self.outage.last] + self.every)


def incident(events: pl.LazyFrame, *, within: Interval | None = None) -> Incident:
    """Find the outage in the failures of requests; where no request log shows one, in the errors of all logs."""
    asked = requests.requests(events)
    tiers = requests.tiers(asked)
    answered = requests.facing(asked, tiers)
    failed = requests.failures(asked, tiers)
    found = _by_requests(tiers, answered, failed, within)
    if found.outage is not None and found.outage.kind == "requests":
        return found
    errors = _by_errors(tiers, answered, events, within)
    if found.outage is not None and (errors.outage is None or found.outage.kind == "silence"):
        return found
    return errors if errors.outage is not None or found.bins.is_empty() else found


def _by_requests(
    tiers: requests.Tiers, answered: pl.LazyFrame, failed: pl.DataFrame, within: Interval | None
) -> Incident:
    whole = span(answered)
    if whole is None:
        return Incident(tiers, answered, failed, pl.DataFrame(), timedelta(seconds=60), None)
    whole = _near(whole, within)
    every = rates.width(timedelta(seconds=whole.seconds))
    inner = failed.filter(~pl.col("stream").is_in(list(tiers.outer))).lazy()
    rows = pl.concat([answered.select("timestamp", "status"), inner.select("timestamp", "status")])
    status = pl.col("status")
    bins = rates.series(
        rows, span=whole, every=every, failed=status >= requests.FAILED, aborted=status == requests.ABORTED
    )
    outage = windows.outage(bins, every=every, within=within)
    return Incident(tiers, answered, failed, bins, every, outage)


def _by_errors(
    tiers: requests.Tiers, answered: pl.LazyFrame, events: pl.LazyFrame, within: Interval | None
) -> Incident:
    grave = pl.col("severity") >= pl.lit("ERROR", dtype=SEVERITY)
    rows = events.filter(pl.col("timestamp").is_not_null() & pl.col("http_status_code").is_null())
    errors = rows.filter(grave).select(
        "event_id", "timestamp", "host_name", "service_name", "duration_ms", client=pl.lit(None, pl.String)
    )
    listed = errors.sort("timestamp", "event_id").collect(engine="streaming")
    whole = span(rows) if not listed.is_empty() else None
    if whole is None:
        return Incident(tiers, answered, listed, pl.DataFrame(), timedelta(seconds=60), None)
    whole = _near(whole, within)
    every = rates.width(timedelta(seconds=whole.seconds))
    bins = rates.series(rows.select("timestamp", "severity"), span=whole, every=every, failed=grave)
    outage = windows.outage(bins, every=every, kind="errors", within=within)
    beside = rows.filter(pl.col("host_name").is_in(listed["host_name"].drop_nulls().unique().to_list()))
    return Incident(tiers, answered, listed, bins, every, outage, beside.select("timestamp", "event_id"))


def _near(whole: Interval, within: Interval | None) -> Interval:
    """Give what to look at: all, or a window with four times its length and two hours before, and two after."""
    if within is None:
        return whole
    length, margin = within.end - within.start, timedelta(hours=2)
    start, end = max(whole.start, within.start - 4 * length - margin), min(whole.end, within.end + length + margin)
    return Interval(start, end) if start < end else whole

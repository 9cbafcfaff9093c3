"""What the incident cost: failed requests counted once, the clients behind them, and the time that was lost.

Failures are status 500 and above at the outermost tier that logs the request. Requests that no tier logged are
invisible: every count is "at least". An address is not a person (shared addresses, robots).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import polars as pl

from pirtimeline.analysis.facts import Interval, Value
from pirtimeline.analysis.requests import ABORTED
from pirtimeline.analysis.windows import Outage, worse

CITED = 50
"""So many first and so many last events stand for a larger number of them."""

DOWN = 0.5
"""A bin in which at least this share failed, or in which nothing at all was answered, counts as down."""


def cited(ids: Iterable[str]) -> tuple[str, ...]:
    """Give the first and last ids, at most 100.

    Example:
        >>> len(cited(str(n) for n in range(1000)))
        100
    """
    known = tuple(ids)
    return known if len(known) <= 2 * CITED else known[:CITED] + known[-CITED:]


def impact(
    answered: pl.LazyFrame,
    failed: pl.DataFrame,
    *,
    during: Interval,
    bins: pl.DataFrame,
    found: Outage,
    every: timedelta,
) -> dict[str, Value]:
    """Measure an interval: `answered` are the requests that face users, `failed` the failures counted once."""
    inside = failed.filter(pl.col("timestamp").is_between(during.start, during.end))
    ids = cited(inside["event_id"])
    total, aborted = _totals(answered, during)
    share = inside.height / total if total else None
    extra = inside.height - found.calm.share * total
    streams = ", ".join(sorted(set(inside["host_name"].drop_nulls()))) or "a host without a name"
    return {
        "failed_requests": Value(
            value=inside.height,
            event_ids=ids,
            reason=f"status 500 and above, as logged on {streams}, each once; at least",
        ),
        "failed_ratio": Value(
            value=None if share is None else round(share, 6),
            event_ids=ids,
            reason=f"{inside.height} of {total} requests logged from impact start to the end of impact",
        ),
        "requests": Value(value=total, event_ids=ids, reason="requests logged at the outermost tier during impact"),
        "excess_failed_requests": Value(
            value=round(max(0.0, extra), 1),
            event_ids=ids,
            reason=f"failed requests beyond the {found.calm.share:.4%} that failed in the calm",
        ),
        "clients_affected": _clients(inside),
        "client_aborts": Value(
            value=len(aborted),
            event_ids=cited(aborted),
            reason="requests that the client gave up (status 499); not failed",
        ),
        **_lost_time(bins, found, during, every, ids),
        "by_status": _counts(inside, "status"),
        "by_route": _counts(inside, "url_path"),
        "by_host": _counts(inside, "host_name"),
    }


def _totals(answered: pl.LazyFrame, during: Interval) -> tuple[int, list[str]]:
    inside = answered.filter(pl.col("timestamp").is_between(during.start, during.end))
    aborted = pl.col("event_id").filter(pl.col("status") == ABORTED)
    total, ids = inside.select(pl.len().alias("n"), aborted.implode().alias("ids")).collect().row(0)
    return int(total), sorted(ids)


def _clients(inside: pl.DataFrame) -> Value:
    known = inside.filter(pl.col("client").is_not_null())
    if known.is_empty():
        reason = "no failed request names a client address"
        return Value(value=None, event_ids=cited(inside["event_id"]), reason=reason)
    first = known.unique("client", keep="first", maintain_order=True)
    reason = "distinct client addresses with at least one failed request; an address is not a person"
    return Value(value=first.height, event_ids=cited(first["event_id"]), reason=reason)


def _lost_time(
    bins: pl.DataFrame, found: Outage, during: Interval, every: timedelta, ids: tuple[str, ...]
) -> dict[str, Value]:
    """Add up the bins that were down, and those that were only degraded."""
    inside = bins.filter((pl.col("bin") + every > during.start) & (pl.col("bin") < during.end))
    failed, total, aborted = (inside[c].to_numpy().astype(float) for c in ("failed", "total", "aborted"))
    silent = (total == 0) & (found.calm.rate >= 1.0)
    down = silent | ((total > 0) & (failed + aborted >= DOWN * total))
    degraded = worse(failed, total, found.calm) & ~down
    step = every.total_seconds()
    text = f"bins of {step:g} s in which at least half of the requests failed or were given up, or none was answered"
    return {
        "downtime_seconds": Value(value=float(min(down.sum() * step, during.seconds)), event_ids=ids, reason=text),
        "degraded_seconds": Value(
            value=float(degraded.sum() * step),
            event_ids=ids,
            reason=f"further bins of {step:g} s with more failures than the calm explains",
        ),
    }


def _counts(inside: pl.DataFrame, column: str) -> Value:
    counted = inside.group_by(column).agg(pl.len().alias("n")).sort("n", column, descending=[True, False]).head(20)
    found = {str(name): int(n) for name, n in counted.iter_rows() if name is not None}
    return Value(value=found, event_ids=cited(inside["event_id"]), reason="failed requests by " + column)

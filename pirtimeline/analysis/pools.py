"""The condition on connection pools: refusals that come far more often than before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from pirtimeline.analysis.conditions import Condition
from pirtimeline.analysis.facts import Interval
from pirtimeline.signatures.windowed import limits

POOLS = r"^db\.pool\.|^db\.too_many_connections$"
"""Signatures that tell of a refused connection."""


def conditions(hits: pl.DataFrame, calm: Interval | None) -> Iterator[Condition]:
    """Give the stretches in which a host's pools refused connections at five times the baseline's rate."""
    limit = limits("db.pool.exhausted")
    refused = hits.filter(pl.col("signature_id").str.contains(POOLS) & pl.col("timestamp").is_not_null())
    rows = refused.unique("event_id", keep="first", maintain_order=True).sort("timestamp", "event_id")
    for (host,), one in rows.group_by(["host_name"], maintain_order=True):
        yield from _stretches(
            one, str(host or ""), calm, limit["count"], limit["factor"], timedelta(minutes=limit["minutes"])
        )


def _stretches(
    rows: pl.DataFrame, host: str, calm: Interval | None, count: float, factor: float, near: timedelta
) -> Iterator[Condition]:
    apart = (pl.col("timestamp").diff() > near).fill_null(False).cum_sum().alias("run")
    before = rows.filter(pl.col("timestamp") < calm.end).height / max(calm.seconds, 1.0) if calm else 0.0
    for _, part in rows.with_columns(apart).group_by(["run"], maintain_order=True):
        seconds = max((part["timestamp"][-1] - part["timestamp"][0]).total_seconds(), 1.0)
        early = calm is not None and part["timestamp"][0] < calm.end
        if part.height < count or (early and part.height / seconds < factor * before):
            continue
        yield Condition(
            signature_id="db.pool.exhausted",
            first=part["timestamp"][0],
            last=part["timestamp"][-1],
            count=part.height,
            hosts=(host,) if host else (),
            event_ids=tuple(part["event_id"]),
            detail=f"{part.height} refusals in {seconds:g} s, {before * 60:.2f} a minute before",
        )

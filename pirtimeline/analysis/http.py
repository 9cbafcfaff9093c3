"""Conditions on requests: bursts of errors, loss, recovery, slowness, surges, and addresses that scan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.conditions import Condition, runs
from pirtimeline.analysis.facts import Interval, Moment
from pirtimeline.analysis.incident import Incident
from pirtimeline.analysis.statistics import greater
from pirtimeline.signatures.windowed import limits

LEAST = 50
"""Fewer durations than this show no quantile."""

SAMPLE = 20_000
"""So many durations on either side are enough for the test."""


def conditions(found: Incident, moments: dict[str, Moment]) -> Iterator[Condition]:
    """Give what the requests that face users show, with the outage for its centre."""
    yield from _scan(found)
    if found.outage is None or found.outage.kind == "errors":
        return
    yield from _burst(found)
    yield from _loss(found)
    yield from _recovered(moments)
    yield from _latency(found)
    yield from _traffic(found)


def _burst(found: Incident) -> Iterator[Condition]:
    interval = found.interval
    if interval is None or found.outage is None or found.outage.kind != "requests":
        return
    rows = found.failed.filter((pl.col("timestamp") >= interval.start) & (pl.col("timestamp") < interval.end))
    if rows.is_empty():
        return
    bins = found.bins.slice(found.outage.first, found.outage.last - found.outage.first + 1)
    share = rows.height / max(int(bins["total"].sum()), 1)
    yield Condition(
        signature_id="http.5xx_burst",
        first=rows["timestamp"][0],
        last=rows["timestamp"][-1],
        count=rows.height,
        hosts=_names(rows, "host_name"),
        services=_names(rows, "service_name"),
        event_ids=tuple(rows["event_id"]),
        detail=f"{rows.height} requests failed, {share:.1%} of those in the bins from change point to change point; "
        f"{found.outage.calm.share:.3%} in the calm",
    )


def _loss(found: Incident) -> Iterator[Condition]:
    limit = limits("http.total_loss")
    outage = found.outage
    if outage is None:
        return
    usual = pl.lit(outage.calm.rate >= 1.0)
    success = (pl.col("total") - pl.col("failed")) < limit["success"] * pl.col("total")
    inside = found.bins.slice(outage.first, outage.last - outage.first + 1)
    lost = inside.select(((pl.col("total") == 0) & usual) | ((pl.col("total") > 0) & success)).to_series()
    joined = _bridged(list(runs(lost, least=int(limit["bins"]))), max(5, int(timedelta(seconds=30) / found.every)))
    for start, end in joined:
        span = Interval(inside["bin"][start], inside["bin"][end - 1] + found.every)
        rows = found.failed.filter((pl.col("timestamp") >= span.start) & (pl.col("timestamp") < span.end))
        if not rows.is_empty():
            yield Condition(
                signature_id="http.total_loss",
                first=rows["timestamp"][0],
                last=rows["timestamp"][-1],
                count=rows.height,
                hosts=_names(rows, "host_name"),
                services=_names(rows, "service_name"),
                event_ids=tuple(rows["event_id"]),
                detail=f"under {limit['success']:.0%} of the requests succeed for {span.seconds:g} s in all",
            )


def _bridged(stretches: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Join stretches that lie no more than `gap` bins apart."""
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _recovered(moments: dict[str, Moment]) -> Iterator[Condition]:
    moment = moments.get("recovered")
    if moment and moment.event_ids:
        at = moment.timestamp
        yield Condition(
            signature_id="http.recovered", first=at, last=at, count=1, event_ids=moment.event_ids, detail=moment.reason
        )


def _latency(found: Incident) -> Iterator[Condition]:
    """Compare the durations of each bin near the outage with those of the time well before it, tier by tier."""
    interval, span = found.interval, found.span
    if interval is None or span is None:
        return
    begin = max(span.start, interval.start - _lead(interval.start - span.start, found.every))
    timed = found.answered.filter(pl.col("duration_ms").is_not_null())
    usual = _usual(timed.filter((pl.col("timestamp") >= span.start) & (pl.col("timestamp") < begin)))
    later = timed.filter((pl.col("timestamp") >= begin) & (pl.col("timestamp") < interval.end))
    rows = later.select("event_id", "timestamp", "stream", "host_name", "service_name", "duration_ms")
    listed = rows.collect(engine="streaming").sort("stream", "timestamp", "event_id")
    for (stream,), one in listed.group_by(["stream"], maintain_order=True):
        yield from _slow(one, usual.filter(pl.col("stream") == stream)["duration_ms"], found.every)


def _usual(timed: pl.LazyFrame) -> pl.DataFrame:
    """Give the durations of the calm by stream; of very many, those of every n-th place in their source."""
    size = timed.select(pl.len()).collect(engine="streaming").item()
    every = max(1, size // (10 * SAMPLE))
    return (
        timed.filter(pl.col("byte_offset").hash() % every == 0)
        .select("stream", "duration_ms")
        .collect(engine="streaming")
    )


def _lead(before: timedelta, every: timedelta) -> timedelta:
    """Give the stretch before an outage in which things may already go wrong: half of the time, at most 30 minutes."""
    return min(before / 2, timedelta(minutes=30)) if before > 20 * every else timedelta(0)


def _slow(later: pl.DataFrame, usual: pl.Series, every: timedelta) -> Iterator[Condition]:
    lim = limits("http.latency_shift")
    if len(usual) < LEAST:
        return
    p95 = float(usual.quantile(0.95, "linear") or 0.0)
    slow = max(lim["factor"] * p95, p95 + lim["least_ms"])
    binned = (
        later.group_by_dynamic("timestamp", every=every)
        .agg(pl.col("duration_ms").quantile(0.95, "linear").alias("p95"), pl.len().alias("n"))
        .sort("timestamp")
    )
    for start, end in runs(binned["p95"] >= slow, least=int(lim["bins"])):
        first, last = binned["timestamp"][start], binned["timestamp"][end - 1] + every
        part = later.filter((pl.col("timestamp") >= first) & (pl.col("timestamp") < last))
        heavy = part.filter(pl.col("duration_ms") >= slow)
        if not heavy.is_empty() and _differs(usual, part["duration_ms"], lim["p"]):
            yield Condition(
                signature_id="http.latency_shift",
                first=heavy["timestamp"][0],
                last=heavy["timestamp"][-1],
                count=heavy.height,
                hosts=_names(heavy, "host_name"),
                services=_names(heavy, "service_name"),
                event_ids=tuple(heavy["event_id"]),
                detail=f"95th percentile {part['duration_ms'].quantile(0.95):.0f} ms against {p95:.0f} ms before",
            )


def _differs(usual: pl.Series, now: pl.Series, p: float) -> bool:
    one, other = (s.sort().gather_every(max(1, len(s) // SAMPLE)).to_numpy() for s in (now, usual))
    return greater(one.astype(float), other.astype(float)) < p


def _traffic(found: Incident) -> Iterator[Condition]:
    """Look for five minutes (five bins at least) with thrice or a third of the calm's requests, outside the outage."""
    outage, span = found.outage, found.span
    if outage is None or span is None or outage.calm.rate * outage.calm.bins < 50:
        return
    limit = limits("http.traffic_surge")
    size = max(5, min(timedelta(minutes=limit["minutes"]) // found.every, found.bins.height // 10))
    usual = float(found.bins.slice(0, outage.first).select(pl.col("total").median().fill_null(0)).item())
    if usual * size < 10 or outage.first < 2 * size:
        return
    rolled = found.bins["total"].rolling_mean(size).slice(0, outage.last + 1)
    factor = limit["factor"]
    for name, flags in (("surge", rolled >= factor * usual), ("drop", rolled <= usual / factor)):
        for start, end in runs(flags.fill_null(False), least=1):
            own = found.bins["total"].slice(max(0, start - size + 1), size)
            first = (own >= factor * usual if name == "surge" else own <= usual / factor).arg_max() or 0
            since, until = found.bins["bin"][max(0, start - size + 1) + first], found.bins["bin"][end - 1] + found.every
            if name == "drop" and end > outage.first:
                continue
            yield from _traffic_one(found, f"http.traffic_{name}", since, until, usual)


def _traffic_one(found: Incident, name: str, since: datetime, until: datetime, usual: float) -> Iterator[Condition]:
    inside = found.answered.filter((pl.col("timestamp") >= since) & (pl.col("timestamp") < until))
    rows = inside.select("timestamp", "event_id", "host_name").sort("timestamp", "event_id").collect(engine="streaming")
    if rows.is_empty():
        return
    per_bin = rows.height / max((until - since) / found.every, 1)
    yield Condition(
        signature_id=name,
        first=rows["timestamp"][0],
        last=rows["timestamp"][-1],
        count=rows.height,
        hosts=_names(rows, "host_name"),
        event_ids=tuple(rows["event_id"]),
        detail=f"{per_bin:.1f} requests a bin against {usual:.1f} before",
    )


def _scan(found: Incident) -> Iterator[Condition]:
    limit = limits("http.client_errors_scan")
    refused = found.answered.filter(pl.col("status").is_between(400, 499) & (pl.col("status") != 499))
    rows = refused.select("timestamp", "event_id", "client", "host_name").filter(pl.col("client").is_not_null())
    listed = rows.sort("timestamp", "event_id").collect(engine="streaming")
    if listed.height < limit["count"]:
        return
    spread = pl.col("timestamp") - pl.col("timestamp").shift(int(limit["count"]) - 1).over("client")
    dense = listed.filter(spread <= timedelta(seconds=limit["seconds"]))["client"].unique().sort()
    for client in dense:
        own = listed.filter(pl.col("client") == client)
        yield Condition(
            signature_id="http.client_errors_scan",
            first=own["timestamp"][0],
            last=own["timestamp"][-1],
            count=own.height,
            hosts=_names(own, "host_name"),
            event_ids=tuple(own["event_id"]),
            detail=f"{own.height} refused requests from {client}",
        )


def _names(rows: pl.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(sorted(set(rows[column].drop_nulls()))) if column in rows.columns else ()

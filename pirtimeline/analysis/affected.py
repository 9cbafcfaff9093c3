"""What the incident touched: the hosts, their neighbours, and the words by which its service goes."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pirtimeline.analysis.facts import Edge, Interval, System
from pirtimeline.analysis.incident import Incident
from pirtimeline.analysis.mentions import kin, tokens
from pirtimeline.analysis.observations import EARLY, Affected
from pirtimeline.analysis.topology import neighbours

ROUTES = 50
BEFORE = timedelta(minutes=30)
STORES = (
    r"^(?:db\.(?:crash|start|stop|slow|lock_wait|replication|recover|ready|shutdown|checkpoint)|redis\.|kafka\.broker)"
)
"""Signatures of what a database or store writes about itself."""


def affected(
    found: Incident, asked: pl.LazyFrame, hits: pl.DataFrame, alerts: pl.DataFrame, edges: tuple[Edge, ...]
) -> Affected:
    """Gather hosts and words from the failed requests, the alerts raised meanwhile, and grave matches.

    `alerts` are the detections with their details; `hits` all matches with their `level` and `prior` role.
    """
    during = found.interval
    if during is None:
        return Affected()
    during = during.around(EARLY)
    inside = pl.col("timestamp").is_between(during.start, during.end)
    failed = found.failed.filter(inside)
    routes = _routes(failed)
    words = set(_words(failed["service_name"])) if "service_name" in failed.columns else set()
    raised = alerts.filter(inside)
    words |= set(_words(raised["rule_name"])) | set(_words(raised["service_name"])) | routes
    hosts = set(failed["host_name"].drop_nulls()) | _behind(found, asked, routes) | _sick(hits, during)
    stores = _stores(hits, during, edges) - _serving(found)
    return _with_neighbours(frozenset(hosts), frozenset(words), frozenset(stores), edges)


def _with_neighbours(
    hosts: frozenset[str], words: frozenset[str], stores: frozenset[str], edges: tuple[Edge, ...]
) -> Affected:
    near = set(neighbours(edges, hosts)) | stores
    near |= {e.target for e in edges if e.origin.startswith("user ") and kin(tokens(e.origin[5:]), words)}
    return Affected(hosts=hosts, neighbours=frozenset(near - hosts), words=words, stores=stores)


def _stores(hits: pl.DataFrame, during: Interval, edges: tuple[Edge, ...]) -> set[str]:
    """Give the hosts on which a database itself writes: it starts, stops, waits, is slow, or opens sessions."""
    near = during.around(BEFORE)
    said = hits.filter(
        pl.col("signature_id").str.contains(STORES) & pl.col("timestamp").is_between(near.start, near.end)
    )
    return set(said["host_name"].drop_nulls()) | {e.target for e in edges if e.kind == "database session"}


def _serving(found: Incident) -> set[str]:
    """Give the hosts that answer requests: the first word of a stream is its host."""
    return {stream.split("|")[0] for stream in (*found.tiers.outer, *found.tiers.behind)}


def _routes(failed: pl.DataFrame) -> set[str]:
    if "url_path" not in failed.columns:
        return set()
    top = (
        failed.group_by("url_path")
        .agg(pl.len().alias("n"))
        .sort("n", "url_path", descending=[True, False])
        .head(ROUTES)
    )
    return _words(top["url_path"])


def _words(column: pl.Series) -> set[str]:
    return {word for text in column.drop_nulls().unique().sort() for word in tokens(str(text))}


def _behind(found: Incident, asked: pl.LazyFrame, routes: set[str]) -> set[str]:
    """Give the hosts behind the failing tier that serve one of its failing routes (all, where routes tell nothing)."""
    inner = asked.filter(pl.col("stream").is_in(sorted(found.tiers.behind)))
    paths = inner.group_by("host_name", "url_path").agg(pl.len().alias("n")).collect(engine="streaming")
    top = paths.sort("n", "url_path", descending=[True, False]).group_by("host_name", maintain_order=True).head(ROUTES)
    hosts = set()
    for (host,), rows in top.group_by(["host_name"], maintain_order=True):
        if host and (not routes or kin(frozenset(_words(rows["url_path"])), frozenset(routes))):
            hosts.add(str(host))
    return hosts


def _sick(hits: pl.DataFrame, during: Interval) -> set[str]:
    """Give the hosts with a grave match that the time before the outage has not."""
    grave = hits.filter(
        pl.col("level").is_in(["critical", "high"]) & pl.col("prior").is_in(["cause", "symptom", "impact"])
    )
    before = grave.filter(pl.col("timestamp") < during.start).select("signature_id", "host_name").unique()
    inside = grave.filter(pl.col("timestamp").is_between(during.start, during.end))
    return set(
        inside.join(before, on=["signature_id", "host_name"], how="anti", nulls_equal=True)["host_name"].drop_nulls()
    )


def systems(found: Incident, findings: pl.DataFrame, touched: Affected, known: list[str]) -> list[System]:
    """List the hosts that failed requests or grave findings of the incident name, by the time of the first sign."""
    during = found.interval
    if during is None:
        return []
    near = during.around(EARLY)
    grave = findings.filter(
        pl.col("severity").is_in(["critical", "high"])
        & pl.col("role").is_in(["cause", "symptom", "impact", "lead"])
        & (pl.col("first_timestamp") <= near.end)
        & (pl.col("last_timestamp") >= near.start)
    )
    signs = (
        grave.explode("hosts", keep_nulls=False).sort("first_timestamp", "signature_id").rename({"hosts": "host_name"})
    )
    first = signs.group_by("host_name", maintain_order=True).agg(
        pl.col("first_timestamp").first(), pl.col("title").first(), pl.col("event_ids").first().list.head(3)
    )
    told = {
        host: System(host_name=host, since=since, because=title, supplied=host in known, event_ids=tuple(ids))
        for host, since, title, ids in first.iter_rows()
        if host in touched.hosts | touched.neighbours
    }
    return sorted(told.values(), key=lambda s: (s.since is None, s.since, s.host_name))

"""Who talked to whom, as far as the logs show it: observed pairs, not a design.

An address that no log names as a host stays an address.
"""

from __future__ import annotations

import polars as pl

from pirtimeline.analysis.facts import Edge
from pirtimeline.analysis.requests import FAILED, Tiers

CLIENTS = "clients"
SESSION = "connection authorized: user="
"""PostgreSQL's line for a session that a user opened."""

LENGTH = 2_000

PEERS: tuple[tuple[str, str, str, bool], ...] = (
    ("upstream", 'upstream: "', r'upstream: "[a-z]+://([^"/:]+(?::\d+)?)', True),
    ("database session", "connection received: host=", r"connection received: host=([\w.:-]+?)(?:\s|$)", False),
    (
        "connection refused or lost",
        "onnection to ",
        r"[Cc]onnection to ([\w.-]+(?::\d+)?) (?:refused|failed|timed out|lost)",
        True,
    ),
    (
        "connection refused or lost",
        "Connect to ",
        r"Connect to (?:https?://)?([\w.-]+:\d+) .*(?:failed|refused|timed out)",
        True,
    ),
    ("database URL", "jdbc:", r"jdbc:[a-z]+:(?:[a-z]+:)?//([\w.-]+(?::\d+)?)", False),
    ("name not resolved", "UnknownHostException: ", r"UnknownHostException: ([\w.-]+)", True),
)
"""Kind, a literal of the line, the regex that gives the other end, and whether the line tells of a failure."""


def topology(events: pl.LazyFrame, asked: pl.LazyFrame, tiers: Tiers, hosts: list[str]) -> tuple[Edge, ...]:
    """List observed pairs: clients to the outermost tier, tier to tier, and the peers that messages name."""
    lines = _lines(events)
    return tuple(_requests(asked, tiers) + _named(lines, hosts) + _sessions(lines))


def neighbours(edges: tuple[Edge, ...], hosts: frozenset[str]) -> frozenset[str]:
    """Give the hosts that an observed edge joins to some of the given ones.

    Example:
        >>> edge = Edge(origin="app1", target="db1", kind="", count=1, failed=0, event_ids=())
        >>> sorted(neighbours((edge,), frozenset(["app1"])))
        ['db1']
    """
    near = {e.target for e in edges if e.origin in hosts} | {e.origin for e in edges if e.target in hosts}
    return frozenset(near - hosts - {CLIENTS})


def _requests(asked: pl.LazyFrame, tiers: Tiers) -> list[Edge]:
    counted = (
        asked.group_by("stream")
        .agg(
            pl.col("host_name").first(),
            pl.len().alias("count"),
            (pl.col("status") >= FAILED).sum().alias("failed"),
            pl.col("event_id").min().alias("one"),
            pl.col("event_id").filter(pl.col("status") >= FAILED).min().alias("bad"),
        )
        .sort("stream")
        .collect(engine="streaming")
    )
    rows = {r["stream"]: r for r in counted.iter_rows(named=True)}
    edges = []
    for stream, row in rows.items():
        origins = [rows[o]["host_name"] for o in tiers.behind.get(stream, ()) if o in rows] or [CLIENTS]
        ids = tuple(i for i in (row["one"], row["bad"]) if i)
        for origin in sorted({o or "unnamed host" for o in origins}):
            target = row["host_name"] or "unnamed host"
            edges.append(
                Edge(
                    origin=origin,
                    target=target,
                    kind="requests",
                    count=row["count"],
                    failed=row["failed"],
                    event_ids=ids,
                )
            )
    return edges


def _lines(events: pl.LazyFrame) -> pl.DataFrame:
    """Give the lines that name a peer or a user of a database."""
    needles = sorted({SESSION} | {needle for _, needle, _, _ in PEERS})
    message = pl.col("message")
    kept = events.filter(message.str.contains_any(needles) & pl.col("http_status_code").is_null())
    return kept.select("event_id", "host_name", message.str.slice(0, LENGTH)).collect(engine="streaming")


def _named(lines: pl.DataFrame, hosts: list[str]) -> list[Edge]:
    message = pl.col("message")
    short = {h.lower().split(".")[0]: h for h in reversed(hosts)}
    edges: dict[tuple[str, str, str], Edge] = {}
    for kind, needle, regex, fails in PEERS:
        peers = (
            lines.filter(message.str.contains(needle, literal=True))
            .select("event_id", "host_name", message.str.extract(regex).alias("peer"))
            .drop_nulls()
            .group_by("host_name", "peer")
            .agg(pl.len().alias("count"), pl.col("event_id").sort().head(3))
            .sort("host_name", "peer")
        )
        for host, peer, count, ids in peers.iter_rows():
            name = short.get(peer.split(":")[0].lower().split(".")[0], peer)
            origin, target = (name, host) if kind == "database session" else (host, name)
            failed = count if fails else 0
            edges.setdefault(
                (origin, target, kind),
                Edge(origin=origin, target=target, kind=kind, count=count, failed=failed, event_ids=tuple(ids)),
            )
    return [edge for edge in edges.values() if edge.origin != edge.target]


def _sessions(lines: pl.DataFrame) -> list[Edge]:
    """Give the users that hold sessions on a database: the name often tells the service."""
    message = pl.col("message")
    users = (
        lines.filter(message.str.contains(SESSION, literal=True))
        .select("event_id", "host_name", message.str.extract(r"user=([^\s,]+)").alias("user"))
        .drop_nulls()
        .group_by("host_name", "user")
        .agg(pl.len().alias("count"), pl.col("event_id").min())
        .sort("host_name", "user")
    )
    return [
        Edge(origin=f"user {user}", target=host, kind="database session", count=count, failed=0, event_ids=(one,))
        for host, user, count, one in users.iter_rows()
    ]

"""The matches of signatures, one row an event that tells something, placed before, in or after the incident.

A signature's role is a prior. A restart before the first failure is a change, after it a response; a deployment of
the service that fails, made while it fails, is a response too, and one of another service stays a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.facts import Inputs
from pirtimeline.analysis.mentions import Mention, kin, mention, named_hosts, tokens
from pirtimeline.schema import event_id

POINTS = ("change", "detection", "response", "containment", "recovery", "communication")
"""Roles whose events are told one by one."""

MOST = 400
"""So many events of one signature on one host are looked at one by one; of more, the first and last half."""

DETAILS = (
    "event_id",
    "source_id",
    "byte_offset",
    "not_before",
    "not_after",
    "resolution_us",
    "message",
    "rule_name",
    "event_kind",
    "event_action",
    "process_name",
    "logger_name",
    "severity",
    "exception_type",
    "duration_ms",
    "parser",
)

EARLY = timedelta(seconds=30)
"""An alert so long before the first failure still counts as this incident's: access logs write when a request ends."""


@dataclass(frozen=True, slots=True)
class Affected:
    """What the incident touched: hosts with failures or grave findings, their neighbours, and words of its name.

    `stores` are the hosts on which a database or store itself writes, and that answer no requests of users.
    """

    hosts: frozenset[str] = frozenset()
    neighbours: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()


def matches(inputs: Inputs, copies: pl.DataFrame) -> pl.DataFrame:
    """Give the hits without copies, with their rule's `title`, `severity`, `prior` role and `asks`."""
    rules = inputs.rules.select(
        "signature_id", "title", pl.col("severity").alias("level"), pl.col("role").alias("prior"), "asks"
    )
    hits = inputs.hits.unique(["signature_id", "event_id"], keep="first", maintain_order=True)
    if not copies.is_empty():
        hits = hits.join(copies, on="event_id", how="anti")
    return hits.join(rules.unique("signature_id", keep="first"), on="signature_id", how="inner").sort(
        "timestamp", "event_id", "signature_id", nulls_last=True
    )


def told(inputs: Inputs, hits: pl.DataFrame, roles: tuple[str, ...] = POINTS) -> pl.DataFrame:
    """Give the hits of some roles with what their events say; of very many alike only the first and the last."""
    kept = hits.filter(pl.col("prior").is_in(roles))
    rank = pl.int_range(pl.len()).over("signature_id", "host_name")
    size = pl.len().over("signature_id", "host_name")
    kept = kept.filter((rank < MOST // 2) | (rank >= size - MOST // 2))
    return with_details(inputs, kept)


def with_details(inputs: Inputs, hits: pl.DataFrame) -> pl.DataFrame:
    """Join to hits what the event table says of their events; `began` is earlier where one was logged at its end."""
    keys = (
        hits.select("event_id")
        .unique()
        .select(pl.col("event_id").str.split(":"))
        .select(source_id=pl.col("event_id").list.first(), byte_offset=pl.col("event_id").list.last().cast(pl.UInt64))
    )
    near = pl.col("source_id").is_in(keys["source_id"].unique().to_list())
    near &= pl.col("byte_offset").is_between(keys["byte_offset"].min() or 0, keys["byte_offset"].max() or 0)
    details = (
        inputs.events.filter(near)
        .select(c for c in DETAILS if c != "event_id")
        .join(keys.lazy(), on=["source_id", "byte_offset"], how="semi")
        .with_columns(event_id())
        .collect(engine="streaming")
    )
    joined = hits.join(details, on="event_id", how="left")
    at = pl.coalesce("timestamp", "not_before", "not_after")
    said = pl.col("message").str.extract(r"\bduration: ([\d.]+) ms").cast(pl.Float64, strict=False)
    took = pl.duration(microseconds=(pl.coalesce("duration_ms", said).fill_null(0) * 1000).cast(pl.Int64))
    return joined.with_columns(at=at, began=at - took).sort(
        "at", "source_id", "byte_offset", "signature_id", nulls_last=True
    )


def placed(
    rows: pl.DataFrame, affected: Affected, hosts: list[str], *, start: datetime | None, until: datetime | None
) -> pl.DataFrame:
    """Add what the events of `told` speak of, their kinship to the incident, and their role by position.

    `kinship` is 3 where the service is named, 2 where a host of it is, 1 where nothing known is, 0 for another's.
    `start` is the start of impact, `until` the instant after which nothing is a response to it any more.
    """
    said = [mention(text or "", hosts) for text in rows["message"]]
    kinship = [
        _kinship(m, text or "", host, service, affected, hosts)
        for m, (text, host, service) in zip(
            said, rows.select("message", "host_name", "service_name").iter_rows(), strict=True
        )
    ]
    rows = rows.with_columns(
        kinship=pl.Series(kinship, dtype=pl.Int64),
        action=pl.Series([m.action for m in said], dtype=pl.String),
        phase=pl.Series([m.phase for m in said], dtype=pl.String),
        about=pl.Series([m.service for m in said], dtype=pl.String),
    )
    return rows.with_columns(role=_role(start, _known(rows, start), until, _begun(rows, start)))


def _known(rows: pl.DataFrame, start: datetime | None) -> datetime | None:
    """Give the instant from which a change can be a response: the first alert after the start, else the start."""
    if start is None:
        return None
    alerts = rows.filter((pl.col("prior") == "detection") & (pl.col("timestamp") >= start - EARLY))["timestamp"]
    first = alerts.min()
    return max(first, start) if isinstance(first, datetime) else start


def _begun(rows: pl.DataFrame, start: datetime | None) -> list[str]:
    """List the ends of acts that began before anybody could know of the incident: they are no responses."""
    known = _known(rows, start)
    if known is None:
        return []
    open_acts: set[tuple[str, str]] = set()
    ends = []
    columns = ("event_id", "at", "prior", "action", "phase", "about")
    for event, at, prior, action, phase, about in rows.filter(pl.col("at").is_not_null()).select(columns).iter_rows():
        if prior != "change" or not action:
            continue
        if phase == "started":
            (open_acts.add if at < known else open_acts.discard)((action, about))
        elif phase and at >= known and (action, about) in open_acts:
            open_acts.discard((action, about))
            ends.append(event)
    return ends


def _role(start: datetime | None, known: datetime | None, until: datetime | None, ends: list[str]) -> pl.Expr:
    prior = pl.col("prior")
    if start is None:
        return prior
    before = (pl.col("began") < start).fill_null(False)
    alert = (pl.col("event_kind") == "alert").fill_null(False)
    during = (pl.col("began") >= known).fill_null(False) & ~pl.col("event_id").is_in(ends)
    if until is not None:
        during &= pl.col("at") <= until
    return (
        pl.when(before & prior.is_in(["response", "containment"])).then(pl.lit("change"))
        .when(before & (prior == "recovery") & alert).then(pl.lit("detection"))
        .when(before & (prior == "recovery")).then(pl.lit("change"))
        .when(during & (prior == "change") & (pl.col("kinship") >= 1)).then(pl.lit("response"))
        .otherwise(prior)
    )  # fmt: skip


def _kinship(
    found: Mention, text: str, host: str | None, service: str | None, affected: Affected, hosts: list[str]
) -> int:
    own = tokens(found.service or service or "")
    if kin(own, affected.words) or (not own and kin(tokens(text), affected.words)):
        return 3
    targets = set(found.hosts) or ({host} if host else set())
    near = bool(targets & (affected.hosts | affected.neighbours))
    if own:
        return 1 if near else 0
    if near:
        return 2
    return 0 if named_hosts(text, hosts) else 1


def reassigned(findings: pl.DataFrame, pivot: datetime | None, until: datetime | None) -> pl.DataFrame:
    """Give findings their role by position: what begins before the impact is no response, what follows it no change."""
    if pivot is None:
        return findings.sort("first_timestamp", "signature_id", "finding_id", nulls_last=True)
    at, role = pl.col("first_timestamp"), pl.col("role")
    before = (at < pivot).fill_null(False)
    during = (at >= pivot).fill_null(False) & ((at <= until).fill_null(False) if until else True)
    placed = (
        pl.when(before & role.is_in(["response", "containment", "recovery"]))
        .then(pl.lit("change"))
        .when(during & (role == "change"))
        .then(pl.lit("response"))
        .otherwise(role)
    )
    return findings.with_columns(role=placed).sort("first_timestamp", "signature_id", "finding_id", nulls_last=True)

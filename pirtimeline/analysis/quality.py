"""What a reader must know of the evidence: its weaknesses, and what was looked for and not found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from pirtimeline.analysis.conditions import Condition
from pirtimeline.analysis.environment import conflicts
from pirtimeline.analysis.facts import Defect, Inputs, Moment, Setting
from pirtimeline.analysis.incident import Incident

REJECTED = 0.001
"""From this share of a source's events on, what no parser understood is worth a remark."""


def where(covered: Mapping[str, Any]) -> str:
    """Say what was searched: hosts, kinds of logs, and the time that they cover."""
    kinds = sorted({str(row["parser"]) for row in covered["by_host"]})
    first, last = covered["first"], covered["last"]
    span = f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC" if first and last else "no dated event"
    return (
        f"{covered['events']} events of {', '.join(covered['hosts']) or 'unnamed hosts'} ({', '.join(kinds)}), {span}"
    )


def defects(
    events: pl.LazyFrame,
    inputs: Inputs,
    held: list[Condition],
    settings: tuple[Setting, ...],
    covered: Mapping[str, Any],
) -> Iterator[Defect]:
    """Give the weaknesses of the evidence: times that rest on assumptions, gaps, skew, rejects, contradictions."""
    titles = dict(inputs.rules.select("signature_id", "title").iter_rows())
    for each in held:
        if each.signature_id in ("log.gap", "time.skew"):
            host = each.hosts[0] if len(each.hosts) == 1 else None
            title = titles.get(each.signature_id, each.signature_id)
            yield Defect(
                kind=each.signature_id,
                title=title,
                detail=each.detail,
                host_name=host,
                start=each.first,
                end=each.last,
                event_ids=each.event_ids,
            )
    yield from conflicts(settings)
    yield from _assumed(events)
    yield from _stepped(inputs.sources)
    yield from _findings(inputs)
    yield from _rejects(events, covered)


def _assumed(events: pl.LazyFrame) -> Iterator[Defect]:
    weak = pl.col("time_basis").cast(pl.String).is_in(["zone_assumed", "ambiguous"])
    rows = (
        events.filter(weak)
        .group_by("host_name", pl.col("time_basis").cast(pl.String))
        .agg(pl.len().alias("n"), pl.col("event_id").min().alias("one"), pl.col("timestamp").min().alias("first"))
        .sort("host_name", "time_basis", nulls_last=True)
        .collect(engine="streaming")
    )
    words = {
        "zone_assumed": "the zone is not known; taken for UTC",
        "ambiguous": "the local time or its zone is ambiguous",
    }
    for host, basis, n, one, first in rows.iter_rows():
        detail = f"{n} events: {words[basis]}"
        title = f"Times of {host or 'an unnamed host'} rest on an assumption"
        yield Defect(kind=basis, title=title, detail=detail, host_name=host, start=first, event_ids=(one,))


def _stepped(sources: Iterable[Mapping[str, Any]]) -> Iterator[Defect]:
    """Tell where the times of a source in order step back and stay there."""
    for one in sources:
        for step in one.get("steps_back") or ():
            was, now = (datetime.fromisoformat(step[key]) for key in ("from", "to"))
            yield Defect(
                kind="clock.step",
                title=f"Times of {one['paths'][0]} step back",
                detail=f"by {(was - now).total_seconds():.0f} s, and go on from there",
                host_name=one.get("host_name"),
                start=now,
                end=was,
                event_ids=(step["event_id"],),
            )


def _findings(inputs: Inputs) -> Iterator[Defect]:
    for row in inputs.findings.filter(pl.col("role") == "data_quality").iter_rows(named=True):
        hosts = row["hosts"] or []
        yield Defect(
            kind=row["signature_id"],
            title=row["title"],
            detail=f"{row['count']} times",
            host_name=hosts[0] if len(hosts) == 1 else None,
            start=row["first_timestamp"],
            end=row["last_timestamp"],
            event_ids=tuple(row["event_ids"][:20]),
        )


def _rejects(events: pl.LazyFrame, covered: Mapping[str, Any]) -> Iterator[Defect]:
    rows = (
        events.filter(pl.col("reject_reason").is_not_null())
        .group_by("host_name")
        .agg(pl.len().alias("n"), pl.col("event_id").sort().head(5).alias("ids"))
        .sort("host_name", nulls_last=True)
        .collect(engine="streaming")
    )
    for host, n, ids in rows.iter_rows():
        own = sum(r["events"] for r in covered["by_host"] if r["host_name"] == host)
        if n >= REJECTED * own:
            title = f"Events of {host or 'an unnamed host'} that no parser understands"
            yield Defect(
                kind="rejects", title=title, detail=f"{n} of {own} events", host_name=host, event_ids=tuple(ids)
            )


def absent(
    moments: Mapping[str, Moment], found: Incident, points: pl.DataFrame, why_not: str, covered: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    """Give what was looked for and not found, each with where it was looked for."""
    searched = where(covered)
    names = {
        "impact_start": "start of impact: no change point of failed requests or of errors",
        "detected": "detection: no alert",
        "acknowledged": "acknowledgement of a page or alert",
        "contained": "containment: no containing action after detection",
        "mitigated": "mitigation: failures do not fall for as long as the hold asks; ongoing at the end of evidence",
        "recovered": "recovery: failures do not end for as long as the hold asks; ongoing at the end of evidence",
        "trigger": "trigger: no change that the incident could have begun with",
    }
    for name, text in names.items():
        if name not in moments:
            yield {"what": name, "text": text, "where": searched}
    if why_not:
        yield {"what": "root_cause", "text": f"not determined from the supplied logs: {why_not}", "where": searched}
    yield from _communication(points, searched)
    if found.outage is not None and found.outage.kind == "errors":
        yield {"what": "failed_requests", "text": "failed requests: no request log shows failures", "where": searched}


def _communication(points: pl.DataFrame, searched: str) -> Iterator[dict[str, str]]:
    told = set(points.filter(pl.col("role") == "communication")["signature_id"])
    texts = " ".join(points.filter(pl.col("role") == "communication")["message"].drop_nulls()).lower()
    wanted = {
        "page": ("page", "pag"),
        "status_page": ("status page", "statuspage"),
        "escalation": ("escalat", "escalat"),
    }
    for name, words in wanted.items():
        if not any(word in texts or any(word in t for t in told) for word in words):
            yield {"what": name, "text": f"{name.replace('_', ' ')}: no such event", "where": searched}

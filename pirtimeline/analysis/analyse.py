"""From events and matches to facts: the one way through the modules of this package."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline.analysis import incident as incidents
from pirtimeline.analysis import moments as when
from pirtimeline.analysis import observations, requests, windows
from pirtimeline.analysis.affected import affected
from pirtimeline.analysis.coverage import coverage
from pirtimeline.analysis.duplicates import duplicates, without_copies
from pirtimeline.analysis.environment import conflicts, environment
from pirtimeline.analysis.facts import Facts, Inputs, Interval, Moment, Value, plain
from pirtimeline.analysis.impact import impact
from pirtimeline.analysis.topology import topology

AFTER = timedelta(hours=2)
"""What is done so long after the impact may still be a response to it."""


def analyse(inputs: Inputs, *, window: tuple[datetime, datetime] | None = None, incident: str | None = None) -> Facts:
    """Find when the incident began and ended, what it cost, what was done, and what would explain it.

    `window` (UTC) names the incident's interval; without it that is found in the failures of requests. `incident` is
    the id that a person gave it.
    """
    copies = duplicates(inputs.events, inputs.sources) if inputs.duplicates is None else inputs.duplicates
    events = without_copies(inputs.events, copies)
    given = Interval(*window) if window else None
    covered = coverage(events, copies.height)
    found = incidents.incident(events, within=given)
    asked = requests.requests(events)
    edges = topology(events, asked, found.tiers, covered["hosts"])
    hits = observations.matches(inputs, copies)
    points = observations.told(inputs, hits)
    touched = affected(found, asked, hits, points.filter(pl.col("prior") == "detection"), edges)
    moments = _counted(found)
    start = moments["impact_start"].timestamp if "impact_start" in moments else None
    points = observations.placed(points, touched, covered["hosts"], pivot=start, until=_until(moments, covered))
    moments |= _told(points, start)
    settings = environment(events)
    return Facts(
        incident=incident,
        window=_window(given, moments, covered),
        baseline=_baseline(found),
        moments=moments,
        durations=when.durations(moments),
        impact=_impact(found, moments, covered),
        environment=settings,
        hypotheses=(),
        candidates=(),
        changes=(),
        quality=tuple(conflicts(settings)),
        coverage=covered,
        topology=edges,
        excerpts=(),
        not_in_evidence=(),
        findings=inputs.findings,
        points=points,
        duplicates=copies,
        sources=inputs.sources,
    )


def _counted(found: incidents.Incident) -> dict[str, Moment]:
    """Give the moments that the counts show: impact start, mitigated, recovered."""
    if found.outage is None:
        return {}
    every, bins, outage = found.every, found.bins, found.outage
    start = when.impact_start(found.failed, bins, outage, every)
    rows = found.answered if outage.kind != "errors" else found.failed.lazy()
    after = (
        rows.filter(pl.col("timestamp") >= start.timestamp)
        .select("timestamp", "event_id")
        .sort("timestamp", "event_id")
    )
    answered = after.collect(engine="streaming")
    held = {
        "mitigated": when.held("mitigated", windows.mitigated(bins, outage, every=every), answered, bins, outage),
        "recovered": when.held("recovered", windows.recovered(bins, outage, every=every), answered, bins, outage),
    }
    return {"impact_start": start} | {name: moment for name, moment in held.items() if moment is not None}


def _told(points: pl.DataFrame, start: datetime | None) -> dict[str, Moment]:
    """Give the moments that messages tell: detected, acknowledged, contained."""
    detected = when.detected(points, start)
    since = detected.timestamp if detected else start
    found = {
        "detected": detected,
        "acknowledged": when.acknowledged(points, since),
        "contained": when.contained(points, since),
    }
    return {name: moment for name, moment in found.items() if moment is not None}


def _until(moments: dict[str, Moment], covered: dict[str, Any]) -> datetime | None:
    end = moments.get("recovered") or moments.get("mitigated")
    return end.timestamp + AFTER if end else covered["last"]


def _window(given: Interval | None, moments: dict[str, Moment], covered: dict[str, Any]) -> Value:
    if given:
        return Value(value=plain({"start": given.start, "end": given.end}), reason="as given")
    span = when.span_of(moments, covered["last"])
    if span is None:
        return Value(value=None, reason="no change point of failures or errors was found")
    ids = tuple(e for name in ("impact_start", "recovered") if name in moments for e in moments[name].event_ids)
    reason = "from impact start to recovery (the change points of failures)"
    return Value(value=plain({"start": span.start, "end": span.end}), claim="proposed", event_ids=ids, reason=reason)


def _baseline(found: incidents.Incident) -> Value:
    if found.outage is None:
        return Value(value=None, reason="no outage was found to compare with")
    span = windows.baseline(found.bins, found.outage)
    bins = int(span.seconds // found.every.total_seconds())
    reason = f"{bins} bins of {found.every.total_seconds():g} s before the impact"
    if bins < windows.BASELINE_BINS:
        reason += f": fewer than the {windows.BASELINE_BINS} that a comparison should have"
    return Value(value=plain({"start": span.start, "end": span.end}), reason=reason)


def _impact(found: incidents.Incident, moments: dict[str, Moment], covered: dict[str, Any]) -> dict[str, Value]:
    during = when.span_of(moments, covered["last"])
    if found.outage is None or during is None or found.outage.kind == "errors":
        reason = "no request log shows failed requests"
        names = ("failed_requests", "failed_ratio", "clients_affected", "downtime_seconds")
        return {name: Value(value=None, reason=reason) for name in names}
    return impact(found.answered, found.failed, during=during, bins=found.bins, found=found.outage, every=found.every)

"""From events and matches to facts: the one way through the modules of this package."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline.analysis import changes as differing
from pirtimeline.analysis import conditions as windowed
from pirtimeline.analysis import gc, http, observations, pools, quality, requests, silence, windows
from pirtimeline.analysis import incident as incidents
from pirtimeline.analysis import moments as when
from pirtimeline.analysis.affected import affected, systems
from pirtimeline.analysis.conditions import Condition
from pirtimeline.analysis.coverage import coverage
from pirtimeline.analysis.duplicates import duplicates, without_copies
from pirtimeline.analysis.environment import banners, environment
from pirtimeline.analysis.evidence import evidence
from pirtimeline.analysis.excerpts import excerpts
from pirtimeline.analysis.facts import Difference, Facts, Inputs, Interval, Moment, Value, plain
from pirtimeline.analysis.hypotheses import Scene, claimed, hypotheses, scene
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
    found = incidents.incident(events, within=given)
    covered = coverage(events, copies.height)
    asked = requests.requests(events)
    edges = topology(events, asked, found.tiers, covered["hosts"])
    hits = observations.matches(inputs, copies)
    points = observations.told(inputs, hits)
    touched = affected(found, asked, hits, points.filter(pl.col("prior") == "detection"), edges)
    moments = _counted(found)
    start = moments["impact_start"].timestamp if "impact_start" in moments else None
    points = observations.placed(points, touched, covered["hosts"], start=start, until=_until(moments, covered))
    moments |= _told(points, start)
    lines = banners(events)
    held = _conditions(events, lines, found, hits, points, moments, covered)
    stage = _scene(inputs, hits, held, found, points, touched, moments, covered)
    candidates = hypotheses(inputs, stage)
    claims, why_not = claimed(candidates)
    moments |= when.explained(claims[0] if claims else None, moments)
    settings = environment(lines)
    new = windowed.findings(held, inputs.rules)
    details = {c.finding_id: c.detail for c in held}
    findings = observations.reassigned(pl.concat([inputs.findings, new]), start, _until(moments, covered))
    durations = when.durations(moments)
    return Facts(
        incident=incident,
        window=_window(given, moments, covered),
        baseline=_baseline(found),
        moments=moments,
        durations=durations,
        impact=_impact(found, moments, covered),
        affected=tuple(systems(found, findings, touched, covered["hosts"])),
        environment=settings,
        hypotheses=tuple(claims),
        candidates=tuple(candidates[:5]),
        changes=tuple(_changes(events, found, moments)),
        quality=tuple(quality.defects(events, inputs, held, settings, covered)),
        coverage=covered,
        topology=edges,
        excerpts=tuple(excerpts(findings, hits, found.interval)),
        not_in_evidence=tuple(quality.absent(moments, found, points, why_not, covered)),
        findings=findings,
        details=details,
        points=points,
        duplicates=copies,
        sources=inputs.sources,
    )


def _conditions(
    events: pl.LazyFrame,
    lines: pl.DataFrame,
    found: incidents.Incident,
    hits: pl.DataFrame,
    points: pl.DataFrame,
    moments: dict[str, Moment],
    covered: dict[str, Any],
) -> list[Condition]:
    """Look for every windowed condition."""
    calm = windows.baseline(found.bins, found.outage) if found.outage else None
    changed = points.filter((pl.col("role") == "change") & (pl.col("kinship") >= 2))["at"].drop_nulls().unique().sort()
    held = [
        *http.conditions(found, moments),
        *gc.conditions(events, lines, changed.to_list()),
        *pools.conditions(hits, calm),
    ]
    held += silence.skew(found.tiers)
    span = when.span_of(moments, covered["last"])
    if span and calm:
        held += silence.gaps(events, span.around(timedelta(minutes=10)))
        held += differing.conditions(events, span.start, calm, span.end)
    return held


def _scene(
    inputs: Inputs,
    hits: pl.DataFrame,
    held: list[Condition],
    found: incidents.Incident,
    points: pl.DataFrame,
    touched: observations.Affected,
    moments: dict[str, Moment],
    covered: dict[str, Any],
) -> Scene:
    calm = windows.baseline(found.bins, found.outage) if found.outage else None
    seen = evidence(inputs, hits, held, calm, when.span_of(moments, covered["last"]))
    return scene(seen, points, touched, moments, covered["hosts"], quality.where(covered))


def _counted(found: incidents.Incident) -> dict[str, Moment]:
    """Give the moments that the counts show: impact start, mitigated, recovered."""
    if found.outage is None:
        return {}
    every, bins, outage = found.every, found.bins, found.outage
    start = when.impact_start(found.failed, bins, outage, every)
    rows = found.answered if found.beside is None else found.beside
    held = {
        "mitigated": when.held("mitigated", windows.mitigated(bins, outage, every=every), rows, bins, outage),
        "recovered": when.held("recovered", windows.recovered(bins, outage, every=every), rows, bins, outage),
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
        spread = f"{found.failed.height} requests failed, but no outage stands out among them"
        reason = spread if found.failed.height and found.beside is None else "no request log shows failed requests"
        names = ("failed_requests", "failed_ratio", "clients_affected", "downtime_seconds")
        return {name: Value(value=None, reason=reason) for name in names}
    return impact(found.answered, found.failed, during=during, bins=found.bins, found=found.outage, every=found.every)


def _changes(events: pl.LazyFrame, found: incidents.Incident, moments: dict[str, Moment]) -> list[Difference]:
    """Compare with the time before the change that the incident began with, where that is long enough."""
    end = moments.get("recovered") or moments.get("mitigated")
    if found.outage is None or found.interval is None:
        return []
    calm = windows.baseline(found.bins, found.outage)
    start = moments["impact_start"].timestamp
    trigger = moments.get("trigger")
    if trigger and (trigger.timestamp - calm.start) >= windows.BASELINE_BINS * found.every:
        start = max(trigger.timestamp, calm.start)
        calm = replace(calm, end=start)
    stop = end.timestamp if end else found.interval.end
    return differing.changes(events, calm, Interval(start, stop), found.every)

"""The instants that divide an incident, each with the events it rests on and the reason for choosing it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.facts import Duration, Hypothesis, Interval, Moment
from pirtimeline.analysis.observations import EARLY
from pirtimeline.analysis.windows import Hold, Outage

PRIOR_ALERT = timedelta(hours=1)
"""An alert may precede the impact by this much and still be how it was detected."""

FOLLOWS = timedelta(minutes=10)
"""A quiet stretch is cited by its first request, which comes this soon after its start or not at all."""

FORMULAS = {
    "time_to_detect": ("impact_start", "detected"),
    "time_to_acknowledge": ("detected", "acknowledged"),
    "time_to_contain": ("detected", "contained"),
    "time_to_mitigate": ("impact_start", "mitigated"),
    "time_to_recover": ("impact_start", "recovered"),
    "lead_time": ("trigger", "impact_start"),
}


def impact_start(failed: pl.DataFrame, bins: pl.DataFrame, found: Outage, every: timedelta) -> Moment:
    """Give the first failure of the outage; where only silence or errors show it, the first bin's first event."""
    start, end = bins["bin"][found.first], bins["bin"][found.last] + every
    inside = failed.filter((pl.col("timestamp") >= start) & (pl.col("timestamp") < end))
    reasons = {
        "requests": "first failed request at the change point of failures",
        "silence": "requests stop coming although the traffic before makes that all but impossible",
        "errors": "no request log shows failures: first error at the change point of errors in the logs",
    }
    reason = f"{reasons[found.kind]} (bins of {every.total_seconds():g} s, Anscombe, KernelCPD)"
    if inside.is_empty():
        return _moment("impact_start", start, (), reason, confidence=0.4)
    first = inside.row(0, named=True)
    took = first.get("duration_ms")
    if took and took >= 1000:
        reason += f"; it was logged at its end and had begun {took / 1000:.1f} s earlier"
    confidence = {"requests": None, "silence": 0.5, "errors": 0.5}[found.kind]
    return _moment("impact_start", first["timestamp"], (first["event_id"],), reason, confidence=confidence)


def held(name: str, hold: Hold | None, rows: pl.LazyFrame, bins: pl.DataFrame, found: Outage) -> Moment | None:
    """Give the moment at which a quiet stretch begins: the first row at or after the start of its first bin."""
    if hold is None:
        return None
    at = bins["bin"][hold.bin]
    near = rows.filter(pl.col("timestamp").is_between(at, at + FOLLOWS)).select("timestamp", "event_id")
    after = near.sort("timestamp", "event_id").head(1).collect(engine="streaming")
    what = "errors" if found.kind == "errors" else "failures"
    rule = f"at most twice the calm's share of {what} ({found.calm.share:.3%})"
    if name == "recovered":
        back = hold.volume_back and found.kind != "errors"
        rule = f"no {what} beyond the calm's" + (", at least half of the traffic back" if back else "")
    short = "" if hold.length >= hold.asked else f", shortened from {_span(hold.asked)}: the evidence has no more left"
    reason = f"first bin of {_span(hold.length)} with {rule}{short}"
    if not hold.volume_back:
        reason += "; the usual volume of requests does not come back within it"
    if after.is_empty():
        return _moment(name, at, (), reason, confidence=hold.confidence)
    row = after.row(0, named=True)
    return _moment(name, row["timestamp"], (row["event_id"],), reason, confidence=hold.confidence)


def detected(points: pl.DataFrame, start: datetime | None) -> Moment | None:
    """Give the first alert at or after impact start (30 s earlier counts), else the last one of the hour before."""
    alerts = points.filter((pl.col("role") == "detection") & pl.col("timestamp").is_not_null())
    alerts = alerts.filter(~pl.col("signature_id").str.contains(r"resolv|recover"))
    raised = alerts.filter(
        pl.col("signature_id").str.starts_with("det.") | (pl.col("event_kind") == "alert").fill_null(False)
    )
    related = raised.filter(pl.col("kinship") >= 1)
    for rows in (related, raised, alerts):
        if start is None and not rows.is_empty():
            return _from(rows, "detected", "first alert")
        after = rows.filter(pl.col("timestamp") >= start - EARLY) if start else rows
        if not after.is_empty():
            return _from(after, "detected", "first alert at or after impact start")
    early = related.filter(pl.col("timestamp") >= start - PRIOR_ALERT) if start else related
    return _from(early, "detected", "alert raised before the impact, none after it") if not early.is_empty() else None


def acknowledged(points: pl.DataFrame, since: datetime | None) -> Moment | None:
    """Give the first acknowledgement after detection."""
    rows = points.filter(
        pl.col("signature_id").str.contains(r"(?:^|[._])ack")
        | pl.col("title").str.to_lowercase().str.contains("acknowledg")
    )
    return _first_after(rows, "acknowledged", since, "first acknowledgement after detection")


def contained(points: pl.DataFrame, since: datetime | None) -> Moment | None:
    """Give the first containment after detection."""
    rows = points.filter(pl.col("role") == "containment")
    if rows.is_empty():
        rows = points.filter(
            pl.col("signature_id").is_in(["resp.fw_change", "resp.host_isolated", "resp.account_disabled"])
        )
    return _first_after(rows, "contained", since, "first containing action after detection")


def explained(best: Hypothesis | None, known: Mapping[str, Moment]) -> dict[str, Moment]:
    """Give the moments that the best hypothesis shows: the trigger, and the first symptom between it and the impact."""
    start = known.get("impact_start")
    if best is None:
        return {}
    found = {}
    root, confidence = best.root, round(max(0.0, min(best.score, 100.0)) / 100.0, 2)
    if root.role == "change" and root.timestamp:
        reason = f"the change that the best hypothesis names ({best.score:g} points): {root.title}"
        found["trigger"] = _moment("trigger", root.timestamp, root.event_ids[:1], reason, confidence=confidence)
    told = {"lead", "cause", "symptom"}
    early = [
        s for s in best.steps if s.role in told and s.timestamp and (start is None or s.timestamp <= start.timestamp)
    ]
    if early and early[0].timestamp:
        reason = f"first symptom of the best hypothesis: {early[0].title}"
        found["onset"] = _moment("onset", early[0].timestamp, early[0].event_ids[:1], reason, confidence=confidence)
    return found


def durations(moments: Mapping[str, Moment]) -> dict[str, Duration]:
    """Give the spans between moments that are known, each with its formula; negative ones stay negative.

    Example:
        >>> from datetime import UTC
        >>> at = datetime(2024, 3, 4, 2, 58, tzinfo=UTC)
        >>> one = Moment(name="impact_start", timestamp=at, claim="derived", event_ids=(), reason="")
        >>> two = Moment(name="detected", timestamp=at + timedelta(minutes=2), claim="derived", event_ids=(), reason="")
        >>> durations({"impact_start": one, "detected": two})["time_to_detect"].seconds
        120.0
    """
    found = {}
    for name, (start, end) in FORMULAS.items():
        one, other = moments.get(start), moments.get(end)
        if one and other:
            claim = "derived" if one.claim == other.claim == "derived" else "proposed"
            seconds = (other.timestamp - one.timestamp).total_seconds()
            ids = (*one.event_ids[:1], *other.event_ids[:1])
            found[name] = Duration(name=name, seconds=seconds, formula=f"{end} - {start}", claim=claim, event_ids=ids)  # type: ignore[arg-type]
    return found


def span_of(moments: Mapping[str, Moment], end_of_evidence: datetime) -> Interval | None:
    """Give the incident's interval: from impact start to recovery, else to mitigation, else to the last evidence."""
    if "impact_start" not in moments:
        return None
    end = moments.get("recovered") or moments.get("mitigated")
    return Interval(moments["impact_start"].timestamp, end.timestamp if end else end_of_evidence)


def _first_after(rows: pl.DataFrame, name: str, since: datetime | None, reason: str) -> Moment | None:
    dated = rows.filter(pl.col("timestamp").is_not_null())
    after = dated.filter(pl.col("timestamp") >= since) if since else dated
    return _from(after, name, reason) if not after.is_empty() else None


def _from(rows: pl.DataFrame, name: str, reason: str) -> Moment:
    row = rows.sort("timestamp", "event_id").row(0, named=True)
    what = row["rule_name"] or row["message"] or row["title"]
    return _moment(name, row["timestamp"], (row["event_id"],), f"{reason}: {what}", confidence=None)


def _moment(name: str, at: datetime, ids: tuple[str, ...], reason: str, *, confidence: float | None) -> Moment:
    claim = "derived" if confidence is None else "proposed"
    return Moment(name=name, timestamp=at, claim=claim, event_ids=ids, reason=reason, confidence=confidence)  # type: ignore[arg-type]


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds / 60:g} min" if seconds >= 120 and seconds % 60 == 0 else f"{seconds:g} s"

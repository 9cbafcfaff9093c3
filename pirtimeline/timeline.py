"""The curated timeline: at most 60 entries, each a short factual sentence that cites its events.

Changes, detections, responses, containments, recoveries and communications have an entry each; repeated symptoms
share one with first, last, count and peak; the moments that counts show have one of their own. Where that is too
much, the least important are joined, those far from the incident first, and the entry says how many it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.facts import Facts, Inputs, Moment
from pirtimeline.analysis.impact import cited
from pirtimeline.analysis.mentions import headline, mention, spoken
from pirtimeline.schema import TIMELINE_COLUMNS

MOST = 60
NEAR = timedelta(seconds=2)
"""Events of one signature, host and phase so close together are one entry: a server that stops writes three lines."""

LEAD_UP = timedelta(minutes=10)
ORDER = ("communication", "detection", "containment", "response", "recovery", "change")
"""Of the roles that two signatures give one event, the first of these is told."""

TOLD_MOMENTS = {"impact_start": "impact", "mitigated": "recovery", "recovered": "recovery"}
"""Moments that counts show: no single message tells them."""

COUNTED_CHANGES = ("http.traffic_surge", "http.traffic_drop")
"""Changes that counts show: no single event is one."""

SHOWN_BY_MOMENTS = ("http.5xx_burst", "http.recovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the timeline before it is one. `weight` says how important it is, `group` what it may be joined with."""

    timestamp: datetime
    end: datetime | None
    role: str
    title: str
    detail: str
    host: str | None
    service: str | None
    event_ids: tuple[str, ...]
    origin: str
    weight: float
    group: tuple[str, ...]
    claim: str = "derived"
    confidence: float | None = None
    count: int = 1


def timeline(facts: Facts, inputs: Inputs) -> pl.DataFrame:
    """Give the curated timeline of a case: `schema.TIMELINE_COLUMNS`, in the order of time, at most 60 rows."""
    entries = [*_points(facts), *_moments(facts), *_symptoms(facts, inputs), *_notes(inputs)]
    kept = _fitted(sorted(entries, key=_when), MOST)
    rows = [_row(e) for e in sorted(kept, key=_when)]
    return pl.DataFrame(rows, schema=TIMELINE_COLUMNS, orient="row")


def _when(entry: Entry) -> tuple[datetime, int, str, tuple[str, ...]]:
    order = ORDER.index(entry.role) if entry.role in ORDER else len(ORDER)
    return entry.timestamp, order, entry.title, entry.event_ids


def _row(e: Entry) -> tuple[object, ...]:
    return (
        e.timestamp,
        e.end,
        e.role,
        e.title,
        e.detail,
        e.host,
        e.service,
        e.claim,
        e.confidence,
        list(e.event_ids),
        e.origin,
    )


def _points(facts: Facts) -> list[Entry]:
    """Give an entry for each event that is told by itself; lines of one act written within two seconds share one."""
    points = facts.points
    if points.is_empty():
        return []
    rank = pl.col("role").replace_strict(
        {role: i for i, role in enumerate(ORDER)}, default=len(ORDER), return_dtype=pl.Int32
    )
    rows = (
        points.filter(pl.col("at").is_not_null())
        .sort(rank, "signature_id")
        .unique("event_id", keep="first", maintain_order=True)
        .sort("at", "source_id", "byte_offset")
    )
    names = _moment_names(facts)
    hosts = facts.coverage["hosts"]
    return _joined_acts([_point(row, facts, hosts, names) for row in rows.iter_rows(named=True)])


def _point(row: dict[str, object], facts: Facts, hosts: list[str], names: dict[str, str]) -> Entry:
    message = spoken(str(row["message"] or ""))
    found = mention(message, hosts)
    title = _title(row, message, found_headline=headline(found, ""))
    at, undated = row["at"], row["timestamp"] is None
    end = row["not_after"] if undated else None
    name = names.get(str(row["event_id"]))
    detail = "; ".join(
        filter(None, (f"moment: {name}" if name else "", str(row["title"]), message if message != title else ""))
    )
    role = str(row["role"])
    return Entry(
        timestamp=at,  # type: ignore[arg-type]
        end=end,  # type: ignore[arg-type]
        role=role,
        title=title,
        detail=detail,
        host=_text(row["host_name"]),
        service=_text(row["service_name"]),
        event_ids=(str(row["event_id"]),),
        origin="moment" if name else "signature",
        weight=_nearness(facts, at) + float(row["kinship"] or 0) + (5.0 if name else 0.0),  # type: ignore[arg-type]
        group=(role, str(row["signature_id"]), str(row["host_name"]), found.phase, str(row["source_id"])),
    )


def _title(row: dict[str, object], message: str, *, found_headline: str) -> str:
    """Say what happened: the headline that the message gives, the alert's name, else the message itself."""
    if found_headline:
        return found_headline
    rule, alert = str(row["rule_name"] or ""), row["event_kind"] == "alert"
    if alert and rule:
        what = "Alert resolved" if row["role"] == "recovery" else "Alert"
        return f"{what}: {_short(rule, 90)}"
    if message and (len(message) <= 110 or not row["title"]):
        return message[0].upper() + message[1:] if message.split(maxsplit=1)[0].isalpha() else message
    where = f" on {row['host_name']}" if row["host_name"] else ""
    return f"{row['title']}{where}"


def _joined_acts(entries: list[Entry]) -> list[Entry]:
    """Join what one act wrote: lines of one signature within two seconds, and one alert exported twice."""
    kept: list[Entry] = []
    for entry in entries:
        twin = next((i for i in range(len(kept) - 1, max(-1, len(kept) - 12), -1) if _same_act(kept[i], entry)), None)
        if twin is None:
            kept.append(entry)
        else:
            kept[twin] = _merged(kept[twin], entry)
    return kept


def _same_act(one: Entry, other: Entry) -> bool:
    if other.timestamp - (one.end or one.timestamp) > NEAR or one.role != other.role:
        return False
    if one.group == other.group:
        return True
    if not (one.title.startswith("Alert") and other.title.startswith("Alert")) or one.group[-1] == other.group[-1]:
        return False
    first, second = set(one.title.lower().split()), set(other.title.lower().split())
    return len(first & second) >= 0.75 * len(first | second)


def _merged(one: Entry, other: Entry) -> Entry:
    end = max(filter(None, (one.end, other.end, other.timestamp)))
    count = one.count + other.count
    weight = max(one.weight, other.weight)
    detail = one.detail.split("; and ")[0] + f"; and {count - 1} more: last {_short(other.title, 80)}"
    ids = cited((*one.event_ids, *other.event_ids))
    return replace(one, end=end, count=count, weight=weight, detail=detail, event_ids=ids)


def _moments(facts: Facts) -> list[Entry]:
    """Give the moments that counts show an entry each; mitigated and recovered share one where they are the same."""
    found = {n: m for n, m in facts.moments.items() if n in TOLD_MOMENTS}
    if "recovered" in found and "mitigated" in found and found["recovered"].timestamp == found["mitigated"].timestamp:
        del found["mitigated"]
    return [_moment(name, moment, facts) for name, moment in sorted(found.items()) if moment.event_ids]


def _moment(name: str, moment: Moment, facts: Facts) -> Entry:
    hosts = sorted(facts.impact["by_host"].value) if "by_host" in facts.impact else []
    return Entry(
        timestamp=moment.timestamp,
        end=None,
        role=TOLD_MOMENTS[name],
        title=_moment_title(name, facts, hosts),
        detail=f"moment: {name}; {moment.reason}",
        host=hosts[0] if len(hosts) == 1 else None,
        service=None,
        event_ids=moment.event_ids,
        origin="moment",
        weight=100.0,
        group=("moment", name),
        claim=moment.claim,
        confidence=moment.confidence,
    )


def _moment_title(name: str, facts: Facts, hosts: list[str]) -> str:
    failed = facts.impact.get("failed_requests")
    by_errors = failed is not None and failed.value is None
    if name == "mitigated":
        return "Most errors end (mitigated)" if by_errors else "Most requests succeed again (mitigated)"
    if name == "recovered":
        return "Errors end (recovered)" if by_errors else "Requests succeed again (recovered)"
    where = f" on {', '.join(hosts)}" if hosts else ""
    if failed is None or not failed.value:
        return f"Impact starts{where}"
    return f"Impact starts: first of {failed.value} failed requests{where}"


def _symptoms(facts: Facts, inputs: Inputs) -> list[Entry]:
    """Give each finding that is no single act an entry with its first, last and count."""
    told = ("lead", "cause", "symptom", "impact", "data_quality")
    shown = pl.col("role").is_in(told) | pl.col("signature_id").is_in(COUNTED_CHANGES)
    rows = facts.findings.filter(shown & pl.col("first_timestamp").is_not_null())
    rows = rows.filter(~pl.col("severity").str.starts_with("info"))
    if "impact_start" in facts.moments:
        rows = rows.filter(~pl.col("signature_id").is_in(SHOWN_BY_MOMENTS))
    return [e for row in rows.iter_rows(named=True) if (e := _symptom(row, facts)) is not None]


def _symptom(row: dict[str, object], facts: Facts) -> Entry | None:
    first, last = row["first_timestamp"], row["last_timestamp"]
    near = _nearness(facts, first, last)  # type: ignore[arg-type]
    if near < 0:
        return None
    count = int(row["count"])  # type: ignore[call-overload]
    hosts, services = row["hosts"] or [], row["services"] or []
    where = f" on {', '.join(hosts)}" if hosts else ""  # type: ignore[arg-type]
    figures = facts.details.get(str(row["finding_id"]), "")
    times = f": {count} times" if count > 1 and not figures else ""
    names = _moment_names(facts)
    name = next((names[e] for e in (row["event_ids"] or [])[:1] if e in names), "")  # type: ignore[index]
    level = {"critical": 4.0, "high": 3.0, "medium": 1.5, "low": 0.5}.get(str(row["severity"]), 0.0)
    return Entry(
        timestamp=first,  # type: ignore[arg-type]
        end=last if last != first else None,  # type: ignore[arg-type]
        role=str(row["role"]),
        title=f"{row['title']}{where}{times}",
        detail="; ".join(filter(None, (f"moment: {name}" if name else "", figures, _times(count, first, last)))),  # type: ignore[arg-type]
        host=hosts[0] if len(hosts) == 1 else None,  # type: ignore[arg-type,index]
        service=services[0] if len(services) == 1 else None,  # type: ignore[arg-type,index]
        event_ids=cited(row["event_ids"] or []),  # type: ignore[arg-type]
        origin="signature",
        weight=near + level - 2.0,
        group=("symptom", str(row["signature_id"])),
        count=count,
    )


def _times(count: int, first: datetime, last: datetime) -> str:
    if count == 1:
        return f"once, at {first:%Y-%m-%d %H:%M:%S} UTC"
    return f"{count} times, first {first:%Y-%m-%d %H:%M:%S}, last {last:%Y-%m-%d %H:%M:%S} UTC"


def _notes(inputs: Inputs) -> list[Entry]:
    """Give what people added an entry each: it is theirs, and stands as they wrote it."""
    if inputs.notes is None or inputs.notes.is_empty():
        return []
    columns = inputs.notes.columns
    text = next((c for c in ("text", "title", "note") if c in columns), columns[-1])
    return [
        Entry(
            timestamp=row["timestamp"],
            end=None,
            role=row.get("role") or "communication",
            title=str(row[text]),
            detail=str(row.get("detail") or ""),
            host=row.get("host_name"),
            service=row.get("service_name"),
            event_ids=tuple(row.get("event_ids") or ()),
            origin="note",
            weight=1000.0,
            group=("note", str(number)),
            claim="human",
        )
        for number, row in enumerate(inputs.notes.iter_rows(named=True))
        if row["timestamp"] is not None
    ]


def _fitted(entries: list[Entry], most: int) -> list[Entry]:
    """Join or leave out the least important entries until no more than `most` are left.

    Symptoms far down go; what is told by itself is joined with the next of its kind, and says "and N more".
    """
    for level in (5, 3, 1):
        if len(entries) > 4 * most:
            entries = _bulk(entries, level, 2 * most)
    while len(entries) > most:
        entries = _less(entries)
    return entries


def _bulk(entries: list[Entry], level: int, spared: int) -> list[Entry]:
    """Join all but the most important entries that are alike at once: there are too many to do it one by one."""
    order = sorted(entries, key=lambda e: (-e.weight, _when(e)))
    kept: list[Entry] = []
    joined: dict[tuple[str, ...], Entry] = {}
    for entry in sorted(order[spared:], key=_when):
        if entry.origin in ("moment", "note") or entry.group[0] == "symptom":
            kept.append(entry)
        else:
            key = entry.group[:level]
            joined[key] = _merged(joined[key], entry) if key in joined else entry
    return sorted([*order[:spared], *kept, *joined.values()], key=_when)


def _less(entries: list[Entry]) -> list[Entry]:
    order = sorted(range(len(entries)), key=lambda i: (entries[i].weight, entries[i].timestamp, i))
    minor = [i for i in order if entries[i].group[0] == "symptom"]
    if minor and entries[minor[0]].weight <= entries[order[0]].weight + 4.0:
        gone = set(minor[:1])
        return [e for i, e in enumerate(entries) if i not in gone]
    for least in order:
        for level in (5, 3, 1):
            partner = _partner(entries, least, level)
            if partner is not None:
                one, other = sorted((least, partner))
                merged = _merged(entries[one], entries[other])
                return [merged if i == one else e for i, e in enumerate(entries) if i != other]
    return [e for i, e in enumerate(entries) if i != order[0]]


def _partner(entries: list[Entry], index: int, level: int) -> int | None:
    """Find the nearest entry of the same kind: the same in the first `level` parts of its group."""
    own = entries[index]
    if own.origin in ("moment", "note") or own.group[0] == "symptom":
        return None
    alike = [
        i
        for i, e in enumerate(entries)
        if i != index and e.origin == "signature" and e.group[:level] == own.group[:level] and e.group[0] != "symptom"
    ]
    return min(alike, key=lambda i: (abs(entries[i].timestamp - own.timestamp), entries[i].weight, i), default=None)


def _nearness(facts: Facts, first: datetime, last: datetime | None = None) -> float:
    """Say how near to the incident something is: 10 in it, less before and after, negative far from it."""
    start, end = _bounds(facts)
    if start is None or end is None:
        return 5.0
    last = last or first
    if last >= start - LEAD_UP and first <= end + LEAD_UP:
        return 10.0
    trigger = facts.moments.get("trigger")
    if trigger and last >= trigger.timestamp - LEAD_UP and first <= end:
        return 8.0 if first <= trigger.timestamp + LEAD_UP else 6.0
    distance = (start - last) if last < start else (first - end)
    hours = distance / timedelta(hours=1)
    return 6.0 - min(hours, 24.0) / 4.0 if hours <= 24 else -1.0


def _bounds(facts: Facts) -> tuple[datetime | None, datetime | None]:
    start = facts.moments.get("impact_start")
    end = facts.moments.get("recovered") or facts.moments.get("mitigated")
    last = end.timestamp if end else facts.coverage.get("last")
    return (start.timestamp if start else None), last


def _moment_names(facts: Facts) -> dict[str, str]:
    return {e: name for name, m in facts.moments.items() if name not in TOLD_MOMENTS for e in m.event_ids[:1]}


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""Section 1: what was supplied, how far it reaches, how its times are known, and what is weak about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pirtimeline.masking import mask
from pirtimeline.report import extent, words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import cite
from pirtimeline.report.claims import Claim, derived, todo
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.escaping import shorten
from pirtimeline.report.tables import row_id, table

LEGEND = """\
How to read this report. A sentence that ends in a citation, `[ev:source:offset]`, is **derived**: it can be recomputed
from the cited bytes (`pirtimeline show CASE source:offset` prints them, `pirtimeline verify CASE` checks them all). A
**Candidate** is an inference that a person confirms or rejects. `TODO` asks for what no log can tell. **Not in
evidence** says what was looked for and not found, and where: silence in logs is not absence."""


def introduction(draft: Draft) -> Section:
    """Say what the report stands on.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> introduction(example_draft()).title
        'Introduction'
    """
    firsts = extent.first_events(draft.events)
    prompt = todo("incident lead", "audience and classification of this report, its status (draft, in review, closed).")
    return Section(
        "Introduction",
        (
            Block("introduction.scope", _scope(draft)),
            Block("introduction.audience", prompt, "human"),
            "### Coverage\n\n",
            Block("introduction.coverage", _coverage(draft, firsts)),
            "### Zones and clocks\n\n",
            Block("introduction.zones", _zones(draft, firsts)),
            "### Weaknesses of the evidence\n\n",
            Block("introduction.quality", _quality(draft)),
        ),
    )


def _scope(draft: Draft) -> str:
    covered = draft.facts.get("coverage") or {}
    events = covered.get("events") or sum(int(s.get("events") or 0) for s in draft.sources)
    hosts = covered.get("hosts") or sorted({str(s["host_name"]) for s in draft.sources if s.get("host_name")})
    first, last = _reach(draft)
    reach = f" from {words.moment(first)} to {words.moment(last)}" if first and last else ""
    named = f" of {words.count_of(len(hosts), 'host')} ({', '.join(md(str(h)) for h in hosts)})" if hosts else ""
    covers = (
        f"This report covers {words.count_of(events, 'event')} in {words.count_of(len(draft.sources), 'source')}{named}"
        f"{reach}. All times are UTC. {cite(extent.ends(draft.events))}"
    )
    intervals = [
        _interval("Incident window", draft.facts.get("window") or {}),
        _interval("Baseline", draft.facts.get("baseline") or {}),
    ]
    return "\n\n".join([covers.strip(), *intervals, LEGEND])


def _interval(name: str, value: Mapping[str, Any]) -> str:
    start, end = words.instant(value.get("start")), words.instant(value.get("end"))
    reason = md(str(value.get("reason") or ""))
    if start is None or end is None:
        return f"{name}: not determined{f' ({reason})' if reason else ''}."
    why = f" ({reason})" if reason else ""
    cited = cite(value.get("event_ids"), at_most=2)
    return f"{name}: {words.moment(start)} to {words.moment(end)}{why}. {cited}".strip()


def _reach(draft: Draft) -> tuple[Any, Any]:
    firsts = [words.instant(s["first_timestamp"]) for s in draft.sources if s.get("first_timestamp")]
    lasts = [words.instant(s["last_timestamp"]) for s in draft.sources if s.get("last_timestamp")]
    covered = draft.facts.get("coverage") or {}
    first = words.instant(covered.get("first")) or min((at for at in firsts if at), default=None)
    last = words.instant(covered.get("last")) or max((at for at in lasts if at), default=None)
    return first, last


def _coverage(draft: Draft, firsts: Mapping[str, str]) -> str:
    header = [
        "Source",
        "Host",
        "Formats (events)",
        "First (UTC)",
        "Last (UTC)",
        "Lines",
        "Events",
        "Rejects",
        "Evidence",
        "Note",
    ]
    rows = [(row_id("source", str(s["source_id"])), _source_cells(s, firsts)) for s in draft.sources]
    return table(header, rows) if rows else "No source was read."


def _source_cells(source: Mapping[str, Any], firsts: Mapping[str, str]) -> list[str]:
    parsers: Mapping[str, int] = source.get("parsers") or {}
    formats = sorted(parsers, key=lambda name: (-parsers[name], name))
    more = len(source.get("paths") or []) - 1
    copies = f" (+{words.count_of(more, 'copy', 'copies')})" if more > 0 else ""
    lines, rejects = source.get("lines"), source.get("rejects")
    first = firsts.get(str(source["source_id"]))
    return [
        md(str((source.get("paths") or ["?"])[0])) + copies,
        md(str(source.get("host_name") or "—")),
        md(", ".join(f"{name} {parsers[name]:,}" for name in formats[:4])) or "—",
        _when(source.get("first_timestamp")),
        _when(source.get("last_timestamp")),
        f"{lines:,}" if isinstance(lines, int) else "—",
        f"{int(source.get('events') or 0):,}",
        f"{int(rejects or 0):,}",
        cite([first] if first else []),
        "",
    ]


def _when(value: Any) -> str:
    at = words.instant(value)
    return f"{at:%Y-%m-%d} {words.clock(at)}" if at else "undated"


def _zones(draft: Draft, firsts: Mapping[str, str]) -> str:
    """Tell for each source how its zone is known; sources that share a reason share a sentence."""
    told: dict[str, list[Mapping[str, Any]]] = {}
    for source in draft.sources:
        told.setdefault(_zone(draft, source), []).append(source)
    if not told:
        return "No source was read."
    claims = []
    for how, sources in sorted(told.items()):
        paths = [str((source.get("paths") or ["?"])[0]) for source in sources]
        ids = [firsts[str(source["source_id"])] for source in sources if str(source["source_id"]) in firsts]
        claims.append(derived(f"{how}: {_listed(paths)}.", ids))
    return draft.bullets([*claims, *_year_and_order(draft)])


def _zone(draft: Draft, source: Mapping[str, Any]) -> str:
    zone, basis = source.get("zone"), str(source.get("zone_basis") or "")
    name = f"**{md(str(zone))}**" if zone else "no zone"
    reasons = _because(draft, str(source["source_id"]), "zone")
    why = f", because {reasons}" if reasons else ""
    if not zone and basis in ("", "text", "explicit", "None"):
        return "The text carries the zone or needs none"
    if basis.endswith("declared"):
        return f"Declared by the analyst (`case.toml`) as {name}"
    if basis.endswith("inferred"):
        return f"Inferred as {name}{why}"
    if basis.endswith("assumed") or not basis:
        return f"**Assumed** as {name}, for want of anything that tells it{why}"
    return f"{name} ({md(basis)}{why})"


def _because(draft: Draft, source_id: str, field: str) -> str:
    reasons = (draft.plan.get(source_id) or {}).get("because") or []
    texts = [
        f"{md(shorten(str(r.get('text') or ''), 300)).rstrip('.')} {cite(r.get('event_ids'), at_most=2)}".strip()
        for r in reasons
        if r.get("field") == field
    ]
    return "; ".join(dict.fromkeys(filter(None, texts)))


def _year_and_order(draft: Draft) -> list[Claim]:
    """Tell what else the survey settled by inference: years, hosts, dates."""
    told: dict[str, list[str]] = {}
    for source in draft.sources:
        for field in ("year", "date", "host", "order"):
            reasons = _because(draft, str(source["source_id"]), field)
            if reasons:
                value = _settled(draft, str(source["source_id"]), field)
                named = f" {md(str(value))}" if value and field != "order" else ""
                told.setdefault(f"{field.capitalize()}{named}: {reasons}", []).append(
                    str((source.get("paths") or ["?"])[0])
                )
    return [derived(f"{how} ({_listed(paths)}).") for how, paths in sorted(told.items())]


def _settled(draft: Draft, source_id: str, field: str) -> object:
    """Give what was settled: as the plan has it, else as its reason does."""
    plan = draft.plan.get(source_id) or {}
    said = [reason.get("value") for reason in plan.get("because") or [] if reason.get("field") == field]
    return plan.get(field) or next(iter(said), None)


def _listed(paths: Sequence[str], most: int = 8) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(md(path) for path in paths[:most]) + more


def _quality(draft: Draft) -> str:
    claims = [*(_defect(defect) for defect in draft.facts.get("quality") or []), *_unsure(draft), *_rejects(draft)]
    copies = (draft.facts.get("coverage") or {}).get("copies")
    if copies:
        text = f"{words.count_of(copies, 'event')} stand in two sources and are counted once (`duplicates.parquet`)."
        claims.append(derived(text))
    claims += [_unread(source) for source in draft.sources if source.get("skipped")]
    claims += [claim for source in draft.sources for claim in _entered(source)]
    left = [item for item in draft.custody.get("skipped") or [] if item.get("reason")]
    claims += [derived(f"Not read: {md(str(i.get('path')))} ({md(str(i['reason']))}).") for i in left[:20]]
    if len(left) > 20:
        claims.append(derived(f"{len(left) - 20} further members of the evidence were not read (`evidence.json`)."))
    return draft.bullets(claims) if claims else "None was found."


def _unsure(draft: Draft) -> list[Claim]:
    told = {
        "zone_assumed": "a zone that was assumed to be UTC",
        "ambiguous": "a reading of an ambiguous time or zone word",
    }
    return [
        derived(f"{words.count_of(count, 'event')} have a time that rests on {told.get(reason, md(reason))}.", [name])
        for reason, count, name in extent.unsure(draft.events).iter_rows()
    ]


def _rejects(draft: Draft) -> list[Claim]:
    return [
        derived(
            f"{words.count_of(count, 'event')} no format understands: {md(mask(reason))}.".replace("..", "."), [name]
        )
        for reason, count, name in extent.rejects(draft.events).iter_rows()
    ]


def _defect(defect: Mapping[str, Any]) -> Claim:
    start, end = words.instant(defect.get("start")), words.instant(defect.get("end"))
    when = f" ({words.moment(start)}{f' to {words.moment(end)}' if end else ''})" if start else ""
    host = f" on {md(str(defect['host_name']))}" if defect.get("host_name") else ""
    detail = md(str(defect.get("detail") or ""))
    text = f"{md(str(defect.get('title') or defect.get('kind')))}{host}{when}{': ' + detail if detail else ''}."
    return derived(text.replace("..", "."), defect.get("event_ids") or ())


def _unread(source: Mapping[str, Any]) -> Claim:
    size = sum(int(length) for _, length in source["skipped"])
    path = md(str((source.get("paths") or ["?"])[0]))
    probes = int((source.get("window") or {}).get("probes") or 0)
    after = f", after {words.count_of(probes, 'probe')}" if probes else ""
    return derived(
        f"{words.bytes_size(size)} of {path} were skipped: they lie outside of the window, on the assumption of order"
        f"{after}."
    )


def _entered(source: Mapping[str, Any]) -> Iterator[Claim]:
    """Say of a source that it was to be entered at the window, and why it was read whole."""
    reason = (source.get("window") or {}).get("reason")
    if reason:
        path = md(str((source.get("paths") or ["?"])[0]))
        yield derived(f"{path} was read whole, not only near the window: {md(str(reason))}.")

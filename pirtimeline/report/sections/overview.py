"""Section 2: the incident in figures, each with its class and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import cite
from pirtimeline.report.claims import Claim, absent, derived, todo
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.tables import row_id, table

IMPACT = {
    "failed_requests": "Failed requests",
    "failed_ratio": "Share of failed requests",
    "requests": "Requests during the impact",
    "excess_failed_requests": "Failed requests beyond the baseline",
    "clients_affected": "Clients with a failed request",
    "client_aborts": "Requests that the client gave up",
    "downtime_seconds": "Downtime",
    "degraded_seconds": "Degraded beyond that",
}


def overview(draft: Draft) -> Section:
    """Give times, durations, systems and impact.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> overview(example_draft()).title
        'Incident Overview'
    """
    severity = todo("incident lead", "severity, by which matrix; revenue, contractual and reputational impact.")
    data = todo("service owner", "was data lost, doubled or corrupted? How was that checked?")
    return Section(
        "Incident Overview",
        (
            "### Times\n\n",
            Block("overview.times", _times(draft)),
            "### Durations\n\n",
            Block("overview.durations", _durations(draft)),
            "### Affected systems\n\n",
            Block("overview.systems", _systems(draft)),
            "### Impact\n\n",
            Block("overview.impact", _impact(draft)),
            Block("overview.severity", severity, "human"),
            Block("overview.data", data, "human"),
        ),
    )


def answer(draft: Draft) -> str:
    """Say in a paragraph what happened: when, how much failed, and what may explain it.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> answer(example_draft()).split(" [")[0]
        'Requests failed from 2024-03-04 02:58:03 UTC to 2024-03-04 03:31:00 UTC (32 min 57 s): 90 of 1,200 (7.5 %).'
    """
    start, end = draft.at("impact_start"), draft.at("recovered") or draft.at("mitigated")
    if start is None:
        return "\n\n".join([_no_impact(draft), _first_hypothesis(draft)])
    until = "to the end of the evidence"
    if end:
        until = f"to {words.moment(end)} ({words.span((end - start).total_seconds())})"
    ids = [*(draft.moment("impact_start").get("event_ids") or []), *(draft.moment("recovered").get("event_ids") or [])]
    first = f"Requests failed from {words.moment(start)} {until}{_how_many(draft)}. {cite(ids, at_most=2)}"
    return f"{first}\n\n{_first_hypothesis(draft)}"


def _how_many(draft: Draft) -> str:
    failed, ratio, total = (draft.figure(n).get("value") for n in ("failed_requests", "failed_ratio", "requests"))
    if not failed:
        return ""
    of = f" of {words.number(total)}" if total else ""
    return f": {words.number(failed)}{of}" + (f" ({words.share(ratio)})" if ratio is not None else "")


def _no_impact(draft: Draft) -> str:
    reason = md(str((draft.facts.get("window") or {}).get("reason") or ""))
    searched = words.count_of(len(draft.sources), "source") + (f"; {reason}" if reason else "")
    claim = absent("No start of an impact on users.", searched)
    return f"**Not in evidence:** {claim.text}"


def _first_hypothesis(draft: Draft) -> str:
    if not draft.best:
        return "Cause: not determined from the supplied logs."
    cited = cite(draft.root.get("event_ids"), at_most=2)
    return f"First hypothesis (candidate, {draft.strength}): {md(str(draft.best.get('title')))}. {cited}".strip()


def _times(draft: Draft) -> str:
    incident = draft.facts.get("incident")
    rows = [
        (
            row_id("time", "incident"),
            [
                "Incident ID",
                md(str(incident)) if incident else "TODO(incident lead)",
                "as given" if incident else "",
                "",
                "",
                "",
                "",
            ],
        )
    ]
    for name, title in words.MOMENTS.items():
        rows.append((row_id("time", name), _time_cells(draft, name, title)))
    return table(["What", "Time (UTC)", "How it is known", "Class", "Evidence", "Confirmed", "Note"], rows)


def _time_cells(draft: Draft, name: str, title: str) -> list[str]:
    moment = draft.moment(name)
    if not moment:
        return [title, "—", _not_found(draft, name), "not in evidence", "", "", ""]
    at = words.instant(moment.get("timestamp"))
    kind = str(moment.get("claim") or "derived")
    sure = f"candidate ({words.confidence(moment.get('confidence'))})" if kind == "proposed" else kind
    bold = name in ("impact_start", "detected", "mitigated", "recovered")
    name_cell = f"**{title}**" if bold else title
    when = words.moment(at).removesuffix(" UTC")
    return [
        name_cell,
        f"**{when}**" if bold else when,
        md(str(moment.get("reason") or "")),
        sure,
        cite(moment.get("event_ids")),
        "[ ]",
        "",
    ]


def _not_found(draft: Draft, name: str) -> str:
    where = words.count_of(len(draft.sources), "source")
    if name in ("mitigated", "recovered") and draft.at("impact_start"):
        return f"ongoing at the end of the evidence ({where})"
    return f"nothing that shows it in {where}"


def _durations(draft: Draft) -> str:
    found: Mapping[str, Any] = draft.facts.get("durations") or {}
    names = [*(n for n in words.DURATIONS if n in found), *sorted(set(found) - set(words.DURATIONS))]
    rows = []
    for name in names:
        value = found[name]
        title = words.DURATIONS.get(name, md(name.replace("_", " ").capitalize()))
        seconds = value.get("seconds")
        length = words.span(seconds)
        if name == "time_to_detect" and seconds is not None and seconds < 0:
            length = f"{length} (the alert preceded the impact by {words.span(-seconds)})"
        formula = md(str(value.get("formula") or "").replace("_", " "))
        rows.append(
            (
                row_id("duration", name),
                [title, length, formula, str(value.get("claim") or "derived"), cite(value.get("event_ids")), ""],
            )
        )
    if not rows:
        return "No two moments were found between which a duration could be measured."
    return table(["Measure", "Value", "Formula", "Class", "Evidence", "Note"], rows)


def _systems(draft: Draft) -> str:
    """List hosts and services that show symptoms, causes or impact of the incident, the earliest first."""
    claims = [*_shown(draft, "hosts", "Host"), *_shown(draft, "services", "Service")]
    where = words.count_of(len(draft.sources), "source")
    if not claims:
        claims = [absent("A system with a symptom or a failed request.", where)]
    silent = ", ".join(md(name) for name in _silent(draft))
    return draft.bullets(
        [*claims, *([absent(f"Logs of {silent}: named in the evidence, not supplied.", where)] if silent else [])]
    )


def _shown(draft: Draft, column: str, noun: str) -> list[Claim]:
    """Tell of each host or service what it showed first, from the first symptom of the incident on."""
    since = min((at for at in (draft.at("onset"), draft.at("impact_start")) if at), default=None)
    grave = draft.findings.filter(
        pl.col("role").is_in(["impact", "symptom", "cause", "lead"])
        & pl.col("severity").is_in(["medium", "high", "critical"])
        & (pl.col("last_timestamp") >= since if since else pl.lit(value=True))
    )
    named = grave.explode(column).filter(pl.col(column).is_not_null() & (pl.col(column) != ""))
    first = named.sort("first_timestamp", "finding_id", nulls_last=True).unique(
        column, keep="first", maintain_order=True
    )
    return [
        derived(
            f"{noun} **{md(row[column])}**: {md(row['title'])}"
            + (f", first at {words.moment(row['first_timestamp'])}." if row["first_timestamp"] else "."),
            (row["event_ids"] or [])[:1],
        )
        for row in first.head(15).iter_rows(named=True)
    ]


def _silent(draft: Draft) -> list[str]:
    """Name the peers in the observed traffic of which no log was supplied."""
    hosts = {str(h) for h in (draft.facts.get("coverage") or {}).get("hosts") or []}
    hosts |= {str(s.get("host_name")) for s in draft.sources}
    named = {str(edge.get("target")) for edge in draft.facts.get("topology") or []}
    known = {"clients", "unnamed host", ""}
    return sorted(name for name in named - hosts - known if any(c.isalpha() for c in name))[:12]


def _impact(draft: Draft) -> str:
    rows = [
        (row_id("impact", name), _impact_cells(draft, name, title))
        for name, title in IMPACT.items()
        if draft.figure(name)
    ]
    for name, title in (
        ("by_status", "Failures by status"),
        ("by_route", "Failures by route"),
        ("by_host", "Failures by host"),
    ):
        figure = draft.figure(name)
        if figure.get("value"):
            rows.append(
                (
                    row_id("impact", name),
                    [
                        title,
                        _counts(figure["value"]),
                        md(str(figure.get("reason") or "")),
                        str(figure.get("claim") or ""),
                        cite(figure.get("event_ids"), at_most=2),
                        "",
                    ],
                )
            )
    if not rows:
        return draft.bullets([absent("No measure of the impact.", words.count_of(len(draft.sources), "source"))])
    return table(["Measure", "Value", "How it is measured", "Class", "Evidence", "Note"], rows)


def _impact_cells(draft: Draft, name: str, title: str) -> list[str]:
    figure = draft.figure(name)
    value = figure.get("value")
    if value is None:
        return [
            title,
            "—",
            md(str(figure.get("reason") or "nothing in the evidence measures it")),
            "not in evidence",
            "",
            "",
        ]
    text = (
        words.span(value)
        if name.endswith("seconds")
        else words.share(value)
        if name.endswith("ratio")
        else words.number(value)
    )
    return [
        title,
        text,
        md(str(figure.get("reason") or "")),
        str(figure.get("claim") or "derived"),
        cite(figure.get("event_ids"), at_most=2),
        "",
    ]


def _counts(value: Mapping[str, int]) -> str:
    return "; ".join(f"{md(name)}: {words.number(count)}" for name, count in list(value.items())[:8])

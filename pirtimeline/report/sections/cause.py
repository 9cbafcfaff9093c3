"""Section 4: hypotheses with what speaks against them, the timeline, what changed, and scaffolds for the analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline.report import diagrams, words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import cite
from pirtimeline.report.claims import Claim, absent, claim_id, todo, write
from pirtimeline.report.draft import Draft, Section, entry_id
from pirtimeline.report.entries import body_table, left_out, of_roles, time_cell, what_cell, where_cell
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.escaping import shorten
from pirtimeline.report.sections.response import searched
from pirtimeline.report.series import moments, spans
from pirtimeline.report.tables import row_id, table

SHOWN = 3
"""So many hypotheses are told."""

NEAREST = 15
"""So many changes before the impact, the last ones, are candidates for its trigger."""

LATE = timedelta(minutes=5)
"""A detection that takes longer is proposed as a contributing factor."""


def cause(draft: Draft) -> Section:
    """Give the hypotheses, the timeline and what changed; the verdict is a person's.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> cause(example_draft()).title
        'Root Cause Analysis'
    """
    verdict = todo(
        "incident lead",
        "the causes that the review settled on (contributing factors, never a person): what made the failure possible, "
        "what set it off, what kept it from being caught earlier.",
    )
    whys = todo("reviewers", "Why 4: why was that possible? Why 5: why was it not caught before it reached users?")
    return Section(
        "Root Cause Analysis",
        (
            "### Hypotheses\n\n",
            Block("cause.hypotheses", _hypotheses(draft)),
            Block("cause.verdict", verdict, "human"),
            "### Timeline\n\n",
            Block("cause.chart", _chart(draft)),
            Block("cause.timeline", body_table(draft)),
            Block("cause.timeline.more", _more(draft)),
            "### What changed against the baseline\n\n",
            Block("cause.changes", _changes(draft)),
            "### Candidates for the trigger\n\n",
            Block("cause.triggers", _triggers(draft)),
            "### Contributing factors\n\n",
            Block("cause.factors", draft.bullets(_factors(draft))),
            "### Five whys\n\n",
            Block("cause.whys", _whys(draft)),
            Block("cause.whys.asked", whys, "human"),
            "### Fishbone\n\n",
            Block("cause.fishbone", diagrams.fishbone(draft)),
        ),
    )


def _sure(hypothesis: Mapping[str, Any]) -> str:
    return str(hypothesis.get("strength") or words.confidence(hypothesis.get("score")))


def _hypotheses(draft: Draft) -> str:
    found = draft.facts.get("hypotheses") or []
    shown = [h for h in found[:SHOWN] if draft.decisions.get(_key(h), {}).get("decision") not in ("reject", "hide")]
    if not shown:
        tried = [str(h.get("title")) for h in draft.facts.get("candidates") or []]
        weak = f"; below the threshold: {', '.join(md(title) for title in tried[:5])}" if tried else ""
        return write(
            absent(
                "A chain of findings that explains the incident: not determined from the supplied logs.",
                searched(draft) + weak,
            )
        )
    return "\n\n".join(_hypothesis(draft, h, number) for number, h in enumerate(shown, 1))


def _key(hypothesis: Mapping[str, Any]) -> str:
    return claim_id(_as_claim(hypothesis))


def _as_claim(hypothesis: Mapping[str, Any]) -> Claim:
    ids = (hypothesis.get("root") or {}).get("event_ids") or []
    return Claim(
        text=md(str(hypothesis.get("title"))),
        kind="proposed",
        event_ids=tuple(ids),
        key="|".join(["hypothesis", str(hypothesis.get("chain") or hypothesis.get("title")), *ids[:1]]),
    )


def _hypothesis(draft: Draft, hypothesis: Mapping[str, Any], number: int) -> str:
    claim = _as_claim(hypothesis)
    text = write(claim, decisions=draft.decisions)
    strength, score = _sure(hypothesis), hypothesis.get("score")
    first = text.replace("Candidate (moderate):", f"**Hypothesis {number}.** Candidate ({md(strength)}):", 1)
    lines = [
        first,
        "",
        f"Score {words.number(score)}{_points(hypothesis.get('points') or {})}.",
        "",
        "Seen, in order:",
        "",
    ]
    lines += [_step(step) for step in hypothesis.get("steps") or []] or ["- the root alone"]
    for name, title in (("missing", "Missing (looked for, not found)"), ("against", "Against")):
        told = [_told(item) for item in hypothesis.get(name) or []]
        lines += ["", f"{title}:", "", *(f"- {item}" for item in told or ["nothing that the logs show"])]
    if hypothesis.get("refuted_by"):
        lines += ["", f"Would be refuted by: {md(str(hypothesis['refuted_by']))}."]
    asks = [md(str(ask)) for ask in hypothesis.get("asks") or []]
    return "\n".join([*lines, *(["", "To look at: " + "; ".join(asks) + "."] if asks else [])])


def _points(points: Mapping[str, float]) -> str:
    told = [f"{md(name.replace('_', ' '))} {value:+g}" for name, value in points.items() if value]
    return f" ({', '.join(told)})" if told else ""


def _step(step: Mapping[str, Any]) -> str:
    at = words.instant(step.get("timestamp"))
    where = " / ".join(filter(None, (step.get("host_name"), step.get("service_name"))))
    order = f", order {step['order']}" if step.get("order") in ("certain", "possible") else ""
    detail = f" — {md(shorten(str(step['detail']), 200))}" if step.get("detail") else ""
    place = f" on {md(where)}" if where else ""
    role, title, cited = md(str(step.get("role") or "")), md(str(step.get("title"))), cite(step.get("event_ids"))
    return f"- {words.moment(at)} ({role}{order}): {title}{place}{detail} {cited}".rstrip()


def _told(item: Any) -> str:
    """Write what is missing or speaks against: a text, or a mapping with its text and events."""
    if not isinstance(item, Mapping):
        return md(str(item))
    texts = [
        f"{md(str(value))}"
        for key, value in item.items()
        if key not in ("event_ids", "role", "kind", "claim") and isinstance(value, str) and value
    ]
    return " — ".join(texts) + (f" {cite(item.get('event_ids'))}" if item.get("event_ids") else "")


def _chart(draft: Draft) -> str:
    """Show the overview's still picture, and what its numbers stand for."""
    told = [f"{n} {words.MOMENTS[name]} {words.clock(at)}" for n, (name, at) in enumerate(moments(draft.facts), 1)]
    if spans(draft.facts, draft.timeline) is None:
        return "Nothing is dated that could be drawn."
    legend = f"\n\n{'; '.join(told)}." if told else ""
    return f"![Requests, heap and timeline entries on one time axis](figures/timeline.svg){legend}"


def _more(draft: Draft) -> str:
    more = left_out(draft)
    first = "The same, to filter and with the bytes of each citation, is `timeline.html`; as a table:"
    if more:
        first = f"{words.count_of(more, 'further entry', 'further entries')} stand in `timeline.html` and in"
    return (
        f"{first} `pirtimeline timeline CASE --format csv`. Bold rows are the moments between which spans are measured."
    )


def _changes(draft: Draft) -> str:
    changes = draft.facts.get("changes") or []
    if not changes:
        return draft.bullets(
            [absent("A message that is new, or came more or less often than in the baseline.", searched(draft))]
        )
    rows = [(row_id("change", str(c.get("kind")), str(c.get("template"))), _change_cells(c)) for c in changes[:20]]
    more = f"\n\n{len(changes) - 20} further differences stand in `report.json`." if len(changes) > 20 else ""
    header = [
        "Kind",
        "Message",
        "Hosts",
        "First (UTC)",
        "In the window",
        "In the baseline",
        "Ratio",
        "q",
        "Evidence",
        "Note",
    ]
    return table(header, rows) + more


def _change_cells(change: Mapping[str, Any]) -> list[str]:
    ratio, q, bound = change.get("ratio"), change.get("q"), change.get("bound")
    base = words.number(change.get("baseline_count"))
    if change.get("kind") == "new" and bound is not None:
        base += f" (≤ {words.number(bound)} a bin)"
    first = words.instant(change.get("first"))
    return [
        str(change.get("kind")),
        md(shorten(str(change.get("template")), 160)),
        md(", ".join(change.get("hosts") or [])),
        f"{first:%Y-%m-%d} {words.clock(first)}" if first else "undated",
        words.number(change.get("count")),
        base,
        f"{ratio:.3g} ×" if ratio else "—",
        f"{q:.2g}" if q is not None else "—",
        cite(change.get("event_ids"), at_most=2),
        "",
    ]


def _triggers(draft: Draft) -> str:
    """List the changes before the impact: the nearest, and the one that the first hypothesis names however early."""
    start, root = draft.at("impact_start"), set(draft.root.get("event_ids") or [])
    before = [e for e in of_roles(draft, "change") if start is None or (e["timestamp"] and e["timestamp"] <= start)]
    shown = [e for e in before[:-NEAREST] if root & set(e["event_ids"] or [])] + before[-NEAREST:]
    if not shown:
        what = "A deploy, a configuration change, a migration or a restart before the impact."
        return draft.bullets([absent(what, searched(draft))])
    left = len(before) - len(shown)
    more = f"\n\n{words.count_of(left, 'earlier change')} stand in `timeline.html`." if left > 0 else ""
    header = ["Time (UTC)", "Change", "Where", "Lead before impact", "Evidence", "Trigger?", "Note"]
    return table(header, [(entry_id(entry), _trigger(draft, entry, start)) for entry in shown]) + more


def _trigger(draft: Draft, entry: Mapping[str, Any], start: datetime | None) -> list[str]:
    lead = (start - entry["timestamp"]).total_seconds() if start and entry["timestamp"] else None
    return [
        time_cell(draft, entry, day=True),
        what_cell(entry),
        where_cell(entry),
        words.span(lead),
        cite(entry["event_ids"], at_most=2),
        "[ ] confirm [ ] reject",
        "",
    ]


def _factors(draft: Draft) -> list[Claim]:
    claims = [*_late(draft)]
    for row in (
        draft.findings.filter(pl.col("role") == "lead")
        .sort("first_timestamp", "finding_id", nulls_last=True)
        .head(6)
        .iter_rows(named=True)
    ):
        when = f" from {words.moment(row['first_timestamp'])}" if row["first_timestamp"] else ""
        hosts = f" on {md(', '.join(row['hosts']))}" if row["hosts"] else ""
        text = f"early sign{hosts}{when}, {words.count_of(row['count'], 'time')}: {md(row['title'])}"
        claims.append(
            Claim(
                text=text,
                kind="proposed",
                event_ids=tuple(row["event_ids"] or ()),
                confidence=0.5,
                key=f"factor|{row['signature_id']}|{','.join(row['hosts'] or [])}",
            )
        )
    for other in (draft.facts.get("hypotheses") or [])[1:SHOWN]:
        root = other.get("root") or {}
        claims.append(
            Claim(
                text=f"{md(str(other.get('title')))} (another chain that fits)",
                kind="proposed",
                event_ids=tuple(root.get("event_ids") or ()),
                confidence=0.3,
                key=f"factor|{other.get('chain') or other.get('title')}",
            )
        )
    return claims or [absent("A contributing factor.", searched(draft))]


def _late(draft: Draft) -> list[Claim]:
    took = ((draft.facts.get("durations") or {}).get("time_to_detect") or {}).get("seconds")
    if took is None or took < LATE.total_seconds():
        return []
    ids = [
        *(draft.moment("impact_start").get("event_ids") or [])[:1],
        *(draft.moment("detected").get("event_ids") or [])[:1],
    ]
    text = f"late detection: {words.span(took)} from impact start to the first alert"
    return [Claim(text=text, kind="proposed", event_ids=tuple(ids), confidence=0.7, key="factor|late detection")]


def _whys(draft: Draft) -> str:
    """Fill the whys downward as far as evidence goes; what lies deeper is asked."""
    start, failed = draft.moment("impact_start"), draft.figure("failed_requests")
    answers = []
    if start:
        many = f" ({words.number(failed['value'])} of them)" if failed.get("value") else ""
        seen = f"Requests failed{many} from {words.moment(draft.at('impact_start'))}."
        answers.append(f"Why did users notice? {seen} {cite(start.get('event_ids'), at_most=2)}")
    chain = _chain(draft.best)
    if chain:
        answers.append(f"Why did they fail? {_candidate(chain[-1])}")
    if len(chain) > 1:
        answers.append(f"Why did that happen? {_candidate(chain[0])}")
    numbered = [f"{number}. {answer}" for number, answer in enumerate(answers, 1)]
    return "\n".join(numbered) or write(absent("A first step of the chain of causes.", searched(draft)))


def _candidate(step: Mapping[str, Any]) -> str:
    return f"Candidate: {md(str(step.get('title')))}. {cite(step.get('event_ids'), at_most=2)}"


def _chain(hypothesis: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Give root and deepest symptom of a hypothesis: what users saw is told by itself."""
    steps = [
        step for step in hypothesis.get("steps") or [] if step.get("role") in ("cause", "change", "symptom", "lead")
    ]
    root = hypothesis.get("root")
    if not root:
        return steps
    rest = [step for step in steps if step.get("event_ids") != root.get("event_ids")]
    return [root, *rest]

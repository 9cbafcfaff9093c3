"""Section 9: figures to talk about, and prompts; the lessons are people's."""

from __future__ import annotations

from pirtimeline.report import words
from pirtimeline.report.blocks import Block
from pirtimeline.report.claims import Claim, absent, derived, todo
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.sections.response import searched

PHASES = (
    ("impact_start", "detected", "from impact to the first alert"),
    ("detected", "acknowledged", "from the first alert to its acknowledgement"),
    ("acknowledged", "contained", "from acknowledgement to the first containment"),
    ("contained", "mitigated", "from containment to mitigation"),
    ("mitigated", "recovered", "from mitigation to recovery"),
)


def lessons(draft: Draft) -> Section:
    """Give the spans of each phase, and ask what went well, badly, and by luck.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> lessons(example_draft()).title
        'Lessons Learned'
    """
    prompts = (
        ("well", "What went well? What helped most to find and to end it?"),
        ("badly", "What went badly? How could the time to detect have been halved?"),
        ("lucky", "Where were we lucky?"),
        ("training", "What would people have needed to know or to have practised?"),
    )
    return Section(
        "Lessons Learned",
        (
            Block("lessons.figures", draft.bullets(_figures(draft))),
            *(Block(f"lessons.{name}", todo("reviewers", prompt), "human") for name, prompt in prompts),
        ),
    )


def _figures(draft: Draft) -> list[Claim]:
    claims = []
    for one, other, told in PHASES:
        start, end = draft.at(one), draft.at(other)
        if start and end:
            ids = [*(draft.moment(one).get("event_ids") or [])[:1], *(draft.moment(other).get("event_ids") or [])[:1]]
            seconds = (end - start).total_seconds()
            text = (
                f"{words.span(seconds)} {told}."
                if seconds >= 0
                else f"{words.span(-seconds)} the other way round, {told}."
            )
            claims.append(derived(text[0].upper() + text[1:], ids))
    claims += _before(draft)
    return claims or [absent("Two moments between which a phase could be measured.", searched(draft))]


def _before(draft: Draft) -> list[Claim]:
    """Tell of the first hypothesis' root seen before the impact began: the evidence had announced it."""
    start, at = draft.at("impact_start"), words.instant(draft.root.get("timestamp"))
    if start is None or at is None or at >= start:
        return []
    ahead = words.span((start - at).total_seconds())
    text = f"“{md(str(draft.root.get('title')))}” was in the logs {ahead} before requests failed."
    return [derived(text, (draft.root.get("event_ids") or [])[:1])]

"""Section 7: gaps that the reconstruction met, as prompts; measures and owners are people's."""

from __future__ import annotations

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.blocks import Block
from pirtimeline.report.claims import Claim, absent, todo
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.sections.response import searched


def prevention(draft: Draft) -> Section:
    """Propose gaps in detection and telemetry; ask for measures.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> prevention(example_draft()).title
        'Preventative Measures'
    """
    measures = "\n".join(
        [
            todo("incident lead", "measures, each as verb + scope + done-when, with an owner and a date."),
            "",
            "| Measure | Done when | Owner | Due |",
            "|---|---|---|---|",
            "| | | | |",
        ]
    )
    patches = todo("service owner", "patches and configuration changes made since, with versions and dates.")
    return Section(
        "Preventative Measures",
        (
            "### Gaps that the reconstruction met\n\n",
            Block("prevention.gaps", draft.bullets(_gaps(draft) or [absent("A gap in detection.", searched(draft))])),
            "### Measures\n\n",
            Block("prevention.measures", measures, "human"),
            Block("prevention.patches", patches, "human"),
        ),
    )


def _gaps(draft: Draft) -> list[Claim]:
    return [*_unalarmed(draft), *_telemetry(draft)]


def _unalarmed(draft: Draft) -> list[Claim]:
    """Name the signatures that had matched before the first alert: an alarm on them would have been earlier."""
    detected = draft.at("detected")
    if detected is None:
        return []
    early = draft.findings.filter(
        pl.col("role").is_in(["cause", "lead", "symptom"])
        & (pl.col("first_timestamp") < detected)
        & pl.col("severity").is_in(["critical", "high"])
    ).sort("first_timestamp", "finding_id")
    claims = []
    for row in early.head(5).iter_rows(named=True):
        ahead = words.span((detected - row["first_timestamp"]).total_seconds())
        times = words.count_of(row["count"], "match", "matches")
        text = f"no alert on “{md(row['title'])}”, first seen {ahead} before the first alert ({times})"
        key = f"gap|{row['signature_id']}|{','.join(row['hosts'] or [])}"
        ids = tuple((row["event_ids"] or [])[:1])
        claims.append(Claim(text=text, kind="proposed", event_ids=ids, confidence=0.5, key=key))
    return claims


def _telemetry(draft: Draft) -> list[Claim]:
    """Name what the logs themselves lacked: a zone, request times, heap figures."""
    unzoned = [
        str(s["paths"][0]) for s in draft.sources if "assumed" in str(s.get("zone_basis") or "") and s.get("paths")
    ]
    claims = []
    if unzoned:
        text = f"no zone in the times of {', '.join(md(path) for path in unzoned[:5])}: write an offset"
        claims.append(Claim(text=text, kind="proposed", confidence=0.8, key="gap|zone"))
    for defect in (draft.facts.get("quality") or [])[:5]:
        title = md(str(defect.get("title") or defect.get("kind")))
        ids = tuple((defect.get("event_ids") or [])[:2])
        claims.append(
            Claim(
                text=f"quality of the logs: {title}",
                kind="proposed",
                event_ids=ids,
                confidence=0.5,
                key=f"gap|{defect.get('kind')}|{defect.get('host_name')}",
            )
        )
    return claims

"""The whole way at once: evidence to case, case to findings and timeline, and both to the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from pirtimeline import evidence, report
from pirtimeline.case import Case
from pirtimeline.errors import PirTimelineError
from pirtimeline.ingest import Outcome, ingest
from pirtimeline.ingest.telling import Progress
from pirtimeline.investigation import decisions, investigate, load_rules
from pirtimeline.objects import Location, located
from pirtimeline.settings import Settings, read_settings

REPORTS = {"report": "report.md", "page": "timeline.html"}


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` did: how the ingest went, what was found, which edits clash."""

    case: Location
    outcome: Outcome
    facts: Mapping[str, Any] = field(repr=False)
    findings: int
    entries: int
    conflicts: tuple[str, ...] = ()

    def headlines(self) -> list[str]:
        """Say in a few lines what happened."""
        return headlines(self.facts, self.findings, self.entries)

    def files(self) -> dict[str, Location]:
        """Say where the results lie."""
        return {name: self.case / file for name, file in REPORTS.items()}

    def summary(self) -> dict[str, Any]:
        """Give it all as JSON."""
        found = {key: self.facts.get(key) for key in ("incident", "window", "moments", "impact")}
        files = dict(REPORTS)
        return {
            **self.outcome.summary(),
            **found,
            "findings": self.findings,
            "entries": self.entries,
            "conflicts": list(self.conflicts),
            "files": files,
        }


@dataclass(frozen=True, slots=True)
class Drafted:
    """Where a report was written, and which edits clash with what is new."""

    path: Location
    conflicts: tuple[str, ...] = ()


def build(
    case: str | Location,
    settings: Settings,
    *,
    workers: int | None = None,
    limits: evidence.Limits | None = None,
    progress: Progress | None = None,
    only_near: timedelta | None = None,
    scheduler: str | None = None,
) -> Built:
    """Bring a case up to its evidence, analyse it, and draft its report; see `ingest` for the arguments and errors.

    Raises:
        SignatureError: a rule or a field map cannot be read or compiled; no evidence has been read then.
    """
    rules = load_rules(read_settings(located(case)).merged(settings))
    outcome = ingest(
        case, settings, workers=workers, limits=limits, progress=progress, only_near=only_near, scheduler=scheduler
    )
    opened = Case(case)
    found = investigate(opened, rules)
    drafted = draft(opened)
    return Built(
        opened.path, outcome, found.facts.to_json(), found.findings.height, found.timeline.height, drafted.conflicts
    )


def draft(case: Case, output: Location | None = None) -> Drafted:
    """Draft the report of a case, after the analysis where that has not been made.

    Args:
        case: the case.
        output: a file whose suffix says what is written (.md, .html, .docx, .pdf, .json); without it the case's own
            `report.md`, `timeline.html` and figures.
    """
    inputs = report_inputs(case)
    done = report.write(inputs, case.path) if output is None else report.write_file(inputs, case.path, output)
    return Drafted(output or case.path / REPORTS["report"], tuple(done.conflicts))


def exported(case: Case, form: str) -> str:
    """Give the curated timeline as `table`, `md`, `csv`, `jsonl`, `timesketch` or `html`."""
    return report.export(report_inputs(case), form)


def report_inputs(case: Case) -> report.ReportInputs:
    """Gather what the report is made from; analyse first where that has not been done."""
    if not case.report:
        investigate(case)
    return report.ReportInputs(
        facts=case.report,
        timeline=case.timeline().collect(),
        findings=case.findings().collect(),
        events=case.events(),
        sources=case.sources,
        plan=case.plan,
        custody=case.custody,
        raw=lambda ids: _bytes(case, ids),
        decisions=decisions(case.path),
        versions={"pirtimeline": version("pirtimeline")},
    )


def headlines(facts: Mapping[str, Any], findings: int, entries: int) -> list[str]:
    """Say in a few lines what the analysis found."""
    moments = facts.get("moments") or {}
    lines = [f"{findings} findings, {entries} timeline entries"]
    lines += [f"{name.replace('_', ' ')}: {one['timestamp']}" for name, one in moments.items()]
    hypotheses: Sequence[Mapping[str, Any]] = facts.get("hypotheses") or ()
    said = (
        f"{hypotheses[0]['title']} (score {hypotheses[0]['score']:g})"
        if hypotheses
        else "not determined from the supplied logs"
    )
    return [*lines, f"first hypothesis: {said}"]


def _bytes(case: Case, event_ids: Sequence[str]) -> dict[str, bytes]:
    """Read events' bytes; none where the evidence is no longer there, which the report says."""
    try:
        return case.raw(event_ids)
    except (PirTimelineError, OSError):
        return {}

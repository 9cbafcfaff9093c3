"""The inputs of a report made ready once: masked, in order, with the cited events at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from pirtimeline import masking
from pirtimeline.report import citations, series, words
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import Cited
from pirtimeline.report.claims import Claim, bullets, claim_id
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.tables import row_id
from pirtimeline.schema import FINDING_COLUMNS, TIMELINE_COLUMNS

IN_BODY = 40
"""The report's timeline has at most so many rows; the case's has all."""


@dataclass(frozen=True, slots=True)
class Section:
    """One of the report's ten sections: its title, and its parts in order, plain Markdown or marked blocks."""

    title: str
    parts: tuple[str | Block, ...]

    @property
    def evidence(self) -> list[str]:
        """List the events that the section cites."""
        return citations.found_in("\n".join(part.body for part in self.parts if isinstance(part, Block)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What sections are functions of. Every text in it is masked; none is escaped yet.

    `requests` are those of the tier that users meet (`timestamp`, `failed`); `look_up` finds further events by id.
    """

    facts: Mapping[str, Any]
    timeline: pl.DataFrame
    findings: pl.DataFrame
    events: pl.LazyFrame
    sources: Sequence[Mapping[str, Any]]
    plan: Mapping[str, Any]
    custody: Mapping[str, Any]
    decisions: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    cited: Mapping[str, Cited]
    context: Mapping[str, tuple[list[str], list[str]]]
    requests: pl.LazyFrame
    look_up: Callable[[Iterable[str]], dict[str, Cited]]

    def moment(self, name: str) -> Mapping[str, Any]:
        """Give a moment of the facts; empty where it was not found."""
        return (self.facts.get("moments") or {}).get(name) or {}

    def at(self, name: str) -> datetime | None:
        """Give the time of a moment."""
        return words.instant(self.moment(name).get("timestamp"))

    def figure(self, name: str) -> Mapping[str, Any]:
        """Give a figure of the impact; empty where it was not measured."""
        return (self.facts.get("impact") or {}).get(name) or {}

    @property
    def best(self) -> Mapping[str, Any]:
        """Give the first hypothesis; empty where nothing reached the threshold."""
        return next(iter(self.facts.get("hypotheses") or []), {})

    @property
    def strength(self) -> str:
        """Say in a word how strong the first hypothesis is."""
        return str(self.best.get("strength") or words.confidence(self.best.get("score")))

    @property
    def root(self) -> Mapping[str, Any]:
        """Give the root of the first hypothesis; empty without one."""
        return self.best.get("root") or {}

    def bullets(self, claims: Iterable[Claim]) -> str:
        """Write claims as a list, leaving out what people rejected or hid."""
        shown = [c for c in claims if self.decisions.get(claim_id(c), {}).get("decision") not in ("reject", "hide")]
        return bullets(shown, decisions=self.decisions)


def draft(inputs: ReportInputs) -> Draft:
    """Mask the inputs, put them in order, and look up every event that may be quoted.

    Example:
        >>> empty = ReportInputs(facts={}, timeline=pl.DataFrame(), findings=pl.DataFrame(), events=pl.LazyFrame())
        >>> draft(empty).timeline.height
        0
    """
    facts: Any = masking.mask_json(dict(inputs.facts))
    quoted = sorted(_quoted(facts))
    context = citations.around(inputs.events, quoted) if quoted else {}
    neighbours = {name for before, after in context.values() for name in (*before, *after)}
    timeline = _table(inputs.timeline, TIMELINE_COLUMNS).sort("timestamp", "end_timestamp", "title", nulls_last=True)
    look_up = partial(citations.look_up, events=inputs.events, sources=inputs.sources, raw=inputs.raw)
    return Draft(
        facts=facts,
        timeline=_decided(timeline, inputs.decisions),
        findings=_table(inputs.findings, FINDING_COLUMNS),
        events=inputs.events,
        sources=_masked(sorted(inputs.sources, key=lambda source: str((source.get("paths") or ["?"])[0]))),
        plan=_masked(dict(inputs.plan)),
        custody=_masked(dict(inputs.custody)),
        decisions=_masked(dict(inputs.decisions)),
        versions=_masked(dict(inputs.versions)),
        cited=look_up({*_cited_ids(facts), *timeline["event_ids"].list.head(8).explode().drop_nulls(), *neighbours}),
        context=context,
        requests=series.facing(inputs.events),
        look_up=look_up,
    )


def entry_id(entry: Mapping[str, Any]) -> str:
    """Name an entry of the timeline by its role and first event, so that it keeps its name when its time is corrected.

    Example:
        >>> entry_id({"role": "change", "event_ids": ["0a1b2c3d4e5f:17"], "origin": "signature", "title": "x"})
        '77870fa0'
    """
    ids = entry.get("event_ids") or []
    key = ids[0] if ids else f"{entry.get('timestamp')} {entry.get('title')}"
    return row_id("entry", str(entry.get("role")), str(key))


def _table(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Give a table the columns of its schema, and mask it; an empty one may come without any."""
    if not frame.width:
        return pl.DataFrame(schema=schema)
    return masking.mask_frame(frame.select(list(schema)))


def _decided(timeline: pl.DataFrame, decisions: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Leave out the entries that people hid or rejected, and give those that they renamed their title."""
    if not decisions or timeline.is_empty():
        return timeline
    names = [entry_id(entry) for entry in timeline.iter_rows(named=True)]
    hidden = [decisions.get(name, {}).get("decision") in ("reject", "hide") for name in names]
    titles = [decisions.get(name, {}).get("title") for name in names]
    renamed = pl.Series("title", [str(title) if title else None for title in titles], dtype=pl.String)
    return timeline.with_columns(title=pl.coalesce(renamed, "title")).filter(~pl.Series(hidden))


def _masked(value: Any) -> Any:
    return masking.mask_json(value)


def _quoted(facts: Mapping[str, Any]) -> set[str]:
    return {name for excerpt in facts.get("excerpts") or [] for name in (excerpt.get("event_ids") or [])[:1]}


def _cited_ids(value: Any) -> set[str]:
    """Collect every `event_ids` in the facts, the first few of each: those that a report may print."""
    if isinstance(value, Mapping):
        own = value.get("event_ids")
        ids = set(own[:8]) if isinstance(own, Sequence) and not isinstance(own, str) else set()
        return ids.union(*(_cited_ids(member) for member in value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return set().union(*(_cited_ids(member) for member in value))
    return set()

"""A case's events to its findings, facts and timeline: the signatures, the analysis, and the files they are kept in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from pirtimeline import analysis, signatures, store
from pirtimeline.case import Case
from pirtimeline.ingest import marks
from pirtimeline.ingest.parts import own_columns
from pirtimeline.masking import mask_frame, mask_json
from pirtimeline.objects import Location
from pirtimeline.parsing.registry import installed
from pirtimeline.schema import DUPLICATE_COLUMNS, FINDING_COLUMNS, TIMELINE_COLUMNS
from pirtimeline.settings import Settings
from pirtimeline.timeline import timeline

NOTES = "decisions.yaml"
"""What people decided and noted, beside the case's tables."""


@dataclass(frozen=True, slots=True)
class Investigation:
    """What was found out: the facts, and the tables as they stand in the case."""

    facts: analysis.Facts
    findings: pl.DataFrame
    timeline: pl.DataFrame
    changed: bool


def investigate(case: Case, rules: signatures.Rules | None = None) -> Investigation:
    """Match the signatures, analyse, curate the timeline; write `findings`, `duplicates`, `timeline` and `report.json`.

    Args:
        case: the case.
        rules: what `load_rules` gave for the case's settings, where that has been done.

    Raises:
        SignatureError: a rule of the case's folders cannot be read or compiled.
    """
    rules = rules or load_rules(case.settings)
    copies, found = matched(case, rules)
    inputs = analysis.Inputs(
        events=case.events(),
        findings=found.findings,
        hits=found.hits,
        rules=rule_table(rules),
        sources=[{key: value for key, value in one.items() if key not in marks.KEPT} for one in case.sources],
        notes=notes(case.path),
        duplicates=copies,
    )
    facts = analysis.analyse(inputs, window=window(case.settings), incident=case.settings.incident or None)
    entries = timeline(facts, inputs)
    told = {**facts.to_json(), "tactics": tactics_of(facts.findings, rules)}
    changed = _write(case.path, facts, copies, entries, told)
    return Investigation(facts, facts.findings, entries, changed)


def matched(case: Case, rules: signatures.Rules) -> tuple[pl.DataFrame, signatures.Matches]:
    """Match rules over a case's events, copies counted once; give which events are copies, and what was matched."""
    events = case.events()
    copies = analysis.duplicates(events, case.sources)
    own = own_events(case)
    return copies, signatures.match(events, rules, copies=copies.lazy(), own=own)


def load_rules(settings: Settings) -> signatures.Rules:
    """Load our own catalogue and the rules of the case's folders."""
    folders = [Path(one) for one in settings.signature_folders]
    return signatures.load(folders, fields=[Path(one) for one in settings.field_folders])


def window(settings: Settings) -> tuple[datetime, datetime] | None:
    """Give the incident's window where the analyst named it; an end that was not named is a day after the start."""
    if settings.start is None:
        return None
    start = settings.start.astimezone(UTC)
    return start, (settings.end or start + timedelta(days=1)).astimezone(UTC)


def rule_table(rules: signatures.Rules) -> pl.DataFrame:
    """Lay the signatures out as the analysis reads them: `signature_id`, `title`, `severity`, `role`, `asks`."""
    rows = [(key, one.title, one.level, one.role, one.asks) for key, one in rules.headers().items()]
    names = ("signature_id", "title", "severity", "role", "asks")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def decisions(case: Location) -> dict[str, Any]:
    """Read what people decided and noted; nothing where they did not."""
    path = case / NOTES
    told = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return dict(told) if isinstance(told, Mapping) else {}


def notes(case: Location) -> pl.DataFrame:
    """Give the notes that people added to a case: `timestamp` (UTC), `text`."""
    rows = [(one["timestamp"], one["text"]) for one in decisions(case).get("notes", ())]
    table = pl.DataFrame(rows, schema={"timestamp": pl.String, "text": pl.String}, orient="row")
    return table.with_columns(pl.col("timestamp").str.to_datetime(time_unit="us", time_zone="UTC")).sort(
        "timestamp", "text"
    )


def add_note(case: Location, at: datetime, text: str) -> None:
    """Add a note to a case: an entry of the timeline that only a person knows."""
    told = decisions(case)
    known = [*told.get("notes", ()), {"timestamp": at.astimezone(UTC).isoformat(timespec="microseconds"), "text": text}]
    told["notes"] = sorted(known, key=lambda one: (one["timestamp"], one["text"]))
    store.write_bytes(case / NOTES, yaml.safe_dump(told, allow_unicode=True, sort_keys=True).encode())


def own_events(case: Case) -> dict[str, pl.LazyFrame]:
    """Scan the events of each parser of a case that has further columns of its own, with those."""
    columns = parser_columns(case.settings.parser_folders)
    there = {name for one in case.sources for name in one["parsers"]}
    return {name: case.events(name) for name in sorted(there) if columns.get(name)}


def parser_columns(folders: Iterable[str] = ()) -> dict[str, list[str]]:
    """Name the further columns of every installed parser."""
    known = installed([Path(folder) for folder in folders])
    return {name: list(own_columns(one)) for name, one in known.items()}


def tactics_of(findings: pl.DataFrame, rules: signatures.Rules) -> dict[str, list[str]]:
    """Name for each signature of a security kind that found something the tactics that it tells of."""
    headers = rules.headers()
    found = sorted(set(findings.filter(pl.col("role") == "security")["signature_id"]) & headers.keys())
    return {name: signatures.tactics(headers[name]) for name in found}


def _write(
    case: Location, facts: analysis.Facts, copies: pl.DataFrame, entries: pl.DataFrame, told: Mapping[str, Any]
) -> bool:
    tables = (
        ("duplicates.parquet", copies, DUPLICATE_COLUMNS),
        ("findings.parquet", facts.findings, FINDING_COLUMNS),
        ("timeline.parquet", entries, TIMELINE_COLUMNS),
    )
    before = [(case / name).read_bytes() if (case / name).is_file() else None for name, _, _ in tables]
    for name, table, columns in tables:
        store.write_table(
            case / name, mask_frame(table.select(pl.col(key).cast(dtype) for key, dtype in columns.items()))
        )
    after = [(case / name).read_bytes() for name, _, _ in tables]
    return store.write_json(case / "report.json", mask_json(told)) or before != after

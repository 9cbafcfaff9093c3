"""What every case must keep, whatever was ingested: the laws of the event table and of the files around it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline import Case
from pirtimeline.schema import (
    DUPLICATE_COLUMNS,
    EVENT_COLUMNS,
    FINDING_COLUMNS,
    ROLES,
    STRUCTURE,
    TIMELINE_COLUMNS,
    UNRECOGNISED,
)

SOURCE_KEYS = {
    *("source_id", "identity", "sha256", "paths", "size_bytes", "mtime", "encoding", "host_name", "host_basis"),
    *("service_name", "zone", "zone_basis", "parsers", "events", "rejects", "first_timestamp", "last_timestamp"),
    *("lines", "parts"),
}
REPORT_KEYS = {
    *("incident", "window", "moments", "durations", "impact", "environment", "hypotheses", "not_in_evidence"),
    "sources",
}
TABLES = {
    "findings.parquet": FINDING_COLUMNS,
    "timeline.parquet": TIMELINE_COLUMNS,
    "duplicates.parquet": DUPLICATE_COLUMNS,
}


def breaches(path: Path) -> list[str]:
    """Name every law that a case breaks; none where all is well."""
    case = Case(path)
    return [*_files(case), *_parts(case), *_sources(case), *_rows(case), *_results(case)]


def _files(case: Case) -> Iterator[str]:
    for name in ("case.toml", "evidence.json", "plan.json"):
        if not (case.path / name).is_file():
            yield f"{name} is missing"
    if strays := list(case.path.rglob("*.tmp")):
        yield f"half-written files: {strays}"
    if set(case.custody) < {"arguments", "archives", "skipped"}:
        yield f"evidence.json has only {set(case.custody)}"
    if set(case.plan) != {one["source_id"] for one in case.sources}:
        yield "the plan speaks of other sources than the commit marks"


def _parts(case: Case) -> Iterator[str]:
    listed = {part for one in case.sources for part in one["parts"]}
    there = {one.relative_to(case.path).as_posix() for one in (case.path / "events").rglob("*") if one.is_file()}
    if listed != there:
        yield f"parts listed and absent {listed - there}, there and not listed {there - listed}"
    schemas: dict[str, Mapping[str, Any]] = {}
    for part in sorted(listed & there):
        schema = pl.read_parquet_schema(case.path / part)
        told = {name: dtype for name, dtype in schema.items() if name in EVENT_COLUMNS}
        if list(told.items()) != list(EVENT_COLUMNS.items()):
            yield f"{part}: not the columns of the event table in their order"
        if schemas.setdefault(part.split("/")[1], schema) != schema:
            yield f"{part}: another schema than the parser's other parts"


def _sources(case: Case) -> Iterator[str]:
    ids = [one["source_id"] for one in case.sources]
    if len(set(ids)) != len(ids):
        yield "a source stands in two commit marks"
    for one in case.sources:
        name = one["paths"][0]
        if missing := SOURCE_KEYS - set(one):
            yield f"{name}: its commit mark lacks {missing}"
        if len(one["source_id"]) != 12 or one["identity"] not in ("content", "ends"):
            yield f"{name}: {one['source_id']} ({one['identity']}) is no identity"
        if one["identity"] == "content" and not one["sha256"].startswith(one["source_id"]):
            yield f"{name}: its identity is not the beginning of its hash"
        if any(path.startswith("/") for path in one["paths"]):
            yield f"{name}: a path is not relative"


def _rows(case: Case) -> Iterator[str]:
    rows = case.rows().collect().sort("source_id", "byte_offset")
    said = pl.col("continues").is_null() & (pl.col("parser") != STRUCTURE)
    if (dated := rows.filter((pl.col("time_basis") == "undated") != pl.col("timestamp").is_null())).height:
        yield f"{dated.height} rows are undated with a time, or dated without one"
    if rows.filter((pl.col("parser") == UNRECOGNISED) & said & pl.col("reject_reason").is_null()).height:
        yield "a reject gives no reason"
    if rows.filter((pl.col("parser") != UNRECOGNISED) & pl.col("reject_reason").is_not_null()).height:
        yield "an event that is no reject gives a reason"
    if rows.filter((pl.col("parser") == STRUCTURE) & pl.col("timestamp").is_not_null()).height:
        yield "structure is dated"
    if set(rows["continues"].drop_nulls()) - set(rows["event_id"]):
        yield "a piece continues what is not there"
    if set(rows["source_id"]) - {one["source_id"] for one in case.sources}:
        yield "rows of a source without a commit mark"
    tables = {key[0]: table for key, table in rows.partition_by("source_id", as_dict=True).items()}
    for one in case.sources:
        mine = tables.get(one["source_id"], rows.clear())
        yield from (f"{one['paths'][0]}: {what}" for what in _partition(one, mine, said))


def _partition(one: Mapping[str, Any], mine: pl.DataFrame, said: pl.Expr) -> Iterator[str]:
    """Hold one source's rows against its bytes, its lines and its counts."""
    rows = mine.select(pl.col("byte_offset", "byte_length").cast(pl.Int64)).rows()
    runs = sorted([*rows, *map(tuple, one.get("skipped") or ())])
    ends = [0, *(offset + length for offset, length in runs)]
    if [offset for offset, _ in runs] != ends[:-1]:
        yield "its rows and what was skipped leave bytes out, or hold them twice"
    if ends[-1] != one["size_bytes"]:
        yield f"its rows end at byte {ends[-1]} of {one['size_bytes']}"
    if one["lines"] is not None and "skipped" in one:
        yield "it counts lines, and was entered in the middle"
    if one["lines"] is not None:
        counted = [1, *(mine["line_count"].cast(pl.Int64).cum_sum() + 1).to_list()]
        if mine["line"].cast(pl.Int64).to_list() != counted[: mine.height]:
            yield "its rows count lines wrong"
        if counted[-1] - 1 != one["lines"]:
            yield f"it says {one['lines']} lines and has {counted[-1] - 1}"
    events = mine.filter(said)
    parsers = dict(events.group_by("parser").len().iter_rows())
    if parsers != {name: count for name, count in one["parsers"].items() if count}:
        yield f"it says {one['parsers']} and has {parsers}"
    if (events.height, parsers.get(UNRECOGNISED, 0)) != (one["events"], one["rejects"]):
        yield f"it says {one['events']} events and {one['rejects']} rejects"


def _results(case: Case) -> Iterator[str]:
    known = set(case.rows().select("event_id").collect().to_series())
    for name, columns in TABLES.items():
        if not (case.path / name).is_file():
            continue
        table = pl.read_parquet(case.path / name)
        if dict(table.schema) != columns:
            yield f"{name}: its schema is {table.schema}"
        cited = table["event_ids"].explode() if "event_ids" in table.columns else pl.concat([*table.iter_columns()])
        if dead := set(cited.drop_nulls()) - known:
            yield f"{name}: {len(dead)} events are not in the table"
        if "role" in table.columns and (strange := set(table["role"]) - set(ROLES)):
            yield f"{name}: roles {strange}"
    if set(case.duplicates().collect()["event_id"]) & set(case.duplicates().collect()["copy_of"]):
        yield "duplicates.parquet: a copy has a copy"
    if case.timeline().collect().height > 60:
        yield "timeline.parquet: more than 60 entries"
    if case.report and (missing := REPORT_KEYS - set(json.loads((case.path / "report.json").read_text()))):
        yield f"report.json lacks {missing}"

"""What is in evidence, told from samples: nothing is written, nothing is read twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline import evidence
from pirtimeline.ingest import marks
from pirtimeline.ingest.advice import advice
from pirtimeline.ingest.declare import check, declare
from pirtimeline.ingest.recover import Read, recovered
from pirtimeline.ingest.sighting import dated, kept
from pirtimeline.parsing.blocks import parse
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.splitting import Block
from pirtimeline.parsing.survey import Looked, survey
from pirtimeline.schema import STRUCTURE, UNRECOGNISED
from pirtimeline.settings import Settings

EXAMPLES = 3
"""Rejects, and gaps, that are shown of a source."""

_QUIET = timedelta(minutes=1)
_STEPS, _SHARE = 20, 0.1


def inspect(settings: Settings) -> tuple[list[dict[str, Any]], list[str]]:
    """Look at evidence without building anything.

    Returns:
        A row a source, from its sampled beginning and end: `path`, `size_bytes`, `formats` (name -> share of the
        events), `encoding`, `host`, `zone`, `zone_basis`, `first`, `last` (UTC), `gaps` (the longest quiet stretches),
        `rejects`, `examples`, `because`, `advice`; and all advice: what to declare to make it better.

    Raises:
        SourceError: the evidence cannot be read, or holds nothing.
    """
    check(settings)
    known = installed([Path(folder) for folder in settings.parser_folders])
    walk = evidence.walk(evidence.ordered(settings.evidence))
    held: list[pl.DataFrame] = []
    found = survey(walk, known, forced=settings.parsers, seen=_holding(held))
    walk.require()
    paths = {one.source.source_id: one.paths for one in found.looked}
    plans = {key: declare(plan, settings, paths[key]) for key, plan in found.plans.items()}
    events = dated(_recovered(held, found.looked, plans, known), plans)
    rows = _rows(found.looked, plans, events)
    rows.sort(key=lambda row: str(row["path"]))
    skipped = [f"skipped {one['path']}: {one['reason']}" for one in walk.custody["skipped"]]
    return rows, [*advice(rows), *skipped]


def _holding(held: list[pl.DataFrame]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Keep what the survey reads on its way."""

    def seen(table: pl.DataFrame) -> pl.DataFrame:
        held.append(kept(table))
        return table

    return seen


def _recovered(
    tables: Sequence[pl.DataFrame],
    looked: Sequence[Looked],
    plans: Mapping[str, SourcePlan],
    known: Mapping[str, Format | Parser],
) -> pl.DataFrame:
    """Put the rows of all sources together; where formats do not read all of a beginning, it is read as by ingest."""
    rows = pl.concat(tables, how="diagonal_relaxed") if tables else kept(pl.DataFrame())
    beginnings = {one.source.source_id: one.pieces[0][1] for one in looked if one.pieces and not one.pieces[0][0]}
    read = [*_refused(rows, beginnings, plans)]
    read += [
        Read(Block(0, data), plans[key], kept(parse(Block(0, data), plans[key]), key))
        for key, data in beginnings.items()
        if not plans[key].formats and not plans[key].parser
    ]
    better = recovered(read, known)
    anew = {one.plan.source_id: one for place, one in enumerate(read) if place in better or not one.plan.formats}
    tables = [
        kept(better.get(place, one.table), one.plan.source_id)
        for place, one in enumerate(read)
        if one.plan.source_id in anew
    ]
    if not tables:
        return rows
    sizes = {key: len(one.block.data) for key, one in anew.items()}
    begun = pl.col("source_id").replace_strict(sizes, default=0, return_dtype=pl.UInt64) > pl.col("byte_offset")
    return pl.concat([rows.filter(~begun), *tables], how="diagonal_relaxed")


def _refused(rows: pl.DataFrame, beginnings: Mapping[str, bytes], plans: Mapping[str, SourcePlan]) -> Iterator[Read]:
    """Give the beginnings of sources some of whose rows are rejects, with their rows."""
    bad = rows.filter((pl.col("parser") == UNRECOGNISED).any().over("source_id"))
    for (key,), mine in bad.partition_by("source_id", as_dict=True, maintain_order=True).items():
        if data := beginnings.get(str(key)):
            yield Read(Block(0, data), plans[str(key)], mine.filter(pl.col("byte_offset") < len(data)))


@dataclass(frozen=True, slots=True)
class _Told:
    """What events of samples tell of each source."""

    tallies: Mapping[str, Mapping[str, Any]]
    gaps: Mapping[str, list[dict[str, Any]]]
    examples: Mapping[str, list[str]]
    undated: Mapping[str, int]


def _rows(looked: Sequence[Looked], plans: Mapping[str, SourcePlan], events: pl.DataFrame) -> list[dict[str, Any]]:
    """Tell what each source holds from the events of its samples."""
    whole = [one.source.source_id for one in looked if len(one.pieces) < 2]
    events = _from_events(events, {one.source.source_id: one.pieces[-1][0] for one in looked if len(one.pieces) > 1})
    said = _Told(marks.tallies(events), _gaps(events, whole), _examples(events), _undated(events))
    return [_row(one, plans[one.source.source_id], said) for one in looked]


def _from_events(events: pl.DataFrame, ends: Mapping[str, int]) -> pl.DataFrame:
    """Leave out the lines with which the ends of sources begin in the middle of an event: nobody refused them."""
    end = pl.col("source_id").replace_strict(ends, default=None, return_dtype=pl.UInt64)
    within, refused = pl.col("byte_offset") >= end, pl.col("parser") == UNRECOGNISED
    first = pl.when(within & ~refused).then("byte_offset").min().over("source_id")
    return events.filter((within & refused & (pl.col("byte_offset") < first)).not_().fill_null(True))


def _row(one: Looked, plan: SourcePlan, said: _Told) -> dict[str, Any]:
    counted = said.tallies.get(plan.source_id, marks.NOTHING)
    zone, basis = marks.zone_of(plan, counted["time_bases"])
    total = max(counted["events"], 1)
    shares = {name: count / total for name, count in counted["parsers"].items()}
    return {
        "path": one.paths[0],
        "size_bytes": one.source.size_bytes,
        "formats": {plan.parser: 1.0} if plan.parser else shares,
        "encoding": plan.encoding,
        "host": plan.host_name,
        "zone": zone,
        "zone_basis": basis,
        "first": counted["first_timestamp"],
        "last": counted["last_timestamp"],
        "gaps": said.gaps.get(plan.source_id, []),
        "rejects": counted["rejects"],
        "examples": said.examples.get(plan.source_id, []),
        "undated": said.undated.get(plan.source_id, 0),
        "because": [reason["text"] for reason in plan.because],
        "advice": [],
    }


def _examples(events: pl.DataFrame) -> dict[str, list[str]]:
    """Show the first few rejects of each source."""
    refused = events.filter((pl.col("parser") == UNRECOGNISED) & pl.col("message").is_not_null())
    shown = refused.group_by("source_id", maintain_order=True).agg(pl.col("message").head(EXAMPLES))
    return {source_id: list(texts) for source_id, texts in shown.iter_rows()}


def _undated(events: pl.DataFrame) -> dict[str, int]:
    """Count the events of each source whose text tells a time of which no year, date or start is known."""
    told = pl.col("timestamp_text").is_not_null() & pl.col("timestamp").is_null() & (pl.col("parser") != STRUCTURE)
    return dict(events.filter(told).group_by("source_id").len().iter_rows())


def _gaps(events: pl.DataFrame, whole: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """List the longest quiet stretches of sources: over a tenth of their span, and twenty times their usual step.

    Args:
        events: dated rows of all sources.
        whole: the sources that were seen whole: of others the bytes between beginning and end are no gap.
    """
    times = events.filter(pl.col("timestamp").is_not_null() & pl.col("source_id").is_in(whole))
    times = times.select("source_id", "timestamp").sort("source_id", "timestamp")
    steps = times.with_columns(until=pl.col("timestamp").shift(-1).over("source_id")).drop_nulls()
    steps = steps.with_columns(quiet=pl.col("until") - pl.col("timestamp"))
    usual = steps.group_by("source_id").agg(
        steps=pl.len(), span=pl.col("quiet").sum() * _SHARE, step=pl.col("quiet").median() * _STEPS
    )
    long = (
        steps.join(usual.filter(pl.col("steps") >= _STEPS), on="source_id")
        .filter(pl.col("quiet") > pl.max_horizontal(pl.lit(_QUIET), "span", "step"))
        .sort(["source_id", "quiet", "timestamp"], descending=[False, True, False])
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for source_id, begin, end, quiet in long.select("source_id", "timestamp", "until", "quiet").iter_rows():
        told = {"from": marks.stamp(begin), "to": marks.stamp(end), "seconds": quiet.total_seconds()}
        found.setdefault(source_id, []).append(told)
    return {source_id: gaps[:EXAMPLES] for source_id, gaps in found.items()}

"""What is in evidence, told from samples: nothing is written, nothing is read twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline import evidence
from pirtimeline.ingest import marks
from pirtimeline.ingest.advice import advice
from pirtimeline.ingest.declare import check, declare
from pirtimeline.ingest.recover import parse_or_recover
from pirtimeline.ingest.sighting import dated, kept
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.splitting import Block
from pirtimeline.parsing.survey import Looked, survey
from pirtimeline.schema import STRUCTURE, UNRECOGNISED
from pirtimeline.settings import Settings

EXAMPLES = 3
"""Rejects, and gaps, that are shown of a source."""

_WORTH_A_LOOK = 0.05
"""Share of a source's bytes as rejects from which it is read again, with formats looked for in these."""

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
    plans = {key: declare(plan, settings, _paths(found.looked)[key]) for key, plan in found.plans.items()}
    events = dated(_recovered(held, found.looked, plans, known), plans)
    rows = [_row(one, plans[one.source.source_id], events.get(one.source.source_id)) for one in found.looked]
    rows.sort(key=lambda row: str(row["path"]))
    skipped = [f"skipped {one['path']}: {one['reason']}" for one in walk.custody["skipped"]]
    return rows, [*advice(rows), *skipped]


def _holding(held: list[pl.DataFrame]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Keep what the survey reads on its way."""

    def seen(table: pl.DataFrame) -> pl.DataFrame:
        held.append(kept(table))
        return table

    return seen


def _paths(looked: Sequence[Looked]) -> dict[str, tuple[str, ...]]:
    return {one.source.source_id: one.paths for one in looked}


def _recovered(
    tables: Sequence[pl.DataFrame],
    looked: Sequence[Looked],
    plans: Mapping[str, SourcePlan],
    known: Mapping[str, Format | Parser],
) -> pl.DataFrame:
    """Put the rows of all sources together; where no format reads most of one, it is read again as ingest would."""
    rows = pl.concat(tables, how="diagonal_relaxed") if tables else kept(pl.DataFrame())
    size = pl.col("byte_length").cast(pl.Int64)
    refused = size.filter(pl.col("parser") == UNRECOGNISED).sum() > _WORTH_A_LOOK * size.sum()
    worse = set(rows.group_by("source_id").agg(refused.alias("worse")).filter("worse")["source_id"])
    worse |= {key for key, plan in plans.items() if not plan.formats and not plan.parser}
    again = [
        kept(parse_or_recover(Block(0, data), plans[key], known), key, offset)
        for one in looked
        if (key := one.source.source_id) in worse
        for offset, data in one.pieces
        if not offset
    ]
    if not again:
        return rows
    beginnings = {one.source.source_id: len(one.pieces[0][1]) for one in looked if one.pieces}
    beginnings = {key: size for key, size in beginnings.items() if key in worse}
    begun = pl.col("source_id").replace_strict(beginnings, default=0, return_dtype=pl.UInt64) > pl.col("byte_offset")
    return pl.concat([rows.filter(~begun), *again], how="diagonal_relaxed")


def _row(one: Looked, plan: SourcePlan, events: pl.DataFrame | None) -> dict[str, Any]:
    """Tell what a source holds from the events of its samples."""
    counted = marks.tallies(events).get(plan.source_id, marks.NOTHING) if events is not None else marks.NOTHING
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
        "gaps": [] if events is None else _gaps(events, whole=len(one.pieces) < 2),
        "rejects": counted["rejects"],
        "examples": [] if events is None else _examples(events),
        "undated": 0 if events is None else _undated(events),
        "because": [reason["text"] for reason in plan.because],
        "advice": [],
    }


def _examples(events: pl.DataFrame) -> list[str]:
    return events.filter(pl.col("parser") == UNRECOGNISED)["message"].drop_nulls().head(EXAMPLES).to_list()


def _undated(events: pl.DataFrame) -> int:
    """Count events whose text tells a time of which no year, date or start is known."""
    told = pl.col("timestamp_text").is_not_null() & pl.col("timestamp").is_null() & (pl.col("parser") != STRUCTURE)
    return int(events.select(told.sum()).item())


def _gaps(events: pl.DataFrame, *, whole: bool) -> list[dict[str, Any]]:
    """List the longest quiet stretches of a source: over a tenth of its span, and twenty times its usual step.

    Where only beginning and end were looked at, the bytes between them are none.
    """
    times = events.filter(pl.col("timestamp").is_not_null()).select("timestamp").sort("timestamp")
    steps = times.with_columns(until=pl.col("timestamp").shift(-1)).drop_nulls()
    if steps.height < _STEPS or not whole:
        return []
    quiet = pl.col("until") - pl.col("timestamp")
    least = pl.max_horizontal(pl.lit(_QUIET), quiet.sum() * _SHARE, quiet.median() * _STEPS)
    long = steps.with_columns(quiet=quiet).filter(quiet > least)
    longest = long.sort("quiet", descending=True, maintain_order=True).head(EXAMPLES)
    return [
        {"from": marks.stamp(begin), "to": marks.stamp(end), "seconds": quiet.total_seconds()}
        for begin, end, quiet in longest.iter_rows()
    ]

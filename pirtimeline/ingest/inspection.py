"""What is in evidence, told from samples: nothing is written, nothing is read twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline import evidence
from pirtimeline.ingest import marks
from pirtimeline.ingest.declare import check, declare
from pirtimeline.ingest.finish import Ongoing, finish
from pirtimeline.parsing.blocks import parse
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.splitting import Block
from pirtimeline.parsing.survey import Looked, survey
from pirtimeline.schema import UNRECOGNISED
from pirtimeline.settings import Settings

EXAMPLES = 3
"""Rejects that are shown of a source."""


def inspect(settings: Settings) -> tuple[list[dict[str, Any]], list[str]]:
    """Look at evidence without building anything.

    Returns:
        A row a source, from its sampled beginning and end: `path`, `formats` (name -> share of the events), `host`,
        `zone`, `zone_basis`, `first`, `last` (UTC), `rejects`, `examples`, `because`; and what to declare to make it
        better.

    Raises:
        SourceError: the evidence cannot be read, or holds nothing.
    """
    check(settings)
    known = installed([Path(folder) for folder in settings.parser_folders])
    walk = evidence.walk(evidence.ordered(settings.evidence))
    found = survey(walk, known, forced=settings.parsers)
    walk.require()
    rows = [_row(one, declare(found.plans[one.source.source_id], settings, one.paths)) for one in found.looked]
    rows.sort(key=lambda row: str(row["path"]))
    return rows, [*_advice(rows), *(f"skipped {one['path']}: {one['reason']}" for one in walk.custody["skipped"])]


def _row(one: Looked, plan: SourcePlan) -> dict[str, Any]:
    """Read what was kept of a source's samples, and tell what it holds."""
    tables = [*_tables(one, plan)]
    rows = pl.concat(tables, how="diagonal_relaxed") if tables else pl.DataFrame()
    counted = marks.tallies(rows).get(plan.source_id, marks.NOTHING) if rows.height else marks.NOTHING
    zone, basis = marks.zone_of(plan, counted["time_bases"])
    total = max(counted["events"], 1)
    rejects = (
        rows.filter(pl.col("parser") == UNRECOGNISED)["message"].head(EXAMPLES).to_list()
        if "message" in rows.columns
        else []
    )
    return {
        "path": one.paths[0],
        "size_bytes": one.source.size_bytes,
        "formats": {plan.parser: 1.0}
        if plan.parser
        else {name: count / total for name, count in counted["parsers"].items()},
        "encoding": plan.encoding,
        "host": plan.host_name,
        "zone": zone,
        "zone_basis": basis,
        "first": counted["first_timestamp"],
        "last": counted["last_timestamp"],
        "rejects": counted["rejects"],
        "examples": rejects,
        "because": [reason["text"] for reason in plan.because],
    }


def _tables(one: Looked, plan: SourcePlan) -> Iterator[pl.DataFrame]:
    ongoing = Ongoing()
    for offset, data in one.pieces if plan.formats else ():
        begin = data.find(b"\n") + 1 if offset else 0
        if data[begin:]:
            table, ongoing = finish(parse(Block(0, data[begin:]), plan), plan, ongoing, offset=offset + begin)
            yield table


def _advice(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what to declare: zones that are assumed, a folder's together."""
    assumed = [str(row["path"]) for row in rows if row["zone_basis"] == "zone_assumed"]
    folders = sorted({path.rpartition("/")[0] or path for path in assumed})
    counts = {folder: sum(folder in path for path in assumed) for folder in folders}
    advice = [
        f"add --zone '*{folder}*=ZONE': {count} of its sources have no zone and are read as UTC"
        for folder, count in counts.items()
    ]
    unread = [row for row in rows if row["rejects"]]
    return advice + [
        f"{row['path']}: {row['rejects']} rejects, such as {row['examples'][0]!r}" for row in unread if row["examples"]
    ]

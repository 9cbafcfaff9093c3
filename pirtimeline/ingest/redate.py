"""Parts written anew from the old ones beside them, by the same clock, where a source is dated otherwise now.

The evidence is not read: `timestamp_text` holds all that a text says of its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline.ingest import marks
from pirtimeline.ingest.batches import Task
from pirtimeline.parsing import clock, times
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.schema import STRUCTURE, event_id
from pirtimeline.store import listed_parts, write_part

Installed = Mapping[str, Format | Parser]

_TOLD = ("timestamp", "local_timestamp", "resolution_us", "time_basis", "not_before", "not_after", "observed_timestamp")


def redate(case: Path, batch: Sequence[Mapping[str, Any]], late: Mapping[str, Task], installed: Installed) -> list[dict[str, Any]]:
    """Date sources of a committed batch anew.

    Args:
        case: the case's folder.
        batch: the sources of one commit mark.
        late: source id -> task, for those whose plan dates them otherwise now.
        installed: formats and parsers by name.

    Returns:
        What the commit mark says then. Parts in which nothing changed stay; new ones lie beside the old.
    """
    carries: dict[str, clock.Carry | None] = {}
    renamed: dict[str, tuple[str, str]] = {}
    stamp = marks.digest([[key, marks.timed_as(task.plan)] for key, task in sorted(late.items())])[:8]
    bases: list[pl.DataFrame] = []
    for run, names in groupby(sorted(listed_parts(batch), key=_run), key=_run):
        before = {name: _part(case, name) for name in names}
        rows = pl.concat(before.values(), how="diagonal").sort("source_id", "byte_offset")
        dated = pl.concat([_dated(one, late, carries, installed) for one in rows.partition_by("source_id", maintain_order=True)])
        bases.append(dated.select("source_id", "parser", "continues", "timestamp", "time_basis", "byte_length", "line_count"))
        for name, old in before.items():
            new = old.drop(_TOLD).join(dated.select("source_id", "byte_offset", *_TOLD), on=["source_id", "byte_offset"], how="left", maintain_order="left")
            if not new.select(_TOLD).equals(old.select(_TOLD)):
                renamed[name] = write_part(case, f"{run}-{stamp}", new)
    counted = marks.tallies(pl.concat(bases))
    return [_mark(one, late.get(one["source_id"]), counted.get(one["source_id"], marks.NOTHING), renamed) for one in batch]


def _run(part: str) -> str:
    """Name the run of a source's bytes, or the small sources, that a part holds: its name without its plans' stamp."""
    return part.rsplit("/", 1)[1].removesuffix(".parquet").rsplit("-", 1)[0]


def _part(case: Path, name: str) -> pl.DataFrame:
    parser = name.split("/")[1].removeprefix("parser=")
    return pl.read_parquet(case / name, hive_partitioning=False).with_columns(parser=pl.lit(parser))


def _dated(rows: pl.DataFrame, late: Mapping[str, Task], carries: dict[str, clock.Carry | None], installed: Installed) -> pl.DataFrame:
    """Settle one source's rows anew; pieces of long events repeat what their event says."""
    source_id = rows["source_id"][0]
    task = late.get(source_id)
    columns = ["source_id", "byte_offset", "byte_length", "line_count", "parser", "continues", *_TOLD]
    if task is None:
        return rows.select(columns)
    whole = rows.filter(pl.col("continues").is_null())
    settled, carries[source_id] = clock.settle(_told(whole, installed), task.plan.rule, carries.get(source_id))
    settled = settled.with_columns(_observed(settled, task, installed))
    pieces = rows.filter(pl.col("continues").is_not_null())
    if pieces.height:
        said = settled.select(event_id().alias("continues"), *_TOLD)
        again = pieces.drop(_TOLD).join(said, on="continues", how="left", maintain_order="left")
        settled = pl.concat([settled.select(columns), again.select(columns)]).sort("byte_offset")
    return settled.select(columns)


def _told(rows: pl.DataFrame, installed: Installed) -> pl.DataFrame:
    """Read `timestamp_text` again, each row by the times its format writes."""
    tables = []
    for (parser,), table in rows.partition_by("parser", as_dict=True, maintain_order=True).items():
        read = times.read(table, _times(installed.get(str(parser))))
        tables.append(read.with_columns(_local=pl.coalesce("_local", "local_timestamp"), _resolution_us=pl.coalesce("_resolution_us", "resolution_us")))
    return pl.concat(tables).sort("byte_offset")


def _times(parser: Format | Parser | None) -> list[str]:
    known = [] if parser is None else [one.time for one in parser.patterns] if isinstance(parser, Format) else [parser.time]
    return [*dict.fromkeys(one for one in known if one), "auto"]


def _observed(rows: pl.DataFrame, task: Task, installed: Installed) -> pl.Expr:
    return pl.col("observed_timestamp")


def _mark(one: Mapping[str, Any], task: Task | None, counted: Mapping[str, Any], renamed: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    parts = {renamed[name][0] if name in renamed else name: renamed[name][1] if name in renamed else sha for name, sha in one["part_sha256"].items()}
    told = {**one, "parts": list(parts), "part_sha256": parts}
    if task is None:
        return told
    zone, basis = marks.zone_of(task.plan, counted["time_bases"])
    dated = {key: counted[key] for key in ("first_timestamp", "last_timestamp", "time_bases")}
    return {**told, **dated, "zone": zone, "zone_basis": basis, "timed_as": marks.timed_as(task.plan)}

"""Parts written anew from the old ones beside them, by the same clock, where a source is dated otherwise now.

The evidence is not read: `timestamp_text` holds all that a text says of its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any

import polars as pl

from pirtimeline.ingest import backsteps, marks
from pirtimeline.ingest.batches import Task
from pirtimeline.ingest.finish import join_objects
from pirtimeline.ingest.streams import ALONE, Beside, anchored
from pirtimeline.objects import Location
from pirtimeline.parsing import clock, times
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.turns import Turns, join_all
from pirtimeline.schema import event_id
from pirtimeline.store import listed_parts, read_table, write_part

Installed = Mapping[str, Format | Parser]

_REMARK = r',?"pir_note":"((?:[^"\\]|\\.)*)"\}$'
TOLD = (
    "timestamp",
    "local_timestamp",
    "resolution_us",
    "time_basis",
    "not_before",
    "not_after",
    "observed_timestamp",
    "extra",
)
"""What a row tells of its time."""


def redate(
    case: Location,
    batch: Sequence[Mapping[str, Any]],
    late: Mapping[str, Task],
    installed: Installed,
    *,
    beside: Mapping[str, Beside] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Date sources of a committed batch anew.

    Args:
        case: the case's folder.
        batch: the sources of one commit mark.
        late: source id -> task, for those whose plan dates them otherwise now.
        installed: formats and parsers by name.
        beside: source id -> what its rotated set tells, where that says more than the source itself.

    Returns:
        What the commit mark says then. Parts in which nothing changed stay; new ones lie beside the old.
    """
    runs = _runs(batch)
    carries = _carries(case, runs, late, installed, beside)
    digests = {key: beside.get(key, ALONE).digest for key in late}
    stamp = marks.digest([[key, marks.timed_as(task.plan), digests[key]] for key, task in sorted(late.items())])[:8]
    renamed: dict[str, tuple[str, str]] = {}
    counted: dict[str, Mapping[str, Any]] = {}
    zones = {one["source_id"]: one["zone"] for one in batch}
    for number, (run, names) in enumerate(runs.items()):
        before = {name: read_part(case, name) for name in names}
        dated = pl.concat(
            [dated_anew(one, number, late, carries, zones, installed) for one in by_source(before.values())]
        )
        for source_id, more in marks.tallies(dated).items():
            counted[source_id] = marks.added(counted.get(source_id, marks.NOTHING), more)
        for name, old in before.items():
            new = with_times(old, dated)
            if not new.select(TOLD).equals(old.select(TOLD)):
                renamed[name] = write_part(case, f"{run}-{stamp}", new)
    return [
        _mark(one, late.get(one["source_id"]), counted.get(one["source_id"], marks.NOTHING), renamed)
        | ({"dated_with": digests[one["source_id"]]} if one["source_id"] in late else {})
        for one in batch
    ]


def heard(case: Location, batch: Sequence[Mapping[str, Any]], task: Task, installed: Installed) -> Turns:
    """Say what a committed source tells of its times, from its parts."""
    found = _turns(case, _runs(batch), {task.plan.source_id: task}, installed)
    return join_all(clock.in_time([told for _, told in sorted(found.items())], task.plan.rule))


def _runs(batch: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    return {run: [*names] for run, names in groupby(sorted(listed_parts(batch), key=run_of), key=run_of)}


def _carries(
    case: Location,
    runs: Mapping[str, list[str]],
    late: Mapping[str, Task],
    installed: Installed,
    beside: Mapping[str, Beside],
) -> dict[tuple[str, int], clock.Carry]:
    """Settle what each run of each source must know of the rest of its stream."""
    found: dict[tuple[str, int], clock.Carry] = {}
    for key, of_source in groupby(sorted(_turns(case, runs, late, installed).items()), key=lambda one: one[0][0]):
        told = {number: turns for (_, number), turns in of_source}
        settled = anchored([*told.values()], late[key].plan.rule, beside.get(key, ALONE))
        found |= {(key, number): carry for number, carry in zip(told, settled, strict=True)}
    return found


def by_source(tables: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """Put the rows of parts together again, a table a source, each in order."""
    return (
        pl.concat(tables, how="diagonal")
        .sort("source_id", "byte_offset")
        .partition_by("source_id", maintain_order=True)
    )


def _turns(
    case: Location, runs: Mapping[str, list[str]], late: Mapping[str, Task], installed: Installed
) -> dict[tuple[str, int], Turns]:
    """Say what each run of each source tells of its times, which the runs beside it must know."""
    found = {}
    for number, names in enumerate(runs.values()):
        for rows in by_source(read_part(case, name) for name in names):
            if rows["source_id"][0] in late:
                task = late[rows["source_id"][0]]
                found[rows["source_id"][0], number] = clock.summarise(
                    told_again(rows.filter(pl.col("continues").is_null()), task, installed),
                    descending=task.plan.rule.descending,
                )
    return found


def with_times(old: pl.DataFrame, dated: pl.DataFrame) -> pl.DataFrame:
    """Give a part's rows the times that were settled anew."""
    times_of = dated.select("source_id", "byte_offset", *TOLD)
    joined = old.drop(TOLD).join(times_of, on=["source_id", "byte_offset"], how="left", maintain_order="left")
    return joined.select(old.columns)


def run_of(part: str) -> str:
    """Name the run of a source's bytes, or the small sources, that a part holds: its name without its plans' stamp."""
    return part.rsplit("/", 1)[1].removesuffix(".parquet").rsplit("-", 1)[0]


def read_part(case: Location, name: str) -> pl.DataFrame:
    """Read a part, with the column `parser` that its folder's name stands for."""
    parser = name.split("/")[1].removeprefix("parser=")
    return read_table(case / name).with_columns(parser=pl.lit(parser))


def dated_anew(
    rows: pl.DataFrame,
    number: int,
    late: Mapping[str, Task],
    carries: Mapping[tuple[str, int], clock.Carry],
    zones: Mapping[str, str | None],
    installed: Installed,
) -> pl.DataFrame:
    """Settle one source's rows of a run anew; pieces of long events repeat what their event says."""
    source_id = rows["source_id"][0]
    columns = ["source_id", "byte_offset", "byte_length", "line_count", "parser", "continues", *TOLD]
    task = late.get(source_id)
    if task is None:
        return rows.select(columns)
    carry = carries[source_id, number]
    piece = pl.col("continues").is_not_null()
    settled, _ = clock.settle(told_again(rows.filter(~piece), task, installed), task.plan.rule, carry)
    settled = _observed(_remarked(settled), zones.get(source_id) or "UTC", task, installed)
    if not rows["continues"].null_count() < rows.height:
        return settled.select(columns)
    said = settled.select(event_id().alias("continues"), *TOLD)
    mine = pl.col("continues").str.starts_with(source_id)
    again = rows.filter(piece & mine).drop(TOLD).join(said, on="continues", how="left", maintain_order="left")
    strange = rows.filter(piece & ~mine)
    return pl.concat([one.select(columns) for one in (settled, again, strange)]).sort("byte_offset")


def _remarked(rows: pl.DataFrame) -> pl.DataFrame:
    """Take the clock's old remarks out of `extra` and put its new ones in."""
    old = pl.col("extra").str.extract(_REMARK)
    kept = old.str.split("; ").list.filter(~pl.element().is_in(list(clock.REMARKS))).list.join("; ")
    notes = pl.concat_str([pl.when(kept != "").then(kept), pl.col("_note")], separator="; ", ignore_nulls=True)
    bare = pl.col("extra").str.replace(_REMARK, "}")
    note = pl.when(notes != "").then(pl.struct(pir_note=notes).struct.json_encode())
    extra = join_objects(pl.when(bare != "{}").then(bare), note)
    return rows.with_columns(
        pl.when(old.is_not_null() | pl.col("_note").is_not_null()).then(extra).otherwise("extra").alias("extra")
    )


def told_again(rows: pl.DataFrame, task: Task, installed: Installed) -> pl.DataFrame:
    """Read `timestamp_text` again, each row by the times its format writes; what was explicit stays as it was."""
    known = {**installed, **_formats(task.plan.formats)}
    tables = []
    for (parser,), table in rows.partition_by("parser", as_dict=True, maintain_order=True).items():
        tables.append(times.read(table, _times(known.get(str(parser)))))
    tables = tables or [times.read(rows, ["auto"])]  # a run within one long event
    table = pl.concat(tables, how="diagonal").sort("byte_offset")
    stays = (pl.col("time_basis") == "explicit") | (pl.col("_local").is_null() & pl.col("timestamp").is_not_null())
    wall, instant = pl.col("local_timestamp"), pl.col("timestamp").dt.replace_time_zone(None)
    kept = {"_local": wall, "_resolution_us": pl.col("resolution_us"), "_offset_s": (wall - instant).dt.total_seconds()}
    return table.with_columns(
        pl.when(stays).then(kept.get(name, pl.lit(None))).otherwise(pl.col(name)).cast(dtype).alias(name)
        for name, dtype in times.FIELDS.items()
    ).drop("timestamp")


def _formats(uses: Sequence[FormatUse]) -> dict[str, Format]:
    """Name the formats of a plan, those that were composed for its source among them."""
    inner = [_formats(use.inner) for use in uses]
    return {use.format.name: use.format for use in uses} | {name: one for told in inner for name, one in told.items()}


def _times(parser: Format | Parser | None) -> list[str]:
    known = (
        [] if parser is None else [one.time for one in parser.patterns] if isinstance(parser, Format) else [parser.time]
    )
    return [*dict.fromkeys(one for one in known if one), "auto"]


def _observed(rows: pl.DataFrame, before: str, task: Task, installed: Installed) -> pl.DataFrame:
    """Move what envelopes recorded without a zone from the zone it was read in to the one it is read in now.

    The text of an envelope's time is not kept, but its instant is, and so is the zone by which that was settled.
    """
    names = rows["envelope"].drop_nulls().unique()
    zoneless = [name for name in names if not _has_zone(installed.get(name.rpartition("/")[2]))]
    moving = pl.col("envelope").is_in(zoneless) & pl.col("observed_timestamp").is_not_null()
    seen = rows.filter(moving).select("byte_offset", "parser", _local=_wall(pl.col("observed_timestamp"), before))
    if not seen.height:
        return rows
    missing = {name: dtype for name, dtype in times.FIELDS.items() if name not in seen.columns}
    told = seen.with_columns(
        pl.lit("", pl.String).alias("timestamp_text"), *[pl.lit(None, t).alias(n) for n, t in missing.items()]
    )
    settled, _ = clock.settle(told, task.plan.rule)
    moved = settled.select("byte_offset", _moved="timestamp")
    joined = rows.join(moved, on="byte_offset", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("_moved", "observed_timestamp").alias("observed_timestamp")).drop("_moved")


def _wall(instant: pl.Expr, zone: str) -> pl.Expr:
    """Give the local time of an instant in a zone: an IANA name, or an offset such as `+05:30`."""
    if zone[0] not in "+-":
        return instant.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    minutes = (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    return instant.dt.replace_time_zone(None) + pl.duration(minutes=minutes)


def _has_zone(envelope: Format | Parser | None) -> bool:
    """Tell whether an envelope writes its times with a zone, so that they do not depend on the plan."""
    if not isinstance(envelope, Format):
        return True
    layouts = [layout for pattern in envelope.patterns if pattern.time for layout in times.readings(pattern.time)]
    return not layouts or any("zone" in layout.roles for layout in layouts)


def _mark(
    one: Mapping[str, Any], task: Task | None, counted: Mapping[str, Any], renamed: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    parts = {
        renamed[name][0] if name in renamed else name: renamed[name][1] if name in renamed else sha
        for name, sha in one["part_sha256"].items()
    }
    told = {**one, "parts": list(parts), "part_sha256": parts}
    if task is None:
        return told
    zone, basis = marks.zone_of(task.plan, counted["time_bases"])
    dated = {key: counted[key] for key in ("first_timestamp", "last_timestamp", "time_bases")}
    dated |= backsteps.told(task.plan, counted)
    return {**told, **dated, "zone": zone, "zone_basis": basis, "timed_as": marks.timed_as(task.plan)}

"""The beginning of what was appended to a log: as far as it belongs to the event that was the last before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pirtimeline import evidence, store
from pirtimeline.evidence.streams import Seekable
from pirtimeline.ingest import marks
from pirtimeline.ingest.batches import Task
from pirtimeline.ingest.redate import TOLD, read_part, run_of, with_times
from pirtimeline.objects import Location
from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.splitting import BLOCK, LOOK
from pirtimeline.schema import STRUCTURE, event_id

Mark = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lead:
    """How many bytes belong to the event before, and that event's row."""

    size: int
    event: pl.DataFrame


def lead_of(case: Location, task: Task, place: evidence.Place, stream: Seekable) -> Lead | None:
    """Find out how much of an appended source goes on with the last event before it, as if both were read at once.

    Args:
        case: the case's folder.
        task: the appended source.
        place: where it lies.
        stream: its bytes; read from its beginning, and left anywhere.

    Returns:
        None where it begins with an event of its own, or what stands before it was not read.
    """
    if "grows" not in task.told:
        return None
    sources = {one["source_id"]: one for one in store.read_sources(case)}
    owner = sources.get(task.told["grows"])
    event = None
    while owner is not None and event is None and not _unread_end(owner):
        event, base = _last_event(case, owner), int(owner.get("base_offset") or 0)
        owner = sources.get(owner.get("grows"))
    if event is None:
        return None
    begin = base + int(event["byte_offset"][0])
    with evidence.probed(evidence.Place(place.argument, place.file)) as file:
        file.seek(begin)
        before = file.read(int(task.told["base_offset"]) - begin)
    count = LOOK
    while True:
        stream.seek(0)
        held = stream.read(count)
        size = _reach(before, held, task)
        if size < len(held) or count >= BLOCK or len(held) < count:
            return Lead(size, event) if size else None
        count *= 4


def _reach(before: bytes, held: bytes, task: Task) -> int:
    """Read the last event and what follows it together, and say how far the rows that begin before it reach."""
    plan = task.plan
    rows = parse_many([before + held], plan.formats, encoding=plan.encoding, newline=plan.newline)
    begin, end = pl.col("byte_offset").cast(pl.Int64), (pl.col("byte_offset") + pl.col("byte_length")).cast(pl.Int64)
    event = pl.coalesce(pl.col("_piece_of"), begin)
    reach = rows.filter(event < len(before)).select(end.max()).item()
    return max(int(reach or 0) - len(before), 0)


def _unread_end(one: Mark) -> bool:
    return any(offset + length == one["size_bytes"] for offset, length in one.get("skipped") or ())


def _last_event(case: Location, one: Mark) -> pl.DataFrame | None:
    """Give the last event's row of a committed source; its last run alone is read, where that has one."""
    runs = sorted({run_of(part) for part in one["parts"]}, reverse=True)
    for run in runs:
        parts = [part for part in one["parts"] if run_of(part) == run]
        found = [row for part in parts if (row := _last_of_part(case, part, one["source_id"])) is not None]
        if found:
            return max(found, key=lambda row: int(row["byte_offset"][0]))
    return None


def _last_of_part(case: Location, part: str, source_id: str) -> pl.DataFrame | None:
    rows = read_part(case, part)
    if rows["parser"][0] == STRUCTURE:
        return None
    mine = rows.filter((pl.col("source_id") == source_id) & pl.col("continues").is_null())
    return mine.sort("byte_offset").tail(1) if mine.height else None


def led_along(case: Location) -> bool:
    """Let the beginnings of appended sources have the times of the events that they go on with; tell what changed."""
    changed = False
    for one in store.read_alone(case):
        if "grows" in one and (moved := _moved(case, one)):
            parts = {moved.get(name, (name, sha))[0]: moved.get(name, (name, sha))[1] for name, sha in _parts(one)}
            store.commit(case, [{**one, "parts": [*parts], "part_sha256": parts}])
            changed = True
    return changed


def _parts(one: Mark) -> list[tuple[str, str]]:
    return [*one["part_sha256"].items()]


def _moved(case: Location, one: Mark) -> dict[str, tuple[str, str]]:
    """Write the parts anew whose first rows go on with an event that was dated anew: old name -> new one, and hash."""
    found = {}
    first = min(run_of(part) for part in one["parts"])
    for name in [part for part in one["parts"] if run_of(part) == first]:
        old = read_part(case, name)
        strange = old.filter(pl.col("continues").is_not_null() & ~pl.col("continues").str.starts_with(one["source_id"]))
        if strange.height:
            times = _times_of(case, strange["continues"].unique().to_list())
            told = strange.drop(TOLD).join(times, on="continues", how="left", maintain_order="left")
            rest = old.join(strange.select("source_id", "byte_offset"), on=["source_id", "byte_offset"], how="anti")
            columns = ["source_id", "byte_offset", *TOLD]
            new = with_times(old, pl.concat([told.select(columns), rest.select(columns)]))
            if not new.select(TOLD).equals(old.select(TOLD)):
                stamp = marks.digest(times.select(pl.all().cast(pl.String)).rows())[:8]
                found[name] = store.write_part(case, f"{first}-{stamp}", new)
    return found


def _times_of(case: Location, events: list[str]) -> pl.DataFrame:
    """Give the times of events by their ids, as `continues` names them."""
    owners = {event.partition(":")[0] for event in events}
    parts = sorted(store.listed_parts(one for one in store.each_source(case) if one["source_id"] in owners))
    tables = [read_part(case, part).filter(event_id().is_in(events)) for part in parts]
    return pl.concat([one.select(event_id().alias("continues"), *TOLD) for one in tables])

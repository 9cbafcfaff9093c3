"""Runs of a source that were committed, as what is read beside them later must know them, and settled anew by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from pirtimeline.ingest.batches import Installed, Task
from pirtimeline.ingest.finish import carry_of
from pirtimeline.ingest.redate import TOLD, by_source, dated_anew, read_part, run_of, told_again, with_times
from pirtimeline.objects import Location
from pirtimeline.parsing import clock
from pirtimeline.parsing.turns import Turns
from pirtimeline.store import write_part


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a source's bytes that lies in parts: where it begins, and what it tells of its times."""

    name: str
    offset: int
    parts: tuple[str, ...]
    turns: Turns


def runs_of(case: Location, told: Mapping[str, Any], task: Task, installed: Installed) -> list[Run]:
    """List the runs of a committed source in the order of their bytes."""
    found = []
    for name, parts in groupby(sorted(told["parts"], key=run_of), key=run_of):
        mine = tuple(parts)
        rows = _rows(case, mine)
        said = told_again(rows.filter(pl.col("continues").is_null()), task, installed)
        turns = clock.summarise(said, descending=task.plan.rule.descending)
        found.append(Run(name, int(name.rsplit("-", 1)[1]), mine, turns))
    return found


def _rows(case: Location, parts: tuple[str, ...]) -> pl.DataFrame:
    (rows,) = by_source(read_part(case, part) for part in parts)
    return rows


def settled_again(
    case: Location,
    run: Run,
    task: Task,
    before: Mapping[str, Any],
    beside: tuple[Turns, Turns | None],
    stamp: str,
    installed: Installed,
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Settle the times of a run anew.

    Args:
        case: the case's folder.
        run: what to settle.
        task: its source.
        before: the source's commit mark, which lists the run's parts.
        beside: what all that stands before it tells of its times, and what stands next.
        stamp: what tells new parts from the old ones.
        installed: formats and parsers by name.

    Returns:
        The run's rows as far as they tell times, and its parts as `write_parts` gives them; those in which nothing
        changed are the old ones.
    """
    key = task.plan.source_id
    past, following = beside
    carries = {(key, 0): carry_of(past, run.turns, following, task.plan)}
    dated = dated_anew(_rows(case, run.parts), 0, {key: task}, carries, {key: before["zone"]}, installed)
    parts = []
    for name in run.parts:
        old = read_part(case, name)
        new = with_times(old, dated)
        same = new.select(TOLD).equals(old.select(TOLD))
        path, sha256 = (name, before["part_sha256"][name]) if same else write_part(case, f"{run.name}-{stamp}", new)
        parts.append({"path": path, "sha256": sha256, "sources": {key}})
    return dated, parts

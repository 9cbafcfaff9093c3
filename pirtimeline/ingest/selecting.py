"""Which sources are read in stretches, and which stretches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import Any

from pirtimeline import evidence, store
from pirtimeline.errors import CaseError
from pirtimeline.ingest import marks
from pirtimeline.ingest.batches import Task
from pirtimeline.ingest.entering import Near, Way, way_into
from pirtimeline.objects import Location, located
from pirtimeline.parsing.splitting import BLOCK, HEAD
from pirtimeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Selected:
    """A source of which some stretches are read: which, where it lies, and its commit mark where it has one."""

    task: Task
    place: evidence.Place
    way: Way
    before: Mapping[str, Any] | None


def near_of(settings: Settings, span: timedelta | None) -> Near | None:
    """Say what is to be read, where not all is.

    Raises:
        CaseError: there is no window.
    """
    if span is None:
        return None
    if settings.start is None:
        raise CaseError(
            "there is no window to read near of", at="--only-near", hint="name one: --start and --end, or --around"
        )
    return Near(settings.start, settings.end, span)


def select(
    case: Location, tasks: Sequence[Task], arguments: Sequence[str], near: Near | None
) -> tuple[list[Task], list[Selected]]:
    """Find out which sources are read in stretches now, and probe those that can be entered.

    Args:
        case: the case's folder.
        tasks: all sources, in the order of the evidence.
        arguments: the evidence, in the order that places count it in.
        near: what is to be read, None for everything.

    Returns:
        The tasks, with what was found of their order where they were probed and are read whole; and what is read in
        stretches, what was appended to a file among it. A source of up to 16 MiB is read whole or but for its first
        MiB not at all; its commit mark is taken back where it is to be read whole now.
    """
    marked = {one["source_id"]: one for one in store.read_sources(case)}
    found: list[Task] = []
    partly: list[Selected] = []
    for task in tasks:
        before = marked.get(task.plan.source_id)
        if before is not None and not before.get("skipped"):
            found.append(task)
            continue
        place = evidence.place_from_json(task.told["place"], arguments)
        if before is None and "grows" in task.told:
            found.append(task)
            partly.append(Selected(task, place, Way(((0, task.size),)), None))
            continue
        task, way = _looked(task, place, near, before)
        found.append(task)
        if way is None:
            continue
        if task.size <= BLOCK and way.spans == ((0, task.size),):
            (case / "sources" / f"{task.plan.source_id}.jsonl").unlink(missing_ok=True)
        elif before is not None or way.spans != ((0, task.size),):
            partly.append(Selected(task, place, way, before))
    return found, partly


def _looked(
    task: Task, place: evidence.Place, near: Near | None, before: Mapping[str, Any] | None
) -> tuple[Task, Way | None]:
    """Say what is to be read of a source; None where it is read as any other, or stays as it is."""
    if before is not None and not located(place.argument).exists():
        return task, None
    if near is None:
        return _told(task, None), Way(((0, task.size),)) if before else None
    if not _enterable(task, place):
        return task, None
    if before is not None and _same(before["window"], near):
        return task, None
    with evidence.probed(place) as stream:
        way = way_into(stream, task.plan, task.size, near)
    return _told(task, {**_window(near), "probes": way.probes, "reason": way.reason or None}), way


def _enterable(task: Task, place: evidence.Place) -> bool:
    """Tell whether a source can be entered in the middle: a plain file of lines, the oldest first, over a MiB."""
    framed = any(use.format.options.get("framing") for use in task.plan.formats)
    lines = bool(task.plan.formats) and not task.plan.parser and not framed and not task.plan.rule.descending
    return not place.steps and task.size > HEAD and lines


def _told(task: Task, window: Mapping[str, Any] | None) -> Task:
    """Note in what the commit mark will say how a source was entered."""
    told = {key: value for key, value in task.told.items() if key not in {"window", "skipped"}}
    return replace(task, told=told if window is None else {**told, "window": window})


def _window(near: Near) -> dict[str, Any]:
    return {"from": marks.stamp(near.low.astimezone(UTC)), "to": marks.stamp(near.end and near.end.astimezone(UTC))}


def _same(before: Mapping[str, Any], near: Near) -> bool:
    return before.items() >= _window(near).items()

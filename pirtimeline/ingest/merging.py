"""Large sources that turn out to be equal when they were read: a log and its gzip become one source with both paths."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from pirtimeline import store
from pirtimeline.ingest.batches import Task
from pirtimeline.objects import Location


def without_aliases(case: Location, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Leave out sources that a committed one is known to equal; their paths join its own."""
    kept = {alias: one["source_id"] for one in store.read_alone(case) for alias in one.get("aliases", ())}
    if not kept:
        return tuple(tasks)
    more: dict[str, list[Task]] = {}
    for task in tasks:
        if task.plan.source_id in kept:
            more.setdefault(kept[task.plan.source_id], []).append(task)
    return tuple(_joined(task, more.get(task.plan.source_id, [])) for task in tasks if task.plan.source_id not in kept)


def _joined(task: Task, more: Sequence[Task]) -> Task:
    paths = sorted({*task.told["paths"], *(path for one in more for path in one.told["paths"])})
    mtime = min([task.told["mtime"], *(one.told["mtime"] for one in more)])
    return replace(task, told={**task.told, "paths": paths, "mtime": mtime}) if more else task


def merged(case: Location, known: Collection[str]) -> bool:
    """Let large sources of equal content become one; tell whether any did.

    The mark of the one that stays comes first, so that a run that is killed between leaves nothing out.

    Args:
        case: the case's folder.
        known: the sources that were committed before this run: their ids may be cited, and stay; else the first path's.
    """
    held: dict[str, list[dict[str, Any]]] = {}
    for one in store.read_alone(case):
        if one["identity"] == "ends" and one["sha256"] and not one.get("skipped"):
            held.setdefault(one["sha256"], []).append(one)
    equal = [
        sorted(group, key=lambda one: (one["source_id"] not in known, one["paths"][0], one["source_id"]))
        for group in held.values()
    ]
    for first, *others in (group for group in equal if len(group) > 1):
        aliases = {*first.get("aliases", ())}
        for one in others:
            aliases |= {one["source_id"], *one.get("aliases", ())}
        paths = sorted({path for one in (first, *others) for path in one["paths"]})
        mtime = min(one["mtime"] for one in (first, *others))
        store.commit(case, [{**first, "paths": paths, "mtime": mtime, "aliases": sorted(aliases)}])
        for one in others:
            (case / "sources" / f"{one['source_id']}.jsonl").unlink(missing_ok=True)
    _forget(case)
    return any(len(group) > 1 for group in equal)


def _forget(case: Location) -> None:
    """Take the plans of sources that became another's out of `plan.json`."""
    aliases = {alias for one in store.read_alone(case) for alias in one.get("aliases", ())}
    plan = store.read_json(case / "plan.json")
    if aliases & set(plan):
        store.write_json(case / "plan.json", {key: told for key, told in plan.items() if key not in aliases})

"""Evidence to case: survey, plan, then every source read, written, committed; what is committed is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from pirtimeline import evidence, store
from pirtimeline.errors import CaseError, SourceError
from pirtimeline.ingest import marks, streams
from pirtimeline.ingest.batches import Task, batches, build_large, build_small
from pirtimeline.ingest.cluster import Shared, read_on
from pirtimeline.ingest.declare import check, declare
from pirtimeline.ingest.entering import Near
from pirtimeline.ingest.growing import Chain, Grown, chains, inherited, require_unchanged, tail_hash
from pirtimeline.ingest.leading import led_along
from pirtimeline.ingest.merging import merged, without_aliases
from pirtimeline.ingest.redate import heard, redate
from pirtimeline.ingest.selecting import Selected, near_of, select
from pirtimeline.ingest.stretches import Hands, build_stretches, wanted
from pirtimeline.ingest.telling import Progress, Telling
from pirtimeline.objects import Location, located
from pirtimeline.parsing.plan import SourcePlan, plan_from_json
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.registry import installed as installed_parsers
from pirtimeline.parsing.splitting import BLOCK
from pirtimeline.parsing.survey import Looked, survey
from pirtimeline.parsing.told import from_json, to_json
from pirtimeline.settings import Settings, read_settings, write_settings

Installed = Mapping[str, Format | Parser]

STALE = ("findings.parquet", "timeline.parquet", "duplicates.parquet", "report.json")
"""What a change of the events makes stale."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: what commit marks say of the sources, what was skipped, and whether anything changed."""

    sources: tuple[Mapping[str, Any], ...]
    skipped: tuple[Mapping[str, Any], ...] = ()
    changed: bool = False
    settings: Settings = field(default_factory=Settings)

    @property
    def rejected_share(self) -> float:
        """Give the share of bytes that no format reads."""
        skipped = sum(length for one in self.sources for _, length in one.get("skipped") or ())
        total = sum(one["size_bytes"] for one in self.sources) - skipped
        return sum(one["rejected_bytes"] for one in self.sources) / total if total else 0.0

    def summary(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {
            "sources": len(self.sources),
            "events": sum(one["events"] for one in self.sources),
            "rejects": sum(one["rejects"] for one in self.sources),
            "size_bytes": sum(one["size_bytes"] for one in self.sources),
            "rejected_share": round(self.rejected_share, 6),
            "zone_assumed": list(self.assumed),
            "skipped": [dict(one) for one in self.skipped],
            "changed": self.changed,
        }

    @property
    def assumed(self) -> tuple[str, ...]:
        """Name the sources some of whose events were dated on the assumption that their clock showed UTC."""
        return tuple(one["paths"][0] for one in self.sources if one["time_bases"].get("zone_assumed"))


def ingest(
    case: str | Location,
    said: Settings,
    *,
    workers: int | None = None,
    limits: evidence.Limits | None = None,
    progress: Progress | None = None,
    only_near: timedelta | None = None,
    scheduler: str | None = None,
) -> Outcome:
    """Bring a case up to its evidence and to what is declared.

    Args:
        case: the case's folder; made where it is not there.
        said: what was declared now; it is laid over what the case holds already.
        workers: how many blocks are read at a time; all cores by default.
        limits: how far unpacking may go.
        progress: told how far the run is, as sources are read on and done.
        only_near: read of large plain sources in the order of time what lies in the window and so long before it, and
            their first MiB; a later run with a wider span or without one reads the rest.
        scheduler: address of a Dask scheduler whose workers read the evidence and write the case, both at the same
            paths as here.

    Raises:
        SourceError: the evidence cannot be read or holds nothing.
        CaseError: the folder is not a case, cannot be written, or a declaration makes no sense.
        FormatError: a format given by `parser_folders` breaks a rule.
    """
    path = located(case)
    with store.writing(path):
        before = read_settings(path)
        settings = _without_moved(before.merged(said), said)
        check(settings)
        installed = installed_parsers([Path(folder) for folder in settings.parser_folders])
        held = chains(store.each_source(path), evidence.ordered(before.evidence))
        work = _prepared(path, settings, installed, limits or evidence.Limits(), held)
        near = near_of(settings, only_near)
        changed = _build(path, work, installed, workers or os.cpu_count() or 1, progress, near, scheduler)
        _complete_custody(path)
        changed |= store.write_bytes(path / "case.toml", write_settings(settings))
    if changed:
        _drop_stale(path)
    return Outcome(_outlined(path), tuple(work.skipped), changed, settings)


def _outlined(case: Location) -> tuple[Mapping[str, Any], ...]:
    """Give what the commit marks say, without how rows are kept: there may be very many sources."""
    kept = ({key: one[key] for key in one if key not in marks.KEPT} for one in store.each_source(case))
    return tuple(sorted(kept, key=lambda one: (one["paths"][0], one["source_id"])))


def _without_moved(settings: Settings, said: Settings) -> Settings:
    """Take evidence that is named now for that of the same name which is no longer where it was."""
    named = {Path(one).name for one in said.evidence}
    gone = [
        one
        for one in settings.evidence
        if one not in said.evidence and Path(one).name in named and not located(one).exists()
    ]
    return replace(settings, evidence=tuple(one for one in settings.evidence if one not in gone))


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done: sources in the order of the evidence, and what was skipped."""

    tasks: tuple[Task, ...]
    skipped: tuple[Mapping[str, Any], ...]
    settings: Settings


Held = Mapping[tuple[str, str], Chain]


def _prepared(case: Location, settings: Settings, installed: Installed, limits: evidence.Limits, held: Held) -> _Work:
    """Survey the evidence, or take the plan as it stands where neither evidence nor formats changed."""
    if not settings.evidence:
        raise CaseError("no evidence was named", at=case, hint="name files, folders or archives of logs")
    known = _known(case, settings, installed)
    return known if known is not None else _surveyed(case, settings, installed, limits, held)


def _known(case: Location, settings: Settings, installed: Installed) -> _Work | None:
    """Take the plan as it stands where evidence, formats and what decides how it is read are as they were."""
    custody, plan = store.read_json(case / "evidence.json"), store.read_json(case / "plan.json")
    committed = {one["source_id"]: one for one in store.read_sources(case)}
    if not plan or set(plan) - set(committed):
        return None
    same = _fingerprint(case, settings)
    if same is not None and (custody.get("fingerprint"), custody.get("read_with")) != (
        same,
        _read_with(settings, installed),
    ):
        return None
    tasks = []
    for source_id, told in plan.items():
        before = plan_from_json(source_id, told, installed)
        tasks.append(Task(declare(before, settings, committed[source_id]["paths"]), committed[source_id]))
    store.write_json(case / "plan.json", {task.plan.source_id: task.plan.to_json() for task in tasks})
    return _Work(tuple(tasks), tuple(custody.get("skipped", ())), settings)


def _fingerprint(case: Location, settings: Settings) -> str | None:
    """Tell the evidence by path, size and mtime; None where it is no longer there and the case stands without it."""
    try:
        return marks.digest(evidence.fingerprint(evidence.ordered(settings.evidence), exclude=[case]))
    except SourceError:
        if any(located(one).exists() for one in settings.evidence) or not (case / "plan.json").is_file():
            raise
        return None


def _read_with(settings: Settings, installed: Installed) -> str:
    """Digest what decides how evidence is read, beyond the evidence itself."""
    formats = [
        repr(replace(one, samples=(), origin="")) if isinstance(one, Format) else name
        for name, one in installed.items()
    ]
    return marks.digest([settings.hosts, settings.services, settings.parsers, formats])


def _surveyed(case: Location, settings: Settings, installed: Installed, limits: evidence.Limits, held: Held) -> _Work:
    """Look at all evidence and write down the plan."""
    walk = evidence.walk(evidence.ordered(settings.evidence), limits=limits, exclude=[case])
    grown = Grown(walk, held)
    found = survey(grown, installed, forced=settings.parsers)
    walk.require()
    require_unchanged(store.each_source(case), {one.source.source_id: one.paths for one in found.looked})
    settled = inherited(found.plans, grown.grows)
    tasks = [_task(looked, settled[looked.source.source_id], settings, grown.grows) for looked in found.looked]
    kept = _kept_plans(case, {task.plan.source_id for task in tasks}, installed)
    plans = {task.plan.source_id: task.plan.to_json() for task in tasks}
    store.write_json(case / "plan.json", {**kept, **plans})
    custody = {
        **_custody(walk),
        "fingerprint": _fingerprint(case, settings),
        "read_with": _read_with(settings, installed),
    }
    store.write_json(case / "evidence.json", custody)
    return _Work(tuple(tasks), tuple(walk.custody["skipped"]), settings)


def _custody(walk: evidence.Walk) -> dict[str, Any]:
    """Say what was handed over; a folder has no name of its own, since a copy of it may be called otherwise."""
    told = walk.custody
    named = [{**one, "path": one["path"] if one["size_bytes"] is not None else "."} for one in told["arguments"]]
    return {**told, "arguments": named}


def _task(looked: Looked, plan: SourcePlan, settings: Settings, grows: Mapping[str, Mapping[str, Any]]) -> Task:
    """Lay what was declared over a plan, and say what the commit mark knows before the source is read."""
    source = looked.source
    told = {
        "source_id": source.source_id,
        "identity": source.identity,
        "sha256": source.sha256,
        "paths": list(looked.paths),
        "size_bytes": source.size_bytes,
        "mtime": marks.stamp(looked.mtime),
        "truncated": source.truncated or None,
        "place": evidence.place_json(source.place, evidence.ordered(settings.evidence)),
        **tail_hash(looked.pieces, source.place),
        **grows.get(source.source_id, {}),
    }
    return Task(declare(plan, settings, looked.paths), told)


def _kept_plans(case: Location, found: set[str], installed: Installed) -> dict[str, Any]:
    """Keep the plans of sources that the case holds and that are no longer in the evidence."""
    plan = store.read_json(case / "plan.json")
    committed = {one["source_id"] for one in store.each_source(case)}
    return {source_id: told for source_id, told in plan.items() if source_id in committed - found}


def _build(
    case: Location,
    work: _Work,
    installed: Installed,
    workers: int,
    progress: Progress | None,
    near: Near | None,
    scheduler: str | None,
) -> bool:
    """Read what is not committed, date anew what is dated otherwise now; tell whether anything changed."""
    known = {one["source_id"] for one in store.each_source(case)}
    work = replace(work, tasks=without_aliases(case, work.tasks))
    changed = _drop_outdated(case, work)
    by_id = {task.plan.source_id: task for task in work.tasks}
    for name, batch in store.each_batch(case):
        changed |= _brought_up(case, name, batch, by_id, installed)
    tasks, partly = select(case, work.tasks, evidence.ordered(work.settings.evidence), near)
    committed = {one["source_id"] for one in store.each_source(case)} | {one.task.plan.source_id for one in partly}
    groups = [tuple(task for task in batch if task.plan.source_id not in committed) for batch in batches(tasks)]
    todo = [batch for batch in groups if batch]
    sizes = [wanted(one) for one in partly] + [task.size for batch in todo for task in batch]
    telling = Telling(progress, sources=len(sizes), size=sum(sizes))
    with ThreadPoolExecutor(workers) as pool:
        stretches = (_stretches(case, one, installed, pool, workers, telling) for one in partly)
        if scheduler is None:
            batches_read = _read(case, todo, work.settings, installed, pool, workers, telling)
        else:
            batches_read = (_all_told(done, telling) for done in read_on(scheduler, todo, _shared(case, work.settings)))
        for done in chain(stretches, batches_read):
            store.commit(case, done)
    changed |= _settle_streams(case, by_id, installed)
    changed |= merged(case, known)
    return led_along(case) or changed or bool(todo) or bool(partly)


def _shared(case: Location, settings: Settings) -> Shared:
    """Name what workers on other machines read and write, at the paths that they have there too."""
    arguments = tuple(str(located(one).absolute()) for one in evidence.ordered(settings.evidence))
    return Shared(case.absolute(), arguments, tuple(str(Path(one).absolute()) for one in settings.parser_folders))


def _settle_streams(case: Location, tasks: Mapping[str, Task], installed: Installed) -> bool:
    """Date anew what the whole of a stream dates otherwise than a source by itself; tell whether anything changed."""
    dated = {one["source_id"]: _dated_with(one) for one in store.each_source(case)}
    sets = streams.sets_of({key: task.plan for key, task in tasks.items()}, dated)
    told = _told_of(case, {key: tasks[key] for keys in sets for key in keys}, installed) if sets else {}
    beside: dict[str, streams.Beside] = {}
    for keys in sets:
        beside |= streams.of_set([(tasks[key].plan, tasks[key].size, from_json(told[key])) for key in keys])
    late = {key: task for key, task in tasks.items() if dated[key] != _dated_with(beside.get(key))}
    if not told and not late:
        return False
    for _, batch in store.each_batch(case):
        kept = [{**one, **({"told": told[one["source_id"]]} if one["source_id"] in told else {})} for one in batch]
        mine = {one["source_id"]: late[one["source_id"]] for one in batch if one["source_id"] in late}
        now = redate(case, kept, mine, installed, beside=beside) if mine else kept
        if now != batch:
            store.commit(case, now)
    return bool(late)


def _told_of(case: Location, tasks: Mapping[str, Task], installed: Installed) -> dict[str, Mapping[str, Any]]:
    """Give what committed sources of rotated sets tell of their times."""
    return {
        one["source_id"]: one.get("told") or to_json(heard(case, batch, tasks[one["source_id"]], installed))
        for _, batch in store.each_batch(case)
        for one in batch
        if one["source_id"] in tasks
    }


def _dated_with(told: Mapping[str, Any] | streams.Beside | None) -> str | None:
    """Name what of its stream a source is dated with; nothing where it is dated as by itself."""
    if isinstance(told, streams.Beside):
        return told.digest
    return told.get("dated_with") if told else None


def _stretches(
    case: Location, one: Selected, installed: Installed, pool: ThreadPoolExecutor, workers: int, telling: Telling
) -> list[dict[str, Any]]:
    """Read of a source what is wanted now."""
    path, size = one.task.plan.path, wanted(one)
    with evidence.open_source(one.place) as stream:
        watched = telling.watched(stream, path, size)
        done = build_stretches(case, one, watched, Hands(installed, pool, workers))
    telling.done(path, size)
    return [done]


def _drop_outdated(case: Location, work: _Work) -> bool:
    """Take back the commit marks of batches with a source that is to be read otherwise, or whose parts are gone."""
    wanted = {task.plan.source_id: marks.read_as(task.plan) for task in work.tasks}
    dropped = False
    lost = {*store.absent(case, store.listed_parts(store.each_source(case)))}
    for name, batch in store.each_batch(case):
        otherwise = any(wanted.get(one["source_id"], one["read_as"]) != one["read_as"] for one in batch)
        if otherwise or not lost.isdisjoint(store.listed_parts(batch)):
            (case / "sources" / name).unlink()
            dropped = True
    return dropped


def _brought_up(
    case: Location, name: str, batch: list[dict[str, Any]], tasks: Mapping[str, Task], installed: Installed
) -> bool:
    """Bring a committed batch up to its plan: times, paths, place."""
    mine = {one["source_id"]: tasks[one["source_id"]] for one in batch if one["source_id"] in tasks}
    told = [{**one, **_renewed(one, mine.get(one["source_id"]))} for one in batch]
    late = {
        key
        for key, task in mine.items()
        if marks.timed_as(task.plan) != next(o for o in batch if o["source_id"] == key)["timed_as"]
    }
    told = redate(case, told, {key: mine[key] for key in late}, installed) if late else told
    if told == batch:
        return False
    store.commit(case, told)
    return True


def _renewed(one: Mapping[str, Any], task: Task | None) -> dict[str, Any]:
    """Take over what a later look at the evidence says of a committed source."""
    keys = ("paths", "mtime", "place", "truncated")
    return {} if task is None else {key: task.told[key] for key in keys if key in task.told}


def _read(
    case: Location,
    todo: Sequence[tuple[Task, ...]],
    settings: Settings,
    installed: Installed,
    pool: ThreadPoolExecutor,
    workers: int,
    telling: Telling,
) -> Iterator[list[dict[str, Any]]]:
    """Read batches in the order of the evidence, a few in flight; give what is to be committed of each."""
    arguments = evidence.ordered(settings.evidence)
    places = {evidence.place_from_json(task.told["place"], arguments): task for batch in todo for task in batch}
    batch_of = {task.plan.source_id: number for number, batch in enumerate(todo) for task in batch}
    held: dict[int, dict[str, bytes]] = {}
    waiting: list[Future[list[dict[str, Any]]]] = []
    for place, stream in evidence.read(places):
        task = places[place]
        number = batch_of[task.plan.source_id]
        if task.size > BLOCK and not task.plan.parser:
            watched = telling.watched(stream, task.plan.path, task.size)
            yield _all_told([build_large(case, task, watched, installed, pool, max(workers - 1, 1))], telling)
            continue
        contents = held.setdefault(number, {})
        contents[task.plan.source_id] = _checked(stream.read(), task)
        if len(contents) == len(todo[number]):
            ready = [contents[one.plan.source_id] for one in todo[number]]
            waiting.append(pool.submit(build_small, case, todo[number], ready, installed))
            del held[number]
        if len(waiting) > workers:
            yield _all_told(waiting.pop(0).result(), telling)
    for future in waiting:
        yield _all_told(future.result(), telling)


def _all_told(done: list[dict[str, Any]], telling: Telling) -> list[dict[str, Any]]:
    for one in done:
        telling.done(one["paths"][0], one["size_bytes"])
    return done


def _checked(data: bytes, task: Task) -> bytes:
    """Make sure that a source is what the survey saw."""
    if len(data) != task.size:
        raise SourceError(
            "the evidence changed while it was read", at=task.plan.path, hint="copy it first, then run again"
        )
    return data


def _complete_custody(case: Location) -> None:
    """Write down the hashes of large files, which are known only when they were read through."""
    custody = store.read_json(case / "evidence.json")
    hashes = {
        path: one["sha256"] for one in store.each_source(case) if not one["place"]["steps"] for path in one["paths"]
    }
    rows = [{**row, "sha256": row["sha256"] or _hash_of(row, hashes)} for row in custody["arguments"]]
    if rows != custody["arguments"]:
        store.write_json(case / "evidence.json", {**custody, "arguments": rows})


def _hash_of(row: Mapping[str, Any], hashes: Mapping[str, str | None]) -> str | None:
    return hashes.get(row["path"]) if row["size_bytes"] is not None else None


def _drop_stale(case: Location) -> None:
    for name in STALE:
        (case / name).unlink(missing_ok=True)

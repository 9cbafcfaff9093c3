"""The first, quick look at samples of every source, and the plan that it settles.

A zone, a year or a host is often known only from another source, so all sources are looked at before one is read.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

import polars as pl

from pirtimeline.errors import FormatError
from pirtimeline.evidence import Found, Source
from pirtimeline.parsing import clock, rotation, starts, times, years, zones
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.clues import clue_events, read_pieces
from pirtimeline.parsing.detect import detect
from pirtimeline.parsing.hosts import folder_hosts
from pirtimeline.parsing.lines import BINARY, UTF8, encoding_of, newline_of
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.sampling import Sampled, sample_lines

HEAD = 128 << 10
"""Bytes of a source's beginning whose events are looked at for zones and hosts."""

TAIL = 64 << 10
"""Bytes of its end for the same."""

SNIFF = 64 << 10

KEPT = 512 << 20
"""Bytes of beginnings and ends that are held at most: beyond, half as much of each is kept, and so on."""

MOST_HALVED = 4


@dataclass(frozen=True, slots=True)
class Looked:
    """A source as the survey saw it: every path of its content, and pieces of it for a closer look."""

    source: Source
    paths: tuple[str, ...]
    mtime: datetime
    encoding: str
    newline: str
    parser: str
    pieces: tuple[tuple[int, bytes], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Survey:
    """What the survey found: sources in the order of the evidence, and the plan of each."""

    looked: tuple[Looked, ...]
    plans: Mapping[str, SourcePlan]


def survey(
    found: Iterable[Found],
    installed: Mapping[str, Format | Parser],
    *,
    forced: Sequence[tuple[str, str]] = (),
    seen: Callable[[pl.DataFrame], pl.DataFrame] = lambda table: table,
) -> Survey:
    """Look at every source and settle how each is read.

    Args:
        found: sources with samples, as the evidence gives them.
        installed: formats and parsers by name.
        forced: path glob -> format or parser that the analyst named for it.
        seen: is handed each table of rows that were read from the sources' beginnings and ends, and gives it back.

    Returns:
        The sources, each content once, and plans whose time rules hold what the evidence shows; what the analyst
        declares is laid over them by `declared.declare`.
    """
    looked: dict[str, Looked] = {}
    lines = [*sample_lines(_sampled(found, installed, looked))]
    samples = pl.concat(lines) if lines else pl.DataFrame(schema={"source_id": pl.String, "text": pl.String})
    formats = [one for one in installed.values() if isinstance(one, Format)]
    paths = {source_id: one.paths[0] for source_id, one in looked.items()}
    uses = detect(samples, paths, formats) if samples.height else {}
    plans = {
        source_id: _forced(_plan(one, uses.get(source_id, ())), forced, installed) for source_id, one in looked.items()
    }
    return Survey(tuple(looked.values()), _inferred(looked, plans, seen))


def _sampled(
    found: Iterable[Found], installed: Mapping[str, Format | Parser], looked: dict[str, Looked]
) -> Iterable[Sampled]:
    """Note each source as it passes, and give the samples of those that are text and new."""
    parsers = [one for one in installed.values() if not isinstance(one, Format)]
    kept = halved = 0
    for one in found:
        source_id = one.source.source_id
        if source_id in looked:
            looked[source_id] = _also_at(looked[source_id], one.source)
            continue
        looked[source_id] = _shortened(_look(one, parsers), halved)
        kept += _size(looked[source_id])
        if kept > KEPT and halved < MOST_HALVED:
            halved += 1
            looked.update({key: _shortened(known, halved) for key, known in looked.items()})
            kept = sum(map(_size, looked.values()))
        if not looked[source_id].parser:
            yield Sampled(source_id, one.samples, looked[source_id].encoding, looked[source_id].newline)


def _look(found: Found, parsers: Sequence[Parser]) -> Looked:
    source = found.source
    head = found.samples[0][1][:SNIFF] if found.samples else b""
    parser = next((one.name for one in parsers if one.sniff(head, source.path)), "")
    encoding = encoding_of(head)
    encoding = BINARY if parser and b"\0" in head and not encoding.startswith("utf-16") else encoding
    return Looked(
        source,
        (source.path,),
        source.mtime,
        encoding,
        newline_of(head, UTF8 if encoding == BINARY else encoding),
        parser,
        _ends(found.samples),
    )


def _shortened(one: Looked, halved: int) -> Looked:
    """Keep less of a source's ends where there are very many sources."""
    return replace(one, pieces=_ends(one.pieces, HEAD >> halved, TAIL >> halved)) if halved else one


def _size(one: Looked) -> int:
    return sum(len(data) for _, data in one.pieces)


def _also_at(known: Looked, again: Source) -> Looked:
    paths = tuple(sorted({*known.paths, again.path}))
    return replace(known, paths=paths, mtime=min(known.mtime, again.mtime))


def _ends(
    samples: Sequence[tuple[int, bytes]], most_head: int = HEAD, most_tail: int = TAIL
) -> tuple[tuple[int, bytes], ...]:
    """Keep the beginning and the end of what was sampled."""
    if not samples:
        return ()
    first, last = samples[0][1], samples[-1]
    if len(samples) == 1 and len(first) <= most_head + most_tail:
        return ((0, first),)
    offset, tail = last
    cut = max(len(tail) - most_tail, 0)
    head = first[:most_head]
    return ((0, head[: head.rfind(b"\n") + 1 or None]), (offset + cut, tail[cut:]))


def _plan(one: Looked, uses: tuple[FormatUse, ...]) -> SourcePlan:
    rule = TimeRule(mtime=one.mtime, name_date=clock.name_date(one.paths[0]))
    return SourcePlan(
        source_id=one.source.source_id,
        path=one.paths[0],
        formats=() if one.parser else uses,
        parser=one.parser,
        encoding=one.encoding,
        newline=one.newline,
        rule=rule,
        inferred=rule,
    )


def _forced(
    plan: SourcePlan, forced: Sequence[tuple[str, str]], installed: Mapping[str, Format | Parser]
) -> SourcePlan:
    """Read a source by the format that the analyst named for it; the last glob that matches wins.

    Raises:
        FormatError: no such format is installed.
    """
    name = next((name for glob, name in reversed(forced) if fnmatchcase(plan.path, glob)), None)
    if name is None:
        return plan
    if name not in installed:
        near = difflib.get_close_matches(name, installed, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "pirtimeline parsers list shows what is installed"
        raise FormatError(f"no format is called {name!r}", at="--parser", hint=hint)
    one = installed[name]
    if not isinstance(one, Format):
        return replace(plan, parser=name, formats=())
    known = next((use for use in plan.formats if use.format.name == name), FormatUse(one))
    return replace(plan, parser="", formats=(known,))


def _inferred(
    looked: Mapping[str, Looked], plans: Mapping[str, SourcePlan], seen: Callable[[pl.DataFrame], pl.DataFrame]
) -> dict[str, SourcePlan]:
    """Settle hosts, the order of dates, and zones, which may be known only from another source."""
    pieces = [(plans[key], offset, data) for key, one in looked.items() for offset, data in one.pieces]
    events = clue_events(seen(table) for table in read_pieces(pieces))
    named = _named_hosts(events)
    paths = {key: one.paths[0] for key, one in looked.items()}
    folders = folder_hosts(paths)
    dates = _date_orders(events, {key: rotation.series(path) for key, path in paths.items()})
    hosted = {key: _hosted(plan, named.get(key), folders.get(key)) for key, plan in plans.items()}
    found = zones.infer(_clued(hosted, _told_hosts(named, folders)), events)
    timed = {key: _timed(plan, dates.get(key), found.get(key)) for key, plan in hosted.items()}
    orders = rotation.orders(events)
    sets = rotation.sets(rotation.members(events, orders, paths, {key: one.mtime for key, one in looked.items()}))
    begun = starts.starts(paths, events)
    near = years.beside(events, {key: plan.inferred for key, plan in timed.items()}, paths)
    dated = {key: _in_year(plan, near.get(key)) for key, plan in timed.items()}
    started = {key: _started(plan, begun.get(key)) for key, plan in dated.items()}
    return {key: _ordered(plan, orders.get(key, plan.order), sets.get(key)) for key, plan in started.items()}


def _in_year(plan: SourcePlan, near: years.Beside | None) -> SourcePlan:
    """Say on which days a source's stamps without years are those of others."""
    if near is None:
        return plan
    rule = replace(plan.inferred, beside=near.days)
    return replace(plan, rule=rule, inferred=rule, because=(*plan.because, near.because))


def _started(plan: SourcePlan, start: starts.Start | None) -> SourcePlan:
    """Say when the program started from whose start a source's times count."""
    if start is None:
        return plan
    rule = replace(plan.inferred, start=start.at)
    return replace(plan, rule=rule, inferred=rule, because=(*plan.because, start.because))


def _ordered(plan: SourcePlan, order: str, place: rotation.Place | None) -> SourcePlan:
    """Say how a source lists its events, and where it stands in a rotated set."""
    rule = replace(plan.inferred, descending=order == "descending")
    return replace(plan, order=order, place=place, rule=rule, inferred=rule)


def _hosted(plan: SourcePlan, named: str | None, folder: str | None) -> SourcePlan:
    """Say which host a source is of: the one its text names, else the folder that stands for one."""
    if named:
        return replace(plan, host_name=named, host_basis="text")
    return replace(plan, host_name=folder, host_basis="folder" if folder else None)


def _named_hosts(events: pl.DataFrame) -> dict[str, str]:
    """Find the host that each source's text names, where it names one alone."""
    named = events.filter(pl.col("host_name").is_not_null()).group_by("source_id").agg(pl.col("host_name").unique())
    alone = named.filter(pl.col("host_name").list.len() == 1)
    return {source_id: hosts[0] for source_id, hosts in alone.iter_rows()}


def _told_hosts(named: Mapping[str, str], folders: Mapping[str, str]) -> dict[str, str]:
    """Say which host a source is of for sure: the one its text names, or its folder where a text in it names that."""
    sure = {host for key, host in named.items() if folders.get(key) == host}
    return {key: host for key, host in folders.items() if host in sure} | dict(named)


def _date_orders(events: pl.DataFrame, series: Mapping[str, str]) -> dict[str, str]:
    """Decide for each source, together with those of its rotated set, how its dates of bare numbers are read."""
    bare = events.filter(pl.col("ambiguous").is_not_null())
    named = bare.with_columns(_series=pl.col("source_id").replace_strict(series, return_dtype=pl.String))
    found: dict[str, str] = {}
    for _, table in named.partition_by("_series", as_dict=True, maintain_order=True).items():
        order = times.date_order(table["timestamp_text"])
        found |= dict.fromkeys(table["source_id"].unique(), order) if order else {}
    return found


def _clued(plans: Mapping[str, SourcePlan], named: Mapping[str, str]) -> list[zones.Clue]:
    """Say where each source lies and which host its own text names, for the inference of zones."""
    return [
        zones.Clue(source_id=key, path=plan.path, folder=plan.path.rpartition("/")[0], host_name=named.get(key))
        for key, plan in plans.items()
    ]


def _timed(plan: SourcePlan, date_order: str | None, found: zones.Inference | None) -> SourcePlan:
    """Lay over a plan's time rule what the evidence shows of zone and order of dates."""
    rule = replace(plan.inferred, date_order=date_order)
    if found is None:
        return replace(plan, rule=rule, inferred=rule)
    rule = replace(rule, zone=found.zone, zone_basis="zone_inferred", zone_from=found.zone_from, zone_to=found.zone_to)
    return replace(plan, rule=rule, inferred=rule, because=(*plan.because, *found.because))

"""Zones taken over from neighbours: another source of the same named host, or of the same folder."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.parsing.agreement import agree
from pirtimeline.parsing.sight import Clue, Inference, Sight, how, inference, known_by, name, shown
from pirtimeline.parsing.turns import SECOND

_TOGETHER = 60 * SECOND
_IDS = 2
_EPOCH = datetime(1970, 1, 1)


def by_host(sight: Sight) -> dict[str, Inference]:
    """Take over what another source of the same named host shows.

    One that writes UTC tells nothing of its host's zone by that: it counts where both sources begin or end together.
    """
    hosts: dict[str, list[Clue]] = {}
    for clue in sight.clues.values():
        if clue.host_name is not None and clue.source_id in sight.seen:
            hosts.setdefault(clue.host_name, []).append(clue)
    found: dict[str, Inference] = {}
    lefts = _by(sight.left, lambda clue: clue.host_name)
    for host, clues in hosts.items():
        left = lefts.get(host, [])
        founders = [one for one in clues if _founds(one, sight)] if left else []
        told = _told(founders, sight)
        for clue in left:
            one = told or _told(_companions(clue, clues, sight), sight)
            found |= {clue.source_id: one} if one is not None else {}
    return found


def _told(founders: Sequence[Clue], sight: Sight) -> Inference | None:
    agreed = agree(_shown_pairs(sight.seen[one.source_id] for one in founders)) if founders else None
    if agreed is None:
        return None
    first = founders[0]
    text = f"{name(first.path)} of the same host {first.host_name} {how(first, sight)} {shown(agreed)}"
    ids = sight.seen[first.source_id].filter(pl.col("offset").is_not_null())["byte_offset"].head(_IDS)
    return inference(agreed, "host", text + known_by(first, sight), [f"{first.source_id}:{at}" for at in ids])


def _founds(clue: Clue, sight: Sight) -> bool:
    """Tell whether a source shows the zone of its host: by an offset other than UTC, an epoch or a request id."""
    if clue.source_id in sight.found:
        known = sight.found[clue.source_id]
        return known.zone is not None and known.rule in ("epoch", "request")
    return bool((sight.seen[clue.source_id]["offset"] != 0).any())


def _companions(clue: Clue, clues: Sequence[Clue], sight: Sight) -> list[Clue]:
    """List the sources that begin or end together with one."""
    others = [one for one in clues if one.source_id != clue.source_id and one.source_id not in sight.found]
    own = _own_ends(sight.open_parts[clue.source_id])
    ends = _ends(sight, [one.source_id for one in others])
    met = {one.there.split(":")[0] for (end, last) in own for one in _met(end, ends[last])}
    return [one for one in others if one.source_id in met]


def _shown_pairs(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Give the local times and instants that events with an offset show."""
    local = pl.col("instant") + pl.col("offset").cast(pl.Int64) * SECOND
    told = [part.filter(pl.col("offset").is_not_null()).select(local=local, instant="instant") for part in parts]
    return pl.concat(told)


@dataclass(frozen=True, slots=True, order=True)
class _Meeting:
    """How far from each other two sources begin or end under an offset, and the events at which they do."""

    off_us: int
    word: str
    there: str
    here: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Own:
    """The first or last event of a source without zone; without a year its year is open."""

    at: int
    byte_offset: int
    has_year: bool


Ends = Mapping[int, Sequence[tuple[int, str]]]


def by_folder(sight: Sight) -> dict[str, Inference]:
    """Take over the offset of sources of the same folder with which a source begins or ends together."""
    folders: dict[str, list[Clue]] = {}
    for clue in sight.clues.values():
        inferred = sight.found.get(clue.source_id)
        if clue.source_id in sight.seen and (inferred is None or inferred.rule != "folder"):
            folders.setdefault(clue.folder, []).append(clue)
    found: dict[str, Inference] = {}
    lefts = _by(sight.left, lambda clue: clue.folder)
    told = set(sight.rows.filter(pl.col("offset").is_not_null())["source_id"].unique())
    for folder, clues in folders.items():
        left = lefts.get(folder, []) if any(clue.source_id in told for clue in clues) else []
        ends = _ends(sight, [clue.source_id for clue in clues]) if left else {}
        for clue in left:
            own = _own_ends(sight.open_parts[clue.source_id])
            met = sorted(one for end, last in own for one in _met(end, ends[last], "end" if last else "begin"))
            if met and (one := _of_folder(clue, met, sight)) is not None:
                found[clue.source_id] = one
    return found


def _by(clues: Iterable[Clue], key: Callable[[Clue], str | None]) -> dict[str | None, list[Clue]]:
    found: dict[str | None, list[Clue]] = {}
    for clue in clues:
        found.setdefault(key(clue), []).append(clue)
    return found


def _of_folder(clue: Clue, met: Sequence[_Meeting], sight: Sight) -> Inference | None:
    offsets_met = {one.offset for one in met}
    sources = sorted({one.there.split(":")[0] for one in met})
    agreed = agree(_shown_pairs(sight.seen[key].filter(pl.col("offset").is_in(offsets_met)) for key in sources))
    if agreed is None:
        return None
    first = sight.clues[met[0].there.split(":")[0]]
    where = "itself" if first == clue else "in the same folder"
    known = f"{how(first, sight)} {shown(agreed)}{known_by(first, sight)}"
    both = f"both {met[0].word} within {max(1, -(-met[0].off_us // SECOND))} s"
    text = f"{name(first.path)} {where} {known}, and {both}"
    return inference(agreed, "folder", text, [met[0].there, f"{clue.source_id}:{met[0].here}"])


def ends_of(rows: pl.DataFrame) -> dict[str, list[tuple[bool, int, int, int]]]:
    """Give the first and the last instant of each source under each offset, all sources in one pass; see `Sight`."""
    known = rows.filter(pl.col("offset").is_not_null() & pl.col("instant").is_not_null())
    groups = known.sort("instant", "byte_offset").group_by("source_id", "offset", maintain_order=True)
    found: dict[str, list[tuple[bool, int, int, int]]] = {}
    for last, ends in ((False, groups.first()), (True, groups.last())):
        for source_id, offset, instant, at in ends.select("source_id", "offset", "instant", "byte_offset").iter_rows():
            found.setdefault(source_id, []).append((last, offset, instant, at))
    return found


def _ends(sight: Sight, sources: Sequence[str]) -> dict[bool, dict[int, list[tuple[int, str]]]]:
    """List by offset the first (and the last) instant of each source that shows it, with the event, in order."""
    found: dict[bool, dict[int, list[tuple[int, str]]]] = {False: {}, True: {}}
    for source_id in sources:
        for last, offset, instant, at in sight.ends.get(source_id, ()):
            found[last].setdefault(offset, []).append((instant, f"{source_id}:{at}"))
    return {last: {offset: sorted(one) for offset, one in sorted(ends.items())} for last, ends in found.items()}


def _own_ends(part: pl.DataFrame) -> list[tuple[_Own, bool]]:
    """Give the first and the last event of a source without zone: by time, or by place where the year is open."""
    dated = part.filter(pl.col("lacks").is_null())
    if part.is_empty():
        return []
    rows = (dated if dated.height else part).sort("at" if dated.height else "byte_offset")
    ends = [(rows.row(0, named=True), False), (rows.row(-1, named=True), True)]
    return [(_Own(row["at"], row["byte_offset"], bool(dated.height)), last) for row, last in ends]


def _met(own: _Own, there: Ends, word: str = "") -> list[_Meeting]:
    """Find for each offset the nearest end that lies within a minute."""
    found = []
    for offset, ends in there.items():
        tries = [own.at] if own.has_year else _in_years(own.at, [instant for instant, _ in ends])
        for at in (one - offset * SECOND for one in tries):
            place = bisect_left(ends, (at, ""))
            near = [(abs(at - instant), event) for instant, event in ends[max(place - 1, 0) : place + 1]]
            found += [_Meeting(off, word, event, own.byte_offset, offset) for off, event in near if off <= _TOGETHER]
    return found


def _in_years(at: int, instants: Sequence[int]) -> list[int]:
    """Put a stamp without year into every year around some instants."""
    years = {(_EPOCH + timedelta(microseconds=instant)).year + more for instant in instants for more in (-1, 0, 1)}
    stamp = _EPOCH + timedelta(microseconds=at)
    there = (stamp.replace(year=year, day=min(stamp.day, 28)) for year in sorted(years))
    return [(one + timedelta(days=max(stamp.day - 28, 0)) - _EPOCH) // timedelta(microseconds=1) for one in there]

"""Zones inferred from evidence: what sources that write none show beside sources that do.

An epoch inside an event beside its local time comes first; then request ids that stand in this source and in one whose
instants are known; then another source of the same named host; then one of the same folder that begins or ends together
with this one. What is inferred is an offset, for the days that the evidence spans, unless one zone explains several.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.parsing import instants
from pirtimeline.parsing.agreement import Agreement, agree
from pirtimeline.parsing.rule import TimeRule
from pirtimeline.parsing.turns import SECOND

_TOGETHER = 60 * SECOND
_ALONE_OFF_S = 2.0
_IDS = 4
_ID_BYTES = 6
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """Where a source lies, and which host its text (or the analyst) names; a host told by a path alone is not one."""

    source_id: str
    path: str
    folder: str
    host_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A zone that the evidence shows for a source, or null where it contradicts itself; `because` says why.

    `because` holds objects with `field` ("zone"), `value`, `event_ids` and `text`, a sentence for the report. `rule` is
    `epoch`, `request`, `host` or `folder`.
    """

    zone: str | None
    zone_from: str | None
    zone_to: str | None
    rule: str
    because: tuple[Mapping[str, object], ...]


Found = Mapping[str, Inference]


def infer(clues: Sequence[Clue], events: pl.DataFrame) -> dict[str, Inference]:
    """Infer zones for the sources that write times without one.

    Args:
        clues: the sources.
        events: samples of their events: `source_id`, `byte_offset`, `local` (Datetime, as `times.convert` gives it),
            `offset_s`, `zone_word`, `lacks`, `trace_id`, and `epoch_us`, an instant that stands inside the event beside
            its local time.

    Returns:
        source id -> inference, for the sources about which the evidence says something.
    """
    rows = _known(events)
    by_id = {clue.source_id: clue for clue in clues}
    parts = {key: part for key, part in _parts(rows) if key in by_id}
    open_parts = {key: _open(part) for key, part in parts.items()}
    needy = [clue for clue in clues if clue.source_id in open_parts and open_parts[clue.source_id].height]
    found = {clue.source_id: one for clue in needy if (one := _by_epoch(clue, open_parts[clue.source_id])) is not None}
    while True:
        seen = {key: _placed(part, found[key]) if key in found else part for key, part in parts.items()}
        sight = _Sight(by_id, open_parts, seen, found, [clue for clue in needy if clue.source_id not in found])
        more = _by_request(sight) or _by_host(sight) or _by_folder(sight)
        if not more:
            return {clue.source_id: found[clue.source_id] for clue in clues if clue.source_id in found}
        found = found | more


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is known in a round: events without and with instants by source, and the sources still without a zone."""

    clues: Mapping[str, Clue]
    open_parts: Mapping[str, pl.DataFrame]
    seen: Mapping[str, pl.DataFrame]
    found: Found
    left: Sequence[Clue]


def _parts(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (source_id,), part in rows.partition_by("source_id", as_dict=True, maintain_order=True).items():
        yield str(source_id), part


def _open(part: pl.DataFrame) -> pl.DataFrame:
    """Keep the events whose text tells no zone."""
    return part.filter(pl.col("offset").is_null())


def _known(events: pl.DataFrame) -> pl.DataFrame:
    """Add `instant` (microseconds) and `offset` (seconds) to events whose text alone tells them."""
    timed = events.filter(pl.col("local").is_not_null() & ~pl.col("lacks").fill_null("").is_in(["date", "start"]))
    rows = timed.with_columns(
        pl.col("byte_offset").cast(pl.UInt64),
        _wall=pl.col("local"),
        _offset_s=pl.col("offset_s"),
        _zone_word=pl.col("zone_word"),
        _lacks=pl.col("lacks"),
        at=pl.col("local").dt.epoch("us"),
    )
    placed = rows.hstack(instants.place(rows, TimeRule(), {}))
    told = (pl.col("rank") == instants.RANK["explicit"]) & pl.col("lacks").is_null()
    offset = pl.when(told).then("offset")
    instant = pl.coalesce(pl.col("at") - offset.cast(pl.Int64) * SECOND, "epoch_us")
    kept = [pl.col("source_id", "byte_offset", "at", "lacks", "trace_id", "epoch_us")]
    return placed.select(*kept, offset=offset, instant=instant, wall="_wall", word="_zone_word")


def _placed(part: pl.DataFrame, inference: Inference) -> pl.DataFrame:
    """Give instants to the events of a source whose zone was inferred."""
    if inference.zone is None:
        return part
    rule = TimeRule(zone=inference.zone, zone_basis="zone_inferred")
    told = part.select("byte_offset", _wall="wall", _offset_s="offset", _zone_word="word", _lacks="lacks")
    shown = pl.Series("_shown", instants.place(told, rule, {})["offset"])
    dated = pl.col("lacks").is_null()
    instant = pl.col("at") - pl.col("_shown").cast(pl.Int64) * SECOND
    return (
        part.with_columns(shown)
        .with_columns(
            instant=pl.coalesce("instant", pl.when(dated).then(instant)),
            offset=pl.coalesce("offset", "_shown"),
        )
        .drop("_shown")
    )


def _dated(local: str, lacks: str, instant: str) -> pl.Expr:
    """Give a local time without year the year that brings it nearest to an instant."""
    stamp, near = pl.from_epoch(pl.col(local), "us"), pl.from_epoch(pl.col(instant), "us")
    tries = [
        pl.datetime(
            near.dt.year() + more, stamp.dt.month(), pl.min_horizontal(stamp.dt.day(), pl.lit(28)), time_unit="us"
        ).dt.epoch("us")
        + (stamp.dt.day().cast(pl.Int64) - pl.min_horizontal(stamp.dt.day(), pl.lit(28)).cast(pl.Int64))
        * 86_400
        * SECOND
        + pl.col(local) % (86_400 * SECOND)
        for more in (-1, 0, 1)
    ]
    nearest = tries[0]
    for one in tries[1:]:
        nearest = (
            pl.when((one - pl.col(instant)).abs() < (nearest - pl.col(instant)).abs()).then(one).otherwise(nearest)
        )
    return pl.when(pl.col(lacks).is_null()).then(pl.col(local)).otherwise(nearest)


def _by_epoch(clue: Clue, mine: pl.DataFrame) -> Inference | None:
    pairs = mine.filter(pl.col("epoch_us").is_not_null() & pl.col("offset").is_null())
    pairs = pairs.select("byte_offset", local=_dated("at", "lacks", "epoch_us"), instant="epoch_us")
    found = agree(pairs)
    if found is None:
        return None
    text = (
        f"{_count(found.pairs, 'event')} of {_name(clue.path)} {_carry(found.pairs)} an epoch beside the local time, "
        f"which shows {_shown(found)} ({_fit(found)})"
    )
    return _inference(found, "epoch", text, [f"{clue.source_id}:{at}" for at in pairs["byte_offset"].head(_IDS)])


def _by_request(sight: _Sight) -> dict[str, Inference]:
    """Compare the first event of each request id with its first in every source whose instants are known."""
    left = [_ids(sight.open_parts[clue.source_id], "byte_offset") for clue in sight.left]
    known = [_ids(part.filter(pl.col("instant").is_not_null()), "instant") for part in sight.seen.values()]
    if not left or not known:
        return {}
    there = pl.concat(known).select("trace_id", "instant", other="source_id", there="byte_offset")
    pairs = pl.concat(left).drop("instant").join(there, on="trace_id").filter(pl.col("source_id") != pl.col("other"))
    dated = pairs.with_columns(local=_dated("at", "lacks", "instant")).sort("source_id", "other", "byte_offset")
    return {key: one for key, mine in _parts(dated) if (one := _of_requests(sight.clues[key], mine, sight)) is not None}


def _ids(part: pl.DataFrame, first_by: str) -> pl.DataFrame:
    """Keep the first event of each request id."""
    told = part.filter(pl.col("trace_id").str.len_bytes() >= _ID_BYTES).sort(first_by, "byte_offset")
    firsts = told.unique("trace_id", keep="first", maintain_order=True)
    return firsts.select("source_id", "trace_id", "at", "lacks", "byte_offset", "instant")


def _of_requests(clue: Clue, mine: pl.DataFrame, sight: _Sight) -> Inference | None:
    told = []
    for (other,), pairs in mine.partition_by("other", as_dict=True, maintain_order=True).items():
        found = agree(pairs)
        if found is not None and (found.pairs > 1 or abs(found.off_s) <= _ALONE_OFF_S):
            told.append((found, str(other), pairs))
    if not told:
        return None
    best, other, pairs = max(told, key=lambda one: one[0].pairs)
    zones = sorted({str(one[0].zone) for one in told})
    if len(zones) > 1:
        best = replace(best, zone=None, zone_from=None, zone_to=None)
    shown = _shown(best) if len(zones) == 1 else f"different offsets: {', '.join(zones)}"
    ids = "1 request id" if best.pairs == 1 else f"{best.pairs} request ids"
    text = (
        f"{ids} of {_name(clue.path)} also in {sight.clues[other].path}, whose instants are known: "
        f"the local times there and here show {shown} ({_fit(best)})"
    )
    shared = pairs.select("byte_offset", "there").head(_IDS // 2).iter_rows()
    event_ids = [one for here, at in shared for one in (f"{clue.source_id}:{here}", f"{other}:{at}")]
    return _inference(best, "request", text, event_ids)


def _by_host(sight: _Sight) -> dict[str, Inference]:
    """Take over what another source of the same named host shows."""
    hosts: dict[str, list[Clue]] = {}
    for clue in sight.clues.values():
        if clue.host_name is not None and clue.source_id in sight.seen:
            hosts.setdefault(clue.host_name, []).append(clue)
    found = {}
    for clue in sight.left:
        others = [one for one in hosts.get(clue.host_name or "", []) if one.source_id != clue.source_id]
        if (one := _of_host(clue, others, sight)) is not None:
            found[clue.source_id] = one
    return found


def _of_host(clue: Clue, others: Sequence[Clue], sight: _Sight) -> Inference | None:
    founders = [one for one in others if _founds(one, clue, sight)]
    if not founders:
        return None
    agreed = agree(_shown_pairs(sight.seen[one.source_id] for one in founders))
    if agreed is None:
        return None
    first = founders[0]
    text = f"{_name(first.path)} of the same host {clue.host_name} {_how(first, sight)} {_shown(agreed)}"
    ids = sight.seen[first.source_id].filter(pl.col("offset").is_not_null())["byte_offset"].head(_IDS // 2)
    return _inference(agreed, "host", text + _known_by(first, sight), [f"{first.source_id}:{at}" for at in ids])


def _founds(other: Clue, clue: Clue, sight: _Sight) -> bool:
    """Tell whether a source shows the zone of its host.

    One that writes UTC tells nothing of it by that, and counts where both sources begin or end together.
    """
    if other.source_id in sight.found:
        return sight.found[other.source_id].zone is not None and sight.found[other.source_id].rule in (
            "epoch",
            "request",
        )
    offset = sight.seen[other.source_id]["offset"].drop_nulls()
    if offset.is_empty():
        return False
    meets = [
        _met(begin, _ends(sight.seen, [other], last)) for begin, last in _own_ends(sight.open_parts[clue.source_id])
    ]
    return bool((offset != 0).any()) or any(meets)


def _shown_pairs(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Give the local times and instants that events with an offset show."""
    local = pl.col("instant") + pl.col("offset").cast(pl.Int64) * SECOND
    told = [part.filter(pl.col("offset").is_not_null()).select(local=local, instant="instant") for part in parts]
    return pl.concat(told)


def _how(founder: Clue, sight: _Sight) -> str:
    return "shows" if founder.source_id in sight.found else "writes"


def _known_by(founder: Clue, sight: _Sight) -> str:
    rule = sight.found[founder.source_id].rule if founder.source_id in sight.found else ""
    return {"epoch": ", known by epochs in its events", "request": ", known by request ids"}.get(rule, "")


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


def _by_folder(sight: _Sight) -> dict[str, Inference]:
    """Take over the offset of sources of the same folder with which a source begins or ends together."""
    folders: dict[str, list[Clue]] = {}
    for clue in sight.clues.values():
        inferred = sight.found.get(clue.source_id)
        if clue.source_id in sight.seen and (inferred is None or inferred.rule != "folder"):
            folders.setdefault(clue.folder, []).append(clue)
    ends = {folder: [_ends(sight.seen, clues, last) for last in (False, True)] for folder, clues in folders.items()}
    found = {}
    for clue in sight.left:
        both = zip(_own_ends(sight.open_parts[clue.source_id]), ends.get(clue.folder, ({}, {})), strict=True)
        met = sorted(one for (own, last), there in both for one in _met(own, there, "end" if last else "begin"))
        if met and (one := _of_folder(clue, met, sight)) is not None:
            found[clue.source_id] = one
    return found


def _of_folder(clue: Clue, met: Sequence[_Meeting], sight: _Sight) -> Inference | None:
    offsets_met = {one.offset for one in met}
    sources = sorted({one.there.split(":")[0] for one in met} - {clue.source_id})
    told = [sight.seen[key].filter(pl.col("offset").is_in(offsets_met)) for key in sources]
    agreed = agree(_shown_pairs(told)) if told else None
    if agreed is None:
        return None
    first = sight.clues[met[0].there.split(":")[0]]
    both = f"both {met[0].word} within {max(1, -(-met[0].off_us // SECOND))} s"
    text = f"{_name(first.path)} in the same folder {_how(first, sight)} {_shown(agreed)}{_known_by(first, sight)}, and {both}"
    return _inference(agreed, "folder", text, [met[0].there, f"{clue.source_id}:{met[0].here}"])


def _ends(seen: Mapping[str, pl.DataFrame], clues: Sequence[Clue], last: bool) -> dict[int, list[tuple[int, str]]]:  # noqa: FBT001
    """List by offset the first (last) instant of each source that shows it, with the event, in order."""
    found: dict[int, list[tuple[int, str]]] = {}
    for clue in clues:
        part = seen[clue.source_id].filter(pl.col("offset").is_not_null() & pl.col("instant").is_not_null())
        ordered = part.sort("instant", "byte_offset", descending=[last, False]).unique("offset", keep="first")
        for offset, instant, at in ordered.select("offset", "instant", "byte_offset").iter_rows():
            found.setdefault(offset, []).append((instant, f"{clue.source_id}:{at}"))
    return {offset: sorted(one) for offset, one in sorted(found.items())}


def _own_ends(part: pl.DataFrame) -> list[tuple[_Own, bool]]:
    """Give the first and the last event of a source without zone: by their times, or by place where the year is open."""
    dated = part.filter(pl.col("lacks").is_null())
    rows = (dated if dated.height else part).sort("at" if dated.height else "byte_offset")
    ends = [(rows.row(0, named=True), False), (rows.row(-1, named=True), True)]
    return [(_Own(row["at"], row["byte_offset"], bool(dated.height)), last) for row, last in ends]


def _met(own: _Own, there: Ends, word: str = "") -> list[_Meeting]:
    """Find for each offset the nearest end that lies within a minute."""
    found = []
    for offset, ends in there.items():
        years = {} if own.has_year else {_year(instant) for instant, _ in ends}
        for at in [own.at] if own.has_year else [_in_year(own.at, year) for year in sorted(years)]:
            place = bisect_left(ends, (at - offset * SECOND, ""))
            near = [
                (abs(at - offset * SECOND - instant), event) for instant, event in ends[max(place - 1, 0) : place + 1]
            ]
            found += [_Meeting(off, word, event, own.byte_offset, offset) for off, event in near if off <= _TOGETHER]
    return found


def _year(at: int) -> int:
    return (_EPOCH + timedelta(microseconds=at)).year


def _in_year(at: int, year: int) -> int:
    stamp = _EPOCH + timedelta(microseconds=at)
    there = stamp.replace(year=year, day=min(stamp.day, 28)) + timedelta(days=max(stamp.day - 28, 0))
    return (there - _EPOCH) // timedelta(microseconds=1)


def _inference(found: Agreement, rule: str, text: str, event_ids: list[str]) -> Inference:
    said = {"field": "zone", "value": found.zone, "event_ids": event_ids, "text": text}
    return Inference(zone=found.zone, zone_from=found.zone_from, zone_to=found.zone_to, rule=rule, because=(said,))


def _shown(found: Agreement) -> str:
    return found.zone or "offsets that contradict each other"


def _fit(found: Agreement) -> str:
    pairs = _count(found.pairs, "pair")
    return f"{pairs}, {found.off_s:+.1f} s off in the middle, spread {found.spread_s:.1f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _carry(number: int) -> str:
    return "carries" if number == 1 else "carry"


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]

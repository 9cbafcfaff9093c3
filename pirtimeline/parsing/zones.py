"""Zones inferred from evidence: what sources that write none show beside sources that do.

An epoch inside an event beside its local time comes first; then request ids that stand in this source and in one whose
instants are known; then another source of the same named host; then one of the same folder that begins or ends together
with this one. What is inferred is an offset, for the days that the evidence spans, unless one zone explains several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from pirtimeline.parsing import instants
from pirtimeline.parsing.agreement import Agreement, agree
from pirtimeline.parsing.rule import TimeRule
from pirtimeline.parsing.turns import SECOND

_TOGETHER = 60 * SECOND
_ALONE_OFF_S = 2.0
_IDS = 4


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
    open_rows = rows.filter(pl.col("instant").is_null() | pl.col("epoch_us").is_not_null())
    needy = [clue for clue in clues if clue.source_id in set(open_rows["source_id"])]
    paths = {clue.source_id: clue.path for clue in clues}
    found: dict[str, Inference] = {}
    for clue in needy:
        if inference := _by_epoch(clue, _of(open_rows, clue)):
            found[clue.source_id] = inference
    while more := dict(_round(needy, found, rows, open_rows, {clue.source_id: clue for clue in clues}, paths)):
        found |= more
    return {clue.source_id: found[clue.source_id] for clue in clues if clue.source_id in found}


def _round(
    needy: Sequence[Clue],
    found: Found,
    rows: pl.DataFrame,
    open_rows: pl.DataFrame,
    clues: Mapping[str, Clue],
    paths: Mapping[str, str],
) -> Iterator[tuple[str, Inference]]:
    """Infer what can be inferred from what is known by now, by the strongest rule that says something."""
    seen = _with_inferred(rows, found)
    left = [clue for clue in needy if clue.source_id not in found]
    rules: list[Callable[[Clue, pl.DataFrame], Inference | None]] = [
        lambda clue, mine: _by_request(clue, mine, seen, paths),
        lambda clue, mine: _by_host(clue, mine, seen, found, clues),
        lambda clue, mine: _by_folder(clue, mine, seen, found, clues),
    ]
    for rule in rules:
        told = [(clue.source_id, rule(clue, _of(open_rows, clue))) for clue in left]
        better = [(source_id, inference) for source_id, inference in told if inference is not None]
        yield from better
        if better:
            return


def _of(rows: pl.DataFrame, clue: Clue) -> pl.DataFrame:
    return rows.filter(pl.col("source_id") == clue.source_id)


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


def _with_inferred(rows: pl.DataFrame, found: Found) -> pl.DataFrame:
    """Give instants to the events of sources whose zone was inferred."""
    if not found:
        return rows
    parts = []
    for (source_id,), part in rows.partition_by("source_id", as_dict=True, maintain_order=True).items():
        inference = found.get(str(source_id))
        parts.append(part if inference is None or inference.zone is None else _placed(part, inference))
    return pl.concat(parts) if parts else rows


def _placed(part: pl.DataFrame, inference: Inference) -> pl.DataFrame:
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


def _by_request(clue: Clue, mine: pl.DataFrame, seen: pl.DataFrame, paths: Mapping[str, str]) -> Inference | None:
    """Compare the first event of each request id with its first in every source whose instants are known."""
    wanted = mine.filter(pl.col("trace_id").str.len_bytes() >= 6).sort("byte_offset")
    if wanted.is_empty():
        return None
    ids = wanted.unique("trace_id", keep="first", maintain_order=True).select("trace_id", "at", "lacks", "byte_offset")
    others = seen.filter(
        pl.col("instant").is_not_null() & (pl.col("source_id") != clue.source_id) & pl.col("trace_id").is_not_null()
    )
    firsts = others.sort("instant", "byte_offset").unique(["source_id", "trace_id"], keep="first", maintain_order=True)
    there = firsts.select("source_id", "trace_id", "instant", there="byte_offset")
    joined = ids.join(there, on="trace_id").with_columns(local=_dated("at", "lacks", "instant"))
    told = []
    for (other,), pairs in (
        joined.sort("source_id", "byte_offset").partition_by("source_id", as_dict=True, maintain_order=True).items()
    ):
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
    text = (
        f"{_count(best.pairs, 'request id')} of {_name(clue.path)} also {_stand(best.pairs)} in {paths[other]}, "
        f"whose instants are known, and {_show(best.pairs)} {shown} ({_fit(best)})"
    )
    event_ids = [
        one
        for here, there_at in pairs.select("byte_offset", "there").head(_IDS // 2).iter_rows()
        for one in (f"{clue.source_id}:{here}", f"{other}:{there_at}")
    ]
    return _inference(best, "request", text, event_ids)


def _by_host(
    clue: Clue, mine: pl.DataFrame, seen: pl.DataFrame, found: Found, clues: Mapping[str, Clue]
) -> Inference | None:
    """Take over what another source of the same named host shows.

    A source that writes UTC tells nothing of its host's zone by that; it counts where both begin or end together.
    """
    if clue.host_name is None:
        return None
    others = [one for one in clues.values() if one.host_name == clue.host_name and one.source_id != clue.source_id]
    founders = [one for one in others if _founds(one, mine, seen, found)]
    if not founders:
        return None
    shown = seen.filter(pl.col("source_id").is_in([one.source_id for one in founders]) & pl.col("offset").is_not_null())
    agreed = agree(shown.select(local=pl.col("instant") + pl.col("offset").cast(pl.Int64) * SECOND, instant="instant"))
    if agreed is None:
        return None
    first = founders[0]
    how = "writes" if first.source_id not in found else "shows"
    text = f"{_name(first.path)} of the same host {clue.host_name} {how} {_shown(agreed)}{_known_by(first, found)}"
    ids = shown.filter(pl.col("source_id") == first.source_id).head(_IDS // 2)["byte_offset"]
    return _inference(agreed, "host", text, [f"{first.source_id}:{at}" for at in ids])


def _founds(other: Clue, mine: pl.DataFrame, seen: pl.DataFrame, found: Found) -> bool:
    inference = found.get(other.source_id)
    if inference is not None:
        return inference.zone is not None and inference.rule in ("epoch", "request")
    shown = _of(seen, other).filter(pl.col("offset").is_not_null())
    if shown.is_empty():
        return False
    return bool((shown["offset"] != 0).any()) or _together(mine, shown, 0) is not None


def _known_by(founder: Clue, found: Found) -> str:
    rule = found[founder.source_id].rule if founder.source_id in found else ""
    return {"epoch": ", known by epochs in its events", "request": ", known by request ids"}.get(rule, "")


@dataclass(frozen=True, slots=True)
class _Meeting:
    """How two sources begin or end together under an offset."""

    word: str
    off_us: int
    here: int
    there: int


def _by_folder(
    clue: Clue, mine: pl.DataFrame, seen: pl.DataFrame, found: Found, clues: Mapping[str, Clue]
) -> Inference | None:
    """Take over the offset of a source of the same folder with which this one begins or ends together."""
    near = [one for one in clues.values() if one.folder == clue.folder and one.source_id != clue.source_id]
    others = [one for one in near if one.source_id not in found or found[one.source_id].rule != "folder"]
    shown = {one.source_id: _of(seen, one).filter(pl.col("offset").is_not_null()) for one in others}
    met: list[tuple[int, Clue, _Meeting]] = []
    for one in others:
        for offset in shown[one.source_id]["offset"].unique().sort():
            meeting = _together(mine, shown[one.source_id], offset)
            if meeting is not None:
                met.append((offset, one, meeting))
    if not met:
        return None
    _, best, meeting = min(met, key=lambda one: (one[2].off_us, one[1].path))
    table = pl.concat(shown[one.source_id].filter(pl.col("offset") == offset) for offset, one, _ in met)
    local = pl.col("instant") + pl.col("offset").cast(pl.Int64) * SECOND
    agreed = agree(table.select(local=local, instant="instant"))
    if agreed is None:
        return None
    how = "shows" if best.source_id in found else "writes"
    both = f"both {meeting.word} within {_seconds(meeting.off_us)}"
    text = f"{_name(best.path)} in the same folder {how} {_shown(agreed)}{_known_by(best, found)}, and {both}"
    ids = [f"{best.source_id}:{meeting.there}", f"{clue.source_id}:{meeting.here}"]
    return _inference(agreed, "folder", text, ids)


def _together(mine: pl.DataFrame, shown: pl.DataFrame, offset: int) -> _Meeting | None:
    """Tell whether two sources begin or end within a minute of each other under an offset."""
    found = []
    theirs = shown.filter(pl.col("offset") == offset).select("instant", "byte_offset")
    if theirs.is_empty() or mine.is_empty():
        return None
    for word, late in (("begin", False), ("end", True)):
        instant, there = theirs.sort("instant", "byte_offset", descending=[late, False]).row(0)
        near = mine.with_columns(instant=pl.lit(instant, pl.Int64))
        placed = near.select("byte_offset", at=_dated("at", "lacks", "instant") - offset * SECOND)
        at, here = placed.sort("at", "byte_offset", descending=[late, False]).select("at", "byte_offset").row(0)
        if abs(at - instant) <= _TOGETHER:
            found.append(_Meeting(word, abs(at - instant), here, there))
    return min(found, key=lambda one: one.off_us, default=None)


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


def _stand(number: int) -> str:
    return "stands" if number == 1 else "stand"


def _show(number: int) -> str:
    return "shows" if number == 1 else "show"


def _seconds(micros: int) -> str:
    return f"{max(1, -(-micros // SECOND))} s"


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]

"""Zones inferred from evidence: what sources that write none show beside sources that do.

An epoch inside an event beside its local time comes first; then request ids that stand in this source and in one whose
instants are known; then another source of the same named host; then one of the same folder that begins or ends together
with this one. What is inferred is an offset, for the days that the evidence spans, unless one zone explains several.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from pirtimeline.parsing import instants, matching, offsets
from pirtimeline.parsing.agreement import agree
from pirtimeline.parsing.neighbours import by_folder, by_host, ends_of
from pirtimeline.parsing.rule import TimeRule
from pirtimeline.parsing.sight import Clue, Inference, Sight, fit, inference, name, shown
from pirtimeline.parsing.turns import SECOND

__all__ = ["Clue", "Inference", "infer"]

_ALONE_OFF_S = 2.0
_IDS = 4
_ID_BYTES = 6


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
    by_id = {clue.source_id: clue for clue in clues}
    known = _known(events).filter(pl.col("source_id").is_in([*by_id]))
    zoneless = _open(known)
    lacking = set(zoneless.filter(pl.col("lacks").ne_missing("start"))["source_id"].unique())
    needy = [clue for clue in clues if clue.source_id in lacking]
    seen = _Parts(known, frozenset(known["source_id"].unique()))
    open_parts = _Parts(_with_day(zoneless), seen.keys())
    found: dict[str, Inference] = {}
    more = _by_epoch(needy, open_parts)
    while True:
        found |= more
        seen = _Parts(_placed(seen, more), seen.keys()) if more else seen
        left = [clue for clue in needy if clue.source_id not in found]
        if not left:
            break
        sight = Sight(by_id, open_parts, seen, seen.rows, found, left, ends_of(seen.rows))
        more = _by_request(sight) or by_host(sight) or by_folder(sight)
        if not more:
            break
    return {clue.source_id: found[clue.source_id] for clue in clues if clue.source_id in found}


class _Parts(Mapping[str, pl.DataFrame]):
    """The rows of each source, as slices of one table: by itself each table would take ten kilobytes.

    A source without rows has an empty table.
    """

    def __init__(self, rows: pl.DataFrame, keys: Collection[str]) -> None:
        self.rows, self._keys, self._bounds = rows, keys, matching.bounds(rows["source_id"])

    def __getitem__(self, key: str) -> pl.DataFrame:
        if key not in self._keys:
            raise KeyError(key)
        begin, end = self.bounds(key)
        return self.rows.slice(begin, end - begin)

    def bounds(self, key: str) -> tuple[int, int]:
        """Say where the rows of a source begin and end."""
        return self._bounds.get(key, (0, 0))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _with_day(part: pl.DataFrame) -> pl.DataFrame:
    """Leave out times without a date, which no instant can be held against."""
    return part.filter(~pl.col("lacks").fill_null("").is_in(["date", "start"]))


def _parts(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (source_id,), part in rows.partition_by("source_id", as_dict=True, maintain_order=True).items():
        yield str(source_id), part


def _open(part: pl.DataFrame) -> pl.DataFrame:
    """Keep the events whose text tells no zone."""
    return part.filter(pl.col("offset").is_null())


def _known(events: pl.DataFrame) -> pl.DataFrame:
    """Add `instant` (microseconds) and `offset` (seconds) to events whose text alone tells them."""
    timed = events.filter(pl.col("local").is_not_null())
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


def _placed(seen: _Parts, more: Mapping[str, Inference]) -> pl.DataFrame:
    """Give instants to the events of sources whose zone was inferred."""
    used = _offsets(seen, {key: one.zone for key, one in more.items() if one.zone is not None})
    dated = pl.col("lacks").is_null()
    instant = pl.col("at") - pl.col("_used").cast(pl.Int64) * SECOND
    return (
        seen.rows.with_columns(used.alias("_used"))
        .with_columns(
            instant=pl.coalesce("instant", pl.when(dated).then(instant)),
            offset=pl.coalesce("offset", "_used"),
        )
        .drop("_used")
    )


def _offsets(seen: _Parts, zones: Mapping[str, str]) -> pl.Series:
    """Give the offset that the zone of its source has at each event, in seconds; null for the other sources."""
    fixed = {zone: offsets.fixed(zone) for zone in {*zones.values()}}
    constant = {key: fixed[zone] for key, zone in zones.items() if fixed[zone] is not None}
    empty = pl.Series([None], dtype=pl.Int32).new_from_index(0, seen.rows.height)
    used = seen.rows["source_id"].replace_strict(constant, default=None, return_dtype=pl.Int32) if constant else empty
    for key in zones.keys() - constant.keys():
        told = seen[key].select("byte_offset", _wall="wall", _offset_s="offset", _zone_word="word", _lacks="lacks")
        rule = TimeRule(zone=zones[key], zone_basis="zone_inferred")
        begin, end = seen.bounds(key)
        used = used.scatter(range(begin, end), instants.place(told, rule, {})["offset"])
    return used


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


def _by_epoch(needy: Sequence[Clue], open_parts: _Parts) -> dict[str, Inference]:
    """Compare local times with the epochs beside them."""
    beside = {*open_parts.rows.filter(pl.col("epoch_us").is_not_null())["source_id"]}
    told = ((clue, open_parts[clue.source_id]) for clue in needy if clue.source_id in beside)
    found = ((clue.source_id, _of_epochs(clue, mine)) for clue, mine in told)
    return {key: one for key, one in found if one is not None}


def _of_epochs(clue: Clue, mine: pl.DataFrame) -> Inference | None:
    beside = mine.filter(pl.col("epoch_us").is_not_null())
    pairs = beside.select("byte_offset", local=_dated("at", "lacks", "epoch_us"), instant="epoch_us")
    found = agree(pairs)
    if found is None:
        return None
    events = "1 event" if found.pairs == 1 else f"{found.pairs} events"
    text = f"an epoch beside the local time of {events} of {name(clue.path)} shows {shown(found)} ({fit(found)})"
    return inference(found, "epoch", text, [f"{clue.source_id}:{at}" for at in pairs["byte_offset"].head(_IDS)])


def _by_request(sight: Sight) -> dict[str, Inference]:
    """Compare the first event of each request id with its first in every source whose instants are known."""
    told = sight.rows.filter(pl.col("trace_id").str.len_bytes() >= _ID_BYTES)
    if told.is_empty():
        return {}
    left = told.filter(pl.col("offset").is_null() & pl.col("source_id").is_in([one.source_id for one in sight.left]))
    known = _ids(told.filter(pl.col("instant").is_not_null()), "instant")
    there = known.select("trace_id", "instant", other="source_id", there="byte_offset")
    pairs = _ids(left, "byte_offset").drop("instant").join(there, on="trace_id")
    dated = pairs.filter(pl.col("source_id") != pl.col("other")).with_columns(local=_dated("at", "lacks", "instant"))
    parts = _parts(dated.sort("source_id", "other", "byte_offset"))
    return {key: one for key, mine in parts if (one := _of_requests(sight.clues[key], mine, sight)) is not None}


def _ids(told: pl.DataFrame, first_by: str) -> pl.DataFrame:
    """Keep the first event of each request id of each source."""
    firsts = told.sort(first_by, "byte_offset").unique(["source_id", "trace_id"], keep="first", maintain_order=True)
    return firsts.select("source_id", "trace_id", "at", "lacks", "byte_offset", "instant")


def _of_requests(clue: Clue, mine: pl.DataFrame, sight: Sight) -> Inference | None:
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
    said = shown(best) if len(zones) == 1 else f"different offsets: {', '.join(zones)}"
    ids = "1 request id" if best.pairs == 1 else f"{best.pairs} request ids"
    there = f"that {name(clue.path)} shares with {sight.clues[other].path}, whose instants are known,"
    text = f"{ids} {there} {'shows' if best.pairs == 1 else 'show'} {said} ({fit(best)})"
    shared = pairs.select("byte_offset", "there").head(_IDS // 2).iter_rows()
    event_ids = [one for here, at in shared for one in (f"{clue.source_id}:{here}", f"{other}:{at}")]
    return inference(best, "request", text, event_ids)

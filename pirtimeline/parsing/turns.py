"""What the whole of a source tells of its times, block by block: years and days that turn, clocks set back, edges.

A block's `Turns` are small, know nothing of zones or years, and join in order (`join`), so that blocks can be read side
by side and their times still be settled as if the source had been read at once (`parsing.clock.anchor`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import polars as pl

from pirtimeline.parsing.assemble import readings_of_numbers

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
BUCKET = HOUR // 2
"""Steps back are counted by the half hour of local time that they lead to: no fold begins or ends elsewhere."""

_WRAPS: Mapping[str, tuple[int, int]] = {"year": (183 * DAY, 335 * DAY), "date": (2 * HOUR, 22 * HOUR)}
"""How far a stamp must step back to be in the next year (day), how far ahead to be in the one before.

A log goes on: it may be silent for months, and is late by days at most; it may be silent for a night, and is late by an
hour at most.
"""

_MONTH = 31 * DAY
_YEAR_2000 = 946_684_800 * SECOND
_FOLDED_HOURS = (23, 0, 1, 2, 3)
_SLACK = 60 * SECOND
_DATE_CHARACTERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """How stamps without year (or without date) run through a stretch of a source.

    `first` and `last` are stamps in microseconds since 1970, their year 2000 (their day 1970-01-01), `turns` counts
    the years (days) that passed between them, `latest` is the latest stamp as (turns, microseconds). `back` and `on`
    count jumps by more than a month that are no turn. `leaps` are the turns at which a 29 February stands. `votes`
    tell which year (day) the dated lines beside stamps give to the first stamp, and how often.
    """

    first: int
    last: int
    turns: int
    latest: tuple[int, int]
    rows: int
    back: int = 0
    on: int = 0
    leaps: tuple[int, ...] = ()
    votes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A dated row at the edge of a stretch, as `parsing.times` read it, with the turns of its track up to it."""

    byte_offset: int
    local: int
    offset_s: int | None
    zone_word: str | None
    lacks: str | None
    ambiguous: bool | None
    text: str | None
    turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What a stretch of a source tells of its times.

    `tracks` are by what the text lacks. `steps` are steps back at night: (kind, bucket) -> (how many, byte offset of
    the first); kind is `year` for stamps without one, else empty. `ends` are (first stamp, its byte offset, last stamp)
    by kind. `first` and `last` are the outermost dated rows. `orders`: of the readings that hold for all dates of bare
    numbers, the latest day (since 1970) and whether all were read so; null without such dates. `loose`: undated rows
    stand before the first or behind the last dated one.
    """

    tracks: Mapping[str, Track]
    steps: Mapping[tuple[str, int], tuple[int, int]]
    ends: Mapping[str, tuple[int, int, int]]
    first: Edge | None = None
    last: Edge | None = None
    orders: Mapping[str, tuple[int, bool]] | None = None
    loose: bool = False

    @property
    def closed(self) -> bool:
        """Tell whether nothing outside this stretch can change how its times are settled (but a fold at its end)."""
        return not self.tracks and not self.loose and self.orders is None


NOTHING = Turns(tracks={}, steps={}, ends={})


def forwards(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn rows of a source that lists its newest first, so that time runs on; places then count up to zero.

    Example:
        >>> forwards(pl.DataFrame({"byte_offset": [0, 16]}))["byte_offset"].to_list()
        [-16, 0]
    """
    return frame.reverse().with_columns(-pl.col("byte_offset").cast(pl.Int64))


def summarise(frame: pl.DataFrame, *, descending: bool = False) -> Turns:
    """Say what a block's rows tell of its source's times.

    Args:
        frame: rows in order of `byte_offset`, with `timestamp_text` and the columns of `parsing.times.FIELDS`.
        descending: the source lists its newest first.

    Example:
        >>> from pirtimeline.parsing import times
        >>> texts = pl.DataFrame({"timestamp_text": ["Dec 31 23:59:59", "Jan  1 00:00:01"], "byte_offset": [0, 16]})
        >>> summarise(times.read(texts, "syslog")).tracks["year"].turns
        1
    """
    frame = forwards(frame) if descending else frame
    dated = _dated(frame)
    if dated.is_empty():
        return replace(NOTHING, loose=not frame.is_empty())
    tracks = {kind: _track(dated, kind) for kind in _WRAPS if (dated["_lacks"] == kind).any()}
    steps, ends = _nights(dated)
    first, last = (_edge(frame, dated.row(at, named=True)) for at in (0, -1))
    return Turns(
        tracks=tracks,
        steps=steps,
        ends=ends,
        first=first,
        last=replace(last, turns=tracks[last.lacks].turns) if last.lacks in tracks else last,
        orders=_orders(frame),
        loose=bool(dated["row"][0] > 0 or dated["row"][-1] < frame.height - 1),
    )


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows that have a time, with it as microseconds and their place in the frame."""
    kept = ["byte_offset", "_local", "_offset_s", "_zone_word", "_lacks", "_ambiguous"]
    rows = (
        frame.select(kept)
        .with_row_index("row")
        .filter(pl.col("_local").is_not_null() & pl.col("_lacks").ne_missing("start"))
    )
    return rows.with_columns(at=pl.col("_local").dt.epoch("us"))


def _edge(frame: pl.DataFrame, row: Mapping[str, object]) -> Edge:
    told = {name: row[f"_{name}"] for name in ("offset_s", "zone_word", "lacks", "ambiguous")}
    text = frame["timestamp_text"][int(str(row["row"]))]
    return Edge(byte_offset=row["byte_offset"], local=row["at"], text=text, **told)  # type: ignore[arg-type]  # Polars'


def turned(kind: str, at: pl.Expr) -> pl.Expr:
    """Count the turns of a track up to each of its stamps.

    Args:
        kind: `year` or `date`.
        at: stamps in microseconds, in the order of the source.
    """
    back, ahead = _WRAPS[kind]
    step = at.diff().fill_null(0)
    return ((step < -back).cast(pl.Int32) - (step > ahead).cast(pl.Int32)).cum_sum()


def _turn(kind: str, before: int, after: int) -> int:
    back, ahead = _WRAPS[kind]
    return int(after - before < -back) - int(after - before > ahead)


def _track(dated: pl.DataFrame, kind: str) -> Track:
    mine = dated.filter(pl.col("_lacks") == kind).select("row", "at", turns=turned(kind, pl.col("at")))
    step = mine["at"].diff().drop_nulls()
    back, ahead = _WRAPS["year"]
    turns = mine["turns"].max()
    day = pl.from_epoch("at", "us")
    leaps = mine.filter((day.dt.month() == 2) & (day.dt.day() == 29))["turns"]
    return Track(
        first=mine["at"][0],
        last=mine["at"][-1],
        turns=mine["turns"][-1],
        latest=mine.filter(pl.col("turns") == turns).select("turns", pl.col("at").max()).row(0),
        rows=mine.height,
        back=int(step.is_between(-back, -_MONTH).sum()),
        on=int(step.is_between(_MONTH, ahead).sum()),
        leaps=tuple(leaps.unique().sort()),
        votes=_votes(dated, mine, kind),
    )


def _votes(dated: pl.DataFrame, mine: pl.DataFrame, kind: str) -> tuple[tuple[int, int], ...]:
    """Let each stamp beside a dated line tell by it the year or day of the first stamp."""
    if dated["_lacks"].null_count() == 0:
        return ()
    rows = dated.select("row", "at", "_lacks").join(
        mine.select("row", "turns"), on="row", how="left", maintain_order="left"
    )
    beside = rows.with_columns(pl.col("at", "_lacks", "turns").shift(1).name.prefix("above_")).slice(1)
    full, full_above = pl.col("_lacks").is_null(), pl.col("above__lacks").is_null()
    below = beside.filter(full_above & pl.col("_lacks").eq(kind)).select(full="above_at", stamp="at", turns="turns")
    above = beside.filter(full & pl.col("above__lacks").eq(kind)).select(
        full="at", stamp="above_at", turns="above_turns"
    )
    votes: dict[int, int] = {}
    for table, behind in ((below, True), (above, False)):
        counted = table.select(base=_base(kind, behind) - pl.col("turns")).group_by("base").len()
        for base, count in counted.iter_rows():
            votes[base] = votes.get(base, 0) + count
    return tuple(sorted(votes.items()))


def _base(kind: str, behind: bool) -> pl.Expr:
    """Choose the year that puts a `stamp` nearest to a `full` time, or the day that puts it behind or before that."""
    stamp, full = pl.col("stamp"), pl.col("full")
    if kind == "year":
        year = pl.from_epoch(full, "us").dt.year().cast(pl.Int64)
        away = stamp - _YEAR_2000 - (full - pl.from_epoch(full, "us").dt.truncate("1y").dt.epoch("us"))
        return year + (away < -183 * DAY).cast(pl.Int64) - (away > 183 * DAY).cast(pl.Int64)
    away = stamp - full % DAY
    turn = (away < -2 * HOUR).cast(pl.Int64) if behind else -(away > 2 * HOUR).cast(pl.Int64)
    return full // DAY + turn


Steps = dict[tuple[str, int], tuple[int, int]]
Ends = dict[str, tuple[int, int, int]]


def _nights(dated: pl.DataFrame) -> tuple[Steps, Ends]:
    """Count the steps back at the hours in which clocks are set back, and keep the ends of the runs."""
    steps: Steps = {}
    ends: Ends = {}
    for kind in ("", "year"):
        mine = pl.col("_offset_s").is_null() & pl.col("_lacks").fill_null("").eq(kind)
        run = dated.select("at", "byte_offset", mine=mine).filter("mine")
        if run.is_empty():
            continue
        ends[kind] = (run["at"][0], run["byte_offset"][0], run["at"][-1])
        if not (run["at"].diff() < -_SLACK).any():
            continue
        fall = pl.col("at").shift(1) - pl.col("at")
        night = (pl.col("at") // HOUR % 24).is_in(_FOLDED_HOURS)
        found = run.filter((fall > _SLACK) & (fall < 3 * HOUR) & night).group_by(bucket=pl.col("at") // BUCKET)
        for bucket, count, offset in found.agg(pl.len(), pl.col("byte_offset").min()).sort("bucket").iter_rows():
            steps[kind, bucket] = (count, offset)
    return steps, ends


def night_falls(at: pl.Expr, source: str) -> pl.Expr:
    """Tell rows whose stamp steps back at an hour in which clocks are set back, from the row before in their source.

    Args:
        at: local times in microseconds.
        source: the column that tells sources apart; their rows stand together, in order.
    """
    fall = at.forward_fill().shift(1).over(source) - at
    return ((fall > _SLACK) & (fall < 3 * HOUR) & (at // HOUR % 24).is_in(_FOLDED_HOURS)).fill_null(False)


def _orders(frame: pl.DataFrame) -> dict[str, tuple[int, bool]] | None:
    """Tell of the readings that hold for all dates of bare numbers: the latest day, and whether all were read so."""
    rows = frame.lazy().filter(pl.col("_ambiguous").is_not_null())
    date = pl.col("timestamp_text").str.head(_DATE_CHARACTERS)
    few = rows.select(date, day=pl.col("_local").dt.epoch("us") // DAY).unique(maintain_order=True).collect()
    if few.is_empty():
        return None
    days = readings_of_numbers(few["timestamp_text"])
    whole = [order for order in days.columns if days[order].null_count() == 0]
    latest = {order: days[order].max() for order in whole}
    return {order: (int(str(latest[order])), bool((days[order] == few["day"]).all())) for order in whole}


def join(before: Turns, after: Turns) -> Turns:
    """Join what two stretches tell, one right behind the other.

    Example:
        >>> join(NOTHING, NOTHING) == NOTHING
        True
    """
    shifts = {kind: shift(before, after, kind) for kind in _WRAPS}
    tracks = {kind: _joined(kind, before.tracks.get(kind), after.tracks.get(kind)) for kind in _WRAPS}
    tracks |= _vote_between(before, after, tracks, shifts)
    last = after.last and replace(after.last, turns=after.last.turns + shifts.get(after.last.lacks or "", 0))
    first = before.first or (after.first and replace(after.first, turns=shifts.get(after.first.lacks or "", 0)))
    return Turns(
        tracks={kind: track for kind, track in tracks.items() if track is not None},
        steps=_both_steps(before, after),
        ends={
            kind: _both_ends(before.ends.get(kind), after.ends.get(kind))
            for kind in sorted({*before.ends, *after.ends})
        },
        first=first,
        last=last or before.last,
        orders=_both_orders(before.orders, after.orders),
        loose=before.loose or after.loose,
    )


def moved(told: Turns, by: int) -> Turns:
    """Count the places of a stretch from `by` bytes further back, as where sources stand behind each other.

    Example:
        >>> moved(Turns(tracks={}, steps={("", 7): (1, 40)}, ends={}), 100).steps
        {('', 7): (1, 140)}
    """
    steps = {key: (count, offset + by) for key, (count, offset) in told.steps.items()}
    ends = {kind: (first, offset + by, last) for kind, (first, offset, last) in told.ends.items()}
    edges = [edge and replace(edge, byte_offset=edge.byte_offset + by) for edge in (told.first, told.last)]
    return replace(told, steps=steps, ends=ends, first=edges[0], last=edges[1])


def join_all(every: Iterable[Turns]) -> Turns:
    """Join what all stretches of a source tell, in their order."""
    return reduce(join, every, NOTHING)


def shift(before: Turns, after: Turns, kind: str) -> int:
    """Count the turns from the first stamp of one stretch to the first of the next."""
    one, two = before.tracks.get(kind), after.tracks.get(kind)
    return one.turns + _turn(kind, one.last, two.first) if one and two else one.turns if one else 0


def _joined(kind: str, one: Track | None, two: Track | None) -> Track | None:
    if one is None or two is None:
        return one or two
    step = two.first - one.last
    by = one.turns + _turn(kind, one.last, two.first)
    back, ahead = _WRAPS["year"]
    votes = dict(one.votes)
    for base, count in two.votes:
        votes[base - by] = votes.get(base - by, 0) + count
    return Track(
        first=one.first,
        last=two.last,
        turns=by + two.turns,
        latest=max(one.latest, (two.latest[0] + by, two.latest[1])),
        rows=one.rows + two.rows,
        back=one.back + two.back + int(-back <= step <= -_MONTH),
        on=one.on + two.on + int(_MONTH <= step <= ahead),
        leaps=tuple(sorted({*one.leaps, *(leap + by for leap in two.leaps)})),
        votes=tuple(sorted(votes.items())),
    )


def _vote_between(
    before: Turns, after: Turns, tracks: Mapping[str, Track | None], shifts: Mapping[str, int]
) -> dict[str, Track | None]:
    """Let the rows at the seam of two stretches vote, where one of them is dated and the other lacks something."""
    above, below = before.last, after.first
    if above is None or below is None or (above.lacks is None) == (below.lacks is None):
        return {}
    full, stamp, behind = (above, below, True) if above.lacks is None else (below, above, False)
    kind = str(stamp.lacks)
    turns = shifts[kind] if behind else before.tracks[kind].turns
    pair = pl.DataFrame({"full": [full.local], "stamp": [stamp.local]})
    base = pair.select(_base(kind, behind)).item() - turns
    track = tracks[kind]
    return {} if track is None else {kind: replace(track, votes=_voted(track.votes, base))}


def _voted(votes: tuple[tuple[int, int], ...], base: int) -> tuple[tuple[int, int], ...]:
    known = dict(votes)
    return tuple(sorted((known | {base: known.get(base, 0) + 1}).items()))


def _both_orders(
    one: Mapping[str, tuple[int, bool]] | None, two: Mapping[str, tuple[int, bool]] | None
) -> Mapping[str, tuple[int, bool]] | None:
    if one is None or two is None:
        return two if one is None else one
    return {name: (max(one[name][0], two[name][0]), one[name][1] and two[name][1]) for name in one if name in two}


def _both_ends(one: tuple[int, int, int] | None, two: tuple[int, int, int] | None) -> tuple[int, int, int]:
    if one is None or two is None:
        return one or two or (0, 0, 0)
    return (one[0], one[1], two[2])


def _both_steps(before: Turns, after: Turns) -> Steps:
    steps = dict(before.steps)
    for key, (count, offset) in [*_step_between(before, after), *after.steps.items()]:
        known = steps.get(key)
        steps[key] = (count, offset) if known is None else (known[0] + count, min(known[1], offset))
    return dict(sorted(steps.items()))


def _step_between(before: Turns, after: Turns) -> Sequence[tuple[tuple[str, int], tuple[int, int]]]:
    """Give the step from the last stamp of one stretch to the first of the next, where it is one back at night."""
    found = []
    for kind in sorted({*before.ends} & {*after.ends}):
        last, (first, offset, _) = before.ends[kind][2], after.ends[kind]
        if _SLACK < last - first < 3 * HOUR and first // HOUR % 24 in _FOLDED_HOURS:
            found.append(((kind, first // BUCKET), (1, offset)))
    return found

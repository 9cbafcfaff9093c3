"""When it began and when it was over: the outage in a series of counts, its calm before and after.

An outage is a stretch between change points in which a far larger share of requests failed than in the calm half of
the series. Without requests the errors in the logs stand in, with less to be said for the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pirtimeline.analysis.facts import Interval
from pirtimeline.analysis.rates import segments
from pirtimeline.analysis.statistics import poisson_at_least

SHARE = 0.01
FACTOR = 5.0
GAP = timedelta(minutes=10)
"""Failing stretches no further apart than this are one outage."""

CHAIN = timedelta(minutes=2)
"""Single failures no further apart than this (or five bins) lead back to the outage's first one."""

MITIGATED_HOLD = timedelta(minutes=10)
RECOVERED_HOLD = timedelta(minutes=60)
LEAST_BINS = 5
BASELINE_BINS = 10

Kind = Literal["requests", "silence", "errors"]


@dataclass(frozen=True, slots=True)
class Calm:
    """How many of how many failed while nothing was wrong."""

    failed: float
    total: float
    bins: int

    @property
    def share(self) -> float:
        """Give the share that failed."""
        return self.failed / self.total if self.total else 0.0

    @property
    def rate(self) -> float:
        """Give the rows of a bin."""
        return self.total / self.bins if self.bins else 0.0


@dataclass(frozen=True, slots=True)
class Outage:
    """The bins `first` to `last` (inclusive) in which users were failed, and the calm they are measured against."""

    kind: Kind
    first: int
    last: int
    calm: Calm
    excess: float
    others: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """The first bin of a quiet stretch, how long it had to last and how long it would have to by default."""

    bin: int
    length: timedelta
    asked: timedelta
    volume_back: bool = True

    @property
    def confidence(self) -> float:
        """Give 0.9 for a full hold, less for a shortened one or one without the usual traffic."""
        full = 0.9 if self.volume_back else 0.6
        return round(full * max(0.4, min(1.0, self.length / self.asked)), 2)


def outage(
    bins: pl.DataFrame, *, every: timedelta, kind: Kind = "requests", within: Interval | None = None
) -> Outage | None:
    """Find the outage with the most failures beyond the calm's, or None.

    `bins` is what `rates.series` gives. With `within` only an outage that touches that interval counts.
    """
    failed, total = (bins[c].to_numpy().astype(np.float64) for c in ("failed", "total"))
    if not failed.any():
        return _silence(bins, total, every, within) if kind == "requests" else None
    parts = segments(failed)
    calm = _calm(parts, failed, total)
    bad = [p for p in parts if _fails(failed[slice(*p)], total[slice(*p)], calm, kind)]
    groups = [_chained(g, failed, total, calm, every) for g in _grouped(bad, every)]
    groups = [g for g in groups if within is None or _touches(bins, g, within, every)]
    if not groups:
        return _silence(bins, total, every, within) if kind == "requests" else None
    excess = [float(failed[a:b].sum() - calm.share * total[a:b].sum()) for a, b in groups]
    best = int(np.argmax(excess))
    others = tuple(g for i, g in enumerate(groups) if i != best)
    first, end = groups[best]
    calm = _calm(parts, failed, total, without=slice(first, end))
    return Outage(kind, first, end - 1, calm, excess[best], others)


def _calm(
    parts: list[tuple[int, int]],
    failed: NDArray[np.float64],
    total: NDArray[np.float64],
    *,
    without: slice | None = None,
) -> Calm:
    """Pool the stretches that failed least, until they are half of the series."""
    kept = np.ones(len(failed))
    if without is not None:
        kept[without] = 0.0
    failed, total = failed * kept, total * kept
    share = [failed[a:b].sum() / max(total[a:b].sum(), 1.0) for a, b in parts]
    f = t = 0.0
    n = 0
    for i in sorted(range(len(parts)), key=lambda i: (share[i], parts[i])):
        a, b = parts[i]
        if n and (n * 2 >= kept.sum() or share[i] > max(SHARE, FACTOR * f / max(t, 1.0))):
            break
        f, t, n = f + failed[a:b].sum(), t + total[a:b].sum(), n + int(kept[a:b].sum())
    return Calm(f, t, n)


def _fails(failed: NDArray[np.float64], total: NDArray[np.float64], calm: Calm, kind: Kind) -> bool:
    count = failed.sum()
    if kind == "requests":
        share = count / max(total.sum(), 1.0)
        return bool(count >= 2 and share >= max(SHARE, FACTOR * calm.share))
    return bool(count >= 5 and failed.mean() >= FACTOR * calm.failed / max(calm.bins, 1))


def _grouped(parts: list[tuple[int, int]], every: timedelta) -> list[tuple[int, int]]:
    gap = max(GAP // every, LEAST_BINS)
    groups: list[tuple[int, int]] = []
    for a, b in parts:
        if groups and a - groups[-1][1] <= gap:
            groups[-1] = (groups[-1][0], b)
        else:
            groups.append((a, b))
    return groups


def _chained(
    group: tuple[int, int], failed: NDArray[np.float64], total: NDArray[np.float64], calm: Calm, every: timedelta
) -> tuple[int, int]:
    """Trim a group to its failing bins, then follow failures that lie close before it back to the first."""
    bad = np.flatnonzero(worse(failed, total, calm))
    inside = bad[(bad >= group[0]) & (bad < group[1])]
    if not len(inside):
        inside = group[0] + np.flatnonzero(failed[slice(*group)])
    first, last = int(inside[0]), int(inside[-1])
    reach = max(CHAIN // every, LEAST_BINS)
    for index in bad[bad < first][::-1]:
        if first - index > reach:
            break
        first = int(index)
    return first, last + 1


def worse(failed: NDArray[np.float64], total: NDArray[np.float64], calm: Calm) -> NDArray[np.bool_]:
    """Tell which bins failed more than twice the calm's share explains (Poisson, 1 %); after a calm without any, each.

    Example:
        >>> worse(np.array([0.0, 1.0, 30.0]), np.array([100.0] * 3), Calm(10, 1000, 10)).tolist()
        [False, False, True]
    """
    if calm.failed == 0:
        return np.asarray(failed > 0)
    expected = 2.0 * calm.share * np.maximum(total, 1.0)
    return np.asarray(poisson_at_least(failed, expected) < 0.01)


def _touches(bins: pl.DataFrame, group: tuple[int, int], within: Interval, every: timedelta) -> bool:
    return bool(bins["bin"][group[0]] <= within.end and bins["bin"][group[1] - 1] + every >= within.start)


def _silence(
    bins: pl.DataFrame, total: NDArray[np.float64], every: timedelta, within: Interval | None
) -> Outage | None:
    """Find the longest run of bins without any request that the usual traffic makes all but impossible."""
    usual = float(np.median(total)) if len(total) else 0.0
    if usual <= 0:
        return None
    runs = _runs(total == 0)
    long = [(a, b) for a, b in runs if a > 0 and b < len(total) and b - a >= 2 and usual * (b - a) > 14]
    long = [g for g in long if within is None or _touches(bins, g, within, every)]
    if not long:
        return None
    a, b = max(long, key=lambda g: (g[1] - g[0], -g[0]))
    calm = Calm(0, float(total.sum()), int((total > 0).sum()))
    return Outage("silence", a, b - 1, calm, usual * (b - a), tuple(g for g in long if g != (a, b)))


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def mitigated(bins: pl.DataFrame, found: Outage, *, every: timedelta) -> Hold | None:
    """Find the first bin after which few requests fail: at most twice the calm's share (or 0.5 %) over the hold."""
    failed, total = (bins[c].to_numpy().astype(np.float64) for c in ("failed", "total"))
    bad = worse(failed, total, found.calm) | ((total == 0) if found.kind == "silence" else False)
    limit = max(2.0 * found.calm.share, SHARE / 2)
    starts = np.arange(found.first + 1, len(failed) - LEAST_BINS + 1)
    ends = starts + np.maximum(LEAST_BINS, np.minimum(MITIGATED_HOLD // every, len(failed) - starts))
    asked = _between(total, starts, ends)
    few = _between(failed, starts, ends) <= limit * asked
    quiet = np.flatnonzero(few & (asked > 0) & (_between(bad, starts, starts + LEAST_BINS) == 0))
    if not len(quiet):
        return None
    index = int(starts[quiet[0]])
    return Hold(index, (int(ends[quiet[0]]) - index) * every, MITIGATED_HOLD)


def recovered(bins: pl.DataFrame, found: Outage, *, every: timedelta) -> Hold | None:
    """Find the first bin from which nothing fails beyond the calm and at least half of the traffic is back."""
    failed, total = (bins[c].to_numpy().astype(np.float64) for c in ("failed", "total"))
    strict = worse(failed, total, found.calm)
    usual = replace(found.calm, failed=max(found.calm.failed, 1.0))  # a stray failure, had the calm been longer
    later = np.arange(len(failed)) > found.last
    bad = np.where(later, worse(failed, total, usual), strict) | ((total == 0) if found.kind == "silence" else False)
    least = found.calm.rate / 2 if found.kind != "errors" else 0.0
    for index in (int(i) + 1 for i in np.flatnonzero(bad) if i >= found.first):
        length = _hold(RECOVERED_HOLD, index, len(failed), every)
        span = slice(index, index + length)
        if index + LEAST_BINS > len(failed) or bad[span].any():
            continue
        if worse(failed[span].sum(keepdims=True), total[span].sum(keepdims=True), usual).any():
            continue
        back = _volume_back(total[: index + length], index, least)
        start = index if back is None else back
        return Hold(start, _hold(RECOVERED_HOLD, start, len(failed), every) * every, RECOVERED_HOLD, back is not None)
    return None


def _hold(asked: timedelta, index: int, bins: int, every: timedelta) -> int:
    """Give the hold in bins: what is asked or what the evidence has left, at least five."""
    return max(LEAST_BINS, min(asked // every, bins - index))


def _volume_back(total: NDArray[np.float64], index: int, least: float) -> int | None:
    starts = np.arange(index, len(total) - LEAST_BINS + 1)
    enough = _between(total, starts, starts + LEAST_BINS) >= least * LEAST_BINS
    back = np.flatnonzero(enough & ((total[starts] > 0) | (least == 0)))
    return int(starts[back[0]]) if len(back) else None


def _between(counts: NDArray[Any], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add up stretches of whole counts, each in one step.

    Example:
        >>> _between(np.array([1.0, 2.0, 4.0]), np.array([0, 1]), np.array([2, 3])).tolist()
        [3.0, 6.0]
    """
    upto = np.concatenate([[0.0], np.cumsum(counts)])
    return np.asarray(upto[ends] - upto[starts])


def baseline(bins: pl.DataFrame, found: Outage) -> Interval:
    """Give the interval before the outage, from the first bin or the end of an earlier outage on."""
    before = [end for _, end in found.others if end < found.first]
    return Interval(bins["bin"][max(before, default=0)], bins["bin"][found.first])

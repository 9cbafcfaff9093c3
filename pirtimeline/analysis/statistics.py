"""The few statistics that the analysis rests on, in numpy: the packages that hold them take longer to load than to run.

Each is held against scipy's own, or against every possible answer, in the tests.
"""

from __future__ import annotations

from math import erfc, lgamma, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def change_points(values: Numbers, penalty: float) -> list[int]:
    """Cut a run of values into stretches of one level: the ends of the stretches that cost the least.

    A stretch costs the squares of its values' distances from their mean, and each cut a penalty. The search is exact
    (PELT: Killick, Fearnhead and Eckley 2012).

    Example:
        >>> change_points(np.array([0.0] * 20 + [9.0] * 10 + [0.0] * 20), 5.0)
        [20, 30, 50]
    """
    count = len(values)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    squares = np.concatenate(([0.0], np.cumsum(values**2)))
    best = np.concatenate(([-penalty], np.zeros(count)))
    begins = np.zeros(count + 1, np.int64)
    open_begins = np.zeros(1, np.int64)
    for end in range(1, count + 1):
        spread = squares[end] - squares[open_begins] - (sums[end] - sums[open_begins]) ** 2 / (end - open_begins)
        cost = best[open_begins] + spread
        least = int(np.argmin(cost))
        best[end], begins[end] = cost[least] + penalty, open_begins[least]
        open_begins = np.append(open_begins[cost <= best[end]], end)
    ends = [count] if count else []
    while ends and begins[ends[-1]]:
        ends.append(int(begins[ends[-1]]))
    return ends[::-1]


def greater(one: Numbers, other: Numbers) -> float:
    """Give the probability that values are no greater than others where ranks say so (Mann and Whitney 1947).

    By the normal approximation, with the corrections for ties and for continuity.

    Example:
        >>> greater(np.arange(10.0, 20.0), np.arange(10.0)) < 0.001
        True
    """
    n, m = len(one), len(other)
    ranks, ties = _ranks(np.concatenate([one, other]))
    wins = float(ranks[:n].sum()) - n * (n + 1) / 2
    variance = n * m / 12 * (n + m + 1 - float((ties**3 - ties).sum()) / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 1.0
    return 0.5 * erfc((wins - n * m / 2 - 0.5) / sqrt(2 * variance))


def _ranks(values: Numbers) -> tuple[Numbers, Numbers]:
    """Rank values from 1, equal ones in the middle of theirs; and count how many are equal each time."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    behind = np.cumsum(counts)
    return ((2 * behind - counts + 1) / 2)[place], counts.astype(np.float64)


class Slope(NamedTuple):
    """A slope and its 95 % interval."""

    slope: float
    low: float
    high: float


def median_slope(y: Numbers, x: Numbers) -> Slope:
    """Give the median of the slopes between all pairs of points, with its 95 % interval (Theil 1950, Sen 1968).

    Example:
        >>> median_slope(np.array([0.0, 2.0, 4.0, 6.0]), np.array([0.0, 1.0, 2.0, 3.0])).slope
        2.0
    """
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    slopes = np.sort(((y[second] - y[first])[apart != 0]) / apart[apart != 0])
    n, count = len(x), len(slopes)
    ties = [np.unique(values, return_counts=True)[1].astype(np.float64) for values in (x, y)]
    tied = sum(float((k * (k - 1) * (2 * k + 5)).sum()) for k in ties)
    sigma = sqrt(max((n * (n - 1) * (2 * n + 5) - tied) / 18, 0.0))
    z = -1.959963984540054
    high, low = round((count - z * sigma) / 2), round((count + z * sigma) / 2) - 1
    return Slope(float(np.median(slopes)), float(slopes[max(low, 0)]), float(slopes[min(high, count - 1)]))


def drawn_at_least(found: NDArray[np.int64], *, total: int, marked: NDArray[np.int64], drawn: int) -> Numbers:
    """Give the probability that of so many drawn at least as many are marked as were found (hypergeometric).

    Example:
        >>> drawn_at_least(np.array([1]), total=4, marked=np.array([2]), drawn=2).round(4).tolist()
        [0.8333]
    """
    return np.array([_tail(int(k), total, int(m), drawn) for k, m in zip(found, marked, strict=True)])


def _tail(least: int, total: int, marked: int, drawn: int) -> float:
    low, high = max(least, 0, marked + drawn - total), min(marked, drawn)
    if least <= max(0, marked + drawn - total):
        return 1.0
    whole = _choose(total, drawn)
    logs = [_choose(marked, k) + _choose(total - marked, drawn - k) - whole for k in range(low, high + 1)]
    return min(float(np.exp(np.array(logs)).sum()), 1.0) if logs else 0.0


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def adjusted(probabilities: Numbers) -> Numbers:
    """Adjust probabilities for being many: the share of false ones among those up to each (Benjamini, Hochberg 1995).

    Example:
        >>> adjusted(np.array([0.01, 0.04, 0.03])).round(3).tolist()
        [0.03, 0.04, 0.04]
    """
    order = np.argsort(probabilities, kind="stable")
    count = len(probabilities)
    scaled = probabilities[order] * count / np.arange(1, count + 1)
    kept = np.minimum.accumulate(scaled[::-1])[::-1]
    found = np.empty(count)
    found[order] = np.clip(kept, 0.0, 1.0)
    return found


def poisson_at_least(counts: Numbers, means: Numbers) -> Numbers:
    """Give the probability of at least so many where so many are expected.

    Example:
        >>> poisson_at_least(np.array([0.0, 1.0, 30.0]), np.array([1.0, 1.0, 20.0])).round(4).tolist()
        [1.0, 0.6321, 0.0218]
    """
    told = np.ones(len(counts))
    some = np.flatnonzero(counts > 0)
    pairs, place = np.unique(np.stack([counts[some], means[some]], axis=1), axis=0, return_inverse=True)
    told[some] = np.array([_poisson_tail(int(k), float(mean)) for k, mean in pairs])[place.ravel()]
    return told


def _poisson_tail(least: int, mean: float) -> float:
    """Add up the side of the distribution that is smaller; terms fall off geometrically from its edge."""
    if least <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    upper = least > mean
    k = least if upper else least - 1
    term = float(np.exp(k * np.log(mean) - mean - lgamma(k + 1)))
    side = 0.0
    while term > side * 1e-17 and k >= 0:
        side += term
        term *= mean / (k + 1) if upper else k / mean
        k += 1 if upper else -1
    return min(side, 1.0) if upper else max(1.0 - side, 0.0)

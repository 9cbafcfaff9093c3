"""The statistics are those of scipy, and the change points the best of all."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.analysis import statistics

COUNTS = st.lists(st.integers(0, 9).map(float), min_size=2, max_size=9)


def cost(values: np.ndarray, ends: list[int], penalty: float) -> float:
    pairs = zip([0, *ends[:-1]], ends, strict=True)
    return sum(((values[a:b] - values[a:b].mean()) ** 2).sum() for a, b in pairs) + penalty * (len(ends) - 1)


@given(COUNTS, st.sampled_from([0.5, 2.0, 9.0]))
def test_no_other_cuts_cost_less(counts: list[float], penalty: float) -> None:
    values = np.array(counts)
    inner = range(1, len(values))
    every = [[*cuts, len(values)] for many in range(len(values)) for cuts in combinations(inner, many)]
    found = cost(values, statistics.change_points(values, penalty), penalty)
    assert found == pytest.approx(min(cost(values, ends, penalty) for ends in every))


@given(COUNTS, COUNTS)
def test_ranks_are_compared_as_scipy_does(one: list[float], other: list[float]) -> None:
    from scipy.stats import mannwhitneyu

    values = np.array(one), np.array(other)
    if len({*one, *other}) > 1:
        expected = mannwhitneyu(*values, alternative="greater", method="asymptotic").pvalue
        assert statistics.greater(*values) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), min_size=5, max_size=12, unique_by=lambda p: p[0]))
def test_slope_and_interval_are_scipys(points: list[tuple[int, int]]) -> None:
    from scipy.stats import theilslopes

    x, y = (np.array(side, float) for side in zip(*points, strict=True))
    if len(set(y)) < 3:
        return
    expected = theilslopes(y, x, 0.95)
    found = statistics.median_slope(y, x)
    assert found == pytest.approx((expected[0], expected[2], expected[3]))


@settings(max_examples=30)
@given(st.integers(1, 60), st.data())
def test_draws_are_scipys(total: int, data: st.DataObject) -> None:
    from scipy.stats import hypergeom

    marked, drawn = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    found = np.arange(-1, drawn + 2)
    mine = statistics.drawn_at_least(found, total=total, marked=np.full(len(found), marked), drawn=drawn)
    assert mine == pytest.approx(hypergeom.sf(found - 1, total, marked, drawn), abs=1e-10)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_many_probabilities_are_adjusted_as_scipy_does(values: list[float]) -> None:
    from scipy.stats import false_discovery_control

    assert statistics.adjusted(np.array(values)) == pytest.approx(false_discovery_control(np.array(values)))


@given(st.integers(0, 400), st.floats(0.001, 500))
def test_counts_are_scipys(count: int, mean: float) -> None:
    from scipy.stats import poisson

    mine = statistics.poisson_at_least(np.array([float(count)]), np.array([mean]))
    assert mine[0] == pytest.approx(poisson.sf(count - 1, mean), rel=1e-8, abs=1e-12)

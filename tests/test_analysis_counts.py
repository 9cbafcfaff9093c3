from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.analysis.facts import Interval
from pirtimeline.analysis.rates import segments, series, width
from pirtimeline.analysis.windows import Calm, mitigated, outage, recovered, worse

ZERO = datetime(2024, 3, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def day(failed: list[int], total: int = 100) -> pl.DataFrame:
    """Lay counts out as `series` does: a bin a minute."""
    bins = [ZERO + n * MINUTE for n in range(len(failed))]
    table = pl.DataFrame({"bin": bins, "total": [max(total, f) for f in failed], "failed": failed})
    return table.with_columns(pl.col("bin").cast(pl.Datetime("us", "UTC")), aborted=pl.lit(0))


def test_bins_are_a_two_hundredth_of_the_span_from_a_second_to_a_minute() -> None:
    spans = [timedelta(seconds=30), timedelta(minutes=10), timedelta(days=9)]
    assert [width(s).total_seconds() for s in spans] == [1, 3, 60]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=60))
def test_no_row_is_lost_in_bins(seconds: list[int]) -> None:
    rows = pl.DataFrame(
        {"timestamp": [ZERO + timedelta(seconds=s) for s in seconds]}, schema={"timestamp": pl.Datetime("us", "UTC")}
    )
    span = Interval(ZERO, ZERO + timedelta(seconds=300))
    counted = series(rows.lazy(), span=span, every=timedelta(seconds=7), failed=pl.col("timestamp").is_not_null())
    assert counted["total"].sum() == counted["failed"].sum() == len(seconds)
    assert counted["bin"].diff().drop_nulls().unique().to_list() in ([], [timedelta(seconds=7)])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=120))
def test_segments_partition_the_bins(counts: list[int]) -> None:
    parts = segments(np.array(counts, dtype=float))
    assert parts[0][0] == 0
    assert parts[-1][1] == len(counts)
    assert all(a[1] == b[0] for a, b in pairwise(parts))


def test_more_bins_than_the_search_takes_still_show_the_outage() -> None:
    failed = [0] * 30_000
    failed[20_000:20_040] = [50] * 40
    found = outage(day(failed), every=MINUTE)
    assert found is not None
    assert (found.first, found.last) == (20_000, 20_039)


def test_single_failure_just_before_belongs_to_the_outage() -> None:
    failed = [0] * 100 + [1, 0, 0, 30, 40, 35, 30, 20] + [0] * 100
    found = outage(day(failed), every=MINUTE)
    assert found is not None
    assert (found.first, found.last) == (100, 107)


def test_noise_of_the_calm_is_no_outage() -> None:
    dice = np.random.default_rng(5)
    assert outage(day([int(n) for n in dice.poisson(0.5, 800)]), every=MINUTE) is None


def test_noise_does_not_delay_recovery() -> None:
    dice = np.random.default_rng(5)
    failed = [int(n) for n in dice.poisson(0.5, 800)]
    failed[400:420] = [60] * 20
    table = day(failed)
    found = outage(table, every=MINUTE)
    assert found is not None
    held = recovered(table, found, every=MINUTE)
    assert held is not None
    assert 419 <= held.bin <= 424
    assert held.length == timedelta(hours=1)


def test_relapse_within_the_hold_is_not_recovered_from_before() -> None:
    table = day([0] * 200 + [50] * 20 + [0] * 30 + [50] * 10 + [0] * 200)
    found = outage(table, every=MINUTE)
    assert found is not None
    first, last = mitigated(table, found, every=MINUTE), recovered(table, found, every=MINUTE)
    assert first is not None
    assert last is not None
    assert (first.bin, last.bin) == (220, 260)


def test_requests_that_stop_coming_are_an_outage_of_their_own_kind() -> None:
    table = day([0] * 300).with_columns(total=pl.when(pl.int_range(300).is_between(150, 169)).then(0).otherwise(40))
    found = outage(table, every=MINUTE)
    assert found is not None
    assert (found.kind, found.first, found.last) == ("silence", 150, 169)


def test_outage_outside_the_window_is_not_taken() -> None:
    table = day([0] * 100 + [50] * 10 + [0] * 300)
    late = Interval(ZERO + 200 * MINUTE, ZERO + 300 * MINUTE)
    assert outage(table, every=MINUTE, within=late) is None


@pytest.mark.parametrize("total", [0.0, 1000.0])
def test_without_failures_in_the_calm_every_failure_counts(total: float) -> None:
    assert worse(np.array([0.0, 1.0]), np.array([50.0, 50.0]), Calm(0, total, 10)).tolist() == [False, True]

"""What the incident's window has that the baseline has not.

A message that the baseline never has is on a list of its own, without a test, with the most that its rate could have
been (3/n bins, the rule of three). For the others presence in bins is compared (one-sided hypergeometric test in both
directions, Benjamini-Hochberg at 5 %, and at least three times as often or as seldom): counts of log lines come in
bursts, which tests on counts take for changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from pirtimeline.analysis.conditions import Condition
from pirtimeline.analysis.facts import Difference, Interval
from pirtimeline.analysis.statistics import adjusted, drawn_at_least
from pirtimeline.analysis.templates import counted, grave
from pirtimeline.signatures.windowed import limits

SHOWN = 40
LEAST_BINS = 10


def changes(events: pl.LazyFrame, calm: Interval, during: Interval, every: timedelta) -> list[Difference]:
    """List new messages first (grave ones before others), then those that changed, the most telling first."""
    whole = Interval(calm.start, during.end)
    step = every.total_seconds()
    cut = int((during.start - calm.start).total_seconds() // step)
    bins = (cut, max(1, int(whole.seconds // step) + 1 - cut))
    if bins[0] < LEAST_BINS:
        return []
    return _differences(counted(events, whole, every), bins)


def _differences(rows: pl.DataFrame, bins: tuple[int, int]) -> list[Difference]:
    late = pl.col("bin") >= bins[0]
    grouped = rows.group_by("template", maintain_order=True).agg(
        pl.col("severity").max(),
        pl.col("host_name").drop_nulls().unique().sort().alias("hosts"),
        pl.col("count").filter(~late).sum().alias("before"),
        pl.col("count").filter(late).sum().alias("now"),
        pl.col("bin").filter(~late).n_unique().alias("bins_before"),
        pl.col("bin").filter(late).n_unique().alias("bins_now"),
        pl.col("first").filter(late).min().alias("first"),
        pl.col("last").filter(late).max().alias("last"),
        pl.col("event_id").filter(late).head(5).alias("ids"),
        pl.col("event_id").head(5).alias("all_ids"),
        pl.col("first").min().alias("ever"),
        pl.col("last").max().alias("until"),
    )
    new = grouped.filter((pl.col("before") == 0) & (pl.col("now") > 0))
    new = new.sort(grave(), pl.col("now"), "template", descending=[True, True, False]).head(SHOWN)
    return [_new(row, bins) for row in new.iter_rows(named=True)] + _tested(grouped.filter(pl.col("before") > 0), bins)


def _new(row: dict[str, object], bins: tuple[int, int]) -> Difference:
    return _difference(row, "new", bins, ratio=None, q=None, bound=round(3.0 / bins[0], 4))


def _tested(grouped: pl.DataFrame, bins: tuple[int, int]) -> list[Difference]:
    if grouped.is_empty():
        return []
    limit = limits("log.rate_change")
    before, now = (grouped[c].to_numpy() for c in ("bins_before", "bins_now"))
    total, active, drawn = sum(bins), before + now, bins[1]
    more = drawn_at_least(now, total=total, marked=active, drawn=drawn)
    fewer = drawn_at_least(before, total=total, marked=active, drawn=total - drawn)
    q = adjusted(np.concatenate([more, fewer]))
    rate = (grouped["now"].to_numpy() / bins[1]) / (grouped["before"].to_numpy() / bins[0])
    told = []
    for index, row in enumerate(grouped.iter_rows(named=True)):
        for kind, at, far in (
            ("more", index, rate[index] >= limit["ratio"]),
            ("fewer", index + len(rate), rate[index] <= 1 / limit["ratio"]),
        ):
            if far and q[at] <= limit["q"]:
                weight = _weight(int(row["before"]), int(row["now"]), bins)
                told.append(
                    (
                        weight,
                        _difference(
                            row, kind, bins, ratio=round(float(rate[index]), 3), q=float(f"{q[at]:.3g}"), bound=None
                        ),
                    )
                )
    told.sort(key=lambda pair: (-pair[0], pair[1].template))
    return [difference for _, difference in told[:SHOWN]]


def _weight(before: int, now: int, bins: tuple[int, int]) -> float:
    """Give the log-likelihood ratio of two rates: a good score to rank by, not a significance."""
    whole = before + now
    parts = [(before, whole * bins[0] / sum(bins)), (now, whole * bins[1] / sum(bins))]
    return float(2 * sum(n * np.log(n / expected) for n, expected in parts if n))


def _difference(
    row: dict[str, object],
    kind: str,
    bins: tuple[int, int],
    *,
    ratio: float | None,
    q: float | None,
    bound: float | None,
) -> Difference:
    ids = row["ids"] or row["all_ids"]
    return Difference(
        kind=kind,  # type: ignore[arg-type]
        template=str(row["template"]),
        severity=None if row["severity"] is None else str(row["severity"]),
        hosts=tuple(row["hosts"]),  # type: ignore[arg-type]
        first=row["first"] or row["ever"],  # type: ignore[arg-type]
        last=row["last"] or row["until"],  # type: ignore[arg-type]
        count=int(row["now"]),  # type: ignore[call-overload]
        baseline_count=int(row["before"]),  # type: ignore[call-overload]
        ratio=ratio,
        q=q,
        bound=bound,
        event_ids=tuple(ids),  # type: ignore[arg-type]
    )


def conditions(events: pl.LazyFrame, start: datetime, calm: Interval, end: datetime) -> Iterator[Condition]:
    """Give the grave messages of each host that begin near the impact and that the baseline has not.

    Without a baseline nothing is new.
    """
    if calm.start >= min(calm.end, start):
        return
    since = max(calm.start + (start - calm.start) / 2, start - timedelta(minutes=30))
    errors = counted(events.filter(grave()), Interval(calm.start, end), timedelta(minutes=1))
    known = errors.filter(pl.col("first") < since).select("template").unique()
    new = errors.join(known, on="template", how="anti")
    for (host,), rows in new.group_by(["host_name"], maintain_order=True):
        words = rows.group_by("template", maintain_order=True).agg(pl.col("count").sum(), pl.col("event_id"))
        yield Condition(
            signature_id="log.novel_template",
            first=rows["first"].min(),  # type: ignore[arg-type]
            last=rows["last"].max(),  # type: ignore[arg-type]
            count=int(rows["count"].sum()),
            hosts=(str(host),) if host else (),
            event_ids=tuple(rows["event_id"]),
            detail=f"{words.height} new messages of level ERROR or above; the first: {words['template'][0][:160]}",
        )

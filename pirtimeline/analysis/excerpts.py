"""The events worth quoting: of each grave finding near the incident the first, one of the peak, and the last."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pirtimeline.analysis.facts import Excerpt, Interval

NEAR = timedelta(minutes=30)
SHOWN = 12


def excerpts(findings: pl.DataFrame, hits: pl.DataFrame, during: Interval | None) -> list[Excerpt]:
    """Choose excerpts from the gravest findings that touch the incident, the gravest and earliest first."""
    order = {"critical": 0, "high": 1, "medium": 2}
    rows = findings.filter(pl.col("severity").is_in(list(order)) & pl.col("first_timestamp").is_not_null())
    if during is not None:
        near = during.around(NEAR)
        rows = rows.filter((pl.col("last_timestamp") >= near.start) & (pl.col("first_timestamp") <= near.end))
    rows = rows.filter(pl.col("signature_id").is_in(hits["signature_id"].unique().to_list()))
    rank = pl.col("severity").replace_strict(order, return_dtype=pl.Int32)
    told: list[Excerpt] = []
    for row in rows.sort(rank, "first_timestamp", "finding_id").head(SHOWN).iter_rows(named=True):
        own = hits.filter((pl.col("signature_id") == row["signature_id"]) & pl.col("host_name").is_in(row["hosts"]))
        told += _of(row, own.filter(pl.col("timestamp").is_between(row["first_timestamp"], row["last_timestamp"])))
    return told


def _of(row: dict[str, object], own: pl.DataFrame) -> list[Excerpt]:
    if own.is_empty():
        return []
    minute = own.group_by(pl.col("timestamp").dt.truncate("1m").alias("m"), maintain_order=True).agg(
        pl.len().alias("n"), pl.col("event_id").first(), pl.col("timestamp").first(), pl.col("host_name").first()
    )
    peak = minute.sort("n", descending=True, maintain_order=True)
    chosen = [("first", own.head(1)), ("peak", peak.head(1)), ("last", own.tail(1))]
    seen: set[str] = set()
    found = []
    for place, one in chosen:
        event = one["event_id"][0]
        if event not in seen:
            seen.add(event)
            found.append(
                Excerpt(
                    signature_id=str(row["signature_id"]),
                    title=str(row["title"]),
                    place=place,  # type: ignore[arg-type]
                    timestamp=one["timestamp"][0],
                    host_name=one["host_name"][0],
                    event_ids=(event,),
                )
            )
    return found

"""Findings: runs of matches of one signature on one host and service, with what is needed to cite them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from pirtimeline.schema import FINDING_COLUMNS
from pirtimeline.signatures.model import Header

PAUSE = timedelta(minutes=30)
"""A finding ends where this long passes without a match."""

CITED = 50
"""How many events are cited from either end of a finding."""

GROUP = ["signature_id", "key", "host", "service"]


def findings(hits: pl.DataFrame, headers: Mapping[str, Header], *, pause: timedelta = PAUSE) -> pl.DataFrame:
    """Make findings of matches: one for each signature, host and service, split where `pause` passes without a match.

    An undated match stands where its bounds put it; it widens a finding only where no match of it is dated.

    Args:
        hits: `signature_id`, `event_id`, `timestamp`, `not_before`, `not_after`, `host_name`, `service_name`, and
            `key`: the group of a correlation's match, which takes the place of host and service; null for others.
        headers: the signatures by their id.
        pause: how long a finding may be silent.
    """
    at = pl.coalesce("timestamp", "not_before", "not_after")
    alone = pl.col("key").is_null()
    grouped = hits.with_columns(host=pl.when(alone).then("host_name"), service=pl.when(alone).then("service_name"))
    placed = grouped.with_columns(at.alias("at")).sort([*GROUP, "at", "event_id"], nulls_last=True)
    silence = pl.col("at").diff().over(GROUP)
    runs = placed.with_columns(run=(silence > pause).fill_null(False).cum_sum().over(GROUP))
    made = runs.group_by([*GROUP, "run"], maintain_order=True).agg(
        first_timestamp=pl.coalesce(pl.col("timestamp").min(), pl.col("not_before").min(), pl.col("not_after").min()),
        last_timestamp=pl.coalesce(pl.col("timestamp").max(), pl.col("not_after").max(), pl.col("not_before").max()),
        hosts=pl.col("host_name").drop_nulls().unique().sort(),
        services=pl.col("service_name").drop_nulls().unique().sort(),
        count=pl.len().cast(pl.Int64),
        head=pl.col("event_id").head(CITED),
        tail=pl.col("event_id").tail(CITED),
        earliest=pl.coalesce(
            pl.col("event_id").filter(pl.col("timestamp").is_not_null()).first(), pl.col("event_id").first()
        ),
    )
    made = made.join(_peaks(runs), on=[*GROUP, "run"], how="left", nulls_equal=True)
    return _described(made, headers).select(list(FINDING_COLUMNS)).cast(pl.Schema(FINDING_COLUMNS))


def _peaks(runs: pl.DataFrame) -> pl.DataFrame:
    """Name the first event of the minute with the most matches; the earliest of equals."""
    minutes = runs.with_columns(minute=pl.col("at").dt.truncate("1m"))
    counted = minutes.group_by([*GROUP, "run", "minute"], maintain_order=True).agg(
        pl.len().alias("busy"), pl.col("event_id").first().alias("peak")
    )
    busiest = counted.sort("busy", descending=True, maintain_order=True)
    return busiest.group_by([*GROUP, "run"], maintain_order=True).agg(pl.col("peak").first())


def _described(made: pl.DataFrame, headers: Mapping[str, Header]) -> pl.DataFrame:
    told = pl.DataFrame(
        [(h.signature_id, h.title, h.level, h.role) for h in headers.values()],
        schema=dict.fromkeys(["signature_id", "title", "severity", "role"], pl.String()),
        orient="row",
    )
    words = [pl.col("signature_id"), *(pl.col(c).fill_null("") for c in ("host", "service")), pl.col("earliest")]
    words.append(pl.col("key"))
    named = made.join(told, on="signature_id", how="left").with_columns(
        finding_id=pl.concat_str(words, separator="\n", ignore_nulls=True),
        event_ids=pl.concat_list("head", "peak", "tail").list.unique(maintain_order=True),
    )
    ids = pl.Series([hashlib.sha256(text.encode()).hexdigest()[:12] for text in named["finding_id"]], dtype=pl.String)
    return named.with_columns(finding_id=ids).sort("first_timestamp", "signature_id", "finding_id", nulls_last=True)

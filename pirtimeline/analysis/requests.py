"""The requests that access logs show, and which log of a chain of proxies sees them first.

A request passes several tiers (proxy, application) and each may log it. What users felt is what the outermost tier
answered, so failures are counted there, and further in only where no outer tier logged the request.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

FAILED = 500
ABORTED = 499
"""nginx: the client closed the connection before the answer. No failure of the server by itself; counted apart."""

SAMPLE = 200_000
"""So many requests with an id are enough to see which tier stands before which."""

_ID = pl.col("trace_id").str.strip_chars()


@dataclass(frozen=True, slots=True)
class Tiers:
    """Which streams of requests face the users, and which stand behind another (inner -> outer).

    `sample` holds requests with an id, those of one id all or none, that show it.
    """

    outer: tuple[str, ...] = ()
    behind: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)


def requests(events: pl.LazyFrame) -> pl.LazyFrame:
    """Give the events that are answered requests, each with its `stream`: host, service and format in one word.

    Example:
        >>> events = pl.LazyFrame({"http_status_code": [200, None]}, schema={"http_status_code": pl.UInt16})
        >>> events = events.with_columns(pl.lit(None, pl.String).alias(c) for c in ("trace_id", "client_ip",
        ...     "source_ip", "host_name", "service_name", "parser", "http_method", "url_path"))
        >>> requests(events.with_columns(http_method=pl.lit("GET"))).select("status").collect().rows()
        [(200,)]
    """
    known = pl.col("http_status_code").is_not_null() & (
        pl.col("http_method").is_not_null() | pl.col("url_path").is_not_null()
    )
    names = [pl.col(c).cast(pl.String).fill_null("") for c in ("host_name", "service_name", "parser")]
    return events.filter(known).with_columns(
        stream=pl.concat_str(names, separator="|"),
        status=pl.col("http_status_code").cast(pl.Int32),
        request_id=pl.when(_ID.is_in(["", "-"])).then(None).otherwise(_ID),
        client=pl.coalesce("client_ip", "source_ip"),
    )


def tiers(answered: pl.LazyFrame) -> Tiers:
    """Find the streams that face the users, from shared request ids, else from who talks to whom how often."""
    streams = _streams(answered)
    if streams.height < 2:
        return Tiers(tuple(streams["stream"]))
    sample, share = _sample(answered, streams)
    pairs = _pairs_by_id(sample, share, streams) | _pairs_by_shape(answered, streams)
    behind: dict[str, tuple[str, ...]] = {}
    for inner, outer in sorted(pairs):
        behind[inner] = (*behind.get(inner, ()), outer)
    return Tiers(tuple(s for s in streams["stream"] if s not in behind), behind, sample)


def _streams(answered: pl.LazyFrame) -> pl.DataFrame:
    return (
        answered.group_by("stream")
        .agg(
            pl.len().alias("count"),
            pl.col("timestamp").min().alias("first"),
            pl.col("timestamp").max().alias("last"),
            pl.col("client").n_unique().alias("clients"),
            pl.col("source_ip").n_unique().alias("peers"),
            pl.col("client_ip").is_not_null().mean().alias("forwarded"),
            pl.col("user_agent").is_not_null().mean().alias("agents"),
            pl.col("request_id").is_not_null().sum().alias("ids"),
            pl.col("status").is_in([502, 504]).sum().alias("gateway"),
        )
        .sort("stream")
        .collect(engine="streaming")
    )


def _sample(answered: pl.LazyFrame, streams: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Give the requests of every n-th id, by a hash of the id, and n; of equal ids in one stream the first."""
    share = max(1, int(streams["ids"].sum()) // SAMPLE)
    columns = ("stream", "request_id", "timestamp", "host_name", "duration_ms", "resolution_us", "event_id")
    chosen = answered.filter(pl.col("request_id").is_not_null() & (pl.col("request_id").hash() % share == 0))
    rows = chosen.select(columns).collect(engine="streaming").sort("stream", "timestamp", "event_id", nulls_last=True)
    return rows.unique(["stream", "request_id"], keep="first", maintain_order=True), share


def _pairs_by_id(rows: pl.DataFrame, share: int, streams: pl.DataFrame) -> set[tuple[str, str]]:
    """Pair streams that share request ids: the one that took longer over a request stands before the other."""
    rows = rows.select("stream", "request_id", "duration_ms")
    both = rows.join(rows, on="request_id", suffix="_o").filter(pl.col("stream") != pl.col("stream_o"))
    longer = pl.col("duration_ms_o") - pl.col("duration_ms")
    shared = (
        both.group_by("stream", "stream_o")
        .agg(pl.len().alias("shared"), longer.median().alias("longer"))
        .join(streams, on="stream")
        .join(streams, left_on="stream_o", right_on="stream", suffix="_o")
        .filter(pl.col("shared") * share >= 0.2 * pl.min_horizontal("ids", "ids_o"))
    )
    outer = (pl.col("longer") > 0) | (pl.col("longer").fill_null(0) == 0) & (_outwardness("_o") > _outwardness(""))
    return set(shared.filter(outer).select("stream", "stream_o").iter_rows())


def _outwardness(suffix: str) -> pl.Expr:
    """Say how much a stream looks like the one that users meet: many clients, agents, a gateway's own errors."""
    gateway = (pl.col("gateway" + suffix) > 0).cast(pl.Float64)
    clients = pl.col("clients" + suffix).cast(pl.Float64).log1p()
    return clients + 2 * pl.col("forwarded" + suffix) + pl.col("agents" + suffix) + gateway


def _pairs_by_shape(answered: pl.LazyFrame, streams: pl.DataFrame) -> set[tuple[str, str]]:
    """Pair streams without shared ids: one whose few peers send what another, with many clients, receives.

    The same ends of paths must come in nearly the same numbers, minute by minute.
    """
    few = streams.filter(pl.col("peers") <= 8)
    pairs = few.join(streams, how="cross", suffix="_o").filter(
        (pl.col("stream") != pl.col("stream_o"))
        & (_outwardness("_o") > _outwardness("") + 1)
        & ((pl.col("ids") == 0) | (pl.col("ids_o") == 0))
        & (pl.col("first_o") <= pl.col("last"))
        & (pl.col("last_o") >= pl.col("first"))
    )
    if pairs.is_empty():
        return set()
    tail = pl.col("url_path").str.extract(r"([^/?]*)/?$")
    counted = (
        answered.filter(pl.col("stream").is_in(pairs["stream"].append(pairs["stream_o"]).unique().to_list()))
        .group_by("stream", pl.col("timestamp").dt.truncate("1m").alias("bin"), "http_method", tail.alias("tail"))
        .agg(pl.len().alias("count"))
        .collect(engine="streaming")
    )
    keys = ["bin", "http_method", "tail"]
    found = set()
    for inner, outer in pairs.select("stream", "stream_o").iter_rows():
        one, other = (counted.filter(pl.col("stream") == s) for s in (inner, outer))
        both = one.join(other, on=keys, suffix="_o", nulls_equal=True)
        alike = both.select(pl.min_horizontal("count", "count_o").sum()).item()
        if float(alike) >= 0.7 * int(one["count"].sum()):
            found.add((inner, outer))
    return found


def facing(answered: pl.LazyFrame, found: Tiers) -> pl.LazyFrame:
    """Keep the requests that the outermost tiers logged."""
    return answered.filter(pl.col("stream").is_in(list(found.outer)))


def failures(answered: pl.LazyFrame, found: Tiers) -> pl.DataFrame:
    """Give each failed request once (status 500 and above), as the outermost tier that logs it answered it.

    A failure further in counts only where it has a request id that no outer tier logged; without an id it is taken
    to be one of those that the outer tier shows.
    """
    columns = ["event_id", "timestamp", "stream", "host_name", "service_name", "status", "client", "request_id"]
    failed = answered.filter(pl.col("status") >= FAILED).select(*columns, "url_path", "duration_ms")
    rows = failed.collect(engine="streaming").sort("timestamp", "event_id", nulls_last=True)
    outer = rows.filter(pl.col("stream").is_in(list(found.outer)))
    inner = rows.filter(~pl.col("stream").is_in(list(found.outer)) & pl.col("request_id").is_not_null())
    if inner.is_empty():
        return outer
    ids = inner["request_id"].unique().to_list()
    seen = facing(answered, found).filter(pl.col("request_id").is_in(ids)).select("request_id").unique().collect()
    lost = inner.join(seen, on="request_id", how="anti").unique("request_id", keep="first", maintain_order=True)
    return pl.concat([outer, lost]).sort("timestamp", "event_id", nulls_last=True)

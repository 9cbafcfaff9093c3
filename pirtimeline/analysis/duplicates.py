"""Events that were written twice: by a program into two files of one host, or by whoever copied a growing log.

Two sources are taken for copies of each other only where what both cover agrees, so that two requests of one second
in two independent logs stay two. Equal rows are paired k-th to k-th; the original is the one in the smallest path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from operator import add
from typing import Any

import polars as pl

from pirtimeline.schema import DUPLICATE_COLUMNS

CONTENT = (
    "timestamp_text",
    "severity_text",
    "message",
    "exception_type",
    "exception_message",
    "stack_trace",
    "process_name",
    "process_pid",
    "thread_name",
    "logger_name",
    "trace_id",
    "client_ip",
    "user_name",
    "source_ip",
    "source_port",
    "destination_ip",
    "destination_port",
    "http_method",
    "url_path",
    "url_query",
    "http_status_code",
    "http_response_bytes",
    "user_agent",
    "duration_ms",
    "event_code",
    "event_action",
    "event_outcome",
    "rule_name",
    "jvm_gc_action",
    "extra",
)
"""The columns that together stand for an event's text: the raw bytes themselves are not in the table."""

SAMPLE = 300_000
"""Of so many events it is decided which sources are copies; larger evidence is thinned by its content."""

SHARE = 0.5
SHARE_COARSE = 0.9
"""What part of the common stretch must agree; more where times have whole seconds and chance could do it."""

LEAST_TEXTS = 3
"""Times of whole seconds need so many different texts: two health checks a minute apart are no proof."""


def duplicates(events: pl.LazyFrame, sources: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """Pair each event that is a copy with its original: `event_id`, `copy_of`.

    `sources` give the paths that decide which is the original, and which sources can have anything in common; a
    source that is not among them is placed by its `source_id`.

    Example:
        >>> from pirtimeline.schema import EVENT_COLUMNS
        >>> schema = {**EVENT_COLUMNS, "event_id": pl.String()}
        >>> rows = [{"source_id": s, "byte_offset": n, "event_id": f"{s}:{n}", "host_name": "app1", "message": f"m{n}",
        ...     "resolution_us": 1000, "timestamp_text": str(n)} for s in "ab" for n in range(9)]
        >>> duplicates(pl.DataFrame(rows, schema=schema).lazy()).row(0)
        ('b:0', 'a:0')
    """
    places = {str(s["source_id"]): min(s.get("paths") or [s["source_id"]]) for s in sources}
    candidates = _candidates(list(sources)) if places else None
    empty = pl.DataFrame(schema=DUPLICATE_COLUMNS)
    if candidates is not None and not candidates:
        return empty
    keyed = _keyed(events, candidates)
    alike = _alike(keyed, thin=max(1, _size(events, candidates) // SAMPLE))
    if not alike:
        return empty
    groups = _groups(alike)
    return _paired(_keyed(events, groups["source_id"].to_list()), groups, places)


def without_copies(events: pl.LazyFrame, copies: pl.DataFrame) -> pl.LazyFrame:
    """Leave out the events that are copies.

    Example:
        >>> copies = pl.DataFrame({"event_id": ["b:0"], "copy_of": ["a:0"]})
        >>> without_copies(pl.LazyFrame({"event_id": ["a:0", "b:0"]}), copies).collect().rows()
        [('a:0',)]
    """
    if copies.is_empty():
        return events
    # Only the few sources that hold copies pay for the join: ids are texts, made anew for every row that needs one.
    held = copies["event_id"].str.head(12).unique().sort().to_list() if "source_id" in events.collect_schema() else None
    if held is None:
        return events.join(copies.lazy(), on="event_id", how="anti")
    inside = pl.col("source_id").is_in(held)
    return pl.concat([events.filter(~inside), events.filter(inside).join(copies.lazy(), on="event_id", how="anti")])


def _candidates(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the sources that share a host, a parser and a stretch of time with another one.

    A source that does not say which parsers or times it has is taken to have all: there may be a hundred thousand
    sources, so that they are not compared pair by pair.
    """
    spoken: dict[Any, set[str]] = {}
    for one in sources:
        spoken.setdefault(one.get("host_name"), set()).update(one.get("parsers") or ())
    alike: dict[tuple[Any, str], list[Mapping[str, Any]]] = {}
    for one in sources:
        host = one.get("host_name")
        for parser in one.get("parsers") or spoken[host] or {""}:
            alike.setdefault((host, parser), []).append(one)
    return sorted({key for group in alike.values() for key in _overlapping(group)})


def _overlapping(group: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give those of some sources whose stretch of time meets that of another."""
    spans = [(str(one["source_id"]), one.get("first_timestamp"), one.get("last_timestamp")) for one in group]
    if len(spans) > 1 and not all(first and last for _, first, last in spans):
        yield from (key for key, _, _ in spans)
        return
    timed = sorted((str(first), str(last), key) for key, first, last in spans)
    reached = ["", *accumulate((last for _, last, _ in timed), max)]
    begun = [first for first, _, _ in timed[1:]]
    for place, (first, last, key) in enumerate(timed):
        if first <= reached[place] or (place < len(begun) and begun[place] <= last):
            yield key


def _size(events: pl.LazyFrame, candidates: list[str] | None) -> int:
    kept = events if candidates is None else events.filter(pl.col("source_id").is_in(candidates))
    return int(kept.select(pl.len()).collect(engine="streaming").item())


def _keyed(events: pl.LazyFrame, candidates: list[str] | None) -> pl.LazyFrame:
    """Give each event two hashes: of its text, and of its text without the time."""
    kept = events if candidates is None else events.filter(pl.col("source_id").is_in(candidates))
    text = [pl.col(c).str.strip_chars() if c in ("message", "stack_trace") else pl.col(c) for c in CONTENT]
    return kept.select(
        "event_id",
        "source_id",
        "byte_offset",
        "timestamp",
        coarse=pl.col("resolution_us") >= 1_000_000,
        whole=_hash([pl.col("host_name"), pl.col("timestamp"), *text]),
        text=_hash([pl.col("host_name"), *text[1:]]),
        draw=pl.coalesce(pl.col("timestamp").dt.epoch("us").cast(pl.UInt64), "byte_offset").hash(),
    )


def _hash(columns: list[pl.Expr]) -> pl.Expr:
    """Add up the hashes of columns, each with a seed of its own: four times as fast as hashing them as one struct."""
    return reduce(add, (column.hash(seed=seed) for seed, column in enumerate(columns)))


def _alike(keyed: pl.LazyFrame, *, thin: int) -> list[tuple[str, str, bool]]:
    """List the pairs of sources that agree over what both cover, and whether they do so at equal offsets."""
    rows = keyed.filter(pl.col("draw") % thin == 0).drop("event_id").collect(engine="streaming")
    twice = rows.group_by("whole").agg(pl.col("source_id").n_unique().alias("n")).filter(pl.col("n") > 1)
    shared = rows.join(twice, on="whole", how="semi")
    if shared.is_empty():
        return []
    both = (
        shared.select("source_id", "whole", "text", "byte_offset", "coarse")
        .unique(["source_id", "whole"], keep="first", maintain_order=True)
        .pipe(lambda t: t.join(t, on="whole", suffix="_b"))
        .filter(pl.col("source_id") < pl.col("source_id_b"))
        .group_by("source_id", "source_id_b")
        .agg(
            pl.len().alias("matched"),
            pl.col("text").n_unique().alias("texts"),
            pl.col("coarse").fill_null(False).mean().alias("coarse"),
            (pl.col("byte_offset") == pl.col("byte_offset_b")).mean().alias("prefix"),
        )
        .sort("source_id", "source_id_b")
    )
    return [
        (a, b, prefix >= 0.9)
        for a, b, _, texts, coarse, prefix in both.iter_rows()
        if _agree(rows, a, b, coarse=coarse > 0.5, texts=texts, prefix=prefix >= 0.9)
    ]


def _agree(rows: pl.DataFrame, a: str, b: str, *, coarse: bool, texts: int, prefix: bool) -> bool:
    one, other = (rows.filter(pl.col("source_id") == s) for s in (a, b))
    ends = [
        t.select(pl.col("timestamp").min().alias("a"), pl.col("timestamp").max().alias("b")).row(0)
        for t in (one, other)
    ]
    if None not in ends[0] + ends[1]:
        inside = pl.col("timestamp").is_between(max(ends[0][0], ends[1][0]), min(ends[0][1], ends[1][1]))
        one, other = one.filter(inside), other.filter(inside)
    smaller, larger = sorted((one, other), key=lambda t: t.height)
    share = smaller.join(larger, on="whole", how="semi").height / max(smaller.height, 1)
    if prefix:
        return share >= SHARE_COARSE
    return share >= (SHARE_COARSE if coarse else SHARE) and (not coarse or texts >= LEAST_TEXTS)


def _groups(alike: list[tuple[str, str, bool]]) -> pl.DataFrame:
    """Join pairs to groups of sources that hold the same; `prefix` groups agree at equal offsets."""
    group = {source: source for a, b, _ in alike for source in (a, b)}
    for a, b, _ in alike:
        old, new = sorted((group[a], group[b]), reverse=True)
        group = {source: new if name == old else name for source, name in group.items()}
    prefix = {s: all(p for a, b, p in alike if s in (a, b)) for s in group}
    return pl.DataFrame(
        {
            "source_id": sorted(group),
            "group": [group[s] for s in sorted(group)],
            "prefix": [prefix[s] for s in sorted(group)],
        }
    )


def _paired(keyed: pl.LazyFrame, groups: pl.DataFrame, places: Mapping[str, str]) -> pl.DataFrame:
    order = sorted(groups["source_id"], key=lambda s: (places.get(s, s), s))
    rank = pl.DataFrame(
        {"source_id": order, "place": range(len(order))}, schema={"source_id": pl.String, "place": pl.Int64}
    )
    rows = keyed.join(groups.join(rank, on="source_id").lazy(), on="source_id").collect(engine="streaming")
    # Undated rows say too little by themselves: they pair only where one source begins as the other does.
    rows = rows.filter(pl.col("timestamp").is_not_null() | pl.col("prefix")).sort("place", "byte_offset")
    offset = pl.when(pl.col("timestamp").is_null()).then(pl.col("byte_offset")).otherwise(None)
    rows = rows.with_columns(offset=offset)
    keys = ["group", "whole", "offset"]
    rows = rows.with_columns(nth=pl.int_range(pl.len()).over("source_id", *keys[1:]))
    first = pl.col("event_id").first().over(*keys, "nth")
    return (
        rows.with_columns(copy_of=first)
        .filter(pl.col("event_id") != pl.col("copy_of"))
        .select("event_id", "copy_of")
        .sort("event_id")
    )

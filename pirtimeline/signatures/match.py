"""Rules over events: every match after precedence, copies counted once, and the findings made of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock

import polars as pl

from pirtimeline.schema import EVENT_COLUMNS, FINDING_COLUMNS, UTC, event_id
from pirtimeline.signatures.correlate import correlated, fields_of
from pirtimeline.signatures.findings import findings
from pirtimeline.signatures.frames import TEXT, Prepared
from pirtimeline.signatures.load import Rules
from pirtimeline.signatures.model import Header
from pirtimeline.signatures.scan import Scope, matched, needed, scopes

BATCH = 262_144
"""Rows that are looked at together: bounds memory, and is large enough that a rule's own cost does not show."""

WORKERS = 2
"""Batches that are worked on at once; Polars itself uses all cores for each."""

PLACES = {
    "signature_id": pl.String(),
    "event_id": pl.String(),
    "timestamp": UTC,
    "host_name": pl.String(),
    "service_name": pl.String(),
}
BOUNDS = {"not_before": UTC, "not_after": UTC}

IDENTITY = {"source_id", "byte_offset"}
"""Columns that an event's id is made of."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What the rules found.

    `hits` has a row for each match: `signature_id`, `event_id`, `timestamp`, `host_name`, `service_name`.
    `findings` has the columns of `schema.FINDING_COLUMNS`.
    """

    hits: pl.DataFrame
    findings: pl.DataFrame


def match(
    events: pl.LazyFrame,
    rules: Rules,
    *,
    copies: pl.LazyFrame | None = None,
    own: Mapping[str, pl.LazyFrame] | None = None,
    batch: int = BATCH,
) -> Matches:
    """Match signatures against events.

    Args:
        events: the event table with `event_id` and `parser`; pieces and structure are not in it.
        rules: what `load` gave.
        copies: `event_id`, `copy_of`: events that are copies of others and are not counted.
        own: for a parser, its events with the parser's own further columns; they replace that parser's in `events`.
        batch: rows that are looked at together; the result does not depend on it.

    Raises:
        SignatureError: a rule's pattern ran beyond its time limit.

    Example:
        >>> from pirtimeline.signatures.load import load
        >>> text = "java.lang.OutOfMemoryError: Java heap space"
        >>> events = pl.LazyFrame({"event_id": ["0a1b2c3d4e5f:0"], "parser": ["generic_text"], "message": [text]})
        >>> match(events, load()).hits["signature_id"].to_list()
        ['jvm.oom.heap']
    """
    groups = scopes(rules.rules, rules.maps)
    extras = fields_of(rules.correlations)
    raw = _hits(sources(events, asked_for(own or {}, groups, extras)), groups, extras, batch)
    if copies is not None:
        raw = raw.join(copies.select("event_id").collect(), on="event_id", how="anti")
    correlations = correlated(raw, rules)
    keyed = _output(raw, rules).with_columns(key=pl.lit(None, dtype=pl.String))
    hits = _preceded(pl.concat([keyed, *correlations], how="diagonal"), rules.headers())
    hits = hits.sort("timestamp", "event_id", "signature_id", nulls_last=True)
    found = findings(hits, rules.headers())
    return Matches(hits.select(list(PLACES)), found.select(list(FINDING_COLUMNS)))


def sources(events: pl.LazyFrame, own: Mapping[str, pl.LazyFrame]) -> Iterator[pl.LazyFrame]:
    """Give the frames to match one after another: parsers with columns of their own apart."""
    yield events.filter(~pl.col("parser").is_in(sorted(own))) if own else events
    yield from (own[parser] for parser in sorted(own))


def asked_for(
    own: Mapping[str, pl.LazyFrame], groups: Iterable[Scope], extras: Mapping[str, frozenset[str]]
) -> dict[str, pl.LazyFrame]:
    """Keep the parsers of which some rule may look at a column of their own; the others need no pass of their own."""
    kept: dict[str, pl.LazyFrame] = {}
    for parser, frame in own.items():
        columns = frame.collect_schema().names()
        looked = {c for scope in groups if scope.binding.reads(parser) for c in needed(scope, columns, extras)}
        if looked - set(EVENT_COLUMNS) - {"parser", "event_id"}:
            kept[parser] = frame
    return kept


def _hits(
    frames: Iterable[pl.LazyFrame], groups: list[Scope], extras: Mapping[str, frozenset[str]], batch: int
) -> pl.DataFrame:
    """Collect every match of every rule, with the fields that correlations ask for."""
    parts: list[pl.DataFrame] = []
    lock = Lock()
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for source in frames:
            frame = complete(source)
            wanted = _wanted(frame, read_by(groups, frame), extras)
            batches = frame.select(wanted).collect_batches(chunk_size=batch, maintain_order=True)
            for found in _ahead(pool, lambda some: _of_batch(some, groups, extras, lock), batches):
                parts.extend(found)
    empty = pl.DataFrame(schema={**PLACES, **BOUNDS})
    return pl.concat([empty, *parts], how="diagonal").unique(["signature_id", "event_id"], maintain_order=True)


def read_by(groups: Iterable[Scope], frame: pl.LazyFrame) -> list[Scope]:
    """Keep the scopes that read any of a frame's parsers: no column is read for the others."""
    parsers = frame.select(pl.col("parser").drop_nulls().unique().sort()).collect().to_series().to_list()
    return [scope for scope in groups if any(scope.binding.reads(parser) for parser in parsers)]


def _wanted(frame: pl.LazyFrame, groups: Iterable[Scope], extras: Mapping[str, frozenset[str]]) -> list[str]:
    """List the columns to read: those that rules may look at, and those that a hit needs."""
    known = frame.collect_schema().names()
    asked = {column for scope in groups for column in needed(scope, known, extras)}
    places = {*PLACES, *BOUNDS, "parser"}
    if _identified(frame, known):
        places = (places | IDENTITY) - {"event_id"}
    return [name for name in known if name in asked or name in places]


def _identified(frame: pl.LazyFrame, known: Iterable[str]) -> bool:
    """Tell whether ids are made of source and place, as the event table has them: then only those of hits are made."""
    if not {"event_id", *IDENTITY} <= set(known):
        return False
    first = frame.select("event_id", made=event_id()).head(1).collect()
    return first.height > 0 and first["event_id"].equals(first["made"], null_equal=False)


def _ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[pl.DataFrame], list[pl.DataFrame]],
    batches: Iterable[pl.DataFrame],
) -> Iterator[list[pl.DataFrame]]:
    """Work on a few batches at once and give their results in order; never more in memory than are worked on."""
    running: deque[Future[list[pl.DataFrame]]] = deque()
    for batch in batches:
        running.append(pool.submit(work, batch))
        if len(running) > WORKERS:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def complete(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Add the columns that a hit needs and a small frame may lack."""
    known = frame.collect_schema().names()
    missing = {**PLACES, **BOUNDS, **{name: pl.String() for name in ("message", "process_name", "http_method")}}
    missing |= {name: pl.String() for name in ("exception_type", "exception_message", "stack_trace", "url_path")}
    missing |= {"process_pid": pl.Int64(), "url_query": pl.String()}
    return frame.with_columns(
        [pl.lit(None, dtype=dtype).alias(n) for n, dtype in missing.items() if n not in known and n != "signature_id"]
    )


def _of_batch(
    batch: pl.DataFrame, groups: list[Scope], extras: Mapping[str, frozenset[str]], lock: Lock
) -> list[pl.DataFrame]:
    places = [name for name in (*PLACES, *BOUNDS) if name != "signature_id"]
    out: list[pl.DataFrame] = []
    made = [] if "event_id" in batch.columns else [event_id()]
    plain = batch.select(name for name in batch.columns if name in places or (made and name in IDENTITY))
    for scope, rule, rows in matched(groups, batch, lock):
        named = pl.lit(rule.header.signature_id).alias("signature_id")
        shown = plain[rows].with_columns(named, *made).select("signature_id", *places)
        asked = extras.get(rule.header.signature_id)
        out.append(shown.with_columns(_values(batch[rows], scope, asked)) if asked else shown)
    return out


def _values(hit: pl.DataFrame, scope: Scope, asked: Iterable[str]) -> list[pl.Series]:
    """Read the fields that correlations group by or count, as text."""
    ready = Prepared(hit, scope.binding).with_forms({(TEXT, name) for name in asked})
    known = [name for name in sorted(asked) if ready.dtype(name) is not None]
    return ready.frame.select(ready.text(name).alias(f"field:{name}") for name in known).get_columns()


def _output(raw: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Leave out the matches of rules that only serve a correlation."""
    serving = {rule for each in rules.correlations if not each.generate for rule in each.rules}
    kept = {rule for each in rules.correlations if each.generate for rule in each.rules}
    ours = {i for i, header in rules.headers().items() if header.ours}
    return raw.filter(~pl.col("signature_id").is_in(sorted(serving - kept - ours))).select([*PLACES, *BOUNDS])


def _preceded(hits: pl.DataFrame, headers: Mapping[str, Header]) -> pl.DataFrame:
    """Drop a match where, on the same event, a signature matches that says the same more exactly."""
    present = hits["signature_id"].unique().to_list()
    pairs = [
        (generic, specific)
        for generic in present
        for specific in present
        if generic != specific and any(fnmatchcase(specific, glob) for glob in headers[generic].unless)
    ]
    if not pairs:
        return hits
    rivals = pl.DataFrame(sorted(pairs), schema={"signature_id": pl.String(), "specific": pl.String()}, orient="row")
    beside = hits.select("event_id", specific="signature_id").join(rivals, on="specific")
    return hits.join(beside.select("event_id", "signature_id").unique(), on=["event_id", "signature_id"], how="anti")

"""Rules over events: every match after precedence, copies counted once, and the findings made of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase

import polars as pl

from pirtimeline.schema import FINDING_COLUMNS, UTC
from pirtimeline.signatures.condition import Condition, tests
from pirtimeline.signatures.correlate import correlated, fields_of
from pirtimeline.signatures.fields import Binding
from pirtimeline.signatures.findings import findings
from pirtimeline.signatures.frames import TEXT, Prepared
from pirtimeline.signatures.load import Rules
from pirtimeline.signatures.model import Header
from pirtimeline.signatures.scan import Scope, matched, scopes
from pirtimeline.signatures.text import SEARCHED, VIRTUAL

BATCH = 131_072
"""Rows that are looked at together: bounds memory, and is large enough that a rule's own cost does not show."""

PLACES = {
    "signature_id": pl.String(),
    "event_id": pl.String(),
    "timestamp": UTC,
    "host_name": pl.String(),
    "service_name": pl.String(),
}
BOUNDS = {"not_before": UTC, "not_after": UTC}


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
    raw = _hits(_sources(events, own or {}, copies), rules, batch)
    correlations = correlated(raw, rules)
    keyed = _output(raw, rules).with_columns(key=pl.lit(None, dtype=pl.String))
    hits = _preceded(pl.concat([keyed, *correlations], how="diagonal"), rules.headers())
    hits = hits.sort("timestamp", "event_id", "signature_id", nulls_last=True)
    found = findings(hits, rules.headers())
    return Matches(hits.select(list(PLACES)), found.select(list(FINDING_COLUMNS)))


def _sources(
    events: pl.LazyFrame, own: Mapping[str, pl.LazyFrame], copies: pl.LazyFrame | None
) -> Iterator[pl.LazyFrame]:
    rest = events.filter(~pl.col("parser").is_in(sorted(own))) if own else events
    for frame in (rest, *(own[parser] for parser in sorted(own))):
        yield frame if copies is None else frame.join(copies.select("event_id"), on="event_id", how="anti")


def _hits(sources: Iterable[pl.LazyFrame], rules: Rules, batch: int) -> pl.DataFrame:
    """Collect every match of every rule, with the fields that correlations ask for."""
    groups = scopes(rules.rules, rules.maps)
    extras = fields_of(rules.correlations)
    parts: list[pl.DataFrame] = []
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        for source in sources:
            frame = _complete(source)
            wanted = _columns(groups, extras, frame.collect_schema().names())
            batches = frame.select(wanted).collect_batches(chunk_size=batch, maintain_order=True)
            for found in pool.map(lambda some: _of_batch(some, groups, extras), _bounded(batches)):
                parts.extend(found)
    empty = pl.DataFrame(schema={**PLACES, **BOUNDS})
    return pl.concat([empty, *parts], how="diagonal").unique(["signature_id", "event_id"], maintain_order=True)


def _bounded(batches: Iterable[pl.DataFrame]) -> Sequence[pl.DataFrame]:
    return list(batches)


def _complete(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Add the columns that a hit needs and a small frame may lack."""
    known = frame.collect_schema().names()
    missing = {**PLACES, **BOUNDS, **{name: pl.String() for name in ("message", "process_name", "http_method")}}
    missing |= {name: pl.String() for name in ("exception_type", "exception_message", "stack_trace", "url_path")}
    missing |= {"process_pid": pl.Int64(), "url_query": pl.String()}
    return frame.with_columns(
        [pl.lit(None, dtype=dtype).alias(n) for n, dtype in missing.items() if n not in known and n != "signature_id"]
    )


def _columns(groups: Iterable[Scope], extras: Mapping[str, frozenset[str]], known: Sequence[str]) -> list[str]:
    """List the columns that any rule may look at."""
    wanted: set[str] = {*PLACES, *BOUNDS, "parser"}
    for scope in groups:
        conditions = [scope.binding.where, *(rule.condition for rule in scope.rules)]
        fields = {field for condition in conditions for field in _fields(condition)}
        fields |= {name for rule in scope.rules for name in extras.get(rule.header.signature_id, ())}
        for field in fields:
            wanted |= _behind(field, scope.binding, known)
    return [name for name in known if name in wanted]


def _fields(condition: Condition) -> set[str | None]:
    named = {test.field for test in tests(condition)}
    return named | {str(v) for test in tests(condition) if test.operator.startswith("fieldref") for v in test.values}


def _behind(field: str | None, binding: Binding, known: Sequence[str]) -> set[str]:
    """Name the columns of which a field may be made."""
    if field is None:
        own = {*known} - {"source_id", "timestamp_text"}
        return {"message", "process_name", "process_pid", "http_method", "url_path", "url_query", *SEARCHED} & own | {
            name for name in known if name not in _shared()
        }
    named = set(binding.columns(field))
    parts = {part for name in named & set(VIRTUAL) for part in VIRTUAL[name][1]}
    return named | parts | {"extra"}


def _shared() -> frozenset[str]:
    from pirtimeline.schema import EVENT_COLUMNS

    return frozenset(EVENT_COLUMNS)


def _of_batch(batch: pl.DataFrame, groups: Iterable[Scope], extras: Mapping[str, frozenset[str]]) -> list[pl.DataFrame]:
    places = [name for name in (*PLACES, *BOUNDS) if name != "signature_id"]
    out: list[pl.DataFrame] = []
    for scope in groups:
        for rule, rows in matched(scope, batch):
            hit = batch[rows]
            shown = hit.select(pl.lit(rule.header.signature_id).alias("signature_id"), *places)
            asked = extras.get(rule.header.signature_id)
            out.append(shown.with_columns(_values(hit, scope, asked)) if asked else shown)
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

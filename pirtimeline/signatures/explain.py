"""Why a signature fires or does not: what it reads, which part of its condition matches how many rows, at what cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pirtimeline.errors import SignatureError
from pirtimeline.signatures.applicable import applicability
from pirtimeline.signatures.compile import compiled
from pirtimeline.signatures.condition import MANY, All, AnyOf, Condition, Not, Test
from pirtimeline.signatures.frames import Prepared, needs
from pirtimeline.signatures.load import Rules
from pirtimeline.signatures.match import complete, match, sources
from pirtimeline.signatures.model import Correlation, Rule, Signature
from pirtimeline.signatures.scan import Scope, candidates, in_scope, scopes
from pirtimeline.signatures.slow import bound

SHOWN = 6
"""Values of a test that are spelled out."""


@dataclass(slots=True)
class Part:
    """A part of a condition: what it asks, how deep it stands, the rows that meet it, and the seconds that took."""

    asks: str
    depth: int
    rows: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Reading:
    """What a rule meets through one binding of its logsource."""

    parsers: tuple[str, ...]
    needles: tuple[str, ...]
    rows: int = 0
    candidates: int = 0
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a signature fires or does not."""

    signature_id: str
    title: str
    applicable: str
    matches: int
    readings: tuple[Reading, ...]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        readings = [
            {
                "parsers": list(r.parsers),
                "needles": list(r.needles),
                "rows": r.rows,
                "candidates": r.candidates,
                "parts": [{"asks": p.asks, "depth": p.depth, "rows": p.rows, "seconds": p.seconds} for p in r.parts],
            }
            for r in self.readings
        ]
        head = {"signature_id": self.signature_id, "title": self.title, "applicable": self.applicable}
        return {**head, "matches": self.matches, "readings": readings, "remarks": list(self.remarks)}

    def text(self) -> str:
        """Tell it in lines for a person."""
        lines = [f"{self.signature_id}: {self.title}", f"applicable: {self.applicable}", f"matches: {self.matches}"]
        lines += self.remarks
        for reading in self.readings:
            lines.append("")
            lines.append(f"parsers {', '.join(reading.parsers) or 'none'}: {reading.rows} rows of its logsource")
            looked = ", ".join(reading.needles) if reading.needles else "nothing: every row is evaluated"
            lines.append(f"looked for first: {looked}; {reading.candidates} rows hold one")
            lines += [f"{'  ' * p.depth}{p.rows:>9}  {p.seconds:8.4f} s  {p.asks}" for p in reading.parts]
        return "\n".join(lines) + "\n"


def explain(
    rule_id: str, events: pl.LazyFrame, rules: Rules, *, own: Mapping[str, pl.LazyFrame] | None = None
) -> Explanation:
    """Say how a signature was compiled, how many rows each part of it matches, and what that cost.

    Args:
        rule_id: the signature's id, or another name of the rule.
        events: the event table, as for `match`.
        rules: what `load` gave.
        own: as for `match`.

    Raises:
        SignatureError: no signature has that id.

    Example:
        >>> from pirtimeline.signatures.load import load
        >>> events = pl.LazyFrame({"event_id": ["0a1b2c3d4e5f:0"], "parser": ["any"], "message": ["all is well"]})
        >>> explain("jvm.oom.heap", events, load()).matches
        0
    """
    signature = _named(rule_id, rules)
    header = signature.header
    remarks: list[str] = []
    readings: tuple[Reading, ...] = ()
    matches = 0
    if isinstance(signature, Rule):
        alone = Rules((signature,), (), (), rules.maps)
        matches = match(events, alone, own=own).hits.height
        readings = tuple(_readings(signature, events, rules, own or {}))
        remarks += [f"gives way to {glob} on the same event" for glob in header.unless]
    elif isinstance(signature, Correlation):
        hits = match(events, rules, own=own).hits
        matches = hits.filter(pl.col("signature_id") == header.signature_id).height
        remarks += list(_of_correlation(signature, events, rules, own))
    else:
        remarks.append(f"it is found by the function windowed.{signature.windowed}, when a case is analysed")
    told = applicability(signature, rules)
    return Explanation(header.signature_id, header.title, told, matches, readings, tuple(remarks))


def _named(rule_id: str, rules: Rules) -> Signature:
    for signature in rules.signatures():
        if rule_id == signature.header.signature_id or rule_id in signature.header.names:
            return signature
    raise SignatureError(f"no signature is called {rule_id!r}", hint="pirtimeline signatures list shows them")


def _of_correlation(
    signature: Correlation, events: pl.LazyFrame, rules: Rules, own: Mapping[str, pl.LazyFrame] | None
) -> Iterator[str]:
    yield f"{signature.kind} of {', '.join(signature.rules)} within {signature.timespan}"
    if signature.group_by:
        yield f"for each {', '.join(signature.group_by)}"
    members = tuple(rule for rule in rules.rules if rule.header.signature_id in signature.rules)
    hits = match(events, Rules(members, (), (), rules.maps), own=own).hits
    for rule in signature.rules:
        yield f"{hits.filter(pl.col('signature_id') == rule).height} matches of {rule}"


def _readings(rule: Rule, events: pl.LazyFrame, rules: Rules, own: Mapping[str, pl.LazyFrame]) -> Iterator[Reading]:
    for bare in scopes([rule], rules.maps):
        scope = bare.indexed()
        needles = [f"{name or 'text'} {needle!r}" for name, needle in _needles(scope)]
        reading = Reading((), tuple(needles), parts=list(_parts(rule.condition)))
        parsers: set[str] = set()
        for source in sources(events, own):
            for batch in complete(source).collect_batches(chunk_size=131_072, maintain_order=True):
                for _, rows in in_scope([scope], batch):
                    kept = batch[rows]
                    parsers |= set(kept["parser"].unique())
                    _count(reading, scope, rule, kept)
        reading.parsers = tuple(sorted(parsers))
        yield reading


def _needles(scope: Scope) -> list[tuple[str | None, object]]:
    frames = [(name, index.pairs) for name, index in scope.texts.items()] + list(scope.numbers.items())
    return [(name, wanted) for name, frame in frames for wanted in frame["needle"]]


def _count(reading: Reading, scope: Scope, rule: Rule, kept: pl.DataFrame) -> None:
    prepared = Prepared(kept, scope.binding)
    reading.rows += kept.height
    found = candidates(scope.texts, scope.numbers, prepared)
    reading.candidates += kept.height if scope.always else found["row"].n_unique()
    ready = prepared.with_forms(needs(rule.condition))
    for part, condition in zip(reading.parts, _walk(rule.condition), strict=True):
        started = time.perf_counter()
        mask = ready.frame.select(compiled(bound(condition, most=True), ready).alias("met")).to_series()
        part.rows += int(mask.sum()) * (kept.height if len(mask) == 1 and kept.height > 1 else 1)
        part.seconds += time.perf_counter() - started


def _walk(condition: Condition) -> Iterator[Condition]:
    yield condition
    for inner in _inner(condition):
        yield from _walk(inner)


def _inner(condition: Condition) -> Sequence[Condition]:
    if isinstance(condition, Test):
        return ()
    return (condition.item,) if isinstance(condition, Not) else condition.items


def _parts(condition: Condition, depth: int = 0) -> Iterator[Part]:
    yield Part(_told(condition), depth)
    for inner in _inner(condition):
        yield from _parts(inner, depth + 1)


def _told(condition: Condition) -> str:
    if isinstance(condition, All):
        return "all of"
    if isinstance(condition, AnyOf):
        return "any of"
    if isinstance(condition, Not):
        return "not"
    values = [_spelled(value) for value in condition.values]
    shown = ", ".join(values[:SHOWN]) + (f" and {len(values) - SHOWN} more" if len(values) > SHOWN else "")
    words = [condition.field or "the text", condition.operator, shown]
    words += ["cased"] if condition.cased else []
    words += [f"({condition.flags})"] if condition.flags else []
    return " ".join(word for word in words if word)


def _spelled(value: object) -> str:
    if isinstance(value, tuple):
        return repr("".join(part if isinstance(part, str) else "*" if part == MANY else "?" for part in value))
    return repr(value)

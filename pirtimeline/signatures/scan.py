"""One pass over a batch of events: the rows that hold a rule's needles, and of these the rows that it matches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Literal

import polars as pl

from pirtimeline.signatures.compile import compiled
from pirtimeline.signatures.condition import Condition, tests
from pirtimeline.signatures.fields import Binding, FieldMaps
from pirtimeline.signatures.frames import PLAIN, TEXT, Prepared, behind, needs
from pirtimeline.signatures.model import Logsource, Rule
from pirtimeline.signatures.needles import Needle, every, needles
from pirtimeline.signatures.search import PAIRS, Needles, searched
from pirtimeline.signatures.slow import matched_slowly
from pirtimeline.signatures.text import SCANNED

AT_ONCE = 500
"""How many rules one query evaluates: enough to share its cost, few enough to plan quickly."""

SAMPLE = 4096
"""Rows by which needles are chosen."""

FEW = 50
"""A scope with no more rules than this is quick anyhow."""

AS_NAMED = Binding(("*",))
"""The binding that leaves names as they are: conditions of field maps name columns."""


Texts = Mapping[str | None, Needles]
"""For each field, what is looked for in it."""

Numbers = Mapping[str | None, pl.DataFrame]
"""For each field, the numbers (`needle`) that it may be, and the `rule` that wants each."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Rules that read the same rows through the same field map, and what one pass looks for on their behalf.

    `texts` maps a field to its literals and who wants them, `numbers` the same for numbers; `always` are the rules
    without needles, which look at every row. All three are empty until there are rows to look at.
    """

    binding: Binding
    rules: tuple[Rule, ...]
    texts: Texts = field(default_factory=dict, hash=False)
    numbers: Numbers = field(default_factory=dict, hash=False)
    always: tuple[int, ...] = ()
    state: Literal["bare", "indexed", "tuned"] = "bare"

    def indexed(self, weights: Mapping[Needle, float] | None = None) -> Scope:
        """Choose needles for every rule, by how common each is where that is known."""
        found = [needles(rule.condition, weights) for rule in self.rules]
        always = tuple(number for number, each in enumerate(found) if each is None)
        wanted = [(needle, number) for number, each in enumerate(found) for needle in sorted(each or (), key=str)]
        return Scope(self.binding, self.rules, *_indexed(self.binding, wanted), always, "indexed")

    def tuned(self, frame: pl.DataFrame) -> Scope:
        """Choose the needles anew by how common each is among some rows; the matches are the same, found sooner."""
        prepared = Prepared(frame.head(SAMPLE), self.binding)
        wanted = {needle for rule in self.rules for needle in every(rule.condition)}
        needle = sorted(wanted, key=str)
        index = _indexed(self.binding, [(each, number) for number, each in enumerate(needle)])
        counted = candidates(*index, prepared).group_by("rule").len()
        weights = {needle[number]: float(count) for number, count in counted.iter_rows()}
        chosen = self.indexed(weights)
        ready = prepared.with_forms({(TEXT, name) for name in chosen.texts})
        texts = {
            name: index.shortened(ready.frame.select(ready.text(name)).to_series()) if ready.dtype(name) else index
            for name, index in chosen.texts.items()
        }
        return replace(chosen, texts=texts, state="tuned")


def scopes(rules: Iterable[Rule], maps: FieldMaps) -> list[Scope]:
    """Group rules by what they read; a rule of several bindings stands in several scopes."""
    grouped: dict[object, tuple[Binding, list[Rule]]] = {}
    known: dict[Logsource, list[tuple[object, Binding]]] = {}
    for rule in rules:
        if rule.logsource not in known:
            bound = maps.bindings(rule.logsource)
            known[rule.logsource] = [((each, tuple(sorted(each.fields.items()))), each) for each in bound]
        for key, binding in known[rule.logsource]:
            grouped.setdefault(key, (binding, []))[1].append(rule)
    return [Scope(binding, tuple(members)) for binding, members in grouped.values()]


def _indexed(binding: Binding, wanted: Iterable[tuple[Needle, int]]) -> tuple[Texts, Numbers]:
    """Sort needles by the field they are looked for in, texts and numbers apart."""
    texts: dict[str | None, list[tuple[str, int]]] = {}
    numbers: dict[str | None, list[tuple[int, int]]] = {}
    for (name, needle), number in wanted:
        if isinstance(needle, str):
            for column in _scanned(name, needle, binding):
                texts.setdefault(column, []).append((needle, number))
        else:
            numbers.setdefault(name, []).append((needle, number))
    schema = {"needle": pl.Float64(), "rule": pl.UInt32()}
    return (
        {name: Needles.of(each) for name, each in texts.items()},
        {name: pl.DataFrame(each, schema=schema, orient="row") for name, each in numbers.items()},
    )


def _scanned(name: str | None, needle: str, binding: Binding) -> tuple[str | None, ...]:
    """Choose the columns that are cheap to search instead of one that is dear to make."""
    if name is None or "\n" in needle or binding.columns(name) != (name,):
        return (name,)
    return SCANNED.get(name, (name,))


def needed(scope: Scope, known: Sequence[str], extras: Mapping[str, frozenset[str]] | None = None) -> list[str]:
    """List the columns of a frame that the rules of a scope may look at, or correlations in their events."""
    conditions = [scope.binding.where, *(rule.condition for rule in scope.rules)]
    fields = {name for condition in conditions for _, name in needs(condition)}
    fields |= {name for rule in scope.rules for name in (extras or {}).get(rule.header.signature_id, ())}
    wanted = {column for name in fields for column in behind(name, scope.binding, known)}
    return [name for name in known if name in wanted]


def matched(groups: list[Scope], frame: pl.DataFrame, lock: Lock) -> Iterator[tuple[Scope, Rule, pl.Series]]:
    """Give for each rule the rows of a frame that it matches, by their numbers in the frame.

    A scope of `groups` is replaced, under the lock, by one that knows its needles, and by a tuned one once there are
    rows enough to tune it by.
    """
    for number, rows in in_scope(groups, frame):
        kept = frame.select(needed(groups[number], frame.columns))
        kept = kept if len(rows) == frame.height else kept[rows]
        with lock:
            scope = groups[number] = _ready(groups[number], kept)
        for rule, found in _matches(scope, Prepared(kept, scope.binding)):
            yield scope, scope.rules[rule], rows.gather(found)


def _ready(scope: Scope, kept: pl.DataFrame) -> Scope:
    if scope.state != "tuned" and kept.height >= SAMPLE // 4 and len(scope.rules) > FEW:
        return scope.tuned(kept)
    return scope.indexed() if scope.state == "bare" else scope


def in_scope(groups: Sequence[Scope], frame: pl.DataFrame) -> Iterator[tuple[int, pl.Series]]:
    """Give for each scope that has any the rows that its logsource means, by their numbers."""
    parsers = [parser for parser in frame["parser"].unique().to_list() if parser is not None]
    read = {n: [p for p in parsers if scope.binding.reads(p)] for n, scope in enumerate(groups)}
    wheres = [scope.binding.where for n, scope in enumerate(groups) if read[n]]
    ready = Prepared(frame, AS_NAMED).with_forms({need for where in wheres for need in needs(where)})
    masks = [
        (pl.col("parser").is_in(read[n]) & compiled(scope.binding.where, ready)).alias(str(n))
        for n, scope in enumerate(groups)
        if read[n]
    ]
    for mask in ready.frame.select(masks).iter_columns():
        rows = mask.arg_true()
        if len(rows):
            yield int(mask.name), rows


def _matches(scope: Scope, prepared: Prepared) -> Iterator[tuple[int, pl.Series]]:
    everywhere = pl.int_range(prepared.frame.height, dtype=pl.UInt32(), eager=True)
    if scope.always:
        ready = prepared.with_forms(_needs_of(scope, scope.always))
        yield from _evaluated(scope, ready, [(number, everywhere) for number in scope.always])
    pairs = candidates(scope.texts, scope.numbers, prepared)
    if pairs.height:
        union = pairs["row"].unique().sort()
        places = pl.DataFrame({"row": union, "place": pl.int_range(len(union), dtype=pl.UInt32(), eager=True)})
        placed = pairs.join(places, on="row").group_by("rule").agg(pl.col("place").sort()).sort("rule")
        wanted = list(zip(placed["rule"].to_list(), placed["place"], strict=True))
        ready = prepared.rows(union).with_forms(_needs_of(scope, [number for number, _ in wanted]))
        for number, found in _evaluated(scope, ready, wanted):
            yield number, union.gather(found)


def _needs_of(scope: Scope, numbers: Iterable[int]) -> set[tuple[str, str | None]]:
    return {need for number in numbers for need in needs(scope.rules[number].condition)}


def candidates(texts: Texts, numbers: Numbers, prepared: Prepared) -> pl.DataFrame:
    """Pair rules with the rows that hold one of their needles, each pair once."""
    ready = prepared.with_forms({(TEXT, name) for name in texts} | {(PLAIN, name) for name in numbers})
    pairs = [pl.DataFrame(schema=PAIRS)]
    for name, index in texts.items():
        if ready.dtype(name) is not None:
            pairs.append(searched(ready.frame.select(ready.text(name)).to_series(), index))
    for name, wanted in numbers.items():
        if ready.dtype(name) is not None:
            pairs.append(_holding(ready, ready.plain(name).cast(pl.Float64, strict=False), wanted))
    return pl.concat(pairs).unique()


def _holding(ready: Prepared, found: pl.Expr, index: pl.DataFrame) -> pl.DataFrame:
    rows = ready.frame.select(found.alias("needle"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
    return rows.join(index, on="needle").select("rule", "row")


def _evaluated(
    scope: Scope, ready: Prepared, wanted: Sequence[tuple[int, pl.Series]]
) -> Iterator[tuple[int, pl.Series]]:
    """Evaluate rules, each on its own rows, many in one query."""
    quick = [(number, rows) for number, rows in wanted if not _is_slow(scope.rules[number].condition)]
    for some in (quick[start : start + AT_ONCE] for start in range(0, len(quick), AT_ONCE)):
        made = [_rows_meeting(scope.rules[number].condition, ready, rows).alias(str(number)) for number, rows in some]
        for column in ready.frame.select(made).iter_columns():
            found = column.item()
            if len(found):
                yield int(column.name), found
    for number, rows in wanted:
        if _is_slow(scope.rules[number].condition):
            found = matched_slowly(scope.rules[number], ready, rows)
            if len(found):
                yield number, found


def _is_slow(condition: Condition) -> bool:
    return any(test.operator == "slow" for test in tests(condition))


def _rows_meeting(condition: Condition, ready: Prepared, rows: pl.Series) -> pl.Expr:
    """Give the numbers of those rows that meet a condition, as one list."""
    if len(rows) == ready.frame.height:
        mask = compiled(condition, ready)
        return pl.int_range(pl.len(), dtype=pl.UInt32).filter(mask).implode()
    return pl.lit(rows).filter(compiled(condition, ready.at(rows))).implode()

"""One pass over a batch of events: the rows that hold a rule's needles, and of these the rows that it matches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pirtimeline.signatures.compile import compiled
from pirtimeline.signatures.condition import Condition, tests
from pirtimeline.signatures.fields import Binding, FieldMaps
from pirtimeline.signatures.frames import FOLDED, PLAIN, Prepared, needs
from pirtimeline.signatures.model import Rule
from pirtimeline.signatures.needles import needles
from pirtimeline.signatures.slow import matched_slowly
from pirtimeline.signatures.text import SCANNED

AT_ONCE = 500
"""How many rules one query evaluates: enough to share its cost, few enough to plan quickly."""

PAIRS = {"rule": pl.UInt32(), "row": pl.UInt32()}


@dataclass(frozen=True, slots=True)
class Scope:
    """Rules that read the same rows through the same field map, and what one pass looks for on their behalf.

    `texts` maps a field to its literals and who wants them, `numbers` the same for numbers; `always` are the rules
    without needles, which look at every row.
    """

    binding: Binding
    rules: tuple[Rule, ...]
    texts: Mapping[str | None, pl.DataFrame] = field(hash=False)
    numbers: Mapping[str | None, pl.DataFrame] = field(hash=False)
    always: tuple[int, ...]


def scopes(rules: Iterable[Rule], maps: FieldMaps) -> list[Scope]:
    """Group rules by what they read; a rule of several bindings stands in several scopes."""
    grouped: dict[object, tuple[Binding, list[Rule]]] = {}
    for rule in rules:
        for binding in maps.bindings(rule.logsource):
            key = (binding, tuple(sorted(binding.fields.items())))
            grouped.setdefault(key, (binding, []))[1].append(rule)
    return [_scope(binding, tuple(members)) for binding, members in grouped.values()]


def _scope(binding: Binding, rules: tuple[Rule, ...]) -> Scope:
    always: list[int] = []
    texts: dict[str | None, list[tuple[str, int]]] = {}
    numbers: dict[str | None, list[tuple[int, int]]] = {}
    for number, rule in enumerate(rules):
        found = needles(rule.condition)
        if found is None:
            always.append(number)
            continue
        for name, wanted in sorted(found, key=str):
            if isinstance(wanted, str):
                texts.setdefault(_scanned(name, binding), []).append((wanted, number))
            else:
                numbers.setdefault(name, []).append((wanted, number))
    return Scope(
        binding,
        rules,
        {name: _index(wanted, pl.String()) for name, wanted in texts.items()},
        {name: _index(wanted, pl.Int64()) for name, wanted in numbers.items()},
        tuple(always),
    )


def _scanned(name: str | None, binding: Binding) -> str | None:
    """Choose the column that is cheap to search instead of one that is dear to make."""
    return SCANNED.get(name, name) if name is not None and binding.columns(name) == (name,) else name


def _index(wanted: Sequence[tuple[str | int, int]], dtype: pl.DataType) -> pl.DataFrame:
    return pl.DataFrame(wanted, schema={"needle": dtype, "rule": pl.UInt32()}, orient="row")


def matched(scope: Scope, frame: pl.DataFrame) -> Iterator[tuple[Rule, pl.Series]]:
    """Give for each rule of a scope the rows of a frame that it matches, by their numbers in the frame."""
    prepared, rows = _in_scope(scope.binding, frame)
    if not len(rows):
        return
    for number, found in _matches(scope, prepared):
        yield scope.rules[number], rows.gather(found)


def _in_scope(binding: Binding, frame: pl.DataFrame) -> tuple[Prepared, pl.Series]:
    """Keep the rows that the logsource means, and their numbers in the frame."""
    read = [parser for parser in frame["parser"].unique().to_list() if parser is not None and binding.reads(parser)]
    meant = Prepared(frame, binding).with_forms(needs(binding.where))
    mask = frame.select(pl.col("parser").is_in(read)).to_series()
    if list(tests(binding.where)):
        mask &= meant.frame.select(compiled(binding.where, meant)).to_series()
    rows = mask.arg_true()
    kept = frame if len(rows) == frame.height else frame[rows]
    return Prepared(kept, binding), rows


def _matches(scope: Scope, prepared: Prepared) -> Iterator[tuple[int, pl.Series]]:
    everywhere = pl.int_range(prepared.frame.height, dtype=pl.UInt32(), eager=True)
    if scope.always:
        ready = prepared.with_forms(_needs_of(scope, scope.always))
        yield from _evaluated(scope, ready, [(number, everywhere) for number in scope.always])
    pairs = candidates(scope, prepared)
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


def candidates(scope: Scope, prepared: Prepared) -> pl.DataFrame:
    """Pair rules with the rows that hold one of their needles, each pair once."""
    ready = prepared.with_forms({(FOLDED, name) for name in scope.texts} | {(PLAIN, name) for name in scope.numbers})
    pairs = [pl.DataFrame(schema=PAIRS)]
    for name, index in scope.texts.items():
        if ready.dtype(name) is not None:
            wanted = index["needle"].unique(maintain_order=True).to_list()
            pairs.append(_holding(ready, ready.folded(name).str.extract_many(wanted, overlapping=True), index))
    for name, index in scope.numbers.items():
        if ready.dtype(name) is not None:
            pairs.append(_holding(ready, ready.plain(name).cast(pl.Int64, strict=False), index))
    return pl.concat(pairs).unique()


def _holding(ready: Prepared, found: pl.Expr, index: pl.DataFrame) -> pl.DataFrame:
    rows = ready.frame.select(found.alias("needle"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
    if rows.schema["needle"] == pl.List(pl.String):
        rows = rows.filter(pl.col("needle").list.len() > 0).explode("needle")
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

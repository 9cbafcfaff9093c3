"""Correlations: events of several signatures that stand together within a time span.

A window ends at an event and reaches `timespan` back, both ends included. A correlation matches where its condition
holds over a window; windows that share an event are one match. Events that lack a field of `group-by` are in no group,
and undated ones in no window. Within a match of another correlation, a field has a value where all its events agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import and_, or_

import polars as pl

from pirtimeline.signatures.load import Rules
from pirtimeline.signatures.model import Correlation, Expression, Threshold

Asked = Mapping[str, frozenset[str]]
"""Which fields of a signature's events correlations look at."""

ORDER = ["at", "item"]


def fields_of(correlations: Sequence[Correlation]) -> Asked:
    """List for each signature the fields that correlations group by or measure, also by way of other correlations."""
    asked: dict[str, set[str]] = {}
    for each in reversed(correlations):
        inherited = asked.get(each.header.signature_id, set())
        measured = set(each.threshold.fields) if each.threshold else set()
        for rule in each.rules:
            own = {_field(each, name, rule) for name in each.group_by} | measured
            asked.setdefault(rule, set()).update(own | inherited)
    return {rule: frozenset(fields) for rule, fields in asked.items()}


def _field(correlation: Correlation, name: str, rule: str) -> str:
    """Give the field that a name of `group-by` stands for in the events of one signature."""
    return next((field for alias, of, field in correlation.aliases if alias == name and of == rule), name)


def correlated(raw: pl.DataFrame, rules: Rules) -> list[pl.DataFrame]:
    """Find the matches of all correlations among the matches of other rules.

    Args:
        raw: `signature_id`, `event_id`, `timestamp` and more of each match, and `field:<name>` where it was asked for.
        rules: the loaded signatures; correlations stand behind those they refer to.

    Returns:
        For each correlation the events of its matches, as rows of `raw`, with `key`: the values of the match's group.
    """
    if not rules.correlations:
        return []
    asked = fields_of(rules.correlations)
    base = raw.with_row_index("item").filter(pl.col("timestamp").is_not_null())
    base = base.with_columns(at=pl.col("timestamp"), events=pl.concat_list("item"))
    unseen = {f"field:{name}" for fields in asked.values() for name in fields} - set(base.columns)
    base = base.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in sorted(unseen))
    known: dict[str, tuple[pl.DataFrame, pl.DataFrame]] = {}
    out: list[pl.DataFrame] = []
    for each in rules.correlations:
        items = _items(each, base, known)
        windows, matches = _found(each, items, asked.get(each.header.signature_id, frozenset()))
        known[each.header.signature_id] = windows, matches
        out.append(_as_hits(each, matches, raw))
    return out


def _items(
    correlation: Correlation, base: pl.DataFrame, known: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]]
) -> pl.DataFrame:
    """Gather what a correlation looks at: one row an item, with the group's values in `by:<name>`."""
    temporal = correlation.kind.startswith("temporal")
    parts: list[pl.DataFrame] = []
    for rule in dict.fromkeys(correlation.rules):
        own = known[rule][0 if temporal else 1] if rule in known else base.filter(pl.col("signature_id") == rule)
        fields = {name: f"field:{_field(correlation, name, rule)}" for name in correlation.group_by}
        by = [
            (pl.col(column) if column in own.columns else pl.lit(None, dtype=pl.String)).alias(f"by:{name}")
            for name, column in fields.items()
        ]
        values = [column for column in own.columns if column.startswith("field:")]
        parts.append(own.select(pl.lit(rule).alias("rule"), "at", "events", *values, *by))
    items = pl.concat(parts, how="diagonal")
    if correlation.group_by:
        items = items.filter(pl.all_horizontal(pl.col(f"by:{name}").is_not_null() for name in correlation.group_by))
    key = pl.concat_str([f"by:{name}" for name in correlation.group_by], separator="\n") if correlation.group_by else ""
    keyed = items.with_columns((pl.lit("") if isinstance(key, str) else key).alias("key"))
    return keyed.sort("key", "at", pl.col("events").list.first(), "rule").with_row_index("item")


def _found(correlation: Correlation, items: pl.DataFrame, asked: Iterable[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the windows in which the condition holds, and the matches that they make."""
    held = items.filter(_holds(correlation, items))
    ends = held.select("key", end="at").unique().sort("end")
    members = items.sort("at").join_asof(
        ends, left_on="at", right_on="end", by="key", strategy="forward", check_sortedness=False
    )
    begins = pl.col("end") - correlation.timespan
    members = members.filter(pl.col("at") >= begins).sort("key", *ORDER)
    # a window that holds the member before this one carries the match on
    fresh = (begins > pl.col("at").shift(1).over("key")).fill_null(True)
    members = members.with_columns(match=fresh.cum_sum().over("key"))
    matches = members.group_by("key", "match", maintain_order=True).agg(
        pl.col("end").min().alias("at"), *_summed(asked, items.columns)
    )
    windows = _windows(correlation, items, held, asked)
    return windows, matches


def _summed(asked: Iterable[str], columns: Sequence[str]) -> list[pl.Expr]:
    """Gather the events of several items, and the values that all of them share."""
    shared = [
        pl.when(pl.col(c).n_unique() == 1).then(pl.col(c).first()).alias(c)
        for c in (f"field:{name}" for name in sorted(asked))
        if c in columns
    ]
    return [pl.col("events").explode().unique().sort(), *shared]


def _windows(correlation: Correlation, items: pl.DataFrame, held: pl.DataFrame, asked: Iterable[str]) -> pl.DataFrame:
    """Give each window in which the condition holds as an item of its own, at its end."""
    sums = _summed(asked, items.columns)
    if not held.height:
        return items.head(0).group_by("key", "at").agg(sums)
    rolled = _rolling(correlation, items).agg(sums)
    return rolled.join(held.select("key", "at").unique(), on=["key", "at"], how="semi").unique(["key", "at"])


def _rolling(correlation: Correlation, items: pl.DataFrame) -> pl.dataframe.group_by.RollingGroupBy:
    return items.rolling("at", period=correlation.timespan, closed="both", group_by="key")


COMPARISONS: Mapping[str, Callable[[pl.Expr, float], pl.Expr]] = {
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}


def _holds(correlation: Correlation, items: pl.DataFrame) -> pl.Series:
    """Tell of each item whether the condition holds over the window that ends at it."""
    if not items.height:
        return pl.Series([], dtype=pl.Boolean)
    if correlation.kind == "temporal_ordered":
        return _holds_in_order(correlation, items)
    present = {rule: (pl.col("rule") == rule).any() for rule in correlation.rules}
    if correlation.expression is not None:
        verdict = _meets(correlation.expression, present)
    else:
        threshold = correlation.threshold or Threshold(operator="gte", limit=len(correlation.rules))
        verdict = COMPARISONS[threshold.operator](_figure(correlation.kind, threshold), threshold.limit)
    return _rolling(correlation, items).agg(verdict.fill_null(False).alias("holds"))["holds"]


def _figure(kind: str, threshold: Threshold) -> pl.Expr:
    """Give the figure that a correlation measures over a window; values that are no numbers do not count."""
    if kind == "event_count":
        return pl.len()
    if kind == "temporal":
        return pl.col("rule").n_unique()
    columns = [pl.col(f"field:{name}") for name in threshold.fields]
    if kind == "value_count":
        together = columns[0] if len(columns) == 1 else pl.concat_str(columns, separator="\n")
        return together.drop_nulls().n_unique()
    numbers = columns[0].cast(pl.Float64, strict=False)
    numbers = pl.when(numbers.is_finite()).then(numbers).drop_nulls()
    shares = {"value_percentile": threshold.percentile / 100, "value_median": 0.5}
    if kind in shares:
        return numbers.quantile(shares[kind], "linear")
    return pl.when(numbers.len() > 0).then(numbers.sum() if kind == "value_sum" else numbers.mean())


def _meets(expression: Expression, present: Mapping[str, pl.Expr]) -> pl.Expr:
    if isinstance(expression, str):
        return present[expression]
    word, operands = expression
    parts = [_meets(operand, present) for operand in operands]
    return ~parts[0] if word == "not" else reduce(and_ if word == "and" else or_, parts)


def _holds_in_order(correlation: Correlation, items: pl.DataFrame) -> pl.Series:
    """Tell of each item whether a chain of the rules, in their order, ends at it and fits into the window."""
    marked = items.with_columns(holds=pl.lit(False), length=pl.lit(0, dtype=pl.Int64))
    order = list(dict.fromkeys(correlation.rules))
    if correlation.expression is not None:
        for wanted, refused in _ways(correlation.expression):
            chain = [rule for rule in order if rule in wanted]
            verdict = _chain(chain, correlation, items) & ~_present(refused, correlation, items)
            marked = marked.with_columns(holds=pl.col("holds") | verdict)
        return marked["holds"]
    threshold = correlation.threshold or Threshold(operator="gte", limit=len(order))
    for length in range(1, len(order) + 1):
        for chosen in combinations(order, length):
            verdict = _chain(list(chosen), correlation, items)
            marked = marked.with_columns(length=pl.when(verdict).then(length).otherwise("length"))
    return marked.select(COMPARISONS[threshold.operator](pl.col("length"), threshold.limit)).to_series()


def _chain(chain: Sequence[str], correlation: Correlation, items: pl.DataFrame) -> pl.Series:
    """Find, for each rule of a chain in turn, the latest beginning from which it can be reached in order."""
    begin = pl.when(pl.col("rule") == chain[0]).then("at") if chain else pl.col("at")
    reached = items.with_columns(begin=begin)
    for rule in chain[1:]:
        before = _latest(reached)
        reached = before.with_columns(begin=pl.when(pl.col("rule") == rule).then("begin"))
    fits = (pl.col("at") - pl.col("begin") <= correlation.timespan).fill_null(False)
    return reached.sort("item").select(fits).to_series()


def _latest(reached: pl.DataFrame) -> pl.DataFrame:
    """Carry the latest beginning so far to every item, those of the same instant included."""
    best = reached.group_by("key", "at").agg(pl.col("begin").max()).sort("key", "at")
    best = best.with_columns(pl.col("begin").cum_max().forward_fill().over("key"))
    return reached.drop("begin").join(best, on=["key", "at"], how="left", maintain_order="left")


def _present(rules: frozenset[str], correlation: Correlation, items: pl.DataFrame) -> pl.Series:
    found = pl.col("rule").is_in(sorted(rules)).any() if rules else pl.lit(False)
    return _rolling(correlation, items).agg(found.alias("there"))["there"]


Way = tuple[frozenset[str], frozenset[str]]


def _ways(expression: Expression, *, negated: bool = False) -> list[Way]:
    """List the ways to meet a condition in words: rules that must be there, and rules that must not.

    Example:
        >>> _ways(("and", ("a", ("not", ("b",)))))
        [(frozenset({'a'}), frozenset({'b'}))]
    """
    if isinstance(expression, str):
        return [(frozenset(), frozenset([expression])) if negated else (frozenset([expression]), frozenset())]
    word, operands = expression
    if word == "not":
        return _ways(operands[0], negated=not negated)
    parts = [_ways(operand, negated=negated) for operand in operands]
    if (word == "or") != negated:
        return [way for part in parts for way in part]
    joined: list[Way] = [(frozenset(), frozenset())]
    for part in parts:
        joined = [(a | c, b | d) for a, b in joined for c, d in part]
    return joined


def _as_hits(correlation: Correlation, matches: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    """Show the events of a correlation's matches as matches of the correlation itself."""
    plain = [c for c in raw.columns if not c.startswith("field:")]
    rows = matches.select("key", "events").explode("events").drop_nulls("events").unique(maintain_order=True)
    hits = raw.select(plain)[rows["events"]].with_columns(rows["key"])
    return hits.with_columns(signature_id=pl.lit(correlation.header.signature_id)).unique(
        ["signature_id", "event_id", "key"], maintain_order=True
    )

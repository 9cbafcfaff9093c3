"""From a condition to one Polars expression, and from a condition to the literals that a matching row must hold.

Every test closes with false where its field is absent, so that `not` means what it says. Text is compared folded
(see `text.fold`) unless the rule says `cased`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from typing import Protocol

import polars as pl

from pirtimeline.signatures.addresses import within
from pirtimeline.signatures.condition import MANY, ONE, All, Condition, Not, Test, Value
from pirtimeline.signatures.regex import escaped, to_rust
from pirtimeline.signatures.text import fold

TIME_PARTS = {"minute": 5, "hour": 4, "day": 3, "month": 2, "year": 1}
WRITTEN_TIME = r"^\s*(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[T ](\d\d?):(\d\d))?"


class Columns(Protocol):
    """How a rule's fields are found in a frame; None for a field that the frame does not have."""

    def dtype(self, field: str | None) -> pl.DataType | None:
        """Tell the type in which the field is at hand."""

    def plain(self, field: str | None) -> pl.Expr:
        """Give the field as it is."""

    def text(self, field: str | None) -> pl.Expr:
        """Give the field as text."""

    def folded(self, field: str | None) -> pl.Expr:
        """Give the field as folded text."""


def compiled(condition: Condition, columns: Columns) -> pl.Expr:
    """Compile a condition to one expression, true where the event meets it and never null."""
    if isinstance(condition, Test):
        return compiled_test(condition, columns)
    if isinstance(condition, Not):
        return ~compiled(condition.item, columns)
    join = and_ if isinstance(condition, All) else or_
    if not condition.items:
        return pl.lit(isinstance(condition, All))
    return reduce(join, [compiled(item, columns) for item in condition.items])


def compiled_test(test: Test, columns: Columns) -> pl.Expr:
    """Compile one test; a field that the frame does not have is absent in every row."""
    if columns.dtype(test.field) is None:
        return pl.lit(test.operator == "null" or (test.operator == "exists" and False in test.values))
    made = OPERATIONS[test.operator](test, columns)
    return made if test.operator in ("null", "exists") else made.fill_null(False)


def _equals(test: Test, columns: Columns) -> pl.Expr:
    text, values = _subject(test, columns)
    return text == values[0] if len(values) == 1 else text.is_in(values)


def _contains(test: Test, columns: Columns) -> pl.Expr:
    text, values = _subject(test, columns)
    if "" in values:
        return text.is_not_null()
    return text.str.contains(values[0], literal=True) if len(values) == 1 else text.str.contains_any(values)


def _startswith(test: Test, columns: Columns) -> pl.Expr:
    text, values = _subject(test, columns)
    return reduce(or_, [text.str.starts_with(value) for value in values])


def _endswith(test: Test, columns: Columns) -> pl.Expr:
    text, values = _subject(test, columns)
    return reduce(or_, [text.str.ends_with(value) for value in values])


def _subject(test: Test, columns: Columns) -> tuple[pl.Expr, list[str]]:
    """Give both sides of a comparison of text, folded unless the test keeps case apart."""
    if test.cased:
        return columns.text(test.field), [str(value) for value in test.values]
    return columns.folded(test.field), [fold(str(value)) for value in test.values]


def _like(test: Test, columns: Columns) -> pl.Expr:
    text = columns.text(test.field) if test.cased else columns.folded(test.field)
    shapes = [_wildcards(value, cased=test.cased) for value in test.values]
    frame = r"(?s){}" if test.field is None else r"(?s)\A(?:{})\z"
    return text.str.contains(frame.format("|".join(shapes)))


def _wildcards(parts: Value, *, cased: bool) -> str:
    assert isinstance(parts, tuple)
    spelled = {MANY: ".*", ONE: "."}
    return "".join(escaped(part if cased else fold(part)) if isinstance(part, str) else spelled[part] for part in parts)


def _regex(test: Test, columns: Columns) -> pl.Expr:
    rust = [to_rust(str(value), test.flags) for value in test.values]
    return reduce(or_, [columns.text(test.field).str.contains(shape) for shape in rust if shape is not None])


def _cidr(test: Test, columns: Columns) -> pl.Expr:
    return reduce(or_, [within(columns.text(test.field), str(value)) for value in test.values])


def _number(test: Test, columns: Columns) -> pl.Expr:
    """Compare a number with numbers, and with text that writes the same number."""
    plain, numbers = columns.plain(test.field), [v for v in test.values if isinstance(v, int | float)]
    if _is_text(test.field, columns):
        whole, broken = plain.cast(pl.Int64, strict=False), _figure(plain)
        texts = plain.is_in([str(v) for v in numbers])
        tests = [(whole == v).fill_null(False) for v in numbers if isinstance(v, int) and _fits(v, 63)]
        tests += [(broken == v).fill_null(False) for v in numbers if _fits(v, 53)]
        return reduce(or_, tests, texts.fill_null(False))
    return reduce(or_, [plain == v for v in numbers])


def _fits(number: int | float, bits: int) -> bool:
    """Tell whether a number is below what so many bits hold; beyond 53 a float is not exact."""
    return bool(-(2**bits) <= number < 2**bits)


def _figure(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _is_text(field: str | None, columns: Columns) -> bool:
    dtype = columns.dtype(field)
    return dtype is not None and not dtype.is_numeric()


def _bool(test: Test, columns: Columns) -> pl.Expr:
    return columns.folded(test.field).is_in([str(value).lower() for value in test.values])


COMPARISONS: dict[str, Callable[[pl.Expr, float], pl.Expr]] = {
    "": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}


def _compare(test: Test, columns: Columns) -> pl.Expr:
    number = _figure(columns.plain(test.field)) if _is_text(test.field, columns) else columns.plain(test.field)
    compare = COMPARISONS[test.operator]
    return reduce(or_, [compare(number, v) for v in test.values if isinstance(v, int | float)])


def _time_part(test: Test, columns: Columns) -> pl.Expr:
    """Compare a part of a time as it is written, whatever its zone."""
    compare, dtype = COMPARISONS[test.flags], columns.dtype(test.field)
    if dtype is not None and dtype.is_temporal():
        part: pl.Expr = getattr(columns.plain(test.field).dt, test.operator)()
    else:
        part = _written_part(columns.text(test.field), test.operator)
    return reduce(or_, [compare(part, v) for v in test.values if isinstance(v, int | float)])


def _written_part(text: pl.Expr, part: str) -> pl.Expr:
    groups = text.str.extract_groups(WRITTEN_TIME).struct
    if part != "week":
        return groups.field(str(TIME_PARTS[part])).cast(pl.Int32, strict=False)
    day = pl.format("{}-{}-{}", *(groups.field(str(i)) for i in (1, 2, 3)))
    return day.str.to_date("%Y-%m-%d", strict=False).dt.week()


def _fieldref(test: Test, columns: Columns) -> pl.Expr:
    named = [str(value) for value in test.values if columns.dtype(str(value)) is not None]
    how = test.operator.removeprefix("fieldref").removeprefix("_")
    pairs = [(columns.folded(test.field), columns.folded(other)) for other in named]
    compare: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
        "": lambda a, b: a == b,
        "startswith": lambda a, b: a.str.starts_with(b),
        "endswith": lambda a, b: a.str.ends_with(b),
        "contains": lambda a, b: a.str.contains(b, literal=True),
    }
    return reduce(or_, [compare[how](a, b).fill_null(False) for a, b in pairs], pl.lit(False))


def _null(test: Test, columns: Columns) -> pl.Expr:
    return columns.plain(test.field).is_null()


def _exists(test: Test, columns: Columns) -> pl.Expr:
    present = columns.plain(test.field).is_not_null()
    return reduce(or_, [present if value else ~present for value in test.values])


OPERATIONS: dict[str, Callable[[Test, Columns], pl.Expr]] = {
    "equals": _equals,
    "contains": _contains,
    "startswith": _startswith,
    "endswith": _endswith,
    "like": _like,
    "regex": _regex,
    "cidr": _cidr,
    "number": _number,
    "bool": _bool,
    **dict.fromkeys(("lt", "lte", "gt", "gte"), _compare),
    **dict.fromkeys(("minute", "hour", "day", "week", "month", "year"), _time_part),
    **dict.fromkeys(("fieldref", "fieldref_startswith", "fieldref_endswith", "fieldref_contains"), _fieldref),
    "null": _null,
    "exists": _exists,
}
"""How each operator is compiled."""

"""The columns that rules look at, made ready in a frame: as they are, as text, and folded."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping

import polars as pl

from pirtimeline.schema import EVENT_COLUMNS
from pirtimeline.signatures.condition import TEXT_OPERATORS, Condition, Test, tests
from pirtimeline.signatures.fields import Binding
from pirtimeline.signatures.text import SCANNED, SEARCHED, folded, searchable
from pirtimeline.signatures.virtual import PLAINLY, VIRTUAL, in_pairs

PLAIN, TEXT, FOLDED = "plain", "text", "folded"
Need = tuple[str, str | None]
"""A form (plain, text, folded) of a field; None is the searchable text."""


def needs(condition: Condition) -> set[Need]:
    """List the forms of fields that a compiled condition reads."""
    return {need for test in tests(condition) for need in _needs(test)}


def _needs(test: Test) -> Iterable[Need]:
    if test.operator in TEXT_OPERATORS:
        yield (TEXT if test.cased else FOLDED), test.field
    elif test.operator in ("regex", "slow", "cidr"):
        yield TEXT, test.field
    elif test.operator == "bool":
        yield FOLDED, test.field
    elif test.operator.startswith("fieldref"):
        yield from ((FOLDED, name) for name in (test.field, *map(str, test.values)))
    else:
        yield from ((PLAIN, test.field), (TEXT, test.field))


class Prepared:
    """Columns of a frame in the forms that rules need, found through a logsource's field map.

    A field is the first of its mapped columns that an event has; a column that the frame lacks is looked for in
    `extra` under the field's own name. `pick` is applied to every column: it lets an expression look at chosen rows.
    """

    def __init__(self, frame: pl.DataFrame, binding: Binding, pick: Callable[[pl.Expr], pl.Expr] | None = None) -> None:
        self.frame = frame
        self.binding = binding
        self.pick = pick
        self._schema = frame.schema
        self._empty = {column.name for column in frame.iter_columns() if column.null_count() == frame.height}

    def with_forms(self, wanted: Collection[Need]) -> Prepared:
        """Add the forms that are not there yet."""
        missing = sorted({n for n in wanted if _name(*n) not in self._schema}, key=str)
        plain = [e.alias(_name(PLAIN, f)) for f in _fields(missing, self._schema) if (e := self._found(f)) is not None]
        frame = self.frame.with_columns(plain)
        for form, make in ((TEXT, _as_text), (FOLDED, lambda e, d: folded(_as_text(e, d)))):
            names = [f for kind, f in missing if kind == form and _name(PLAIN, f) in frame.schema]
            made = [make(pl.col(_name(PLAIN, f)), frame.schema[_name(PLAIN, f)]).alias(_name(form, f)) for f in names]
            frame = frame.with_columns(made)
        return Prepared(frame, self.binding, self.pick)

    def at(self, rows: pl.Series) -> Prepared:
        """Look at some rows only, by their numbers."""
        return Prepared(self.frame, self.binding, lambda column: column.gather(pl.lit(rows)))

    def rows(self, rows: pl.Series) -> Prepared:
        """Keep some rows only, by their numbers."""
        return Prepared(self.frame[rows], self.binding)

    def _found(self, name: str | None) -> pl.Expr | None:
        """Give the expression of a field, or None where no event of the frame can have it."""
        if name is None:
            return searchable([c for c in self._schema if ":" not in c])
        found = [e for column in self.binding.columns(name) if (e := self._column(column)) is not None]
        if not found and self._filled("extra"):
            found = [_in_extra(key) for key in dict.fromkeys((name, *self.binding.columns(name)))]
        if self.binding.pairs in self._schema and name not in self._schema and name not in self.binding.fields:
            found.append(in_pairs(self.binding.pairs, name))
        if len(found) > 1:
            found = [each.cast(pl.String) for each in found]
        return pl.coalesce(found) if found else None

    def _column(self, column: str) -> pl.Expr | None:
        lacking, same = PLAINLY.get(column, ("", ""))
        if same and lacking in self._empty:
            return self._column(same)
        if column in VIRTUAL:
            make, parts = VIRTUAL[column]
            return make() if all(part in self._schema for part in parts) else None
        if column.startswith("extra."):
            return _in_extra(column.removeprefix("extra.")) if self._filled("extra") else None
        if column.startswith("pairs."):
            source = self.binding.pairs or "message"
            return in_pairs(source, column.removeprefix("pairs.")) if source in self._schema else None
        return pl.col(column) if self._filled(column) else None

    def _filled(self, column: str) -> bool:
        """Tell whether any row has a column; what none has is as good as absent, and costs nothing."""
        return column in self._schema and column not in self._empty

    def dtype(self, field: str | None) -> pl.DataType | None:
        """Tell the type of a field; None where the frame does not have it."""
        return self._schema.get(_name(PLAIN, field))

    def plain(self, field: str | None) -> pl.Expr:
        """Give the field as it is."""
        return self._picked(PLAIN, field)

    def text(self, field: str | None) -> pl.Expr:
        """Give the field as text."""
        return self._picked(TEXT, field)

    def folded(self, field: str | None) -> pl.Expr:
        """Give the field as folded text."""
        return self._picked(FOLDED, field)

    def _picked(self, form: str, field: str | None) -> pl.Expr:
        column = pl.col(_name(form, field))
        return self.pick(column) if self.pick is not None else column


def _name(form: str, field: str | None) -> str:
    return f"{form}:{'' if field is None else field}"


def _fields(missing: Iterable[Need], schema: Mapping[str, object]) -> list[str | None]:
    named = dict.fromkeys(field for _, field in missing)
    return [field for field in named if _name(PLAIN, field) not in schema]


def _as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        return column
    if dtype == pl.Boolean:
        return pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    if dtype.is_temporal():
        return column.dt.to_string("iso")
    return column.cast(pl.String)


def _in_extra(key: str) -> pl.Expr:
    """Look a key up in the JSON of `extra`: as it is written, else as a path whose steps are parted by dots."""
    paths = [_json_path([key])]
    if "." in key:
        paths.append(_json_path(key.split(".")))
    holds = pl.col("extra").str.contains(key.rsplit(".", maxsplit=1)[-1], literal=True)
    found = pl.coalesce([pl.col("extra").str.json_path_match(path) for path in paths])
    return pl.when(holds).then(found)


def _json_path(steps: Iterable[str]) -> str:
    return "$" + "".join("['" + re.sub(r"(['\\])", r"\\\1", step) + "']" for step in steps)


def behind(name: str | None, binding: Binding, known: Collection[str]) -> set[str]:
    """Name the columns of which a field may be made, of those that are known."""
    if name is None:
        own = {column for column in known if column not in EVENT_COLUMNS and column not in ("event_id", "parser")}
        spoken = (*VIRTUAL["headed_message"][1], *VIRTUAL["request_line"][1], *SEARCHED)
        return own | {column for column in spoken if column in known}
    mapped = binding.columns(name)
    made = {
        part
        for column in (*mapped, *(inner for c in mapped for inner in SCANNED.get(c, ())))
        for part in VIRTUAL.get(column, ((), ()))[1]
    }
    found = {column for column in (*mapped, *made) if column in known}
    if binding.pairs or any(column.startswith("pairs.") for column in mapped):
        found |= {binding.pairs or "message"} & set(known)
    if not found or any(column.startswith("extra.") for column in mapped):
        found |= {"extra"} & set(known)
    return found

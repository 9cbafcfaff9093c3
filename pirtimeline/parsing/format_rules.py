"""The rules that a format file must keep, as far as they need no sample: its keys, names, kinds, columns, times."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pirtimeline.errors import FormatError
from pirtimeline.parsing.columns import OWN_TYPES, UNITS, column_and_unit, groups_of
from pirtimeline.parsing.places import line_of
from pirtimeline.parsing.plugin import KINDS
from pirtimeline.schema import ENGINE_COLUMNS, EVENT_COLUMNS, SEVERITIES, STRUCTURE, UNRECOGNISED

KEYS: Mapping[str, Mapping[str, type]] = {
    "": {
        "title": str,
        "url": str,
        "kind": str,
        "paths": list,
        "starts": str,
        "leads": str,
        "heads": str,
        "continues": str,
        "inner": str,
        "together": str,
        "zone": str,
        "envelope": dict,
        "pattern": list,
        "sample": list,
        "severity": dict,
        "fields": dict,
        "columns": dict,
    },
    "pattern": {"regex": str, "time": str, "undated": bool, "header_lines": int, "quick": str},
    "sample": {"text": str, "expect": dict},
    "envelope": {"inner": str, "partial": str},
}
"""The keys of a format file, version 1, by table."""

_VALUES = {str: "a string", list: "a list", dict: "a table", bool: "true or false", int: "a whole number"}
_DEMANDED = {"": ("title",), "sample": ("text",), "envelope": ("inner",)}
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a format file breaks, and where in the file."""

    what: str
    table: str = ""
    number: int = 0
    key: str = ""
    hint: str = ""

    def error(self, text: str, origin: str) -> FormatError:
        """Make the error that names file and line."""
        line = line_of(text, self.table, self.number, self.key)
        return FormatError(self.what, at=f"{origin}:{line}", hint=self.hint)


def faults(told: Mapping[str, Any], name: str, *, samples: bool) -> Iterator[Fault]:
    """List the rules that the tables of a file break; where keys or types are wrong, those alone."""
    yield from name_faults(name)
    if shape := [*_shape_faults(told, "", 0)]:
        yield from shape
        return
    yield from _kind_faults(told)
    yield from _word_faults(told)
    yield from _column_faults(told)
    for number, pattern in enumerate(told.get("pattern", ())):
        yield from _pattern_faults(told, pattern, number)
    if samples and not told.get("sample"):
        yield Fault(
            "no sample: a format shows what it reads", hint="add [[sample]] with text = '…' and what to expect of it"
        )


def name_faults(name: str) -> Iterator[Fault]:
    """Check a name: product_kind, and not one of the engine's own."""
    if not _NAME.fullmatch(name):
        yield Fault(
            f"{name!r} is no name for a format",
            hint="name the file product_kind.toml, in lower case: nginx_access.toml",
        )
    if name in (UNRECOGNISED, STRUCTURE):
        yield Fault(f"the name {name!r} is the engine's own", hint="name the file after the product")


def _shape_faults(told: Mapping[str, Any], table: str, number: int) -> Iterator[Fault]:
    """Check the keys of a table and the types of their values, and of the tables in it."""
    known = KEYS[table]
    for key, value in told.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            yield Fault(f"unknown key {key!r}", table, number, key, hint)
        elif type(value) is not known[key]:
            yield Fault(f"{key!r} must be {_VALUES[known[key]]}", table, number, key)
        else:
            yield from _inner_faults(key, value)
    for key in _DEMANDED.get(table, ()):
        if key not in told:
            yield Fault(f"missing key {key!r}", table, number, key)


def _inner_faults(key: str, value: Any) -> Iterator[Fault]:
    if key in ("pattern", "sample"):
        for number, one in enumerate(value):
            if not isinstance(one, dict):
                yield Fault(f"{key!r} must be tables", key=key, hint=f"write [[{key}]] above its keys")
                return
            yield from _shape_faults(one, key, number)
    elif key == "envelope":
        yield from _shape_faults(value, key, 0)
    elif key in ("severity", "fields", "columns"):
        for inner in (inner for inner, one in value.items() if not isinstance(one, str)):
            yield Fault(
                f"{inner!r} must be a string", key, 0, inner, 'a key with dots stands in quotes: "log.level" = …'
            )
    elif key == "paths" and not all(isinstance(one, str) for one in value):
        yield Fault("'paths' must be a list of strings", key=key)


def _kind_faults(told: Mapping[str, Any]) -> Iterator[Fault]:
    kind = told.get("kind", "lines")
    if kind not in KINDS:
        yield Fault(f"unknown kind {kind!r}", key="kind", hint=f"one of {', '.join(KINDS)}")
    if told.get("zone", "UTC") != "UTC":
        yield Fault("zone can only be UTC", key="zone", hint="a zone of the evidence is declared with --zone GLOB=ZONE")
    if kind == "lines" and not told.get("pattern"):
        yield Fault("no pattern: a format of lines needs one", hint="add [[pattern]] with regex = '^…' and time = '…'")
    if kind in ("json", "csv", "logfmt", "keys", "xml") and not told.get("pattern") and not told.get("starts"):
        hint = "add [[pattern]] with a regex for what only its events hold: regex = '\"kibana\\.alert'"
        yield Fault(f"no pattern: any {kind} would be taken for this format", hint=hint)
    if kind == "lines" and told.get("fields"):
        yield Fault(
            "[fields] is for json, csv, logfmt, xml and their like",
            "fields",
            hint="name the groups of the regex instead",
        )


def _word_faults(told: Mapping[str, Any]) -> Iterator[Fault]:
    for word, ours in told.get("severity", {}).items():
        if ours not in SEVERITIES:
            yield Fault(f"unknown severity {ours!r}", "severity", 0, word, f"one of {', '.join(SEVERITIES)}")


def _column_faults(told: Mapping[str, Any]) -> Iterator[Fault]:
    own = told.get("columns", {})
    for column, dtype in own.items():
        if column in EVENT_COLUMNS or column == "parser":
            yield Fault(
                f"{column!r} is a column of the event table",
                "columns",
                0,
                column,
                "use it as it is, or take another name",
            )
        elif dtype not in OWN_TYPES:
            yield Fault(f"unknown type {dtype!r}", "columns", 0, column, f"one of {', '.join(OWN_TYPES)}")
    if (key := told.get("together")) and key not in _named(told):
        yield Fault(f"`together` names {key!r}, which no pattern fills", key="together", hint="name a group's column")
    for key, column in told.get("fields", {}).items():
        yield from _filled(column, own, "fields", 0, key)
    inner = told.get("envelope", {}).get("inner")
    filled = _named(told) if told.get("kind", "lines") == "lines" else {*EVENT_COLUMNS, *own}
    if inner and inner not in filled:
        yield Fault(
            f"the envelope's column {inner!r} is filled by nothing",
            "envelope",
            0,
            "inner",
            'most often it is "message"',
        )


def _named(told: Mapping[str, Any]) -> set[str]:
    groups = [group for one in told.get("pattern", ()) for group in groups_of(one.get("regex", ""))]
    return {group.partition("__")[0] for group in groups} | set(told.get("fields", {}).values())


def _filled(group: str, own: Mapping[str, str], table: str, number: int, key: str) -> Iterator[Fault]:
    """Check that what fills a column names one that a format may fill, in a unit that there is."""
    column, unit = column_and_unit(group)
    if column in ENGINE_COLUMNS:
        instead = {"severity": "severity_text", "timestamp": "timestamp_text"}.get(column)
        hint = f"name it {instead!r}" if instead else "leave it out"
        yield Fault(f"{column!r} is filled by the engine alone", table, number, key, hint)
    elif column not in EVENT_COLUMNS and column not in own:
        near = difflib.get_close_matches(column, [*EVENT_COLUMNS, *own], 1)
        meant = f"did you mean {near[0]!r}? If it is the format's own: " if near else ""
        yield Fault(f"{column!r} is no column", table, number, key, f'{meant}add {column} = "string" to [columns]')
    elif unit and unit not in UNITS and (column, unit) != ("severity_text", "pri"):
        yield Fault(f"unknown unit {unit!r} in {group!r}", table, number, key, f"one of {', '.join(UNITS)}")


def _pattern_faults(told: Mapping[str, Any], pattern: Mapping[str, Any], number: int) -> Iterator[Fault]:
    lines = told.get("kind", "lines") == "lines"
    groups = groups_of(pattern.get("regex", ""))
    if lines and "regex" not in pattern:
        yield Fault("a pattern without a regex", "pattern", number)
    if lines and not pattern.get("regex", "^").startswith(("^", r"\A", "(?s)^", "(?x)", "(?i)^")):
        yield Fault(
            "the regex is not anchored", "pattern", number, "regex", "begin it with ^: it is tried on every line"
        )
    for group in groups:
        yield from _filled(group, told.get("columns", {}), "pattern", number, "regex")
    yield from _time_faults(pattern, number, lines, "timestamp_text" in groups)
    if pattern.get("header_lines", 1) > 1 and not told.get("starts"):
        yield Fault(
            "a header of several lines needs `starts`",
            "pattern",
            number,
            "header_lines",
            "starts = '^…' is what its first line looks like",
        )


def _time_faults(pattern: Mapping[str, Any], number: int, lines: bool, stamped: bool) -> Iterator[Fault]:
    undated = pattern.get("undated", False)
    if lines and not undated and not stamped:
        yield Fault(
            "no group timestamp_text", "pattern", number, "regex", "name the group of the time, or set undated = true"
        )
    if lines and not undated and not pattern.get("time"):
        yield Fault(
            "no time: how is timestamp_text written?",
            "pattern",
            number,
            "regex",
            'time = "%d/%b/%Y:%H:%M:%S %z" or "iso8601", …',
        )
    if undated and (stamped or pattern.get("time")):
        yield Fault("an undated pattern has a time", "pattern", number, "undated", "remove one of the two")


def regex_fault(regex: str) -> str | None:
    r"""Say why a regex does not compile in Rust's dialect, and where; None where it does.

    Example:
        >>> print(regex_fault(r"a(?=b)"))
        look-around, including look-ahead and look-behind, is not supported
            a(?=b)
             ^^^
        >>> regex_fault(r"a(?P<message>b)")
    """
    try:
        pl.Series([""]).str.contains(regex)
    except pl.exceptions.ComputeError as error:
        told = str(error).split("\n\nThis error occurred")[0].removeprefix("regex error: ")
        picture, _, reason = told.removeprefix("regex parse error:\n").rpartition("\nerror: ")
        return f"{reason}\n{picture}" if picture else reason
    return None

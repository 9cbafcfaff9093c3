"""A format's own samples: does each match one pattern, hold as one event, give a date, meet what is expected?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline.errors import FormatError
from pirtimeline.parsing import columns, framing, structured, times
from pirtimeline.parsing.format_rules import Fault, regex_fault
from pirtimeline.parsing.formats import inspect, read_text
from pirtimeline.parsing.heads import groups_of
from pirtimeline.parsing.leading import settled
from pirtimeline.parsing.plugin import Format, Pattern, Sample

_SHOWN = 80


def load_checked(path: Path) -> Format:
    """Read a format file and try it on its samples.

    Raises:
        FormatError: it cannot be read or breaks a rule, or a sample does not hold; the first fault is told.
    """
    for error in file_errors(path):
        raise error
    one = inspect(read_text(path), name=path.stem, origin=str(path)).format
    assert one is not None
    return one


def file_errors(path: Path) -> list[FormatError]:
    """List all that is wrong with a format file: its keys and names first; its samples only where those are right."""
    try:
        file = inspect(read_text(path), name=path.stem, origin=str(path))
    except FormatError as error:
        return [error]
    faults = file.faults if file.format is None else tuple(faults_of(file.format))
    return [fault.error(file.text, file.origin) for fault in faults]


def faults_of(one: Format) -> Iterator[Fault]:
    r"""Try a format on its samples.

    Example:
        >>> from pirtimeline.parsing.formats import parse
        >>> text = "title = 'x'\n[[pattern]]\nregex = '^(?P<host_name>x)'\nundated = true\n[[sample]]\ntext = 'y'\n"
        >>> [fault.what for fault in faults_of(parse(text, name="acme_log"))]
        ["no pattern matches the sample 'y'", 'no sample shows this pattern']
    """
    regexes = [*_regex_faults(one)]
    yield from regexes
    if regexes:
        return
    shown = set[int]()
    for number, sample in enumerate(one.samples):
        matched = _matching(one, sample)
        shown.update(matched)
        yield from _sample_faults(one, sample, number, matched)
    for place in range(len(one.patterns) if one.kind == "lines" else 0):
        if place not in shown:
            yield Fault(
                "no sample shows this pattern", "pattern", place, hint="add a [[sample]] that this pattern reads"
            )


def _regex_faults(one: Format) -> Iterator[Fault]:
    for key in ("starts", "leads", "heads", "continues", "inner", "partial"):
        if told := regex_fault(getattr(one, key)):
            yield Fault(f"{key} does not compile: {told}", key=key)
    for number, pattern in enumerate(one.patterns):
        for key in ("regex", "quick"):
            if told := regex_fault(getattr(pattern, key)):
                hint = "the dialect is Rust's: https://docs.rs/regex; no look-around, no back-references"
                yield Fault(f"the {key} does not compile: {told}", "pattern", number, key, hint)
        try:
            times.readings(pattern.time) if pattern.time else None
        except FormatError as error:
            yield Fault(error.what, "pattern", number, "time", error.hint)


def _matching(one: Format, sample: Sample) -> list[int]:
    """Give the places of all patterns that match a sample's header."""
    if one.kind != "lines":
        return [0]
    return [
        place
        for place, pattern in enumerate(one.patterns)
        if pl.Series([_header(pattern, sample)]).str.contains(pattern.regex).item()
    ]


def _header(pattern: Pattern, sample: Sample) -> str:
    """Give the lines of a sample that a pattern sees."""
    return "\n".join(sample.text.split("\n")[: pattern.header_lines])


def _sample_faults(one: Format, sample: Sample, number: int, matched: list[int]) -> Iterator[Fault]:
    shown = repr(sample.text if len(sample.text) <= _SHOWN else sample.text[:_SHOWN] + "…")
    if not matched:
        yield Fault(f"no pattern matches the sample {shown}", "sample", number, "text")
        return
    if len(matched) > 1:
        which = " and ".join(str(place + 1) for place in matched)
        hint = "make them exclude each other, so that their order does not matter"
        yield Fault(f"patterns {which} both match the sample {shown}", "sample", number, "text", hint)
    yield from _quick_faults(one, sample, matched[0])
    yield from _frame_faults(one, sample, number)
    row = _read(one, sample)
    undated = one.patterns[matched[0]].undated if one.patterns else False
    if not undated and row.get("_local") is None:
        told = (
            f"{row.get('timestamp_text')!r} is not written as {one.patterns[matched[0]].time!r}"
            if one.patterns
            else "it has no time"
        )
        yield Fault(f"the sample is not dated: {told}", "sample", number, "text", "correct `time` of its pattern")
    for column, wanted in sample.expect.items():
        got = _got(row, column)
        if not _same(got, wanted):
            yield Fault(f"expected {column} = {wanted!r}, got {got!r}", "sample", number, "expect")


def _quick_faults(one: Format, sample: Sample, place: int) -> Iterator[Fault]:
    """Check that a pattern's quick regex, where it reads a sample, says of it what the whole one says."""
    if one.kind != "lines" or not (quick := one.patterns[place].quick):
        return
    header = pl.Series([_header(one.patterns[place], sample)])
    if header.str.contains(quick).item() and said_of(header, quick) != said_of(header, one.patterns[place].regex):
        yield Fault("quick and regex do not say the same of a sample", "pattern", place, "quick", "narrow `quick` down")


def said_of(header: pl.Series, regex: str) -> dict[str, str]:
    """Tell what the groups of a regex say of one header, those that say something.

    Example:
        >>> said_of(pl.Series(["up 7"]), "^up (?P<process_pid>[0-9]+)(?P<message>x)?")
        {'process_pid': '7'}
    """
    _, groups = groups_of(header, regex)
    return {name: value for name, value in groups.row(0, named=True).items() if value}


def _frame_faults(one: Format, sample: Sample, number: int) -> Iterator[Fault]:
    """Check that the engine would frame the sample as one event."""
    if one.kind != "lines":
        return
    lines = pl.Series("text", sample.text.split("\n"))
    opened = framing.openings(lines, [settled(one, lines)]) == 0
    if not opened[0]:
        yield Fault("the sample's first line does not match `starts`", "sample", number, "text")
    below = lines[1:]
    for line, taken in zip(below, below.str.contains(one.continues), strict=True):
        if not taken:
            yield Fault(
                f"the line {line[:_SHOWN]!r} does not belong to the event above it",
                "sample",
                number,
                "text",
                "say in `continues` which lines do",
            )
    if opened[1:].any():
        line = lines[1:].filter(pl.Series(opened[1:]))[0]
        yield Fault(
            f"the line {line[:_SHOWN]!r} opens an event of its own",
            "sample",
            number,
            "text",
            "make it a sample of its own, or `starts` narrower",
        )


def _read(one: Format, sample: Sample) -> dict[str, Any]:
    texts = pl.Series("text", [sample.text])
    table = columns.extract(texts, one) if one.kind == "lines" else structured.read(texts, one)
    return table.row(0, named=True)


def _got(row: Mapping[str, Any], column: str) -> object:
    if column == "local_timestamp":
        return row.get("_local")
    if column == "timestamp" and row.get("_offset_s") is not None:
        return row["_local"] - timedelta(seconds=row["_offset_s"])
    return row.get(column)


def _same(got: object, wanted: object) -> bool:
    """Compare what was read with what a file expects: an empty string stands for null, a time in a zone for UTC."""
    if isinstance(wanted, datetime) and wanted.utcoffset() is not None:
        wanted = wanted.replace(tzinfo=None) - (wanted.utcoffset() or timedelta())
    if wanted == "":
        return got is None or got == ""
    if isinstance(wanted, float) and isinstance(got, float | int):
        return abs(got - wanted) <= 1e-9 * max(1.0, abs(wanted))
    return got == wanted

"""The checks that an author of a format or parser runs on it, in the tests of their own package."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import polars as pl

from pirtimeline.errors import FormatError
from pirtimeline.parsing import format_rules, formats, samples, times
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.schema import ENGINE_COLUMNS, EVENT_COLUMNS, STRUCTURE

_SNIFFED = 64 << 10
_PLACE: Mapping[str, pl.DataType] = {"byte_offset": pl.UInt64(), "byte_length": pl.UInt32(), "parser": pl.String()}
_ALLOWED = frozenset(["byte_offset", "byte_length", "line", "line_count", "extra", "severity", "reject_reason"])


def problems(parser: Format | Parser, sample: bytes = b"", *, path: str = "sample") -> Iterator[str]:
    r"""Say in words what is wrong with a format or a parser; nothing where it keeps the contract.

    Args:
        parser: a format, which is tried on its own samples, or a parser in Python, which is tried on `sample`.
        sample: the bytes of a whole source, for a parser in Python.
        path: the path under which the parser is asked whether the source is its own.

    Example:
        >>> from pirtimeline.parsing.plugin import Pattern, Sample
        >>> wrong = Pattern(regex="^x", undated=True)
        >>> list(problems(Format(name="acme_log", title="x", patterns=(wrong,), samples=(Sample(text="y"),))))
        ["no pattern matches the sample 'y'", 'no sample shows this pattern']
    """
    if isinstance(parser, Format):
        yield from (fault.what for fault in samples.faults_of(formats.whole(parser)))
        return
    yield from _told_wrong(parser)
    if not parser.sniff(sample[:_SNIFFED], path):
        yield f"sniff does not know the sample as {parser.name}"
    frames = [*parser.read(io.BytesIO(sample))]
    yield from _read_wrong(parser, frames, len(sample))
    again = [*parser.read(io.BytesIO(sample))]
    if [frame.to_dicts() for frame in frames] != [frame.to_dicts() for frame in again]:
        yield "read gives something else the second time"


def _told_wrong(parser: Parser) -> Iterator[str]:
    yield from (fault.what for fault in format_rules.name_faults(parser.name))
    if not parser.title:
        yield "it has no title"
    for column in parser.columns:
        if column in EVENT_COLUMNS or column == "parser":
            yield f"its own column {column!r} is a column of the event table"
    try:
        times.readings(parser.time)
    except FormatError as error:
        yield error.what


def _read_wrong(parser: Parser, frames: list[pl.DataFrame], size: int) -> Iterator[str]:
    known = {**EVENT_COLUMNS, **parser.columns, **_PLACE}
    at = 0
    for number, frame in enumerate(frames):
        lacks = [name for name in _PLACE if name not in frame.columns]
        if lacks:
            yield f"frame {number} lacks {', '.join(lacks)}"
            return
        yield from _columns_wrong(frame, known, number)
        for offset, length in frame.select("byte_offset", "byte_length").iter_rows():
            if offset != at:
                yield f"frame {number}: a row begins at byte {offset}, but the one before ends at {at}"
                return
            at += length
        yield from _rows_wrong(parser, frame, number)
    if at != size:
        yield f"the rows end at byte {at} of {size}: every byte belongs to a row, be it one of parser {STRUCTURE!r}"


def _columns_wrong(frame: pl.DataFrame, known: Mapping[str, pl.DataType], number: int) -> Iterator[str]:
    for name, dtype in frame.schema.items():
        if name not in known:
            yield f"frame {number}: {name!r} is neither a column of the event table nor declared in `columns`"
        elif name in ENGINE_COLUMNS - _ALLOWED:
            yield f"frame {number}: {name!r} is filled by the engine alone"
        elif dtype not in (known[name], pl.Null) and name not in _ALLOWED:
            yield f"frame {number}: {name!r} is {dtype}, not {known[name]}"


def _rows_wrong(parser: Parser, frame: pl.DataFrame, number: int) -> Iterator[str]:
    strangers = set(frame["parser"].unique()) - {parser.name, STRUCTURE}
    if strangers:
        yield f"frame {number}: parser is {sorted(map(str, strangers))}, not {parser.name!r} or {STRUCTURE!r}"
    if "timestamp_text" in frame.columns:
        said = times.read(frame.select("timestamp_text").drop_nulls(), parser.time)
        for text in said.filter(pl.col("_local").is_null())["timestamp_text"].head(1):
            yield f"frame {number}: {text!r} is not written as {parser.time!r}"

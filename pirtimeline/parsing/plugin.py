"""The contract between the engine and a format: what a format file says, and what a Python parser must offer.

A parser reports, the engine judges: times leave a parser as text, with the name of the shape they are written in.
Zone, year, daylight saving and skew are settled by `parsing.clock`, for all formats alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, runtime_checkable

import polars as pl

CONTINUES = (
    r"^(?:\s|$|[\]}]+[,;]?\s*$|\"[^\"]{1,80}\"\s*:|Caused by:|\.\.\. \d+ more"
    r"|(?:[a-z_$][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable|Failure)\b)"
)
"""Lines that by default belong to the event above: indented, blank, of a JSON body, or part of a stack trace."""

KINDS = ("lines", "json", "csv", "logfmt", "keys", "w3c", "cef", "leef", "xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One header of a format: a Rust regex whose group names are event columns.

    `time` says how the group `timestamp_text` is written: a chrono format, or a name that `parsing.times` knows
    (`epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, `iso8601`, `auto`, or a shape of its table).
    `header_lines` is how many first lines the regex sees, joined by a line feed.
    `quick` is a narrower regex for what most lines are, which says the same of them and is read faster: one in which
    each character leaves a single way to go on (the engine's one-pass DFA, several times as fast as its backtracker).
    """

    regex: str
    time: str = ""
    undated: bool = False
    header_lines: int = 1
    quick: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A piece of log that a format must read, and what it must say of it."""

    text: str
    expect: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format as its file declares it. See `docs/formats.md` for each key.

    `envelope` names the column whose text is a log line itself; `partial` is a regex for events with a part of one.
    `fields` maps dotted keys to columns for the kinds that have keys; `columns` types the format's own columns
    (`string`, `int`, `float`, `bool`, `time`); `options` say what a kind has to know of a file: for `csv` and `w3c`
    the `header` line as it stands and the `delimiter`.
    `leads` names lines that belong to an event whose first line (`starts`) stands right below them; `heads`
    lines that do so too in a source whose first event has one, and else stand at the end of the event above.
    `inner` marks a format that only stands within an envelope: a regex that the envelope's `process_name` must match.
    `together` names the column by which rows are one event, also where others lie between them.
    `zone` is `UTC` where the format's own specification says that its times are; what a format leaves open is settled
    by the clock. `origin` is the file that declares it, for messages.
    """

    name: str
    title: str
    url: str = ""
    kind: str = "lines"
    paths: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    starts: str = ""
    leads: str = ""
    heads: str = ""
    continues: str = CONTINUES
    envelope: str = ""
    partial: str = ""
    inner: str = ""
    together: str = ""
    zone: str = ""
    severity: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    generic: bool = False
    origin: str = ""


@runtime_checkable
class Parser(Protocol):
    """A parser in Python, for what a format file cannot say: binary or stateful formats.

    `read` yields frames in the order of the source whose rows partition its bytes. Each row has `byte_offset` and
    `byte_length`, `parser` (this parser's name, or `structure`), `timestamp_text`, and any of the table's columns
    but those the engine fills; `columns` are the parser's own further ones. `time` is a `Pattern.time`.
    """

    @property
    def name(self) -> str:
        """Give the name that stands in the column `parser`: product_kind."""

    @property
    def title(self) -> str:
        """Say in a few words what it reads."""

    @property
    def time(self) -> str:
        """Say how `timestamp_text` is written."""

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Give the parser's own further columns."""

    def sniff(self, head: bytes, path: str) -> bool:
        """Tell from its first bytes (up to 64 KiB) whether a source is of this format."""

    def read(self, stream: BinaryIO) -> Iterator[pl.DataFrame]:
        """Read a source from its first byte to its last."""

"""What helps who writes a format: a draft from a log, the share of a log that a format reads, the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pirtimeline.errors import FormatError, SourceError
from pirtimeline.parsing import columns, framing, generic, structured
from pirtimeline.parsing.formats import whole
from pirtimeline.parsing.lines import encoding_of, lines_of, newline_of
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.schema import EVENT_COLUMNS, SEVERITIES

HEAD = 1 << 20
"""Bytes of a log that a draft looks at."""

_SAMPLES = 3
_HIDDEN = ("message", "timestamp_text", "stack_trace", "extra")


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a log a format reads: `events`, `bytes_read` of `size_bytes`, and a few lines that it does not."""

    events: int
    bytes_read: int
    size_bytes: int
    unread: tuple[str, ...]


def new(name: str, log: Path, folder: Path) -> Path:
    """Write a format file with three of a log's own lines as samples and a first pattern that reads most of it.

    Raises:
        FormatError: there is such a file already.
        SourceError: the log cannot be read, or nothing in it looks like a time.
    """
    path = folder / f"{name}.toml"
    if path.exists():
        raise FormatError("the format file is there already", at=path, hint="take another name, or edit that file")
    try:
        with log.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise SourceError(f"the log cannot be read: {error.strerror}", at=log) from error
    text = draft(name, head, at=log)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def draft(name: str, head: bytes, *, at: Path | str = "") -> str:
    r"""Draft a format file from the first bytes of a log.

    Example:
        >>> log = b"".join(b"2031-03-14 08:15:4%d INFO [main] started %d\n" % (n, n) for n in range(9))
        >>> print(draft("acme_log", log).splitlines()[0])
        title    = "acme_log: say in a few words what writes it"
    """
    found = lines_of(head, encoding_of(head), newline_of(head, encoding_of(head))).text
    if found.str.starts_with("{").sum() * 2 > len(found):
        return _json_draft(name, found)
    one = _composed(found, at)
    matched = found.filter(found.str.contains(one.patterns[0].regex))
    seen = columns.extract(matched, one)
    levels = seen["severity_text"].drop_nulls().unique().to_list() if "severity_text" in seen.columns else []
    return "\n".join(_draft_lines(name, one, levels, _shown(matched)))


def share(one: Format, data: bytes) -> Share:
    r"""Tell how much of a log a format reads.

    Example:
        >>> from pirtimeline.parsing.plugin import Pattern
        >>> mine = Format(name="x", title="x", patterns=(Pattern(regex="^a(?P<message>.*)", undated=True),))
        >>> share(mine, b"ab\nzz\nac\n")
        Share(events=2, bytes_read=6, size_bytes=9, unread=('zz',))
    """
    found = lines_of(data, encoding_of(data), newline_of(data, encoding_of(data)))
    framed = framing.frame(found, [one])
    sizes = framed.table()["byte_length"].to_numpy().astype(np.int64)
    mine = np.flatnonzero(framed.format == 0)
    if len(mine):
        mine = mine[_read_by(framed, mine, one)]
    others = np.setdiff1d(np.flatnonzero(framed.format != framing.STRUCTURE), mine)
    unread = framed.headers(others[:_SAMPLES]).to_list() if len(others) else []
    return Share(len(mine), int(sizes[mine].sum()), len(data), tuple(unread))


def documentation(found: Mapping[str, Format | Parser]) -> str:
    """Write the part of `docs/formats.md` that lists what is installed: a section a format, with its first sample."""
    return "\n".join(line for name in sorted(found) for line in _documented(found[name]))


def _read_by(
    framed: framing.Framed, mine: np.ndarray[tuple[int], np.dtype[np.int64]], one: Format
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if one.kind == "lines":
        return columns.read(framed, mine, one)["_pattern"].is_not_null().to_numpy()
    table = structured.read(framed.texts(mine), one)
    return table["_reject"].is_null().to_numpy()


def _composed(found: pl.Series, at: Path | str) -> Format:
    """Compose a format of the lines as the engine does for text that nobody has declared."""
    table = pl.DataFrame({"text": found}).select(
        pl.lit("log").alias("source_id"),
        pl.lit(0, pl.UInt32).alias("piece"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("line"),
        "text",
        pl.lit(False).alias("claimed"),
    )
    made = generic.synthesise(table).get("log", ())
    if not made:
        hint = "write the format file by hand: docs/formats.md walks through it"
        raise SourceError("no line of the log begins with anything that looks like a time", at=at, hint=hint)
    return made[0]


def _shown(matched: pl.Series) -> list[str]:
    """Choose lines that differ: the first, the longest of the rest, the last."""
    if len(matched) <= _SAMPLES:
        return matched.to_list()
    middle = int(matched[1:-1].str.len_chars().arg_max() or 0) + 1
    return [matched[0], matched[middle], matched[-1]]


def _draft_lines(name: str, one: Format, levels: Iterable[str], shown: Sequence[str]) -> Iterator[str]:
    pattern = one.patterns[0]
    yield f'title    = "{name}: say in a few words what writes it"'
    yield 'url      = ""  # the primary specification'
    yield ""
    yield "# Group names are columns: rename them, add more, or leave some out."
    yield "[[pattern]]"
    yield f"regex = {quoted(_plainer(pattern.regex, levels))}"
    yield f"time  = {quoted(pattern.time)}"
    for text in shown:
        yield from ("", "[[sample]]", f"text   = {quoted(text)}")
        yield f"expect = {_expectations(one, text)}"
    yield ""


def _plainer(regex: str, levels: Iterable[str]) -> str:
    """Write a composed regex as a person would: anchored, and with the level words that this product uses."""
    words = "|".join(sorted({*levels, *SEVERITIES}, key=lambda word: (-len(word), word)))
    return re.sub(r"\(\?P<severity_text>[^()]*\)", f"(?P<severity_text>{words})", "^" + regex.removeprefix("^"))


def _expectations(one: Format, text: str) -> str:
    """Write what a composed format reads in a line, for the author to correct."""
    row = columns.extract(pl.Series("text", [text]), one).row(0, named=True)
    told = {
        key: value for key, value in row.items() if key in EVENT_COLUMNS and key not in _HIDDEN and value is not None
    }
    pairs = [
        f"{key} = {value if isinstance(value, int | float) else quoted(str(value))}" for key, value in told.items()
    ]
    return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def _json_draft(name: str, found: pl.Series) -> str:
    objects = found.filter(found.str.starts_with("{"))
    key = objects.str.extract(r'^\{\s*("[^"]+"\s*:)')[0] or ""
    lines = [
        f'title    = "{name}: say in a few words what writes it"',
        'url      = ""  # the primary specification',
        'kind     = "json"',
        "",
        "# What only its objects hold. Keys in ECS, OpenTelemetry and many products' spelling are known already;",
        '# name others under [fields]: "their.key" = "our_column".',
        "[[pattern]]",
        f"regex = {quoted(pl.select(pl.lit(key).str.escape_regex()).item())}",
    ]
    for text in _shown(objects):
        lines += ["", "[[sample]]", f"text   = {quoted(text)}"]
    return "\n".join([*lines, ""])


def quoted(text: str) -> str:
    r"""Write a text as a TOML string, literal where that is possible.

    Example:
        >>> print(quoted(r"^\d+ (?P<message>.*)$"), quoted("it's"), quoted("a\x00'b"))
        '^\d+ (?P<message>.*)$' "it's" "a\u0000'b"
    """
    plain = all(one.isprintable() or one == "\t" for one in text)
    if plain and "'" not in text:
        return f"'{text}'"
    if plain and "'''" not in text and not text.endswith("'") and "\\" in text:
        return f"'''{text}'''"
    return json.dumps(text, ensure_ascii=False)


def _documented(one: Format | Parser) -> Iterator[str]:
    one = whole(one) if isinstance(one, Format) else one
    yield f"### {one.name}"
    yield ""
    if not isinstance(one, Format):
        own = ", ".join(f"`{column}`" for column in one.columns)
        yield f"{one.title}. A parser in Python." + (f" Its own columns: {own}." if own else "")
        yield ""
        return
    yield f"{one.title}. {_told(one)}"
    yield ""
    yield (
        f"Fills {', '.join(f'`{column}`' for column in _filled(one))}." if _filled(one) else "Fills what its keys say."
    )
    yield ""
    for sample in one.samples[:1]:
        yield from ("```", *_cut(sample.text), "```", "")


def _told(one: Format) -> str:
    parts = [f"<{one.url}>."] if one.url else []
    if one.kind != "lines":
        parts.append(f"Kind: {one.kind}.")
    if one.envelope:
        parts.append("An envelope: its message is read again.")
    if one.inner:
        parts.append(f"Stands within an envelope, of a process like `{one.inner}`.")
    if one.patterns and all(pattern.undated for pattern in one.patterns) and not one.inner:
        parts.append("Without a time.")
    return " ".join(parts)


def _filled(one: Format) -> list[str]:
    groups = [
        columns.column_and_unit(group)[0] for pattern in one.patterns for group in columns.groups_of(pattern.regex)
    ]
    return list(dict.fromkeys([*groups, *one.fields.values()]))


def _cut(text: str, *, lines: int = 4, width: int = 160) -> list[str]:
    shown = [line if len(line) <= width else line[: width - 1] + "…" for line in text.split("\n")]
    return shown if len(shown) <= lines else [*shown[:lines], "…"]

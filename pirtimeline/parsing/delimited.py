"""Events of kinds `csv` and `w3c`: cells between delimiters, named by a header that stands in the source.

CSV as RFC 4180 has it, with any delimiter; W3C's "Extended Log File Format" (`#Fields:`), as IIS and its relatives
write it; Zeek's tab-separated logs (`#fields`). What the header says is kept in `Format.options`: `header`, the line as
it stands, `delimiter`, and for Zeek `unset` and `empty`, the words for nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from pirtimeline.parsing.extras import from_columns
from pirtimeline.parsing.fields import field_map, known, resolve
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import TEXT

_DELIMITERS = (",", "\t", ";", "|")
_NAME = re.compile(r"^[A-Za-z_@#$*][\w @#$%./:()\[\]+*-]{0,79}$")
_ZEEK = {"#unset_field": "unset", "#empty_field": "empty"}


@dataclass(frozen=True, slots=True)
class Header:
    """What the first lines of a source say of the others.

    `structure` is a regex of lines that are no events, `lines` how many of the first are none, `options` go into the
    format.
    """

    kind: str
    options: Mapping[str, str]
    structure: str
    lines: int


def header(lines: Sequence[str]) -> Header | None:
    r"""Find the header among the first lines of a source; None where they have none.

    Args:
        lines: the first lines, without their ends; a dozen are enough.

    Example:
        >>> found = header(["time;level;text", "2026-11-23 08:00:00;WARN;a", "2026-11-23 08:00:01;WARN;b"])
        >>> found.kind, found.options, found.structure, found.lines
        ('csv', {'header': 'time;level;text', 'delimiter': ';'}, '^time;level;text$', 1)
        >>> header(["#Version: 1.0", "#Fields: date time cs-method", "2026-11-23 08:00:00 GET"]).options
        {'header': '#Fields: date time cs-method', 'delimiter': ' '}
    """
    return _w3c_header(lines) or _csv_header(lines)


def is_fields(line: str) -> bool:
    """Tell whether a line names the cells of those below it.

    Example:
        >>> is_fields("#Fields: date time"), is_fields("#Version: 1.0")
        (True, False)
    """
    return bool(re.match("\ufeff?#[Ff]ields\\b", line))


def _w3c_header(lines: Sequence[str]) -> Header | None:
    bare = [line.lstrip("\ufeff") for line in lines]
    named = [line for line in bare if is_fields(line)]
    if not named:
        return None
    delimiter = _delimiter(named[0])
    told = {line.split(delimiter)[0]: line.split(delimiter, 1)[-1] for line in bare if line.startswith("#")}
    options = {"header": named[0].rstrip(), "delimiter": delimiter}
    options |= {ours: told[word] for word, ours in _ZEEK.items() if word in told}
    options |= {"clock": "local"} if any(re.match(r"#Time Format:\s*Local", line) for line in bare) else {}
    first = next((place for place, line in enumerate(bare) if line and not line.startswith("#")), len(bare))
    return Header("w3c", options, r"^\x{FEFF}?#", first)


def _delimiter(fields: str) -> str:
    """Tell what stands between the names of a `#Fields` line: tabs, commas as Exchange writes them, or blanks."""
    names = re.sub(r"^#[Ff]ields:?\s*", "", fields).strip()
    return "\t" if "\t" in fields else "," if "," in names and " " not in names else " "


def _csv_header(lines: Sequence[str]) -> Header | None:
    filled = [line.lstrip("\ufeff") for line in lines if line.strip()]
    if len(filled) < 2:
        return None
    for delimiter in _DELIMITERS:
        names = next(iter(_rows(filled[:1], delimiter)), [])
        if _names(names) and _agree(_rows(filled[1:], delimiter), len(names)):
            options = {"header": filled[0], "delimiter": delimiter}
            return Header("csv", options, f"^{re.escape(filled[0])}$", lines.index(next(filter(str.strip, lines))) + 1)
    return None


def _names(names: Sequence[str]) -> bool:
    """Tell whether cells can be names: distinct words, two of which at least we know, or a time among them."""
    words = [name.strip() for name in names]
    if len(words) < 2 or len(set(words)) < len(words) or not all(_NAME.match(word) for word in words):
        return False
    told = resolve(field_map(), words)
    timed = any(target.column == "timestamp_text" for targets in told.values() for target in targets)
    return timed or len(told) >= max(2, len(words) // 2)


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Divide lines into cells, up to one that the csv module refuses: a carriage return within, a cell over 128 KiB."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(csv.reader(lines, delimiter=delimiter))
    return rows


def _agree(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Tell whether the rows below have as many cells as the header; the last may go on below the sample."""
    counts = [len(row) for row in rows if row]
    return sum(count == width for count in counts) >= max(1, 0.8 * len(counts) - 1)


def looks_like(text: pl.Expr) -> pl.Expr:
    r"""Test whether a line may be one of cells or of a header above them; `header` decides.

    Example:
        >>> pl.DataFrame({"t": ["a,b", "#Fields: x", "words"]}).select(looks_like(pl.col("t"))).to_series().to_list()
        [True, True, False]
    """
    return text.str.contains(r"\S *[,;\t| ].*\S|^\x{FEFF}?#[Ff]ields\b")


def names_of(options: Mapping[str, str]) -> list[str]:
    r"""Read the names of the columns from what a format keeps of the header.

    Example:
        >>> names_of({"header": "#Fields: date time cs(User-Agent)", "delimiter": " "})
        ['date', 'time', 'cs(User-Agent)']
        >>> names_of({"header": 'a,"b c",', "delimiter": ","})
        ['a', 'b c', 'column 3']
    """
    written = re.sub(r"^\ufeff?#[Ff]ields:?\s*", "", options["header"])
    cells = next(csv.reader([written.rstrip("\r\n ")], delimiter=options.get("delimiter", ",")), [])
    names = [cell.strip() or f"column {place}" for place, cell in enumerate(cells, 1)]
    return [
        f"{name} {names[:place].count(name) + 1}" if name in names[:place] else name for place, name in enumerate(names)
    ]


def read(texts: pl.Series, one: Format) -> pl.DataFrame:
    """Read one line of cells a text; see `json_lines.read` for the result. Empty cells say nothing.

    Example:
        >>> mine = Format(name="mine", title="", kind="csv", options={"header": "time,level,who", "delimiter": ","})
        >>> read(pl.Series(['1700758468,WARN,"a, b"']), mine).drop("_reject").row(0, named=True)
        {'timestamp_text': '1700758468', 'severity_text': 'WARN', '_time': 'epoch_s', 'extra': '{"who":"a, b"}'}
    """
    names = names_of(one.options)
    cells, reasons = _cells(texts, names, one.options)
    mapped = [name for name in names if known(field_map(one), name)]
    pairs = _pairs(cells.select(mapped))
    columns, used = assign(pairs, mapped, len(texts), one)
    spent = pairs.filter(used)
    for (key,), part in spent.group_by("key"):
        name = mapped[int(str(key))]
        cells = cells.with_columns(cells[name].scatter(part["row"].to_numpy(), None))
    return columns.with_columns(from_columns(cells), reasons)


def _pairs(cells: pl.DataFrame) -> pl.DataFrame:
    """Lay cells out as pairs in order of row."""
    columns = [
        pl.DataFrame({"value": cells[name]})
        .with_row_index("row")
        .with_columns(key=pl.lit(place, pl.Int64))
        .drop_nulls("value")
        for place, name in enumerate(cells.columns)
    ]
    empty = pl.DataFrame(schema={"value": pl.String, "row": pl.UInt32, "key": pl.Int64}).select("row", "value", "key")
    stacked = pl.concat([empty, *(one.select("row", "value", "key") for one in columns)])
    return stacked.sort("row", maintain_order=True).with_columns(form=pl.lit(TEXT, pl.UInt8))


def _cells(texts: pl.Series, names: Sequence[str], options: Mapping[str, str]) -> tuple[pl.DataFrame, pl.Series]:
    """Split texts into cells, null where they say nothing, and say of which texts that cannot be done."""
    delimiter, width = options.get("delimiter", ","), len(names)
    by_quotes = texts.str.contains('"', literal=True).to_numpy()
    counts = (texts.str.count_matches(delimiter, literal=True) + 1).to_numpy().astype(np.int64)
    split = texts.str.split_exact(delimiter, width - 1).struct.unnest()
    cells = [split.to_series(place).alias(str(place)) for place in range(width)]
    quoted = np.flatnonzero(by_quotes)
    if len(quoted):
        rows = [_row(text, delimiter) for text in texts.gather(quoted).to_list()]
        counts[quoted] = [len(row) for row in rows]
        padded = [[*row[:width], *[None] * (width - len(row))] for row in rows]
        columns = pl.DataFrame(padded, schema={str(place): pl.String for place in range(width)}, orient="row")
        cells = [cell.scatter(quoted, columns[cell.name]) for cell in cells]
    over = pl.Series(counts) != width
    reason = pl.format("{} cells where the header has {}", pl.Series(counts), pl.lit(width))
    reasons = pl.select(pl.when(over).then(reason).alias("_reject")).to_series()
    nothing = ["", "-"] if options.get("header", "").lower().startswith("#fields") else [""]
    nothing += [options[word] for word in ("unset", "empty") if word in options]
    said = [
        pl.when(~pl.col(cell.name).is_in(nothing) & ~over).then(pl.col(cell.name)).alias(name)
        for cell, name in zip(cells, names, strict=True)
    ]
    return pl.DataFrame(cells).select(said), reasons


def _row(text: str, delimiter: str) -> list[str]:
    """Split a text with quotes; where the csv module refuses it (a cell over 128 KiB), by its grammar."""
    try:
        return next(csv.reader([text.replace("\0", "")], delimiter=delimiter), [""])
    except csv.Error:
        mark = re.escape(delimiter)
        found = re.findall(rf'(?:^|{mark})(?:"((?:[^"]|"")*)"|([^{mark}]*))', text)
        return [quoted.replace('""', '"') or bare for quoted, bare in found]

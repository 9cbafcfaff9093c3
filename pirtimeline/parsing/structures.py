"""Formats for structured text that nobody has declared: JSON, logfmt, CEF, LEEF, CSV, W3C, XML in any product's words.

Sample lines that no named format claims are tried against the kinds, all sources in one frame. What a kind has to know
of a source (a header, a delimiter, how deep its elements stand) is found in the source's first lines and kept in the
format's `options`, so that it stands in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from pirtimeline.parsing import cef, delimited, json_lines, key_lines, logfmt, xml_events
from pirtimeline.parsing.elements import Elements, csv_elements, element_depth, event_name, json_elements, xml_elements
from pirtimeline.parsing.plugin import CONTINUES, Format

READERS: Mapping[str, Callable[[pl.Series, Format], pl.DataFrame]] = {
    "json": json_lines.read,
    "logfmt": logfmt.read,
    "keys": key_lines.read,
    "cef": cef.read_cef,
    "leef": cef.read_leef,
    "csv": delimited.read,
    "w3c": delimited.read,
    "xml": xml_events.read,
}
"""How the events of each kind are read."""

LOOKS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "json": json_lines.looks_like,
    "logfmt": logfmt.looks_like,
    "keys": key_lines.looks_like,
    "cef": cef.looks_like_cef,
    "leef": cef.looks_like_leef,
    "csv": delimited.looks_like,
    "w3c": delimited.looks_like,
    "xml": xml_events.looks_like,
}
"""How a line that may open an event of each kind looks; for `csv` and `w3c` the header decides."""

_OBJECTS = 0.9
"""Share of the bytes of a JSON document that must be objects; a log that also holds JSON is none."""

ELEMENTS = "elements"
"""The value of the option `framing` where lines do not tell events, and `elements` has to."""


class _Kind(NamedTuple):
    """How much of a source's unclaimed lines must look like a kind, and how its events begin and go on."""

    share: float
    starts: str
    continues: str


_KINDS: Mapping[str, _Kind] = {
    "cef": _Kind(0.02, r"^\s*(?:<\d{1,3}>)?(?:CEF:\s?)?[01](?:\.\d)?\|", CONTINUES),
    "leef": _Kind(0.02, r"^\s*(?:<\d{1,3}>)?(?:LEEF:\s?\d|[12]\.\d\|)", CONTINUES),
    "json": _Kind(0.02, json_lines.STARTS, json_lines.CONTINUES),
    "logfmt": _Kind(0.3, rf"^\s*(?:<\d{{1,3}}>)?{logfmt.KEY}=", CONTINUES),
}

_TITLES: Mapping[str, str] = {
    "json": "JSON objects of any keys",
    "logfmt": "Lines of key=value pairs",
    "cef": "CEF of any product",
    "leef": "LEEF of any product",
    "csv": "Cells under a header",
    "w3c": "Cells under a #Fields line",
    "xml": "XML elements of any name",
}


def synthesise(samples: pl.DataFrame) -> tuple[dict[str, tuple[Format, ...]], pl.Series]:
    """Compose for each source the formats of structured kinds that read lines which no named format claims.

    Args:
        samples: `source_id`, `text` (one line without its end, or one text that an envelope holds), `claimed`, in
            order; a source's first line stands first.

    Returns:
        For each source that has any its formats, and for each line whether it is claimed now, by these or before.

    Example:
        >>> columns = {"source_id": ["a", "a"], "text": ['{"t":1}', '{"t":2}'], "claimed": [False, False]}
        >>> formats, claimed = synthesise(pl.DataFrame(columns))
        >>> [(one.name, one.kind) for one in formats["a"]], claimed.to_list()
        ([('generic_json', 'json')], [True, True])
    """
    looks = samples.select("source_id", "text", "claimed").with_columns(
        blank=~pl.col("text").str.contains(r"\S"), **{kind: LOOKS[kind](pl.col("text")) for kind in (*_KINDS, "xml")}
    )
    looks = looks.with_columns(pl.col("json") & ~_braces_of_others())
    found: dict[str, tuple[Format, ...]] = {}
    claimed = samples["claimed"].to_numpy().copy()
    for source_id, begin, end in _runs(samples["source_id"]):
        formats = _formats(looks[begin:end])
        if formats:
            found[source_id] = formats
            claimed[begin:end] |= _claims(samples["text"][begin:end], formats, claimed[begin:end])
    return found, pl.Series("claimed", claimed)


def _braces_of_others() -> pl.Expr:
    """Tell which lines are a brace alone, as JSON may begin, with something else than JSON below it."""
    below = pl.col("text").shift(-1).over("source_id").fill_null('"')
    return pl.col("text").str.contains(r"^\s*\{\s*$") & ~below.str.contains(r"^\s*(?:[\"}]|$)")


def elements(data: bytes | memoryview, one: Format) -> Elements:
    """Partition the bytes of a source whose format says `framing = elements` in its options."""
    if one.kind == "json":
        return json_elements(data, depth=int(one.options.get("depth", "0")))
    if one.kind == "xml":
        return xml_elements(data, name=one.options.get("element", ""))
    return csv_elements(data)


def _runs(source_ids: pl.Series) -> list[tuple[str, int, int]]:
    runs = source_ids.rle().struct.unnest()
    ends = runs["len"].cum_sum()
    return [(name, end - size, end) for name, size, end in zip(runs["value"], runs["len"], ends, strict=True)]


def _formats(lines: pl.DataFrame) -> tuple[Format, ...]:
    """Choose the kinds of one source from what its lines look like."""
    left = lines.filter(~pl.col("claimed") & ~pl.col("blank"))
    if not left.height:
        return ()
    head = lines["text"].head(200).to_list() if not lines["claimed"].any() else []
    whole = _whole(head) or _tables(lines["text"].to_list() if head else [])
    if whole:
        return whole
    chosen = []
    for kind, (share, starts, continues) in _KINDS.items():
        mine = left[kind] & left["text"].str.contains(starts)
        if mine.sum() >= max(1, share * left.height):
            chosen.append(_format(kind, starts=starts, continues=continues))
            left = left.filter(~mine)
    return tuple(chosen)


def _format(kind: str, starts: str = "", continues: str = CONTINUES, **options: str) -> Format:
    name = f"generic_{kind}"
    return Format(
        name=name, title=_TITLES[kind], kind=kind, starts=starts, continues=continues, options=options, generic=True
    )


def _whole(head: list[str]) -> tuple[Format, ...]:
    """Find the format of a source that its first lines settle: a JSON document, or XML."""
    opening = next((line for line in head if line.strip()), "").lstrip("\ufeff \t\x1e")
    if opening.startswith(("[", "{")):
        document = _document("\n".join(head), len(head))
        return (document,) if document else ()
    if opening.startswith("<"):
        name = event_name("\n".join(head).encode())
        looks = bool(pl.select(xml_events.looks_like(pl.lit(opening))).item())
        return (_format("xml", framing=ELEMENTS, element=name),) if name and looks else ()
    return ()


def _tables(lines: list[str]) -> tuple[Format, ...]:
    """Find the header of a source of cells, or all of them: a server that is set up anew writes another."""
    first = delimited.header(lines[:200])
    if first is None or first.kind != "w3c":
        return (_table(first, lines[:200]),) if first else ()
    said = [place for place, line in enumerate(lines) if delimited.is_fields(line)]
    headers = [delimited.header(lines[place : place + 1]) for place in said]
    formats = {one.starts: one for one in (_table(header, []) for header in (*headers, first) if header)}
    return tuple(formats.values())


def _document(text: str, lines: int) -> Format | None:
    """Tell JSON whose objects do not begin at the start of a line each, or stand in a list."""
    data = text.encode()
    depth = element_depth(data)
    if depth == 1 and not text.lstrip("\ufeff \t\r\n[").startswith(("{", "]")):
        return None
    found = json_elements(data, depth=depth)
    starts = found.offsets[~found.structure]
    at_line = [at == 0 or data[at - 1] == 10 for at in starts.tolist()]
    if depth == 0 and (all(at_line) or (lines < 2 and len(starts) < 2)):
        return None
    sizes = found.lengths[~found.structure]
    objects = sum(size for at, size in zip(starts.tolist(), sizes.tolist(), strict=True) if data[at] == ord("{"))
    if not objects or data[int(starts[0])] != ord("{") or objects < _OBJECTS * sizes.sum():
        return None
    return _format("json", framing=ELEMENTS, depth=str(depth))


def _table(header: delimited.Header, head: list[str]) -> Format:
    """Give the format of cells below a header: by lines, unless quotes hold line ends."""
    delimiter, options = header.options["delimiter"], dict(header.options)
    cells = len(delimited.names_of(options))
    cell = rf'(?:"(?:[^"]|"")*"|[^"{_class(delimiter)}][^{_class(delimiter)}]*|)'
    starts = rf"^{cell}(?:{_class(delimiter, literal=True)}{cell}){{{cells - 1}}}\s*$"
    if header.kind == "csv" and any(line.count('"') % 2 for line in head):
        return _format("csv", framing=ELEMENTS, structure=header.structure, **options)
    return _format(header.kind, starts=starts, continues=".*", structure=header.structure, **options)


def _class(delimiter: str, *, literal: bool = False) -> str:
    return {"|": r"\|", "\t": r"\t"}.get(delimiter, delimiter) if literal else delimiter.replace("\t", r"\t")


def _claims(
    text: pl.Series, formats: tuple[Format, ...], claimed: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which lines the formats of one source open, continue or take for structure."""
    if any(one.options.get("framing") == ELEMENTS for one in formats):
        return np.ones(len(text), np.bool_)
    mine = claimed.copy()
    above = np.zeros(len(text), np.int64)
    lines = pl.DataFrame({"text": text})
    for place, one in enumerate(formats, 1):
        opens = lines.select(pl.col("text").str.contains(one.starts) & LOOKS[one.kind](pl.col("text"))).to_series()
        structure = (
            lines["text"].str.contains(one.options["structure"]) if "structure" in one.options else opens & False
        )
        opened = (opens | structure).to_numpy()
        above[opened & ~mine] = place
        mine |= opened
    last = np.maximum.accumulate(np.where(mine, np.arange(len(mine)), -1))
    owner = np.where(last >= 0, above[last], 0)
    for place, one in enumerate(formats, 1):
        rest = np.flatnonzero(~mine & (owner == place))
        mine[rest] = text.gather(rest).str.contains(one.continues).to_numpy()
    return mine

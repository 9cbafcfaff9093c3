"""What stands within the lines of a source: a container's log, a relay's, an export, any message that is a log line.

A format that a file declares says itself that it is an envelope. A composed one is an envelope where most of its
messages are log lines themselves: the records of a shipper's export, lines with a runtime's stamp before them, JSON
behind a header. What stands in an envelope is detected like a source's lines, to a depth of four.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import polars as pl

from pirtimeline.parsing import columns, generic, shapes, structured, structures
from pirtimeline.parsing.framing import EVERYTHING, REJECT, framed_texts, openings
from pirtimeline.parsing.matching import Matches, bounds, choose, matches
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import CONTINUES, Format

DEPTH = 4
"""How many formats may stand in one another."""

MOST = 0.6
"""Share of the messages of a composed format, or of a process, that an inner format must open."""

NEVER = r"^\x00$"
"""A `continues` that no line meets."""

_HELD = {"source_id": pl.String(), "text": pl.String(), "process": pl.String()}
_BETWEEN = "\0"
_STAMP = (
    r"[12]\d{3}[-/.]\d\d[-/.]\d\d[T _]\d\d:\d\d|\d\d/\w{3}/\d{4}:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    r"|[IWEF]\d{4} \d\d:|\d\d:\d\d:\d\d[.,]\d{3}|\d\d?[/.-](?:\d\d?|[A-Z][a-z]{2})[/.-]\d{2,4},? \d\d?:\d\d"
)
_RECORD = r'\{\s*\\?".*\}[\s"}\]]*$|CEF:[01]\||LEEF:[12]'


def of_named(
    text: pl.Series,
    found: Matches,
    formats: Sequence[Format],
    chosen: Mapping[str, Sequence[int]],
    places: Mapping[str, tuple[int, int]],
    every: Sequence[Format],
    depth: int = 1,
) -> dict[tuple[str, int], tuple[FormatUse, ...]]:
    """Find what the chosen envelopes hold, all sources of one envelope format at once.

    Args:
        text: sample lines of all sources.
        found: which format reads which line.
        formats: the formats that were tried.
        chosen: for each source the places in `formats` of those it is read by.
        places: where each source's lines begin and end.
        every: the formats that may stand within.
        depth: how deep the lines stand themselves.
    """
    told: dict[tuple[str, int], tuple[FormatUse, ...]] = {}
    for place in sorted({one for ones in chosen.values() for one in ones if formats[one].envelope}):
        mine = {source_id: places[source_id] for source_id in places if place in chosen[source_id]}
        held = _held(text, found[:, place], formats[place], mine)
        if held.height and depth < DEPTH:
            for source_id, uses in _detected(held, every, depth).items():
                told[source_id, place] = uses
    return told


def of_composed(
    lines: pl.DataFrame, made: Mapping[str, Sequence[Format]], every: Sequence[Format], depth: int = 0
) -> dict[str, tuple[FormatUse, ...]]:
    """Give composed formats of each source with what their messages hold, where most of those are log lines.

    Args:
        lines: `source_id`, `text`: sample lines in order, a source's together.
        made: for each source the formats composed from its lines.
        every: the formats that may stand within.
        depth: how deep the lines stand themselves.
    """
    asked = _promising(lines, made) if depth + 1 < DEPTH else lines.clear()
    tables = [table for ones in _alike(asked, made) for table in _messages(asked, *ones)]
    if not tables:
        return {source_id: tuple(FormatUse(one) for one in ones) for source_id, ones in made.items()}
    messages = pl.concat(tables).sort("source_id", maintain_order=True)
    dated = [one for one in every if not any(pattern.undated for pattern in one.patterns)]
    found = _detected(messages.select(*_HELD), dated, depth + 1)
    told = messages.partition_by("source_id", as_dict=True, maintain_order=True)
    kept = {key: _kept(told[key,], uses) for key, uses in found.items()}
    return {
        source_id: tuple(_within(one, kept.get(f"{source_id}{_BETWEEN}{place}", ())) for place, one in enumerate(ones))
        for source_id, ones in made.items()
    }


def _within(one: Format, inner: tuple[FormatUse, ...]) -> FormatUse:
    return FormatUse(replace(one, envelope="message"), inner) if inner else FormatUse(one)


def _promising(lines: pl.DataFrame, made: Mapping[str, Sequence[Format]]) -> pl.DataFrame:
    """Keep the sources many of whose lines seem to hold another line: a second stamp, an object behind a text."""
    head = pl.col("text").str.head(1000)
    document = [key for key, ones in made.items() if any(is_document(one) for one in ones)]
    likely = (head.str.count_matches(_STAMP) > 1) | pl.col("text").str.contains(r"[^\s\[,{]\s*[\[,\"]*" + _RECORD)
    told = lines.filter(pl.col("source_id").is_in([*made])).select("source_id", "text")
    many = likely.mean().over("source_id") >= 0.3
    return told.filter(many | pl.col("source_id").is_in(document))


def is_document(one: Format) -> bool:
    """Tell whether a format reads a document as a whole."""
    return one.options.get("framing") == structures.ELEMENTS


def _alike(asked: pl.DataFrame, made: Mapping[str, Sequence[Format]]) -> list[tuple[Format, dict[str, str]]]:
    """List the formats of sources that are asked, those that are equal once: the format, source -> its key."""
    found: dict[str, tuple[Format, dict[str, str]]] = {}
    for source_id in asked["source_id"].unique(maintain_order=True):
        for place, one in enumerate(made[source_id]):
            alone = source_id if is_document(one) else ""
            found.setdefault(alone + repr(one), (one, {}))[1][source_id] = f"{source_id}{_BETWEEN}{place}"
    return [*found.values()]


def _messages(asked: pl.DataFrame, one: Format, keys: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """Read lines of sources by one format: `source_id` (its key), `text`, `process`, whether a level stands before."""
    lines = asked.filter(pl.col("source_id").is_in([*keys]))
    lines = elements_of(lines, one) if is_document(one) else lines.filter(structured.opens(pl.col("text"), one))
    if not lines.height:
        return
    table = columns.extract(lines["text"], one) if one.kind == "lines" else structured.read(lines["text"], one)
    if "message" not in table.columns:
        return
    process = pl.col("process_name") if "process_name" in table.columns else pl.lit(None, pl.String)
    level = pl.col("severity_text") if "severity_text" in table.columns else pl.lit(None, pl.String)
    before = ~pl.col("message").str.contains(level, literal=True) & pl.lit(one.kind == "lines")
    yield table.select(
        lines["source_id"].replace_strict(dict(keys), return_dtype=pl.String),
        text="message",
        process=process,
        levelled=before.fill_null(False),
    ).drop_nulls("text")


def elements_of(lines: pl.DataFrame, one: Format) -> pl.DataFrame:
    """Give the elements of a document whose first lines are known."""
    data = "\n".join(lines["text"].to_list()).encode()
    found = structures.elements(data, one)
    texts = [data[at : at + size].decode("utf-8", "replace") for at, size in zip(*found[:2], strict=True)]
    whole = pl.Series("text", texts, dtype=pl.String).filter(~pl.Series(found.structure)).str.strip_chars()
    return pl.select(pl.lit(lines["source_id"].first()).alias("source_id"), whole) if len(whole) else lines.clear()


def _kept(told: pl.DataFrame, uses: tuple[FormatUse, ...]) -> tuple[FormatUse, ...]:
    """Keep the formats of messages of which most are log lines; behind a level, a line of text is a message's own."""
    if told["levelled"].any():
        uses = tuple(_never_going_on(one) for one in uses if one.format.kind != "lines")
    uses = tuple(one for one in uses if one.format.kind == "lines" or _says_something(told["text"], one.format))
    which = openings(told["text"], [one.format for one in uses], told["process"])
    return uses if len(which) and (which != REJECT).mean() >= MOST else ()


def _never_going_on(one: FormatUse) -> FormatUse:
    return replace(one, format=replace(one.format, continues=NEVER)) if one.format.generic else one


def _says_something(texts: pl.Series, one: Format) -> bool:
    """Tell whether records are events, with a time, a level or a message, and not data that an event carries."""
    table = structured.read(
        texts.filter(texts.to_frame("text").select(structured.opens(pl.col("text"), one)).to_series()), one
    )
    named = [name for name in ("timestamp_text", "severity_text", "message") if name in table.columns]
    told = [table[name].is_not_null().mean() for name in named]
    return any(isinstance(share, float) and share >= 0.5 for share in told)


def _held(text: pl.Series, opened: Matches, one: Format, places: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    """Read an envelope's sample lines for what they hold: `source_id`, `text`, `process`."""
    bounds_of = list(places.values())
    ids = pl.Series([*places], dtype=pl.String)
    rows = np.concatenate([np.flatnonzero(opened[begin:end]) + begin for begin, end in bounds_of])
    which = np.repeat(np.arange(len(bounds_of)), [int(opened[begin:end].sum()) for begin, end in bounds_of])
    lines = text.gather(rows)
    held = columns.extract(lines, one) if one.kind == "lines" else structured.read(lines, one)
    if one.envelope not in held.columns:
        return pl.DataFrame(schema=_HELD)
    process = pl.col("process_name") if "process_name" in held.columns else pl.lit(None, pl.String)
    shown = held.select(ids.gather(which).alias("source_id"), text=pl.col(one.envelope), process=process)
    return shown.drop_nulls("text")


def _detected(held: pl.DataFrame, every: Sequence[Format], depth: int) -> dict[str, tuple[FormatUse, ...]]:
    """Find the formats of texts that envelopes hold: named ones, then composed ones, and what stands in these."""
    framed = framed_texts(held["text"])
    text = framed.headers(np.arange(framed.height))
    found = matches(text, every, held["process"])
    places = bounds(held["source_id"])
    chosen = {source_id: choose(found[begin:end], every, "") for source_id, (begin, end) in places.items()}
    deeper = of_named(text, found, every, chosen, places, every, depth + 1)
    claimed = np.zeros(len(text), np.bool_)
    for source_id, (begin, end) in places.items():
        claimed[begin:end] = found[begin:end, chosen[source_id]].any(axis=1)
    lines = held.select("source_id", "process", text=text.rename("text"))
    kinds, said = structures.synthesise(lines.select("source_id", "text", claimed=pl.Series(claimed)))
    texts = _texts(lines.with_columns(claimed=said))
    made = {key: (*kinds.get(key, ()), *texts.get(key, ())) for key in chosen if key in kinds or key in texts}
    composed = of_composed(lines, made, every, depth) if made else {}
    return {
        source_id: tuple(FormatUse(every[place], deeper.get((source_id, place), ())) for place in ones)
        + composed.get(source_id, ())
        for source_id, ones in chosen.items()
    }


def _texts(lines: pl.DataFrame) -> dict[str, list[Format]]:
    """Compose formats for texts of each process that stamps of its own open, as a program's behind a relay's header."""
    key = pl.concat_str("source_id", pl.lit(_BETWEEN), pl.col("process").fill_null(""))
    told = lines.with_columns(key=key).sort("key", maintain_order=True)
    stamped = pl.col("text").str.contains(rf"^.{{0,40}}?(?:{_STAMP})") & ~pl.col("claimed")
    told = told.filter(stamped.mean().over("key") >= MOST / 2)
    if not told.height:
        return {}
    samples = told.select(
        pl.lit(0, pl.UInt32).alias("piece"), "text", "claimed", source_id="key", line=pl.int_range(pl.len()).over("key")
    )
    made = generic.synthesise(samples)
    found: dict[str, list[Format]] = {}
    for name, ones in made.items():
        source_id, _, process = name.rpartition(_BETWEEN)
        texts = told.filter((pl.col("key") == name) & ~pl.col("claimed"))["text"]
        found.setdefault(source_id, []).extend(_for_process(ones, texts, process))
    return {source_id: _joined(ones) for source_id, ones in found.items() if ones}


def _for_process(made: Sequence[Format], texts: pl.Series, process: str) -> list[Format]:
    """Keep formats that open most lines of a process, named for it; a time that lacks its date is the envelope's."""
    begun = texts.filter(~texts.str.contains(CONTINUES))
    share = (openings(begun, made) != REJECT).mean() if len(begun) > 1 else 0
    if not share >= MOST:
        return []
    continues = CONTINUES if process else EVERYTHING
    return [
        replace(_whole_times(one), inner=process and f"^{re.escape(process)}$", continues=continues) for one in made
    ]


def _whole_times(one: Format) -> Format:
    """Leave out times of a day alone, or of a year unknown: the envelope's are whole."""
    if shapes.shape(one.patterns[0].time).lacks is None:
        return one
    patterns = tuple(
        replace(pattern, regex=pattern.regex.replace("(?P<timestamp_text>", "(?:"), time="", undated=True)
        for pattern in one.patterns
    )
    return replace(one, patterns=patterns)


def _joined(made: Sequence[Format]) -> list[Format]:
    """Make one format of those that processes share."""
    order = sorted(made, key=lambda one: repr(one.patterns))
    alike = [[*ones] for _, ones in groupby(order, key=lambda one: (one.patterns, one.starts, one.continues))]
    return [replace(ones[0], inner="|".join(sorted({one.inner for one in ones if one.inner}))) for ones in alike]

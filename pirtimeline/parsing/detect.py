"""Sample lines of all sources at once to the formats that read them.

One frame holds the samples of every source, and each format is tried once over all of it: three hundred expressions
over a hundred sources cost half a second, source by source they would cost half a minute. A source may hold several
formats; each must read lines that no better one reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from pirtimeline.parsing import generic, inside, structures
from pirtimeline.parsing.delimited import is_fields
from pirtimeline.parsing.elements import is_document
from pirtimeline.parsing.framing import EVERYTHING
from pirtimeline.parsing.leading import LED, settled
from pirtimeline.parsing.levelled import levelled
from pirtimeline.parsing.matching import Matches, bounds, choose, matches
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import CONTINUES, Format
from pirtimeline.parsing.prefixed import prefixed


def detect(
    samples: pl.DataFrame,
    paths: Mapping[str, str],
    formats: Sequence[Format],
    *,
    known: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, tuple[FormatUse, ...]]:
    """Find the formats of each source.

    Args:
        samples: `source_id`, `piece`, `line`, `text`: sample lines of every source, in order, a source's together.
        paths: source id -> path, for the globs that favour a format.
        formats: the formats to choose from.
        known: source id -> names of formats that are not asked for its lines: it is read by them already.

    Returns:
        For each source the formats that open its lines, in the order in which they are asked; what no named format
        reads is left to formats synthesised from the lines themselves.
    """
    outer = [one for one in formats if not one.inner]
    samples = samples.with_columns(claimed=pl.lit(False))
    found = matches(samples["text"], outer)
    places = bounds(samples["source_id"])
    _leave_documents(samples, found, outer, places)
    _leave_headed(samples, found, outer, places)
    for source_id, names in (known or {}).items():
        begin, end = places.get(source_id, (0, 0))
        found[begin:end, [place for place, one in enumerate(outer) if one.name in names]] = False
    chosen = {
        source_id: choose(found[begin:end], outer, paths.get(source_id, ""))
        for source_id, (begin, end) in places.items()
    }
    claimed = _claimed(samples, found, outer, chosen, places)
    led = _led(samples["text"], outer, chosen, places)
    claimed |= _leading(samples["text"], led, places)
    made = _made(samples.with_columns(claimed=claimed))
    for source_id, ones in made.items():
        if any(one.kind == "json" and inside.is_document(one) for one in ones):
            lines = samples.filter(pl.col("source_id") == source_id)
            made[source_id] = tuple(_named_elements(lines, one, outer) for one in ones)
    composed = inside.of_composed(samples, made, formats)
    inner = inside.of_named(samples["text"], found, outer, chosen, places, formats)
    return {
        source_id: tuple(
            FormatUse(led.get((source_id, place), outer[place]), inner.get((source_id, place), ())) for place in ones
        )
        + tuple(in_zone(use, [outer[place] for place in ones]) for use in composed.get(source_id, ()))
        for source_id, ones in chosen.items()
    }


def _led(
    text: pl.Series,
    formats: Sequence[Format],
    chosen: Mapping[str, Sequence[int]],
    places: Mapping[str, tuple[int, int]],
) -> dict[tuple[str, int], Format]:
    """Find the formats whose events begin with a line more in a source than its specification has them do."""
    asked = [(key, one) for key, ones in chosen.items() for one in ones if formats[one].heads]
    found = {(key, one): settled(formats[one], text[slice(*places[key])]) for key, one in asked}
    return {key: one for key, one in found.items() if LED in one.options}


def _leading(
    text: pl.Series, led: Mapping[tuple[str, int], Format], places: Mapping[str, tuple[int, int]]
) -> pl.Series:
    """Tell which lines lead an event of such a format."""
    claimed = np.zeros(len(text), np.bool_)
    for (source_id, _), one in led.items():
        begin, end = places[source_id]
        claimed[begin:end] |= text[begin:end].str.contains(one.heads).to_numpy()
    return pl.Series("claimed", claimed)


def _leave_documents(
    samples: pl.DataFrame, found: Matches, formats: Sequence[Format], places: Mapping[str, tuple[int, int]]
) -> None:
    """Let no format of JSON lines open the lines of a document, whose events are elements of a list."""
    mine = [place for place, one in enumerate(formats) if one.kind == "json"]
    for begin, end in places.values():
        if found[begin:end, mine].any():
            first = next((line for line in samples["text"][begin : min(begin + 20, end)] if line.strip()), "")
            if is_document(first):
                found[begin:end, mine] = False


def _leave_headed(
    samples: pl.DataFrame, found: Matches, formats: Sequence[Format], places: Mapping[str, tuple[int, int]]
) -> None:
    """Let no format of lines guess at cells that a header names: `#Fields` says more than the order of most."""
    mine = [place for place, one in enumerate(formats) if one.kind == "lines"]
    for begin, end in places.values():
        if any(map(is_fields, samples["text"][begin : min(begin + 20, end)])):
            found[begin:end, mine] = False


def _named_elements(lines: pl.DataFrame, one: Format, formats: Sequence[Format]) -> Format:
    """Give a document's elements to the named format that reads most of them."""
    texts = inside.elements_of(lines, one)["text"].str.replace_all(r"\s+", " ")
    named = [each for each in formats if each.kind == "json" and not each.inner]
    counts = matches(texts, named).sum(axis=0)
    if not len(texts) or not named or counts.max() < inside.MOST * len(texts):
        return one
    best = named[int(counts.argmax())]
    return replace(best, options=one.options, patterns=(), starts="", generic=True, samples=(), origin="")


def in_zone(use: FormatUse, beside: Sequence[Format]) -> FormatUse:
    """Read composed text in UTC where the formats beside it all say that they write it: it is a line that they miss.

    Args:
        use: a composed format.
        beside: the named formats of its source.

    Example:
        >>> line, iis = Format(name="generic_text", title=""), Format(name="iis", title="", zone="UTC")
        >>> in_zone(FormatUse(line), [iis]).format.zone, in_zone(FormatUse(line), []).format.zone
        ('UTC', '')
    """
    if use.format.kind != "lines" or not beside or any(one.zone != "UTC" for one in beside):
        return use
    return replace(use, format=replace(use.format, zone="UTC"))


def _made(samples: pl.DataFrame) -> dict[str, tuple[Format, ...]]:
    """Compose formats for the lines that no named one claims: of structured kinds first, then of text."""
    kinds, claimed = structures.synthesise(samples)
    behind, claimed = prefixed(samples.with_columns(claimed=claimed))
    left = ~pl.col("claimed") & pl.col("text").str.contains(r"\S")
    unread = samples.with_columns(claimed=claimed).filter(left.any().over("source_id"))
    texts = generic.synthesise(unread) if unread.height else {}
    untimed = unread.filter(pl.col("source_id").is_in([key for key, ones in texts.items() if not ones]))
    texts |= levelled(untimed.filter(~pl.col("claimed").any().over("source_id")))
    every = dict.fromkeys([*kinds, *behind, *texts])
    return {key: (*kinds.get(key, ()), *behind.get(key, ()), *texts.get(key, ())) for key in every}


def _claimed(
    samples: pl.DataFrame,
    matches: Matches,
    formats: Sequence[Format],
    chosen: Mapping[str, Sequence[int]],
    bounds: Mapping[str, tuple[int, int]],
) -> pl.Series:
    """Tell which lines a chosen format opens, or continues.

    A piece from within a source may begin inside an event: its first lines are taken to be of the chief format.
    """
    opened = np.full(samples.height, -1, np.int64)
    for source_id, (begin, end) in bounds.items():
        for place in reversed(chosen[source_id]):
            opened[begin:end][matches[begin:end, place]] = place
    piece = (samples["source_id"].rle_id().to_numpy().astype(np.int64) << 20) + samples["piece"].to_numpy()
    known = np.maximum.accumulate(np.where(opened >= 0, np.arange(len(opened)), -1)) if len(opened) else opened
    above = np.where((known >= 0) & (piece[known] == piece), opened[known], -1) if len(opened) else opened
    within = samples["piece"].to_numpy() > 0
    for source_id, (begin, end) in bounds.items():
        if chosen[source_id]:
            above[begin:end][within[begin:end] & (above[begin:end] < 0)] = chosen[source_id][0]
    claimed = opened >= 0
    for place in np.unique(above[above >= 0]):
        mine = np.flatnonzero((opened < 0) & (above == place))
        claimed[mine] = samples["text"].gather(mine).str.contains(_sure(formats[place].continues)).to_numpy()
    return pl.Series("claimed", claimed)


def _sure(continues: str) -> str:
    """Tell which lines surely belong to the event above: a format that takes every line may take another's too."""
    return CONTINUES if continues == EVERYTHING else continues

"""Sample lines of all sources at once to the formats that read them.

One frame holds the samples of every source, and each format is tried once over all of it: three hundred expressions
over a hundred sources cost half a second, source by source they would cost half a minute. A source may hold several
formats; each must read lines that no better one reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing import columns, generic, structured, structures
from pirtimeline.parsing.framing import EVERYTHING, framed_texts
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import CONTINUES, Format

DEPTH = 4
"""How many formats may stand in one another."""

PATH_FAVOUR = 1.5
"""How much likelier a format's own path glob makes it."""

Matches = npt.NDArray[np.bool_]


def detect(
    samples: pl.DataFrame, paths: Mapping[str, str], formats: Sequence[Format]
) -> dict[str, tuple[FormatUse, ...]]:
    """Find the formats of each source.

    Args:
        samples: `source_id`, `piece`, `line`, `text`: sample lines of every source, in order, a source's together.
        paths: source id -> path, for the globs that favour a format.
        formats: the formats to choose from.

    Returns:
        For each source the formats that open its lines, in the order in which they are asked; what no named format
        reads is left to formats synthesised from the lines themselves.
    """
    outer = [one for one in formats if not one.inner]
    samples = samples.with_columns(claimed=pl.lit(False))
    matches = _matches(samples["text"], outer)
    bounds = _bounds(samples["source_id"])
    chosen = {
        source_id: _choose(matches[begin:end], outer, paths.get(source_id, ""))
        for source_id, (begin, end) in bounds.items()
    }
    claimed = _claimed(samples, matches, outer, chosen, bounds)
    kinds, claimed = structures.synthesise(samples.with_columns(claimed=claimed))
    left = ~pl.col("claimed") & pl.col("text").str.contains(r"\S")
    unread = samples.with_columns(claimed=claimed).filter(left.any().over("source_id"))
    texts = generic.synthesise(unread) if unread.height else {}
    inner = _inner(samples["text"], matches, outer, chosen, bounds, formats)
    return {
        source_id: tuple(FormatUse(outer[place], inner.get((source_id, place), ())) for place in places)
        + tuple(FormatUse(one) for one in (*kinds.get(source_id, ()), *texts.get(source_id, ())))
        for source_id, places in chosen.items()
    }


def _matches(text: pl.Series, formats: Sequence[Format], process: pl.Series | None = None) -> Matches:
    """Try every format on every line: lines x formats."""
    if not formats or not len(text):
        return np.zeros((len(text), len(formats)), np.bool_)
    tests = [_test(one, process is not None).alias(str(place)) for place, one in enumerate(formats)]
    found = pl.DataFrame({"text": text, "process": process}).select(tests)
    return np.column_stack([found[str(place)].to_numpy() for place in range(len(formats))]).astype(np.bool_)


def _test(one: Format, within: bool) -> pl.Expr:
    test = structured.opens(pl.col("text"), one)
    return test & pl.col("process").str.contains(one.inner).fill_null(False) if within and one.inner else test


def _bounds(source_ids: pl.Series) -> dict[str, tuple[int, int]]:
    """Say where each source's lines begin and end."""
    runs = source_ids.rle().struct.unnest()
    ends = runs["len"].cum_sum()
    return {name: (end - count, end) for name, count, end in zip(runs["value"], runs["len"], ends, strict=True)}


def _choose(matches: Matches, formats: Sequence[Format], path: str) -> list[int]:
    """Choose formats one by one, each time the one that reads most of what is left."""
    candidates = [int(one) for one in np.flatnonzero(matches.any(axis=0))]
    favour = {one: _favour(formats[one], path) for one in candidates}
    left = np.ones(len(matches), np.bool_)
    chosen: list[int] = []
    while candidates:
        counts = {one: int(matches[left, one].sum()) for one in candidates}
        best = max(counts, key=lambda one: (counts[one] * favour[one], _weight(formats[one]), formats[one].name))
        if not counts[best]:
            break
        chosen.append(best)
        left &= ~matches[:, best]
        candidates.remove(best)
    return chosen


def _favour(one: Format, path: str) -> float:
    return PATH_FAVOUR if any(fnmatchcase(path, glob) for glob in one.paths) else 1.0


def _weight(one: Format) -> int:
    """Weigh how much a format says of a line: of two that read the same lines, the one that says more is right."""
    return max((len(pattern.regex) for pattern in one.patterns), default=len(one.starts))


def _claimed(
    samples: pl.DataFrame,
    matches: Matches,
    formats: Sequence[Format],
    chosen: Mapping[str, Sequence[int]],
    bounds: Mapping[str, tuple[int, int]],
) -> pl.Series:
    """Tell which lines a chosen format opens, or continues."""
    opened = np.full(samples.height, -1, np.int64)
    for source_id, (begin, end) in bounds.items():
        for place in reversed(chosen[source_id]):
            opened[begin:end][matches[begin:end, place]] = place
    piece = (samples["source_id"].rle_id().to_numpy().astype(np.int64) << 20) + samples["piece"].to_numpy()
    known = np.maximum.accumulate(np.where(opened >= 0, np.arange(len(opened)), -1)) if len(opened) else opened
    above = np.where((known >= 0) & (piece[known] == piece), opened[known], -1) if len(opened) else opened
    claimed = opened >= 0
    for place in np.unique(above[above >= 0]):
        mine = np.flatnonzero((opened < 0) & (above == place))
        claimed[mine] = samples["text"].gather(mine).str.contains(_sure(formats[place].continues)).to_numpy()
    return pl.Series("claimed", claimed)


def _sure(continues: str) -> str:
    """Tell which lines surely belong to the event above: a format that takes every line may take another's too."""
    return CONTINUES if continues == EVERYTHING else continues


def _inner(
    text: pl.Series,
    matches: Matches,
    formats: Sequence[Format],
    chosen: Mapping[str, Sequence[int]],
    bounds: Mapping[str, tuple[int, int]],
    every: Sequence[Format],
    depth: int = 1,
) -> dict[tuple[str, int], tuple[FormatUse, ...]]:
    """Find what the chosen envelopes hold, all sources of one envelope format at once."""
    found: dict[tuple[str, int], tuple[FormatUse, ...]] = {}
    for place in sorted({one for places in chosen.values() for one in places if formats[one].envelope}):
        held = _held(text, matches[:, place], formats[place], {s: bounds[s] for s in bounds if place in chosen[s]})
        if held.height and depth < DEPTH:
            for source_id, uses in _detect_inner(held, every, depth).items():
                found[source_id, place] = uses
    return found


def _held(text: pl.Series, opened: Matches, one: Format, bounds: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    """Read an envelope's sample lines for what they hold: `source_id`, `text`."""
    tables = []
    for source_id, (begin, end) in bounds.items():
        lines = text[begin:end].filter(pl.Series(opened[begin:end]))
        held = columns.extract(lines, one) if one.kind == "lines" else structured.read(lines, one)
        if one.envelope in held.columns:
            process = pl.col("process_name") if "process_name" in held.columns else pl.lit(None, pl.String)
            shown = held.select(pl.lit(source_id).alias("source_id"), text=pl.col(one.envelope), process=process)
            tables.append(shown.drop_nulls("text"))
    return (
        pl.concat(tables) if tables else pl.DataFrame(schema=dict.fromkeys(("source_id", "text", "process"), pl.String))
    )


def _detect_inner(held: pl.DataFrame, every: Sequence[Format], depth: int) -> dict[str, tuple[FormatUse, ...]]:
    framed = framed_texts(held["text"])
    text = framed.headers(np.arange(framed.height))
    matches = _matches(text, every, held["process"])
    bounds = _bounds(held["source_id"])
    chosen = {source_id: _choose(matches[begin:end], every, "") for source_id, (begin, end) in bounds.items()}
    deeper = _inner(text, matches, every, chosen, bounds, every, depth + 1)
    claimed = np.zeros(len(text), np.bool_)
    for source_id, (begin, end) in bounds.items():
        claimed[begin:end] = matches[begin:end, chosen[source_id]].any(axis=1)
    kinds, _ = structures.synthesise(held.select("source_id", text=text, claimed=pl.Series(claimed)))
    return {
        source_id: tuple(FormatUse(every[place], deeper.get((source_id, place), ())) for place in places)
        + tuple(FormatUse(one) for one in kinds.get(source_id, ()))
        for source_id, places in chosen.items()
    }

"""A block of bytes to rows: framed, read by its formats, envelopes opened. A pure function of bytes and plan.

The rows partition the block. Times are still text and what it says; `parsing.clock` settles them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from pirtimeline.parsing import pieces, structured, structures
from pirtimeline.parsing.envelopes import opened, read
from pirtimeline.parsing.framing import REJECT, Framed, frame
from pirtimeline.parsing.lines import PADDING, UTF8, Offsets, lines_of, slices, without_colour
from pirtimeline.parsing.overlooked import FEW, SEEN, overlooked, suspects
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.splitting import Block, first_event
from pirtimeline.parsing.together import together
from pirtimeline.schema import STRUCTURE, UNRECOGNISED

_PLACE = {
    "byte_offset": pl.UInt64,
    "byte_length": pl.UInt64,
    "line": pl.UInt64,
    "line_count": pl.UInt32,
    "_block": pl.UInt32,
}

_GROWS = 3
"""A block in UTF-8 is at most so many times as long as its own bytes."""


def parse(block: Block, plan: SourcePlan) -> pl.DataFrame:
    """Read a block of one source; see `parse_many`.

    Where the block begins within an event, what belongs to that comes first, as pieces of `pieces.OPEN`.
    """
    within = block.within and not block.data.startswith(PADDING)  # NULs end whatever stood before them
    lead = first_event(block.data, 0, plan) if within else 0
    if lead == 0:
        return parse_many([block.data], plan.formats, encoding=plan.encoding, newline=plan.newline, last=block.last)
    lead = len(block.data) if lead is None else lead
    event = pl.DataFrame(
        {"byte_offset": [0], "byte_length": [lead], "line": [0], "line_count": [0], "_block": [0]}, schema=_PLACE
    )
    before = pieces.of_text(block.data, pieces.runs(block.data, 0, lead, plan.encoding), event, plan.encoding)
    before = before.with_columns(_piece_of=pl.lit(pieces.OPEN, pl.Int64), parser=pl.lit(None, pl.String))
    if lead == len(block.data):
        return before
    after = parse_many([block.data[lead:]], plan.formats, encoding=plan.encoding, newline=plan.newline, last=block.last)
    lines = before["line_count"].sum()
    after = after.with_columns(
        pl.col("byte_offset") + lead, pl.col("line") + lines, pl.col("_piece_of") + pl.lit(lead, pl.Int64)
    )
    return pl.concat([before, after], how="diagonal_relaxed")


def parse_many(
    blocks: Sequence[bytes], uses: Sequence[FormatUse], *, encoding: str = UTF8, newline: str = "lf", last: bool = True
) -> pl.DataFrame:
    """Read blocks that hold the same formats in the same encoding: small sources together, or one block of a large one.

    Args:
        blocks: bytes that each begin with an event's first line.
        uses: what the plan says of their source or sources.
        encoding: that of all of them.
        newline: how their lines end.
        last: whether they reach to the end of their sources, so that a line without its end counts.

    Returns:
        One row an event, reject or piece of structure, in order: `_block` (which of the blocks), its place
        (`byte_offset` from the block's first byte, `line` from 0), `parser`, `envelope`, the columns that the formats
        fill, `times.FIELDS` and the same with `_observed_` before them for what envelopes recorded;
        `_replaced` counts bytes of the blocks that did not decode.
    """
    if uses and uses[0].format.options.get("framing") == structures.ELEMENTS:
        return _numbered([_elements(block, uses[0], encoding) for block in blocks])
    joined, breaks, bases, closed = _joined(blocks, encoding, newline)
    lines = lines_of(joined, encoding, newline)
    at = np.searchsorted(lines.offsets, bases[:-1]) if breaks else np.zeros(1, np.int64)
    framed = frame(lines, [use.format for use in uses], at)
    if breaks and (asked := _asked(framed, blocks, at)):
        return _apart(blocks, asked, uses, encoding, newline)
    if len(blocks) == 1 and (further := [FormatUse(one) for one in overlooked(framed)]):
        uses = [*uses, *further]
        framed = frame(lines, [use.format for use in uses], at)
    place = framed.table(last=last)
    alone = place.with_columns(pl.lit(0, pl.UInt32).alias("_block"))
    place = _unjoined(place, bases, lines.numbers(at), closed) if breaks else alone
    found = rows(framed, uses, place["_block"] if breaks else None)
    table = _owned(pl.concat([place, found], how="horizontal")).with_columns(
        pl.lit(lines.replaced, pl.Int64).alias("_replaced")
    )
    if not (table["byte_length"] > pieces.PIECE).any():
        return table
    by_block = table.partition_by("_block", maintain_order=True)
    return pl.concat([pieces.cut(one, blocks[one["_block"][0]], encoding) for one in by_block], how="diagonal_relaxed")


def _asked(framed: Framed, blocks: Sequence[bytes], at: Offsets) -> list[int]:
    """Name the blocks that `overlooked` would ask further: each is read for itself, whatever stands beside it."""
    which = np.searchsorted(at, suspects(framed), side="right") - 1
    counts = np.bincount(which, minlength=len(blocks))
    return [number for number in np.flatnonzero(counts >= FEW).tolist() if len(blocks[number]) > SEEN // _GROWS]


def _apart(
    blocks: Sequence[bytes], asked: Sequence[int], uses: Sequence[FormatUse], encoding: str, newline: str
) -> pl.DataFrame:
    """Read some blocks each for itself, the others together."""
    rest = sorted(set(range(len(blocks))) - set(asked))
    tables = []
    for numbers in [*([number] for number in asked), *([rest] if rest else [])]:
        table = parse_many([blocks[number] for number in numbers], uses, encoding=encoding, newline=newline)
        tables.append(table.with_columns(pl.Series("_block", numbers, pl.UInt32).gather(table["_block"])))
    return pl.concat(tables, how="diagonal_relaxed").sort("_block", "byte_offset", maintain_order=True)


def _elements(block: bytes, use: FormatUse, encoding: str) -> pl.DataFrame:
    """Read a source whose events are elements (of a JSON array, of XML, quoted CSV), whatever lines they stand on."""
    utf8 = block if encoding == UTF8 else block.decode(encoding, "replace").encode()
    replaced = utf8.decode(UTF8, "replace").count("\ufffd") if encoding == UTF8 and not _valid(utf8) else 0
    utf8 = utf8 if _valid(utf8) else utf8.decode(UTF8, "replace").encode()
    found = structures.elements(utf8, use.format)
    ends = np.flatnonzero(np.frombuffer(utf8, np.uint8) == 10)
    first = np.searchsorted(ends, found.offsets)
    counts = np.searchsorted(ends, found.offsets + found.lengths) - first
    if len(counts) and not utf8.endswith(b"\n"):
        counts[-1] += 1
    place = pl.DataFrame({"_from": found.offsets, "_size": found.lengths, "line": first, "line_count": counts})
    texts = _plain(slices(utf8, found.offsets, found.offsets + found.lengths).str.strip_chars(), utf8)
    table = _read_elements(texts, found.structure, use)
    placed = _places(place, utf8, block, encoding)
    return _owned(pl.concat([placed, table], how="horizontal")).with_columns(
        pl.lit(replaced, pl.Int64).alias("_replaced")
    )


def _plain(texts: pl.Series, utf8: bytes) -> pl.Series:
    """Leave out colours of elements, where any are."""
    if without_colour(utf8) is utf8:
        return texts
    return pl.Series(texts.name, [without_colour(text.encode()).decode() for text in texts], dtype=pl.String)


def _valid(data: bytes) -> bool:
    try:
        data.decode(UTF8)
    except UnicodeDecodeError:
        return False
    return True


def _places(place: pl.DataFrame, utf8: bytes, block: bytes, encoding: str) -> pl.DataFrame:
    """Give the places of elements in the source as it is; where that is no UTF-8, by counting its own bytes."""
    if len(utf8) == len(block):
        offsets, sizes = place["_from"], place["_size"]
    else:
        bounds = [*place["_from"].to_list(), len(utf8)]
        own = np.cumsum([0, *(_source_size(utf8[a:b], encoding) for a, b in pairwise(bounds))])
        own[-1] = len(block)
        offsets, sizes = pl.Series(own[:-1]), pl.Series(np.diff(own))
    return place.select(
        offsets.cast(pl.UInt64).alias("byte_offset"),
        sizes.cast(pl.UInt64).alias("byte_length"),
        pl.col("line").cast(pl.UInt64),
        pl.col("line_count").cast(pl.UInt32),
    )


def _source_size(piece: bytes, encoding: str) -> int:
    return len(piece.decode(UTF8).encode(encoding, "replace"))


def _read_elements(
    texts: pl.Series, structure: np.ndarray[tuple[int], np.dtype[np.bool_]], use: FormatUse
) -> pl.DataFrame:
    mine = np.flatnonzero(~structure)
    table = structured.read(texts.gather(mine), use.format).with_columns(
        pl.Series("_row", mine), parser=pl.lit(use.format.name)
    )
    good = table["_reject"].is_null()
    told = table.filter(~good).select("_row", reject_reason="_reject")
    rejects = told.with_columns(texts.gather(told["_row"]).alias("message"), parser=pl.lit(UNRECOGNISED))
    kept = opened(table.filter(good).drop("_reject"), use)
    blank = pl.DataFrame({"_row": np.flatnonzero(structure)}, schema={"_row": pl.Int64}).with_columns(
        parser=pl.lit(STRUCTURE)
    )
    found = [one for one in (kept, rejects, blank) if one.height]
    return pl.concat(found, how="diagonal_relaxed").sort("_row").drop("_row") if found else pl.DataFrame()


def _numbered(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put the rows of blocks below each other, numbered by block."""
    numbered = [one.with_columns(_block=pl.lit(number, pl.UInt32)) for number, one in enumerate(tables)]
    return pl.concat(numbered, how="diagonal_relaxed")


def _owned(table: pl.DataFrame) -> pl.DataFrame:
    """Say of rows that only go on with an event above them which that is, by its offset; their text stands there."""
    if "_piece_row" not in table.columns:
        return table.with_columns(_piece_of=pl.lit(None, pl.Int64))
    goes_on = pl.col("_piece_row").is_not_null()
    owner = table["byte_offset"].gather(table["_piece_row"].fill_null(0)).cast(pl.Int64)
    return table.with_columns(
        pl.when(goes_on).then(owner).alias("_piece_of"), pl.when(~goes_on).then("message").alias("message")
    ).drop("_piece_row")


def _joined(blocks: Sequence[bytes], encoding: str, newline: str) -> tuple[bytes, bool, Offsets, Offsets]:
    """Join blocks, each closed by a line end, and say where each begins and which were closed by us."""
    if len(blocks) == 1:
        return blocks[0], False, np.zeros(2, np.int64), np.zeros(1, np.int64)
    end = ("\n" if newline == "lf" else "\r").encode(encoding)
    closed = np.array([0 if block.endswith(end) or not block else len(end) for block in blocks], np.int64)
    text = b"".join(block + end if added else block for block, added in zip(blocks, closed, strict=True))
    sizes = np.array([len(block) for block in blocks], np.int64) + closed
    return text, True, np.concatenate(([0], np.cumsum(sizes))), closed


def _unjoined(place: pl.DataFrame, bases: Offsets, at: Offsets, closed: Offsets) -> pl.DataFrame:
    """Count places from each block's own first byte again, and take the line ends back that joining added."""
    offsets = place["byte_offset"].to_numpy().astype(np.int64)
    which = np.searchsorted(bases[:-1], offsets, side="right") - 1
    last = np.append(which[1:] != which[:-1], True) if len(which) else np.zeros(0, np.bool_)
    added = np.where(last, closed[which], 0) if len(which) else np.zeros(0, np.int64)
    return place.with_columns(
        pl.Series("_block", which.astype(np.uint32)),
        pl.Series("byte_offset", (offsets - bases[which]).astype(np.uint64)),
        pl.Series("line", (place["line"].to_numpy().astype(np.int64) - at[which]).astype(np.uint64)),
        pl.Series("byte_length", (place["byte_length"].to_numpy().astype(np.int64) - added).astype(np.uint64)),
    )


def rows(framed: Framed, uses: Sequence[FormatUse], block: pl.Series | None = None) -> pl.DataFrame:
    """Read the events of a framed block, each by its format, in order.

    Args:
        framed: the events.
        uses: the formats of their source or sources.
        block: the number of each event's source, where several were framed together.
    """
    found = [
        _reread(framed, np.flatnonzero(framed.format == place), use, block)
        for place, use in enumerate(uses)
        if (framed.format == place).any()
    ]
    found += [_unread(framed, framed.format == REJECT, UNRECOGNISED, "no format of this source reads it")]
    found += [_unread(framed, framed.format < REJECT, STRUCTURE, None)]
    found = [table for table in found if table.height]
    if len(found) == 1:
        return found[0].drop("_row")
    table = pl.concat(found, how="diagonal") if found else _unread(framed, framed.format == REJECT, UNRECOGNISED, "")
    return table.sort("_row").drop("_row")


def _reread(framed: Framed, mine: Offsets, use: FormatUse, block: pl.Series | None) -> pl.DataFrame:
    """Read the events of one format; what only opened like it becomes a reject."""
    table = read(framed, mine, use.format).with_columns(pl.Series("_row", mine), parser=pl.lit(use.format.name))
    if block is not None and (use.format.envelope or use.format.together):
        table = table.with_columns(block.gather(mine).alias("_in"))
    return _judged(framed, mine, table, use).drop("_in", strict=False)


def _judged(framed: Framed, mine: Offsets, table: pl.DataFrame, use: FormatUse) -> pl.DataFrame:
    refused = table["_reject"].is_not_null()
    if not refused.any():
        return opened(_together(framed, mine, table.drop("_reject"), use.format), use)
    told = table.filter(refused).select("_row", reject_reason="_reject")
    texts = framed.texts(mine[refused.to_numpy()])
    rejects = told.with_columns(texts.alias("message"), parser=pl.lit(UNRECOGNISED))
    good = _together(framed, mine[~refused.to_numpy()], table.filter(~refused).drop("_reject"), use.format)
    kept = opened(good, use)
    return pl.concat([one for one in (kept, rejects) if one.height], how="diagonal").sort("_row")


def _together(framed: Framed, mine: Offsets, table: pl.DataFrame, one: Format) -> pl.DataFrame:
    return together(table, framed.texts(mine), one) if one.together else table


def _unread(
    framed: Framed, which: np.ndarray[tuple[int], np.dtype[np.bool_]], name: str, reason: str | None
) -> pl.DataFrame:
    mine = np.flatnonzero(which)
    texts = framed.texts(mine) if name == UNRECOGNISED else pl.Series([None] * len(mine), dtype=pl.String)
    return pl.DataFrame({"_row": mine, "message": texts}).with_columns(
        pl.lit(name).alias("parser"), pl.lit(reason, pl.String).alias("reject_reason")
    )

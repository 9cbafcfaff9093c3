"""Formats that no sample met: looked for in the rejects of blocks that have too many, and only there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import polars as pl

from pirtimeline.parsing.blocks import parse, parse_many
from pirtimeline.parsing.clues import alike
from pirtimeline.parsing.detect import detect, in_zone
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.splitting import Block
from pirtimeline.schema import UNRECOGNISED

TOO_MANY = 0.002
"""Share of a block's bytes as rejects from which formats are looked for in them."""

LINES = 400
"""Rejected lines that are looked at."""


class Read(NamedTuple):
    """A block, the plan it was read by, and its rows."""

    block: Block
    plan: SourcePlan
    table: pl.DataFrame


def parse_or_recover(block: Block, plan: SourcePlan, installed: Mapping[str, Format | Parser]) -> pl.DataFrame:
    """Read a block by its plan; where too much of it is rejected, by the formats of the rejects as well.

    The result depends on the block, the plan and the installed formats alone, whatever the order of work.
    """
    table = parse(block, plan)
    return recovered([Read(block, plan, table)], installed).get(0, table)


def recovered(read: Sequence[Read], installed: Mapping[str, Format | Parser]) -> dict[int, pl.DataFrame]:
    """Read blocks again of which too much was rejected, by the formats of their rejects as well.

    Formats are looked for in the rejects of all blocks at once; what is found for one does not depend on the others.

    Returns:
        Place in `read` -> the new rows, for the blocks in whose rejects a format was found.
    """
    bad = [place for place, one in enumerate(read) if _too_many(one)]
    found = _formats_of({f"{place:09}": read[place] for place in bad}, installed)
    plans = {
        int(key): replace(read[int(key)].plan, formats=(*_useful(read[int(key)]), *uses))
        for key, uses in found.items()
        if uses
    }
    return dict(_again({place: (read[place].block, plan) for place, plan in plans.items()}))


def _useful(one: Read) -> tuple[FormatUse, ...]:
    """Leave out the formats that read nothing: lines that only open like theirs would be theirs again."""
    there = set(one.table["parser"].unique())
    if "envelope" in one.table.columns:
        there |= set(one.table["envelope"].str.split("/").list.first().unique())
    return tuple(use for use in one.plan.formats if use.format.name in there)


def _too_many(one: Read) -> bool:
    refused = one.table["parser"] == UNRECOGNISED
    size = one.table["byte_length"].filter(refused).sum()
    return bool(refused.any()) and size >= TOO_MANY * len(one.block.data)


def _formats_of(bad: Mapping[str, Read], installed: Mapping[str, Format | Parser]) -> dict[str, tuple]:  # type: ignore[type-arg]
    """Look for formats in the rejects of blocks, beyond those that their plans name."""
    lines = [_lines(key, one.table) for key, one in bad.items()]
    samples = pl.concat(lines) if lines else pl.DataFrame()
    if not samples.height:
        return {}
    formats = [one for one in installed.values() if isinstance(one, Format)]
    known = {key: frozenset(use.format.name for use in one.plan.formats) for key, one in bad.items()}
    found = detect(samples, {key: one.plan.path for key, one in bad.items()}, formats, known=known)
    beside = {key: [use.format for use in one.plan.formats] for key, one in bad.items()}
    return {key: tuple(in_zone(use, beside[key]) for use in uses) for key, uses in found.items()}


def _lines(key: str, table: pl.DataFrame) -> pl.DataFrame:
    """Give the first lines of rejects as `detect` takes them."""
    text = table["message"].filter(table["parser"] == UNRECOGNISED).drop_nulls()
    text = text.str.split("\n").list.first().head(LINES)
    return pl.DataFrame({"text": text}).select(
        pl.lit(key).alias("source_id"),
        pl.lit(0, pl.UInt32).alias("piece"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("line"),
        "text",
    )


def _again(blocks: Mapping[int, tuple[Block, SourcePlan]]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read blocks, those that are whole sources and of the same formats together."""
    alone = {place: one for place, one in blocks.items() if one[0].within or not one[0].last}
    yield from ((place, parse(*one)) for place, one in alone.items())
    whole = sorted(set(blocks) - set(alone), key=lambda place: (alike(blocks[place][1]), place))
    for _, group in groupby(whole, key=lambda place: alike(blocks[place][1])):
        yield from _together([(place, *blocks[place]) for place in group])


def _together(group: Sequence[tuple[int, Block, SourcePlan]]) -> Iterator[tuple[int, pl.DataFrame]]:
    plan = group[0][2]
    data = [block.data for _, block, _ in group]
    table = parse_many(data, plan.formats, encoding=plan.encoding, newline=plan.newline)
    for (number,), rows in table.partition_by("_block", as_dict=True, maintain_order=True).items():
        yield group[int(str(number))][0], rows.with_columns(pl.lit(0, pl.UInt32).alias("_block"))

"""Formats that no sample met: looked for in the rejects of a block that has too many, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from pirtimeline.parsing.blocks import parse
from pirtimeline.parsing.detect import detect, in_zone
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.splitting import Block
from pirtimeline.schema import UNRECOGNISED

TOO_MANY = 0.002
"""Share of a block's bytes as rejects from which formats are looked for in them."""

LINES = 400
"""Rejected lines that are looked at."""


def parse_or_recover(block: Block, plan: SourcePlan, installed: Mapping[str, Format | Parser]) -> pl.DataFrame:
    """Read a block by its plan; where too much of it is rejected, by the formats of the rejects as well.

    The result depends on the block, the plan and the installed formats alone, whatever the order of work.
    """
    table = parse(block, plan)
    rejects = table.filter(pl.col("parser") == UNRECOGNISED)
    if not rejects.height or rejects["byte_length"].sum() < TOO_MANY * len(block.data):
        return table
    found = _formats_of(rejects, plan, installed)
    return parse(block, replace(plan, formats=(*plan.formats, *found))) if found else table


def _formats_of(rejects: pl.DataFrame, plan: SourcePlan, installed: Mapping[str, Format | Parser]) -> tuple:  # type: ignore[type-arg]
    text = rejects["message"].drop_nulls().str.split("\n").list.first().head(LINES)
    lines = pl.DataFrame({"text": text}).select(
        pl.lit(plan.source_id).alias("source_id"),
        pl.lit(0, pl.UInt32).alias("piece"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("line"),
        "text",
    )
    known = {use.format.name for use in plan.formats}
    formats = [one for one in installed.values() if isinstance(one, Format) and one.name not in known]
    found = detect(lines, {plan.source_id: plan.path}, formats).get(plan.source_id, ()) if lines.height else ()
    return tuple(in_zone(use, [one.format for one in plan.formats]) for use in found)

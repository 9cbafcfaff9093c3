"""Writers that no sample met: lines of a block that begin like events, but that no known format opens.

The survey looks at samples; a program that writes for a minute in the middle of a large file may stand between them.
What it wrote would pass for a part of the event above. So each block is asked whether its quiet lines begin with
stamps, and if many do, formats are composed from the block itself: a pure function of its bytes and the plan.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pirtimeline.parsing import generic
from pirtimeline.parsing.framing import REJECT, Framed
from pirtimeline.parsing.lines import Offsets
from pirtimeline.parsing.plugin import CONTINUES, Format
from pirtimeline.parsing.stamps import at_head

FEW = 20
"""Lines like events below which a block is not asked further."""

SEEN = 12 << 10
"""Bytes that the survey keeps of every source, however many there are: a block no larger hid nothing from it."""

_PLACES = 60
_AROUND = 4
_BLANKS = 32


def suspects(framed: Framed) -> Offsets:
    r"""Give the lines that open no event of a known format but begin with what could be a stamp.

    Example:
        >>> from pirtimeline.parsing.framing import frame
        >>> from pirtimeline.parsing.lines import lines_of
        >>> suspects(frame(lines_of(b"2024-04-21 12:00:00 up\n  at x\nApr 21 12:00:01 web1 app: down\n"), [])).tolist()
        [0, 2]
    """
    lines = framed.lines
    quiet = np.ones(len(lines.text), np.bool_)
    quiet[framed.head[framed.format != REJECT]] = False
    first = np.frombuffer(lines.utf8, np.uint8)[np.minimum(lines.places[:-1], max(0, len(lines.utf8) - 1))]
    left = np.flatnonzero(quiet & (first[: len(quiet)] > _BLANKS))
    return left[at_head(lines.text.gather(left)).to_numpy()] if len(left) else left


def overlooked(framed: Framed) -> tuple[Format, ...]:
    """Compose formats for writers of a block that none of its source's formats reads."""
    if len(framed.lines.utf8) <= SEEN or len(found := suspects(framed)) < FEW:
        return ()
    text = framed.lines.text
    chosen = found[np.unique(np.linspace(0, len(found) - 1, _PLACES).astype(np.int64))]
    around = (chosen[:, None] + np.arange(-_AROUND, _AROUND + 1)).ravel()
    rows = np.unique(np.append(around[(around >= 0) & (around < len(text))], 0))
    opened = np.zeros(len(text), np.bool_)
    opened[framed.head[framed.format != REJECT]] = True
    samples = pl.DataFrame({"text": text.gather(rows).rename("text"), "row": rows}).select(
        pl.lit("").alias("source_id"),
        (pl.col("row").diff().fill_null(1) > 1).cum_sum().cast(pl.UInt32).alias("piece"),
        pl.col("row").cast(pl.UInt32).alias("line"),
        "text",
        claimed=pl.Series(opened[rows]) | pl.col("text").str.contains(CONTINUES),
    )
    return generic.synthesise(samples)[""]

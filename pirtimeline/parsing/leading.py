"""Lines that lead an event in some sources of a format and end the one above in others: the first settles which."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pirtimeline.parsing.plugin import Format

LED = "led"
"""The option of a format whose `heads` lead in a source."""


def settled(one: Format, lines: pl.Series) -> Format:
    """Let a format's `heads` lead its events in a source whose first event has one above it.

    Args:
        one: a format of the source.
        lines: the source's first lines.

    Example:
        >>> mine = Format(name="slow", title="", starts="^# Query", leads="^# User", heads="^# Time")
        >>> settled(mine, pl.Series(["# Time: 1", "# User: a", "# Query: 2"])).leads
        '^# User|^# Time'
        >>> settled(mine, pl.Series(["# User: a", "# Query: 2", "# Time: 1"])).leads
        '^# User'
    """
    if not one.heads:
        return one
    known = "|".join(regex for regex in (one.heads, one.leads) if regex)
    first = lines.filter(lines.str.contains(known)).head(1)
    return headed(one) if first.str.contains(one.heads).any() else one


def headed(one: Format) -> Format:
    """Give a format whose `heads` lead its events.

    Example:
        >>> headed(Format(name="slow", title="", starts="^# Query", heads="^# Time")).leads
        '^# Time'
    """
    leads = "|".join(regex for regex in (one.leads, one.heads) if regex)
    return replace(one, leads=leads, options={**one.options, LED: one.heads})

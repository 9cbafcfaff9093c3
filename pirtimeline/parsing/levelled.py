"""Text without any time whose lines begin with a level: consoles, builds, servers that leave the time to a runtime.

Its events are undated, but they are events: framed, with their level, thread or logger, bounded by nothing.
"""

from __future__ import annotations

import polars as pl

from pirtimeline.parsing.framing import EVERYTHING
from pirtimeline.parsing.generic import NAME
from pirtimeline.parsing.plugin import CONTINUES, Format, Pattern
from pirtimeline.parsing.skeletons import ENGLISH

_MOST = 0.5
_SHOUTED = "|".join(word.upper() for word in ENGLISH) + "|SUCCESS"
_SHORT = "trce|dbug|info|warn|fail|crit|error|warning|debug|trace|notice|fatal|critical"

_PATTERNS = (
    # `WARNING:root:slow`, Python's logging without a time
    rf"^(?P<severity_text>{_SHOUTED}):(?P<logger_name>[A-Za-z_][\w.]*):(?P<message>.*)$",
    # `[WARNING]  (1240) : Server is DOWN`, `[ERROR] failed`
    rf"^\[ ?(?P<severity_text>{_SHOUTED}|(?i:{_SHORT})) ?\]:?(?:\s+\((?P<process_pid>\d+)\) :)?\s*(?P<message>.*)$",
    # `info: Microsoft.Hosting.Lifetime[14]`, `Error: no`, `ERROR - no`
    rf"^(?P<severity_text>{_SHOUTED}|(?i:{_SHORT}))(?::|\s+[-|])\s+(?P<message>.*)$",
    # `ERROR  [main] o.e.App - failed`
    rf"^(?P<severity_text>{_SHOUTED})\s+(?:\[(?P<thread_name>[^\[\]]+)\]\s+)?(?P<message>.*)$",
)

LEVELLED = Format(
    name=NAME,
    title="text without a time whose lines begin with a level",
    patterns=tuple(Pattern(regex=regex, undated=True) for regex in _PATTERNS),
    continues=EVERYTHING,
    severity={"fail": "ERROR"},
    generic=True,
)
"""The format of such lines."""


def levelled(samples: pl.DataFrame) -> dict[str, tuple[Format, ...]]:
    """Find the sources most of whose lines begin with a level, and nothing else.

    Args:
        samples: `source_id`, `text`: sample lines of sources of which no format reads any.

    Example:
        >>> lines = pl.DataFrame({"source_id": "a", "text": ["WARNING:root:slow", "INFO:root:up"]})
        >>> [*levelled(lines)]
        ['a']
    """
    text = pl.col("text")
    opens = pl.any_horizontal([text.str.contains(regex) for regex in _PATTERNS])
    told = samples.filter(~text.str.contains(CONTINUES)).group_by("source_id", maintain_order=True)
    shares = told.agg(opens.mean().alias("share"))
    return dict.fromkeys(shares.filter(pl.col("share") >= _MOST)["source_id"], (LEVELLED,))

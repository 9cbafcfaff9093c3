"""The formats that come with pirtimeline: one TOML file each, and parsers in Python for what a file cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def parsers() -> Iterator[Path]:
    """Offer every format file beside this module, in the order of their names.

    Example:
        >>> "tomcat_juli" in [path.stem for path in parsers()]
        True
    """
    yield from sorted(Path(__file__).parent.glob("*.toml"))

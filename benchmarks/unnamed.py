"""The command line with every named format switched off: what is read of products that nobody has declared.

Run with: python -m benchmarks.unnamed ingest EVIDENCE --case CASE
"""

from __future__ import annotations

from pirtimeline.cli import main
from pirtimeline.ingest import run


def without_names() -> None:
    """Let ingest know no format by name, so that all are composed from a source's own lines."""
    run.installed_parsers = lambda folders=(): {}


if __name__ == "__main__":
    without_names()
    main()

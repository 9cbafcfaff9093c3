"""The formats that come with pirtimeline: one TOML file each, and parsers in Python for what a file cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pirtimeline.parsing.plugin import Parser
from pirtimeline_parsers.jvm_hs_err import CrashFile
from pirtimeline_parsers.windows_evtx import WindowsEvtx
from pirtimeline_parsers.windows_exports import WindowsJson, WindowsXml


def parsers() -> Iterator[Path | Parser]:
    """Offer every format file beside this module, in the order of their names, and the parsers in Python.

    Example:
        >>> "tomcat_juli" in [one.stem for one in parsers() if isinstance(one, Path)]
        True
    """
    yield from sorted(Path(__file__).parent.glob("*.toml"))
    yield from (CrashFile(), WindowsEvtx(), WindowsJson(), WindowsXml())

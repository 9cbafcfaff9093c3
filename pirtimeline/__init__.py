"""pirtimeline: an archive of logs in; one UTC event table, findings, a timeline and a cited report draft out.

    from pirtimeline import Case, Settings, build

    build("incident.case", Settings(evidence=("logs.tar.gz",), incident="INC-2024-00123"))
    Case("incident.case").events().filter(...)

What is listed here is public; it is imported when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pirtimeline.analysis import Facts
    from pirtimeline.building import Built, build, draft, exported
    from pirtimeline.case import Case
    from pirtimeline.errors import CaseError, FormatError, PirTimelineError, SignatureError, SourceError
    from pirtimeline.evidence import Limits
    from pirtimeline.ingest import Outcome
    from pirtimeline.investigation import Investigation, add_note, investigate
    from pirtimeline.parsing.plugin import Format, Parser, Pattern, Sample
    from pirtimeline.parsing.registry import installed
    from pirtimeline.reading import Excerpt
    from pirtimeline.settings import Settings
    from pirtimeline.signatures import Matches, Rules, load, match
    from pirtimeline.verify import faults

_HOMES = {
    "analysis": ("Facts",),
    "building": ("Built", "build", "draft", "exported"),
    "case": ("Case",),
    "errors": ("CaseError", "FormatError", "PirTimelineError", "SignatureError", "SourceError"),
    "evidence": ("Limits",),
    "ingest": ("Outcome",),
    "investigation": ("Investigation", "add_note", "investigate"),
    "parsing.plugin": ("Format", "Parser", "Pattern", "Sample"),
    "parsing.registry": ("installed",),
    "reading": ("Excerpt",),
    "settings": ("Settings",),
    "signatures": ("Matches", "Rules", "load", "match"),
    "verify": ("faults",),
}

__all__ = [
    "Built",
    "Case",
    "CaseError",
    "Excerpt",
    "Facts",
    "Format",
    "FormatError",
    "Investigation",
    "Limits",
    "Matches",
    "Outcome",
    "Parser",
    "Pattern",
    "PirTimelineError",
    "Rules",
    "Sample",
    "Settings",
    "SignatureError",
    "SourceError",
    "add_note",
    "build",
    "draft",
    "exported",
    "faults",
    "installed",
    "investigate",
    "load",
    "match",
]


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)

"""What is known of zones while they are inferred, and the words in which an inference is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pirtimeline.parsing.agreement import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """Where a source lies, and which host its text (or the analyst) names; a host told by a path alone is not one."""

    source_id: str
    path: str
    folder: str
    host_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A zone that the evidence shows for a source, or null where it contradicts itself; `because` says why.

    `because` holds objects with `field` ("zone"), `value`, `event_ids` and `text`, a sentence for the report. `rule` is
    `epoch`, `request`, `host` or `folder`.
    """

    zone: str | None
    zone_from: str | None
    zone_to: str | None
    rule: str
    because: tuple[Mapping[str, object], ...]


Found = Mapping[str, Inference]


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known in a round: the events whose text tells no zone, and all events with the instants known by now.

    `seen` has them by source, `rows` all together; `left` are the sources still without a zone; `ends` are the first
    and the last instant of each source under each offset: whether it is the last, offset, instant, the event's place.
    """

    clues: Mapping[str, Clue]
    open_parts: Mapping[str, pl.DataFrame]
    seen: Mapping[str, pl.DataFrame]
    rows: pl.DataFrame
    found: Found
    left: Sequence[Clue]
    ends: Mapping[str, Sequence[tuple[bool, int, int, int]]]


def inference(found: Agreement, rule: str, text: str, event_ids: list[str]) -> Inference:
    """Say what was found by a rule, and why."""
    said = {"field": "zone", "value": found.zone, "event_ids": event_ids, "text": text}
    return Inference(zone=found.zone, zone_from=found.zone_from, zone_to=found.zone_to, rule=rule, because=(said,))


def shown(found: Agreement) -> str:
    """Say which zone was found."""
    return found.zone or "offsets that contradict each other"


def fit(found: Agreement) -> str:
    """Say how well pairs agree."""
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return f"{pairs}, {found.off_s:+.1f} s off in the middle, spread {found.spread_s:.1f} s"


def name(path: str) -> str:
    """Give a file's name.

    Example:
        >>> name("app1/tomcat/gc.log")
        'gc.log'
    """
    return path.rsplit("/", 1)[-1]


def how(founder: Clue, sight: Sight) -> str:
    """Say whether a source writes its zone or shows it otherwise."""
    return "shows" if founder.source_id in sight.found else "writes"


def known_by(founder: Clue, sight: Sight) -> str:
    """Say how the zone of a source that does not write it is known itself."""
    rule = sight.found[founder.source_id].rule if founder.source_id in sight.found else ""
    return {"epoch": ", known by epochs in its events", "request": ", known by request ids"}.get(rule, "")

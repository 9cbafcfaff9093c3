"""What the analysis is given, and what it finds: frozen values, each with its class of claim and the events it cites.

Times are UTC. A claim is `derived` where it can be recomputed from the cited bytes, `proposed` where it is an
inference that a person should confirm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

Claim = Literal["derived", "proposed"]
Source = Mapping[str, Any]
"""A source's JSON, as `CASE/sources/*.jsonl` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What `analyse` and `timeline` work on.

    `events` is the event table with `event_id` and `parser`; `hits` has one row for each match of a signature
    (`signature_id`, `event_id`, `timestamp`, `host_name`, `service_name`); `rules` one for each signature
    (`signature_id`, `title`, `severity`, `role`, `asks`); `notes` what people added (`timestamp`, `text`).
    `duplicates` is what `duplicates()` gave, made anew where it is None.
    """

    events: pl.LazyFrame
    findings: pl.DataFrame
    hits: pl.DataFrame
    rules: pl.DataFrame
    sources: list[dict[str, Any]] = field(default_factory=list)
    notes: pl.DataFrame | None = None
    duplicates: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time from `start` to `end`, both UTC."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Give its length in seconds."""
        return (self.end - self.start).total_seconds()

    def around(self, span: timedelta) -> Interval:
        """Widen it by `span` on both sides."""
        return Interval(self.start - span, self.end + span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A figure, its class of claim, and the events it stands on."""

    value: Any
    claim: Claim = "derived"
    event_ids: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant of the incident, such as `impact_start`, with the reason for choosing it."""

    name: str
    timestamp: datetime
    claim: Claim
    event_ids: tuple[str, ...]
    reason: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A span between two moments, and the formula it comes from."""

    name: str
    seconds: float
    formula: str
    claim: Claim
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A version, an argument or a limit that a line of the logs states, as of that line."""

    name: str
    value: str
    host_name: str | None
    as_of: datetime | None
    event_ids: tuple[str, ...]
    claim: Claim = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A link of a hypothesis' chain that was found, and how sure its place in the order is."""

    role: str
    title: str
    signature_id: str
    timestamp: datetime | None
    host_name: str | None
    service_name: str | None
    event_ids: tuple[str, ...]
    order: Literal["first", "certain", "possible"] = "first"
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A chain of findings that would explain the incident, with what is missing and what speaks against it."""

    chain: str
    title: str
    score: float
    strength: str
    root: Step
    steps: tuple[Step, ...]
    missing: tuple[Mapping[str, str], ...]
    against: tuple[Mapping[str, Any], ...]
    points: Mapping[str, float]
    refuted_by: str = ""
    asks: tuple[str, ...] = ()
    claim: Claim = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What the window has that the baseline has not: a new message, or one that came more or less often."""

    kind: Literal["new", "more", "fewer"]
    template: str
    severity: str | None
    hosts: tuple[str, ...]
    first: datetime
    last: datetime
    count: int
    baseline_count: int
    ratio: float | None
    q: float | None
    bound: float | None
    event_ids: tuple[str, ...]
    claim: Claim = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A weakness of the evidence that a reader of the report must know."""

    kind: str
    title: str
    detail: str
    host_name: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    event_ids: tuple[str, ...] = ()
    claim: Claim = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Traffic that the logs show from one host or address to another; an observation, not a design."""

    origin: str
    target: str
    kind: str
    count: int
    failed: int
    event_ids: tuple[str, ...]
    claim: Claim = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """An event worth quoting: the first, the last or one of the peak of a finding."""

    signature_id: str
    title: str
    place: Literal["first", "peak", "last"]
    timestamp: datetime | None
    host_name: str | None
    event_ids: tuple[str, ...]
    claim: Claim = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A host that the incident touched, since when and why; `supplied` says whether there are logs of it."""

    host_name: str
    since: datetime | None
    because: str
    supplied: bool
    event_ids: tuple[str, ...]
    claim: Claim = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the analysis found. `to_json` gives `report.json`.

    `points` are the events that are told one by one (changes, detections, responses, ...), each with its role by
    position; `details` the figures of windowed findings in words, by finding; `duplicates` the copies left out.
    """

    incident: str | None
    window: Value
    baseline: Value
    moments: Mapping[str, Moment]
    durations: Mapping[str, Duration]
    impact: Mapping[str, Value]
    affected: tuple[System, ...]
    environment: tuple[Setting, ...]
    hypotheses: tuple[Hypothesis, ...]
    candidates: tuple[Hypothesis, ...]
    changes: tuple[Difference, ...]
    quality: tuple[Defect, ...]
    coverage: Mapping[str, Any]
    topology: tuple[Edge, ...]
    excerpts: tuple[Excerpt, ...]
    not_in_evidence: tuple[Mapping[str, str], ...]
    findings: pl.DataFrame
    details: Mapping[str, str]
    points: pl.DataFrame
    duplicates: pl.DataFrame
    sources: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Give what `report.json` holds: snake_case keys, times ISO 8601 in UTC ending in `Z`."""
        tables = {"findings", "points", "duplicates", "details"}
        found: dict[str, Any] = {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in tables}
        for name in ("window", "baseline"):
            found[name] |= found[name].pop("value") or {"start": None, "end": None}
        return found


def plain(value: Any) -> Any:
    """Turn values into what JSON can hold, times into ISO 8601 text in UTC.

    Example:
        >>> from datetime import UTC
        >>> plain({"at": datetime(2024, 3, 4, 2, 58, 3, tzinfo=UTC), "for": timedelta(seconds=2)})
        {'at': '2024-03-04T02:58:03Z', 'for': 2.0}
    """
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return value

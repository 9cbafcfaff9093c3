"""What a report is made from: facts and tables, and a way to the bytes behind a citation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """All that the report is a function of.

    `facts` is what `report.json` holds; `timeline`, `findings` and `events` are the tables of `schema` (`events` with
    `event_id` and `parser`); `sources` the sources' JSON; `plan` and `custody` what `plan.json` and `evidence.json`
    hold. `raw` gives the bytes of events by their id and may leave some out, or raise a `PirTimelineError`, when the
    evidence was moved: the report then quotes the columns and says so. `decisions` (`decisions.yaml`) maps a claim's or
    row's id to what people decided: `decision` (confirm, reject, hide), `note`, `title`. `versions` names the program
    and what it was run with.
    """

    facts: Mapping[str, Any]
    timeline: pl.DataFrame
    findings: pl.DataFrame
    events: pl.LazyFrame
    sources: Sequence[Mapping[str, Any]] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)
    custody: Mapping[str, Any] = field(default_factory=dict)
    raw: Callable[[Sequence[str]], Mapping[str, bytes]] = lambda _: {}
    decisions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

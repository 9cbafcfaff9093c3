"""Hypotheses: chains of which enough was found, each with a score whose parts are printed.

The score is additive: required steps 0 to 40, certain order 0 to 15, novelty against the baseline 0 to 15, same entity
or observed edge 0 to 10, a change at most a day before and none nearer 0 to 10, a change that was taken back 0 to 10,
less 30 for each contradiction. Below 25, or with two different roots within 5 points, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline.analysis.chains import Chain, Link, chains
from pirtimeline.analysis.evidence import LATE, Evidence, within
from pirtimeline.analysis.facts import Hypothesis, Inputs, Interval, Moment, Step
from pirtimeline.analysis.mentions import spoken
from pirtimeline.analysis.observations import Affected, with_details
from pirtimeline.analysis.triggers import Trigger, best, triggers

LEAST = 25.0
CLOSE = 5.0
SHOWN = 3
WORDS = ((75.0, "strong"), (50.0, "moderate"), (LEAST, "weak"), (float("-inf"), "too weak to claim"))
DAY = timedelta(hours=24)
TALK = r"^(?:comm|det)\."
"""Signatures of words, not of acts: an acknowledgement changes nothing in the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that chains are held against."""

    evidence: Evidence
    points: pl.DataFrame
    touched: Affected
    moments: Mapping[str, Moment]
    candidates: list[Trigger]
    where: str
    resolutions: Mapping[str, timedelta] = field(default_factory=dict)

    @property
    def start(self) -> datetime | None:
        """Give the start of impact."""
        moment = self.moments.get("impact_start")
        return moment.timestamp if moment else None

    @property
    def end(self) -> datetime | None:
        """Give the instant after which nothing is a cause any more: recovery, else mitigation."""
        moment = self.moments.get("recovered") or self.moments.get("mitigated")
        return moment.timestamp if moment else None


@dataclass(frozen=True, slots=True)
class Found:
    """A link of a chain and the row that satisfies it."""

    link: Link
    row: dict[str, Any]
    new: bool


def scene(
    seen: Evidence,
    points: pl.DataFrame,
    touched: Affected,
    moments: Mapping[str, Moment],
    hosts: list[str],
    where: str,
) -> Scene:
    """Set the scene: the changes before the first sign of trouble, and how fine the times of events are."""
    start = moments["impact_start"].timestamp if "impact_start" in moments else None
    return Scene(
        evidence=seen,
        points=points,
        touched=touched,
        moments=moments,
        candidates=triggers(points, hosts, before=start),
        where=where,
    )


def hypotheses(inputs: Inputs, stage: Scene) -> list[Hypothesis]:
    """Hold every chain against the scene: those whose core was found, best first, without regard to their score."""
    matched = [(chain, links, trigger) for chain in chains() for links, trigger in _matched(chain, stage)]
    ids = {e for _, links, _ in matched for f in links.values() for e in f.row["event_ids"][:1]}
    ids |= {trigger.event_id for _, _, trigger in matched if trigger}
    stage = replace(stage, resolutions=_resolutions(inputs, ids))
    made = [_hypothesis(chain, links, trigger, stage) for chain, links, trigger in matched]
    return sorted(made, key=lambda h: (-h.score, h.chain))


def claimed(candidates: list[Hypothesis]) -> tuple[list[Hypothesis], str]:
    """Give the hypotheses worth printing, or none and why: the threshold, or two roots too close to tell apart.

    Example:
        >>> claimed([])
        ([], 'no chain of findings was matched')
    """
    strong = [h for h in candidates if h.score >= LEAST]
    if not strong:
        return (
            [],
            f"no chain of findings reaches {LEAST:g} points" if candidates else "no chain of findings was matched",
        )
    rivals = [h for h in strong[1:] if strong[0].score - h.score < CLOSE and not _same_root(h, strong[0])]
    if rivals:
        return [], f"two explanations lie within {CLOSE:g} points: {strong[0].title}; {rivals[0].title}"
    told = [h for h in strong if h is strong[0] or not (h.against and _same_root(h, strong[0]))]
    return told[:SHOWN], ""


def _same_root(one: Hypothesis, other: Hypothesis) -> bool:
    return bool(set(one.root.event_ids) & set(other.root.event_ids))


def _matched(chain: Chain, stage: Scene) -> list[tuple[dict[str, Found], Trigger | None]]:
    core = _core(chain, stage)
    if core is None:
        return []
    at = core.row["at"]
    first = min(at, stage.start or at)
    place = {"stores": stage.touched.stores, "onset": stage.start or at, "host": core.row["host_name"]}
    trigger = best(stage.candidates, chain.change, first, **place) if chain.change else None
    if trigger is None and chain.change and chain.change.required and chain.change.only:
        return []
    links = {chain.core.name: core}
    previous = at
    for link in chain.steps:
        if link.core:
            continue
        found = _before(link, core, trigger, stage) if link.before_core else _after(link, core, previous, stage)
        if found:
            links[link.name] = found
            previous = max(previous, found.row["at"])
    return [(links, trigger)]


def _core(chain: Chain, stage: Scene) -> Found | None:
    link = chain.core
    rows = stage.evidence.of(link)
    since = stage.start - link.reach if stage.start else None
    rows = within(rows, since, stage.end if stage.start else None)
    if rows.height < link.least:
        return None
    first = rows.row(0, named=True)
    new = stage.evidence.new(rows, link, since) if since else True
    return Found(link, first, stage.evidence.before(link, since) == 0 if since else True) if new else None


def _before(link: Link, core: Found, trigger: Trigger | None, stage: Scene) -> Found | None:
    """Find the first row between the change (or the reach of the core) and the core that the time before has not."""
    at = core.row["at"]
    since = trigger.at if trigger else at - max(core.link.reach, timedelta(hours=1))
    rows = within(stage.evidence.of(link), since, at + link.slack)
    told = [core.row["event_ids"][0], *([trigger.event_id] if trigger else [])]
    rows = rows.filter(~pl.col("event_ids").list.first().is_in(told))
    if rows.is_empty() or not stage.evidence.new(rows, link, since):
        return None
    return Found(link, rows.row(0, named=True), stage.evidence.before(link, since) == 0)


def _after(link: Link, core: Found, previous: datetime, stage: Scene) -> Found | None:
    if link.role:
        return _response(link, core, stage)
    anchor = core.row["at"]
    late = (previous + link.after) if link.after else None
    rows = within(stage.evidence.of(link), anchor - LATE, late)
    if rows.is_empty():
        return None
    return Found(link, rows.row(0, named=True), stage.evidence.before(link, anchor - LATE) == 0)


def _response(link: Link, core: Found, stage: Scene) -> Found | None:
    since = min(core.row["at"], stage.start or core.row["at"])
    acts = stage.points.filter((pl.col("role") == link.role) & (pl.col("at") >= since) & (pl.col("kinship") >= 1))
    acts = acts.filter(~pl.col("signature_id").str.contains(TALK)).sort("at", "source_id", "byte_offset")
    if acts.is_empty():
        return None
    row = acts.row(0, named=True)
    return Found(link, row | {"event_ids": [row["event_id"]], "until": row["at"], "detail": row["title"]}, True)


def _resolutions(inputs: Inputs, ids: set[str]) -> dict[str, timedelta]:
    """Tell how fine the time of each cited event is: order cannot be claimed below that."""
    frame = pl.DataFrame({"event_id": sorted(ids)}, schema={"event_id": pl.String})
    named = with_details(
        inputs, frame.with_columns(timestamp=pl.lit(None, pl.Datetime("us", "UTC")), signature_id=pl.lit(""))
    )
    rows = named.select("event_id", pl.col("resolution_us").fill_null(0)).iter_rows()
    return {event: timedelta(microseconds=unit) for event, unit in rows}


def _hypothesis(chain: Chain, links: dict[str, Found], trigger: Trigger | None, stage: Scene) -> Hypothesis:
    steps = _steps(chain, links, trigger, stage)
    against = _against(chain, links[chain.core.name], trigger, stage)
    points = _points(chain, links, trigger, steps, stage) | {"contradictions": -30.0 * len(against)}
    score = round(sum(points.values()), 1)
    return Hypothesis(
        chain=chain.id,
        title=_title(chain, links, trigger),
        score=score,
        strength=next(word for least, word in WORDS if score >= least),
        root=_root(chain, links, trigger, steps),
        steps=tuple(steps),
        missing=tuple(_missing(chain, links, trigger, stage)),
        against=tuple(against),
        points=points,
        refuted_by=chain.refuted,
    )


def _title(chain: Chain, links: dict[str, Found], trigger: Trigger | None) -> str:
    causes = [links[s.name] for s in chain.steps if s.name in links and (s.cause or s.core)]
    first = min(causes, key=lambda f: f.row["at"])
    cause = str(first.row["title"])
    where = f" on {first.row['host_name']}" if first.row["host_name"] else ""
    lower = cause if cause[1:2].isupper() else cause[:1].lower() + cause[1:]
    words = {"change": trigger.noun if trigger else "", "cause": lower, "where": where}
    return (chain.title if trigger else chain.alone).format(**words)


def _steps(chain: Chain, links: dict[str, Found], trigger: Trigger | None, stage: Scene) -> list[Step]:
    """Give the steps in the order of their times, and how sure each stands after the one before."""
    steps = [_trigger_step(trigger)] if trigger else []
    found = sorted((links[s.name] for s in chain.steps if s.name in links), key=lambda f: (f.row["at"], f.row["until"]))
    for number, each in enumerate(found):
        row = each.row
        order = "first" if not steps else _order(steps[-1], found[number - 1].row if number else None, row, stage)
        steps.append(
            Step(
                role=str(row.get("role") or row.get("prior") or "symptom"),
                title=spoken(row["message"]) if each.link.role and row.get("message") else str(row["title"]),
                signature_id=row["signature_id"],
                timestamp=row["at"],
                host_name=row["host_name"],
                service_name=row["service_name"],
                event_ids=tuple(row["event_ids"]),
                order=order,  # type: ignore[arg-type]
                detail=str(row.get("detail") or ""),
            )
        )
    return steps


def _order(before: Step, previous: dict[str, Any] | None, row: dict[str, Any], stage: Scene) -> str:
    end = previous["until"] if previous else before.timestamp
    unit = stage.resolutions.get(before.event_ids[0], timedelta(0)) if before.event_ids else timedelta(0)
    return "certain" if end is not None and end + unit <= row["at"] else "possible"


def _trigger_step(trigger: Trigger) -> Step:
    return Step(
        role="change",
        title=trigger.sentence,
        signature_id=trigger.signature_id,
        timestamp=trigger.at,
        host_name=trigger.mention.hosts[0] if len(trigger.mention.hosts) == 1 else trigger.host_name,
        service_name=trigger.mention.service or trigger.service_name,
        event_ids=(trigger.event_id,),
        detail=trigger.message,
    )


def _root(chain: Chain, links: dict[str, Found], trigger: Trigger | None, steps: list[Step]) -> Step:
    if trigger:
        return steps[0]
    ids = {
        e for s in chain.steps if s.name in links and (s.cause or s.core) for e in links[s.name].row["event_ids"][:1]
    }
    return next(s for s in steps if set(s.event_ids[:1]) & ids)


def _points(
    chain: Chain, links: dict[str, Found], trigger: Trigger | None, steps: list[Step], stage: Scene
) -> dict[str, float]:
    needed = [s for s in chain.steps if not s.optional]
    met, of = sum(s.name in links for s in needed), len(needed)
    if chain.change and chain.change.required:
        met, of = met + (trigger is not None), of + 1
    ordered = [s for s in steps if s.order != "first"]
    causal = [f for f in links.values() if f.link.core or f.link.cause or f.link.before_core]
    core = links[chain.core.name].row
    return {
        "required steps": round(40.0 * met / of, 1),
        "certain order": round(15.0 * sum(s.order == "certain" for s in ordered) / max(len(ordered), 1), 1),
        "novelty": round(15.0 * sum(f.new for f in causal) / len(causal), 1),
        "same entity": _entity(core, trigger, stage),
        "change shortly before": _nearness(trigger, core["at"], stage),
        "taken back": _taken_back(trigger, stage),
    }


def _entity(core: dict[str, Any], trigger: Trigger | None, stage: Scene) -> float:
    hosts = stage.touched.hosts | stage.touched.neighbours
    own = 5.0 if core["host_name"] in hosts or not hosts else 0.0
    if trigger is None:
        return own
    return own + {3: 5.0, 2: 4.0, 1: 1.0}.get(trigger.kinship, 0.0)


def _nearness(trigger: Trigger | None, core: datetime, stage: Scene) -> float:
    if trigger is None:
        return 0.0
    nearer = [
        t
        for t in stage.candidates
        if trigger.at < t.at < core
        and t.kinship >= 2
        and t.mention.service != trigger.mention.service
        and t.mention.version
    ]
    points = 10.0 if core - trigger.at <= DAY else 5.0
    return points - 4.0 if nearer else points


def _taken_back(trigger: Trigger | None, stage: Scene) -> float:
    if trigger is None or trigger.reverted is None:
        return 0.0
    recovered = stage.moments.get("recovered")
    return 10.0 if recovered and recovered.timestamp >= trigger.reverted else 5.0


def _missing(chain: Chain, links: dict[str, Found], trigger: Trigger | None, stage: Scene) -> list[dict[str, str]]:
    missing = []
    if chain.change and trigger is None:
        actions = ", ".join(chain.change.actions)
        missing.append(_miss("a change that precedes it", actions, "yes" if not chain.change.required else "no", stage))
    for link in chain.steps:
        if link.name not in links:
            looked = ", ".join(link.any) or f"events of the role {link.role}"
            missing.append(_miss(link.name, looked, "yes" if link.optional else "no", stage))
    return missing


def _miss(step: str, looked: str, optional: str, stage: Scene) -> dict[str, str]:
    return {"step": step, "looked_for": looked, "optional": optional, "where": stage.where}


def _against(chain: Chain, core: Found, trigger: Trigger | None, stage: Scene) -> list[dict[str, Any]]:
    against = []
    at = core.row["at"]
    if trigger:
        earlier = within(stage.evidence.of(core.link), None, trigger.at).filter(pl.col("until") < trigger.at)
        if not earlier.is_empty():
            text = f"{core.row['title']} was logged {earlier.height} times before the change"
            against.append({"text": text, "event_ids": list(earlier["event_ids"][-1])[:5]})
    for glob in chain.absent:
        rows = within(stage.evidence.of(Link(name="", any=(glob,))), at - core.link.reach, at + LATE)
        if not rows.is_empty() and stage.evidence.new(rows, Link(name="", any=(glob,)), at - core.link.reach):
            row = rows.row(0, named=True)
            text = f"{row['title']} at {row['at']:%Y-%m-%d %H:%M:%SZ} points to another cause"
            against.append({"text": text, "event_ids": list(row["event_ids"])[:5]})
    return against + _continues(core, stage)


def _continues(core: Found, stage: Scene) -> list[dict[str, Any]]:
    """Tell where the core goes on after recovery as it did before: then something else ended the impact."""
    recovered, start = stage.moments.get("recovered"), stage.start
    if recovered is None or start is None:
        return []
    rows = stage.evidence.of(core.link)
    during = within(rows, start - LATE, recovered.timestamp).height
    span = Interval(start - LATE, recovered.timestamp)
    later = within(rows, recovered.timestamp + LATE, recovered.timestamp + LATE + timedelta(seconds=span.seconds))
    later = later.filter(pl.col("at") > recovered.timestamp + LATE)
    if later.height * 2 < during or not during:
        return []
    text = f"{core.row['title']} goes on after recovery ({later.height} against {during} in as long a time)"
    return [{"text": text, "event_ids": list(later["event_ids"][0])[:5]}]

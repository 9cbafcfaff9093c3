"""Times that one source alone, or one block of it, cannot settle: dated anew when the whole stream was read.

A rotated log is one stream: which year its stamps without one are of, on which day a stamp without date stands, when
clocks were set back, is settled over all its files. A source is dated as it is read; where its stream says otherwise,
its parts are written anew. So the result depends neither on the order of work nor on where batches are cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from pirtimeline.ingest import marks
from pirtimeline.ingest.finish import carry_of
from pirtimeline.parsing import clock
from pirtimeline.parsing.clock import Known, TimeRule
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.turns import BUCKET, NOTHING, Turns, moved

EARLY = "blocks"
"""In a mark's `dated_with`: blocks were settled as they came, and the whole source says otherwise."""

_NEAR = 8
"""How many buckets around its stamps a stretch asks for steps back: no fold is longer."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What a source's set says of it: what its first stretch must know, and a digest of what that changes."""

    known: Known | None = None
    digest: str | None = None


ALONE = Beside()


def settled_alike(heard: Sequence[Turns], plan: SourcePlan) -> bool:
    """Tell whether blocks that were settled as they came are settled as the whole source has it."""
    if len(heard) < 3:
        return True
    exact = anchored(heard, plan.rule, ALONE, bounds=False)
    pasts = accumulate(heard, lambda past, told: clock.extended(past, told, plan.rule), initial=NOTHING)
    came = [
        carry_of(past, told, following, plan, bounds=False).known
        for past, told, following in zip(pasts, heard, [*heard[1:], None], strict=False)
    ]
    return all(
        _effect(one, told) == _effect(carry.known, told) for one, carry, told in zip(came, exact, heard, strict=True)
    )


def anchored(stretches: Sequence[Turns], rule: TimeRule, beside: Beside, *, bounds: bool = True) -> list[clock.Carry]:
    """Settle what each stretch of a source must know of the rest of it, and of its set.

    Args:
        stretches: what each tells, in the order of the source.
        rule: the source's rule.
        beside: what its set says of it.
        bounds: whether to settle what bounds undated rows too.

    Returns:
        A carry for each stretch, in the same order.
    """
    mine = clock.in_time(stretches, rule)
    found = clock.anchor(mine, rule, bounds=bounds) if beside.known is None else clock.carried(mine, beside.known, rule)
    return clock.in_time(found, rule)


def _effect(known: Known | None, told: Turns) -> tuple[object, ...]:
    """Say of what is known only what changes how a stretch is dated."""
    known = known or Known()
    spans = {kind: (first // BUCKET - _NEAR, last // BUCKET + _NEAR) for kind, (first, _, last) in told.ends.items()}
    near = [
        (key, found) for key, found in known.steps if key[0] in spans and spans[key[0]][0] <= key[1] <= spans[key[0]][1]
    ]
    year = (known.year, known.scattered) if "year" in told.tracks else None
    day = known.day if "date" in told.tracks else None
    order = (known.order, known.sure) if told.orders is not None else None
    return year, day, order, tuple(near)


def of_set(members: Sequence[tuple[SourcePlan, int, Turns]]) -> dict[str, Beside]:
    """Say of each source of a rotated set what the others tell, where that changes how it is dated.

    Args:
        members: plan, size in bytes and what it tells of each, in the order of the set.

    Returns:
        source id -> what stands beside it; sources that are dated as by themselves are left out.
    """
    bases = [*accumulate((size for _, size, _ in members), initial=0)]
    bases = [base + size * plan.rule.descending for base, (plan, size, _) in zip(bases, members, strict=False)]
    placed = [moved(told, base) for base, (_, _, told) in zip(bases, members, strict=True)]
    settled = clock.anchor(placed, [plan.rule for plan, _, _ in members], bounds=False)
    declared = any(plan.rule.year is not None for plan, _, _ in members)
    found = {}
    for base, carry, (plan, _, told) in zip(bases, settled, members, strict=True):
        own = clock.anchor([told], plan.rule, bounds=False)[0].known or Known()
        known = _as_own(carry.known or Known(), base)
        if declared or (plan.place is not None and plan.place.kept):
            known = replace(known, year=own.year, day=own.day, scattered=own.scattered)
        effect = _effect(known, told)
        if effect != _effect(own, told):
            found[plan.source_id] = Beside(known, marks.digest(repr(effect)))
    return found


def _as_own(known: Known, base: int) -> Known:
    """Count the places of clocks set back from the source's own first byte."""
    return replace(known, steps=tuple((key, (count, offset - base)) for key, (count, offset) in known.steps))


def sets_of(plans: Mapping[str, SourcePlan], committed: Collection[str]) -> list[list[str]]:
    """List the rotated sets whose sources are all read, each in its order."""
    found: dict[str, list[str]] = {}
    for key, plan in plans.items():
        if plan.place is not None:
            found.setdefault(plan.place.of, []).append(key)
    ordered = [sorted(keys, key=lambda key: _number(plans[key])) for _, keys in sorted(found.items())]
    return [keys for keys in ordered if len(keys) > 1 and all(key in committed for key in keys)]


def _number(plan: SourcePlan) -> int:
    return plan.place.place if plan.place else 0

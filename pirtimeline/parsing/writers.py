"""Which of the stamps in a source open its events: those of the programs that write into it, not those they quote.

A group is the lines of one source whose stamps are written alike with the same header before them. A group is a
writer's when it owns the rhythm of the file; a further one when it has a header of its own and its times run along
with the others', as those of a second program do. A date that a message quotes at the start of a line does neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]

_QUARTER = 900.0
_ACCEPTED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines of one source with stamps of one shape and mould and alike headers before them.

    `at` are the numbers of the lines, `when` their times in seconds (NaN where unreadable), `fields` how many parts
    before the stamp vary like free text, `words` how many different texts they have, `marked` the share of lines with
    a level or another certain header part, `bare` the share with nothing after the stamp, `enclosed` whether
    the stamp stands in brackets beside an address, `keyed` whether it stands behind a key.
    """

    shape: str
    mould: str
    prefix: str
    full: bool
    fields: int
    words: int
    marked: float
    bare: float
    enclosed: bool
    keyed: bool
    at: Places
    when: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a source's sample has besides groups: its `plain` lines (no stamp at all), where a sample piece `begins`.

    `first` is the first line that is not blank of the source's head, `eligible` the count of lines that could open an
    event and `stamped` of those with a stamp, `claimed` the lines that a named format opens, `claimed_when` their times.
    """

    first: int
    eligible: int
    stamped: int
    begins: Places
    plain: Places
    claimed: Places
    claimed_when: Times


def writers(groups: Sequence[Group], ground: Ground) -> tuple[Group, ...]:
    """Choose the groups whose lines open events, the weightiest first."""
    left = sorted(groups, key=lambda one: (-_weight(one), int(one.at[0]), one.shape, one.mould, one.prefix))
    chosen: list[Group] = []
    left = [one for one in left if _viable(one, ground)]
    if left and not len(ground.claimed):
        first = next((one for one in left if one.at[0] == ground.first and one.full), left[0])
        chosen, left = [first], [one for one in left if one is not first]
    while True:
        left = [rest for one in left if (rest := _without(one, chosen)) is not None]
        taken = next((one for one in left if _belongs(one, chosen, ground)), None)
        if taken is None:
            return tuple(chosen)
        chosen.append(taken)
        left = [one for one in left if one is not taken]


def _weight(one: Group) -> float:
    return len(one.at) * (2.0 if one.full else 1.0) * (1.5 if one.marked >= 0.5 else 1.0)


def _viable(one: Group, ground: Ground) -> bool:
    """Tell whether a group could be a writer's by itself."""
    share = len(one.at) / max(1, ground.eligible)
    if not one.full and share < 0.5 and not (one.marked >= 0.8 and len(one.at) >= 3):
        return False
    if one.fields == 0:
        return True
    if one.enclosed:
        return True
    if one.keyed and one.words == 1 and len(one.at) >= 2:
        return True
    steady = one.words <= max(3, len(one.at) * 0.2)
    return share >= 0.3 and steady and (one.fields <= 3 or len(one.at) >= 3)


def _without(one: Group, chosen: Sequence[Group]) -> Group | None:
    """Take from a group the lines that a chosen one opens already."""
    taken = np.concatenate([group.at for group in chosen]) if chosen else np.zeros(0, np.int64)
    kept = ~np.isin(one.at, taken)
    if kept.all():
        return one
    if kept.sum() <= len(one.at) * 0.2:
        return None
    return replace(one, at=one.at[kept], when=one.when[kept])


def _belongs(one: Group, chosen: Sequence[Group], ground: Ground) -> bool:
    """Weigh what speaks for a further writer against what speaks for quoted lines."""
    if any(one.shape == group.shape and one.prefix == group.prefix for group in chosen):
        return True
    if one.at[0] == ground.first and one.full:
        return True
    score = _along(one, chosen, ground)
    score += 2 if one.marked >= 0.8 or one.enclosed else -1 if one.marked < 0.2 else 0
    score -= 3 if one.bare >= 0.5 else 0
    runs = _runs(one.at, ground)
    score += 2 if len(one.at) >= 15 * runs else 1 if len(one.at) >= 5 * runs else 0
    score += 1 if one.full and not any(group.full for group in chosen) and not len(ground.claimed) else 0
    score += 2 if len(ground.plain) <= 0.05 * ground.stamped else 0
    score -= 1 if np.isin(one.at - 1, ground.plain).mean() >= 0.5 else 0
    score -= 3 if not one.full else 0
    return score >= _ACCEPTED


def _runs(at: Places, ground: Ground) -> int:
    """Count the runs of neighbouring lines, plain ones between them left out."""
    if len(at) < 2:
        return 1
    others = np.searchsorted(ground.plain, at)
    rank = at - others
    return int((np.diff(rank) > 1).sum()) + 1


def _along(one: Group, chosen: Sequence[Group], ground: Ground) -> int:
    """Tell whether a group's times run along with the chosen writers': 3 they do, -2 they do not, 0 nobody can say."""
    at = np.concatenate([ground.claimed, *[group.at for group in chosen]])
    when = np.concatenate([ground.claimed_when, *[group.when for group in chosen]])
    order = np.argsort(at, kind="stable")
    at, when = at[order], when[order]
    known = ~np.isnan(when)
    at, when = at[known], when[known]
    mine = ~np.isnan(one.when)
    if not len(at) or not mine.any() or not _ordered(when):
        return 0
    above = np.searchsorted(at, one.at[mine]) - 1
    below = np.minimum(above + 1, len(at) - 1)
    early = when[np.maximum(above, 0)]
    late = np.where(above + 1 < len(at), when[below], np.inf)
    shift = _zone_shift(one.when[mine] - early)
    moved = one.when[mine] - shift
    within = (moved >= early - 2) & (moved <= np.minimum(late, early + 86400) + 2)
    return 3 if within.mean() >= 0.8 else -2


def _ordered(when: Times) -> bool:
    """Tell whether times run forward but for a few."""
    return len(when) < 2 or float((np.diff(when) >= -2).mean()) >= 0.9


def _zone_shift(ahead: Times) -> float:
    """Give the offset between two writers' zones that their times suggest: whole quarters of an hour, up to 14 h."""
    middle = float(np.median(ahead))
    shift = float(np.floor(middle / _QUARTER + 0.1) * _QUARTER)
    return shift if abs(shift) <= 14 * 3600 else 0.0

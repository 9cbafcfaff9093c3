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

_QUARTER, _YEAR = 900.0, 365.25 * 86400
_STEPS = sorted(range(-56, 57), key=abs)
"""Offsets between two writers' zones in quarters of an hour, the nearest first."""

_FEW = 3
_WITH_YEAR = 978_307_200
"""2001 in seconds: a stamp without a year is read in 2000."""

_ACCEPTED = 3
_ALONE = 0.9
"""Share of the lines of headings that have nothing after their stamps."""

SINCE_START = "uptime"
"""The shape of seconds since a start, as the kernel's ring buffer has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines of one source with stamps of one shape and mould and alike headers before them.

    `at` are the numbers of the lines, `when` their times in seconds (NaN where unreadable), `fields` how many parts
    before the stamp vary like free text, `words` how many different texts they have, `marked` the share of lines with
    a level or another certain header part, `bare` the share with nothing after the stamp, `enclosed` whether
    the stamp stands in brackets beside an address, `zoned` whether it tells an offset, `keyed` whether a key stands
    before it.
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
    zoned: bool
    keyed: bool
    at: Places
    when: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a source's sample has besides groups.

    `first` is the first line that is not blank of the source's head, `eligible` the count of lines that could open an
    event and `stamped` of those with a stamp at their head; `plain` are the others, `prose` those of them that read
    like text; `claimed` are the lines that a named format opens, `claimed_when` their times.
    """

    first: int
    eligible: int
    stamped: int
    plain: Places
    prose: Places
    claimed: Places
    claimed_when: Times


def writers(groups: Sequence[Group], ground: Ground) -> tuple[Group, ...]:
    """Choose the groups whose lines open events, the weightiest first."""
    left = sorted(groups, key=lambda one: (-_weight(one), int(one.at[0]), one.shape, one.mould, one.prefix))
    chosen: list[Group] = []
    viable = [one for one in left if _viable(one, ground)]
    if viable and not len(ground.claimed):
        chosen = [next((one for one in viable if one.at[0] == ground.first), viable[0])]
    while chosen or len(ground.claimed):
        left = [rest for one in left if (rest := _without(one, chosen)) is not None]
        taken = next((one for one in left if _belongs(one, chosen, ground)), None)
        if taken is None:
            break
        chosen.append(taken)
    return tuple(chosen)


def _weight(one: Group) -> float:
    return len(one.at) * (2.0 if one.full else 1.0) * (1.5 if one.marked >= 0.5 else 1.0)


def _viable(one: Group, ground: Ground) -> bool:
    """Tell whether a group could be a writer's by itself."""
    share = len(one.at) / max(1, ground.eligible)
    opens = one.at[0] == ground.first and len(one.at) >= 2
    if one.full and one.bare >= 0.9 and one.words == 1 and one.fields <= 1 and len(one.at) >= 2:
        return True  # a heading that dates what stands below it
    if not one.full and share < 0.5 and not opens and not (one.marked >= 0.8 and len(one.at) >= 3):
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
    if any(_kin(one, group) for group in chosen) or _under_headings(one, chosen, ground):
        return True
    if not _viable(one, ground):
        return False
    if one.at[0] == ground.first and one.full:
        return True
    runs, others = _runs(one.at, ground), sum(len(group.at) for group in chosen) + len(ground.claimed)
    blocks = runs * 10 <= min(len(one.at), others)  # one file after the other, or a change of format: not quoted
    score = max(0, _along(one, chosen, ground)) + 2 if blocks else _along(one, chosen, ground)
    score += 2 if one.marked >= 0.8 or one.enclosed else -1 if one.marked < 0.2 else 0
    score += 3 if any(one.shape == group.shape and one.prefix == group.prefix for group in chosen) else 0
    score += 2 if len(ground.plain) <= 0.05 * ground.stamped else 0
    score += 2 if one.full and not any(group.full for group in chosen) and not len(ground.claimed) else 0
    score += 5 if not len(ground.claimed) and _never_quoted(one, chosen) else 0
    score -= 3 if one.bare >= 0.5 else 0
    score -= 4 if not blocks and _after_prose(one, chosen, ground) >= 0.3 else 0
    score -= 3 if not one.full else 0
    return score >= _ACCEPTED


def _under_headings(one: Group, chosen: Sequence[Group], ground: Ground) -> bool:
    """Tell whether a group's times of the day are most of a source, and the chosen stamps lines that tell the day."""
    lone = bool(chosen) and all(group.bare >= _ALONE for group in chosen) and not len(ground.claimed)
    return lone and not one.full and one.fields == 0 and len(one.at) >= ground.eligible * 0.5


def _kin(one: Group, other: Group) -> bool:
    """Tell whether two groups are one writer's that varies a little."""
    if one.full != other.full:
        return False
    if one.shape == other.shape == SINCE_START:  # padded or not, the seconds have the more digits the later it is
        return one.prefix.strip() == other.prefix.strip()
    alike_before = one.prefix == other.prefix and one.fields > 0
    return alike_before or (one.keyed and other.keyed and one.shape == other.shape and one.fields == other.fields == 0)


def _runs(at: Places, ground: Ground) -> int:
    """Count the runs of neighbouring lines, plain ones between them left out."""
    rank = at - np.searchsorted(ground.plain, at)
    return int((np.diff(rank) > 1).sum()) + 1


def _after_prose(one: Group, chosen: Sequence[Group], ground: Ground) -> float:
    """Give the share of events whose lines of this group stand right below a line of text, as a quotation does."""
    owners = np.sort(np.concatenate([ground.claimed, *[group.at for group in chosen]]))
    event = np.searchsorted(owners, one.at)
    quoted = event[np.isin(one.at - 1, ground.prose)]
    return len(np.unique(quoted)) / len(np.unique(event))


def _along(one: Group, chosen: Sequence[Group], ground: Ground) -> int:
    """Tell whether a group's times run along with the chosen writers': 3 they do, -4 they do not, 0 nobody can say."""
    at = np.concatenate([ground.claimed, *[group.at for group in chosen]])
    when = np.concatenate([ground.claimed_when, *[group.when for group in chosen]])
    order = np.argsort(at, kind="stable")
    at, when = at[order], when[order]
    if (when < _WITH_YEAR).any() != (one.when < _WITH_YEAR).any():  # one side has no years: compare within the year
        when, mine = when % _YEAR, one.when % _YEAR
    else:
        mine = one.when
    known, told = ~np.isnan(when), ~np.isnan(mine)
    at, when, mine = at[known], when[known], mine[told]
    if not len(at) or not len(mine) or not _ordered(when):
        return 0
    above = np.searchsorted(at, one.at[told]) - 1
    early = np.where(above >= 0, when[np.maximum(above, 0)], -np.inf)
    late = np.where(above + 1 < len(at), when[np.minimum(above + 1, len(at) - 1)], np.inf)
    apart = (
        [_QUARTER * step for step in _STEPS]
        if len(mine) >= _FEW or any(g.zoned != one.zoned for g in chosen)
        else [0.0]
    )
    shares = [_share(mine - shift, early, late) for shift in apart]
    if max(shares) < 0.8:
        return -4
    closest = apart[int(np.argmax(shares))]
    return 3 if closest == 0 or len(mine) >= _FEW else 0


def _never_quoted(one: Group, chosen: Sequence[Group]) -> bool:
    """Tell whether instants, offsets told, are all later than the events they stand in: nobody quotes those."""
    if not one.full or not one.zoned or one.fields or not all(group.zoned and group.full for group in chosen):
        return False
    at = np.concatenate([group.at for group in chosen])
    order = np.argsort(at, kind="stable")
    when = np.concatenate([group.when for group in chosen])[order]
    above = np.searchsorted(at[order], one.at) - 1
    later = (above >= 0) & (one.when > when[np.maximum(above, 0)])
    return bool(later.all())


def _share(moved: Times, early: Times, late: Times) -> float:
    """Give the share of times that lie between those of their neighbours."""
    return float(((moved >= early - 2) & (moved <= late + 2)).mean())


def _ordered(when: Times) -> bool:
    """Tell whether times run forward but for a few."""
    return len(when) < 2 or float((np.diff(when) >= -2).mean()) >= 0.9

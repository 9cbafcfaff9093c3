"""The header around a stamp, told from many lines of one source: which part is level, thread, logger, pid, host.

A part gets a role when it looks like it and stands where other lines have it too; the first part without a role is
where the message begins. A level further on is still read: then its group stands inside the message's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from pirtimeline.parsing.skeletons import is_kind, readable

MOST_HEADERS = 4
"""Different headers of one writer that get a pattern each; what else there is has its time and its message."""

SKIP = "-"
"""The role of a part that says nothing: the key of the stamp, an access log's unused field."""

_LEVEL_ROLES = {
    "U": "logger_name severity_text",
    "Y": "logger_name severity_text",
    "y": "thread_name severity_text",
    "z": "event_code severity_text__pri",
}
_FEW = 0.04
OPEN, CLOSE = "[(<", "])>"
_SEPARATED = re.compile(r"\s+-+\s|\s?:\s|:$|\s*\||\s--")


class Part(NamedTuple):
    """A part of a skeleton: what stands before it, its kind, and the bracket it stands in."""

    gap: str
    kind: str
    bracket: str


@dataclass(frozen=True, slots=True)
class Header:
    """The parts beside a stamp that are not message: each with the column it fills, or none; and what stands after."""

    parts: tuple[tuple[Part, str], ...]
    tail: str

    @property
    def columns(self) -> frozenset[str]:
        """Name the columns that it fills."""
        return frozenset(one.partition("__")[0] for _, role in self.parts for one in role.split() if one != SKIP)


@lru_cache(maxsize=4096)
def parts_of(skeleton: str) -> tuple[tuple[Part, ...], str]:
    """Take a skeleton apart; the second value is what stands after the last part.

    Example:
        >>> from pirtimeline.parsing.skeletons import skeleton
        >>> import polars as pl
        >>> parts, tail = parts_of(pl.select(skeleton(pl.lit(" [main] [WARN] - "))).item())
        >>> [(part.kind, part.bracket) for part in parts], tail
        ([('T', ''), ('L', '[')], ' - ')
    """
    parts: list[Part] = []
    gap = ""
    chars = iter(range(len(skeleton)))
    for at in chars:
        if not is_kind(skeleton[at]):
            gap += skeleton[at]
            continue
        before, inside = gap.rstrip(), skeleton[at + 1 :].lstrip()
        if before[-1:] in OPEN and before and inside[:1] == CLOSE[OPEN.index(before[-1])]:
            parts.append(Part(before[:-1], readable(skeleton[at]), before[-1]))
            for _ in range(skeleton.index(inside[0], at) - at):
                next(chars)
        else:
            parts.append(Part(gap, readable(skeleton[at]), ""))
        gap = ""
    return tuple(parts), gap


def headers(
    skeletons: Mapping[str, int], *, few_firsts: bool, taken: frozenset[str] = frozenset()
) -> dict[Header, int]:
    """Find the headers that lines have after their stamps, the longest first, and how many lines have each.

    Args:
        skeletons: what follows the stamps, and how many lines have it.
        few_firsts: whether few different texts stand first, as a host's name would.
        taken: columns that the text before the stamp fills.
    """
    lines = [(*parts_of(one), count) for one, count in sorted(skeletons.items())]
    seen = _Places([(parts, count) for parts, _, count in lines])
    found: Counter[Header] = Counter()
    for parts, tail, count in lines:
        found[_header(parts, tail, seen, few_firsts=few_firsts, taken=taken)] += count
    total = sum(found.values())
    kept = [(count, one) for one, count in found.items() if one.columns and (count >= total * _FEW or total < 25)]
    kept.sort(key=lambda pair: (-pair[0], str(pair[1])))
    best = [one for _, one in kept[:MOST_HEADERS]]
    return {one: found[one] for one in sorted(best, key=lambda one: (-len(one.parts), -found[one], str(one)))}


class _Places:
    """How often each kind of part stands at each place, over the lines of one writer."""

    def __init__(self, lines: Sequence[tuple[tuple[Part, ...], int]]) -> None:
        self.total = max(1, sum(count for _, count in lines))
        self._kinds: Counter[tuple[int, str, str]] = Counter()
        self._at: Counter[tuple[int, str]] = Counter()
        for parts, count in lines:
            for at, part in enumerate(parts):
                bracket = "[" if part.kind in "TG" else part.bracket
                self._kinds[at, part.kind, bracket] += count
                self._at[at, bracket] += count

    def share(self, at: int, kinds: str, bracket: str = "") -> float:
        """Give the share of lines with one of these kinds at a place, of those with such a bracket there."""
        return sum(self._kinds[at, kind, bracket] for kind in kinds) / max(1, self._at[at, bracket])

    def of_all(self, at: int, kinds: str) -> float:
        """Give the share of all lines with one of these kinds, in any bracket or none, at a place."""
        return sum(self._kinds[at, kind, bracket] for kind in kinds for bracket in ("", *OPEN)) / self.total


def _header(parts: tuple[Part, ...], tail: str, seen: _Places, *, few_firsts: bool, taken: frozenset[str]) -> Header:
    """Give each part its role, up to the last that has one."""
    level = -1 if "severity_text" in taken else _level_place(parts, seen)
    used = set(taken)
    found: list[tuple[Part, str]] = []
    open_ = True
    for at, part in enumerate(parts):
        after = parts[at + 1].gap if at + 1 < len(parts) else tail
        role = (
            _role(parts, at, after, level, seen, few_firsts=few_firsts, found=found, taken=taken)
            if open_ or at == level
            else ""
        )
        if at > 0 and part.gap == "" and role and not (part.bracket or part.kind in "TtUEcy" or at == level):
            role = ""
        role = "" if any(column.partition("__")[0] in used for column in role.split() if column != SKIP) else role
        open_ = open_ and bool(role)
        used.update(column.partition("__")[0] for column in role.split())
        found.append((part, role))
        if not open_ and at >= level:
            break
    while found and not found[-1][1]:
        found.pop()
    found = _numbered_threads(found)
    rest = parts[len(found)].gap if len(found) < len(parts) else tail
    return Header(tuple(found), rest)


def _numbered_threads(found: list[tuple[Part, str]]) -> list[tuple[Part, str]]:
    """Take `[7]` before a level and a logger for a thread, as log4net writes it; alone it is a process."""
    roles = [role for _, role in found]
    if "logger_name" not in roles or any("thread_name" in role for role in roles):
        return found
    return [(part, "thread_name" if role == "process_pid" and part.bracket == "[" else role) for part, role in found]


def _level_place(parts: tuple[Part, ...], seen: _Places) -> int:
    """Say which part is the level, -1 where none is."""
    for at, part in enumerate(parts[:6]):
        after = parts[at + 1].gap if at + 1 < len(parts) else " "
        if part.kind in "QX":
            return -1
        if part.kind in "UYyz" or (part.kind in "LMl" and part.bracket):
            return at
        if part.kind in "LMl" and after.isspace() and parts[at + 1 : at + 2] and parts[at + 1].kind == "P":
            return at  # `info vpxd[4712]`, `web1 err httpd[71]:`
        if part.kind == "i" and part.bracket == "[" and at < 4:
            return at
        if part.kind in "LM" and (not _in_sentence(parts, at) or seen.of_all(at, "LM") >= 0.3):
            return at
        if part.kind in "li" and not part.bracket and _weak_level(parts, at, after, seen):
            return at
    return -1


def _weak_level(parts: tuple[Part, ...], at: int, after: str, seen: _Places) -> bool:
    """Tell whether a word such as `info` or a letter such as `W` is a level where it stands."""
    if _in_sentence(parts, at):
        return False
    loud = re.match(r"\s*[|\]]|:\s|/", after) is not None
    share = seen.of_all(at, "LMli")
    many = (seen.total >= 3 and share >= 0.6) or (seen.total == 2 and share == 1 and at <= 1)
    return many or (at == 0 and loud)


def _in_sentence(parts: tuple[Part, ...], at: int) -> bool:
    """Tell whether plain words run into a part, as they do in a sentence."""
    return any(
        one.kind in "wliK" and not one.bracket and following.gap.isspace()
        for one, following in pairwise(parts[: at + 1])
    )


def _role(
    parts: tuple[Part, ...],
    at: int,
    after: str,
    level: int,
    seen: _Places,
    *,
    few_firsts: bool,
    found: Sequence[tuple[Part, str]],
    taken: frozenset[str],
) -> str:
    part = parts[at]
    before_level = level > at >= level - 2
    past_level = any("severity_text" in role or "thread_name" in role for _, role in found)
    if at == level:
        return _LEVEL_ROLES.get(part.kind, "severity_text")
    if part.kind in "LM" and "severity_text" in taken and at <= 2:
        return SKIP
    if part.kind == "E":
        return "process_pid thread_name"
    if part.kind == "t" and past_level:
        return "thread_name"
    if part.gap == "/" and at == level + 1 > 0 and after.startswith("]"):
        return "process_name"  # Celery's `INFO/MainProcess]`
    if part.kind == "c":
        return "source_ip"
    if part.kind == "T" or (part.bracket == "[" and part.kind in "wCDN" and seen.share(at, "T", "[") >= 0.3):
        return "thread_name"
    if part.kind == "P":
        return "process_name process_pid"
    if part.kind == "H" and (part.bracket or past_level or before_level):
        return "trace_id"
    if part.kind == "A" and part.bracket == "[" and at <= level + 2:
        return "source_ip"
    if part.kind in "NZB" and not part.bracket.strip("["):
        return _number_role(parts, at, after, level, seen)
    if part.kind in "wDCA" and not part.bracket and at == 0:
        if len(parts) > 1 and parts[1].gap.isspace() and parts[1].kind == "P":
            return "host_name"
        if few_firsts and _names_process(parts, 1):
            return "host_name"
    if part.kind in "wD" and at == 1 and few_firsts and found[0][1] == "host_name" and _names_process(parts, 1):
        return "process_name"
    if level > at and part.kind in "wDC" and part.gap.strip() in ("-", "|") and _SEPARATED.match(after):
        return "logger_name"
    return _logger_role(part, at, after, seen, past_level=past_level)


def _names_process(parts: tuple[Part, ...], at: int) -> bool:
    """Tell whether a part reads like syslog's `sudo: `."""
    named = len(parts) > at + 1 and parts[at].kind in "wD" and not parts[at].bracket and parts[at].gap == " "
    return named and parts[at + 1].gap.startswith(": ")


def _number_role(parts: tuple[Part, ...], at: int, after: str, level: int, seen: _Places) -> str:
    part = parts[at]
    if part.gap.endswith("#") and at == 0 and after.startswith("]"):
        return "process_pid"  # Ruby's `[2024-04-21T12:00:00.123456 #71]`
    if part.gap.strip() in ("", "]") and after == "#" and at == level + 1:
        return "process_pid"  # nginx's `[error] 71#0: `
    if part.gap == "#" and at == level + 2 and after.startswith(":"):
        return "thread_name"
    if at == 0 and len(parts) > 1 and parts[1].kind == "F" and (parts[2].gap if len(parts) > 2 else "").startswith("]"):
        return "process_pid"  # glog's `I0421 12:33:04.123456 71 cache.cc:12] `
    beside_level = level > at >= level - 2 or (at == level + 1 and after.strip().startswith("--"))
    if not (beside_level or (part.bracket == "[" and at <= 1)):
        return ""
    if seen.share(at, "ZB", part.bracket) > 0:
        return "thread_name"
    return "process_pid"


def _logger_role(part: Part, at: int, after: str, seen: _Places, *, past_level: bool) -> str:
    ends = _SEPARATED.match(after) is not None
    if part.kind == "C" and not part.bracket and (past_level or ends):
        return "logger_name"
    if part.bracket == "[" and (part.kind == "C" or (part.kind == "D" and past_level)):
        return "logger_name"
    if (
        part.kind in "wDJC"
        and not part.bracket
        and past_level
        and ends
        and part.gap.strip() in ("", "|", "-", ":", "]")
    ):
        steady = seen.share(at, "wDJC") >= 0.6
        return "logger_name" if steady and (seen.total >= 3 or after.startswith(" - ")) else ""
    return ""


def before_stamp(skeletons: Sequence[str]) -> tuple[Header, ...]:
    """Lay the prefixes of one writer over each other and give their parts roles.

    Args:
        skeletons: what stands before the stamps, one a line.

    Returns:
        The usual prefix and, last, one that all of them have; one alone where they are alike.
    """
    laid = Counter(skeletons)
    alike: dict[object, list[str]] = {}
    for one in sorted(laid):
        parts = parts_of(one)[0]
        key = tuple((part.gap.strip(), part.bracket) for part in parts), bool(parts) and parts[0].kind == "A"
        alike.setdefault(key, []).append(one)
    usual = max(alike.values(), key=lambda ones: sum(laid[one] for one in ones))
    return (_laid_over(usual),) if len(alike) == 1 else (_laid_over(usual), _laid_over(sorted(laid)))


def _laid_over(skeletons: Sequence[str]) -> Header:
    laid = [parts_of(one) for one in skeletons]
    tail = laid[0][1]
    if len({tuple((part.gap.strip(), part.bracket) for part in parts) for parts, _ in laid}) > 1:
        return Header(((Part("", "S", ""), ""),), tail)
    parts = tuple(_common(column) for column in zip(*(parts for parts, _ in laid), strict=True))
    if parts and parts[-1].kind == "K" and not tail.strip("\"'"):
        parts = (*parts[:-1], parts[-1]._replace(kind="K="))  # `time=`, its value being the stamp
    return Header(tuple(zip(parts, _roles_before(parts, tail), strict=True)), tail)


def _common(parts: Sequence[Part]) -> Part:
    kinds = {one.kind for one in parts}
    kind = parts[0].kind if len(kinds) == 1 else "A" if kinds <= set("A") else "w"
    return parts[0]._replace(kind=kind)


def _roles_before(parts: Sequence[Part], tail: str) -> list[str]:
    bare = [part.kind for part in parts if not part.bracket]
    if len(parts) == 3 and len(bare) == 3 and bare[0] == "A" and tail.endswith("["):
        return ["source_ip", SKIP, "user_name"]
    if len(parts) == 2 and len(bare) == 2 and set(bare) <= set("wD") and tail.startswith(":") and parts[1].gap == " ":
        return ["host_name", "process_name"]
    roles: list[str] = []
    for at, part in enumerate(parts):
        after = parts[at + 1].gap if at + 1 < len(parts) else tail
        role = _role_before(part, at, after)
        roles.append(role if role == SKIP or role not in roles else "")
    return roles


def _role_before(part: Part, at: int, after: str) -> str:
    marked = part.bracket or after.startswith((",", "|", "/", ":")) or (at == 0 and after.strip() == "[")
    if part.kind in "LMl" or (part.kind == "i" and marked):
        return "severity_text"
    if part.kind == "I":
        return "severity_text__pri"
    if part.kind == "K=":
        return SKIP
    if part.kind == "N" and part.bracket == "[":
        return "process_pid"
    if part.kind == "H" and part.bracket:
        return "trace_id"
    plain = {"T": "thread_name", "P": "process_name process_pid", "A": "source_ip" if at == 0 else ""}
    return plain.get(part.kind, "")

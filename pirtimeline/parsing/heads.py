r"""Headers read while lines are framed: one look at a line tells whether it opens an event, and what its header says.

What stands last in a header is most often its message, to the end of the line. That is not matched but taken as it is:
the regex ends where the message begins. It begins at the same place in every text that the whole regex matches, since
`.*` takes any rest of a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from pirtimeline.parsing.plugin import Format, Pattern
from pirtimeline.parsing.repeated import any_digits, repeated

Lines = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_HEAD = "_head"
_PLAIN = "(?P<message>.*)$"
_OPTIONAL = "(?: (?P<message>.*))?$"
_STRICT = (r"(?P<message>(?:[^\s].*)?)$", r"(?P<message>(?:[^\s|:>\x{2013}\x{2014}-].*)?)$")
"""Ends of the regexes that `onepass` composes."""

_TAILS = {
    _PLAIN: "",
    _OPTIONAL: "(?: |$)",
    **{tail: tail.replace("(?P<message>(?:", "(?:").replace(".*)?)$", "|$)") for tail in _STRICT},
}
"""Ends of regexes -> what is left to be seen of them where the message is taken as it is."""

_TRIED = 64
"""First texts that tell whether a pattern's `quick` regex is worth its while."""

_FLAGS = re.compile(r"\(\?[imsuUxR-]+\)")
_NAMED = re.compile(r"\(\?P?<[A-Za-z_]\w*>")


@dataclass(frozen=True, slots=True)
class Captured:
    """What one pattern says of the lines it matches: which lines, in order, and a row of groups for each."""

    lines: Lines
    groups: pl.DataFrame

    def holds(self, lines: Lines) -> npt.NDArray[np.bool_]:
        """Tell of lines in order which of them matched."""
        if np.array_equal(lines, self.lines):
            return np.ones(len(lines), np.bool_)
        return np.isin(lines, self.lines, assume_unique=True)

    def of(self, lines: Lines) -> pl.DataFrame:
        """Give the rows of lines that matched, in their order."""
        if len(lines) == len(self.lines):
            return self.groups
        return self.groups[np.searchsorted(self.lines, lines)]


def readable(one: Format) -> bool:
    """Tell whether a format's patterns alone say which lines open its events, and of one line each.

    Example:
        >>> readable(Format(name="a_b", title="", patterns=(Pattern(regex="^(?P<message>.*)$", undated=True),)))
        True
    """
    alone = one.kind == "lines" and not one.starts and bool(one.patterns)
    return alone and all(pattern.header_lines == 1 for pattern in one.patterns)


def capture(texts: pl.Series, lines: Lines, patterns: Sequence[Pattern]) -> dict[str, Captured]:
    """Read lines by patterns in turn, each those that the patterns before it left; give what each says by its regex.

    The first pattern is that of most lines. Of what it leaves, which is most often no header at all, the lines that any
    other pattern matches are found at once.
    """
    found = {}
    for place, pattern in enumerate(patterns):
        if place == 1:
            likely = texts.str.contains("|".join(_nameless(other.regex) for other in patterns[1:]))
            texts, lines = texts.filter(likely), lines[likely.to_numpy()]
        matched, groups = read(texts, pattern)
        found[pattern.regex] = Captured(lines[matched], groups)
        texts, lines = texts.filter(pl.Series(~matched)), lines[~matched]
    return found


def read(texts: pl.Series, pattern: Pattern) -> tuple[Flags, pl.DataFrame]:
    """Match texts by a pattern, first by its `quick` regex where most of them are what that is for.

    Example:
        >>> both = Pattern(regex="^(?P<host_name>a|b)(?P<message>.*)$", quick="^(?P<host_name>a)(?P<message>.*)$")
        >>> matched, groups = read(pl.Series(["b1", "a2", "c3", "a4"]), both)
        >>> matched.tolist(), groups.rows()
        ([True, True, False, True], [('b', '1'), ('a', '2'), ('a', '4')])
    """
    if not pattern.quick or texts.head(_TRIED).str.contains(pattern.quick).sum() * 2 < min(len(texts), _TRIED):
        return groups_of(texts, pattern.regex, lines=pattern.header_lines)
    matched, groups = groups_of(texts, pattern.quick, lines=pattern.header_lines, onepass=True)
    return _with_more(matched, groups, texts, pattern.regex, pattern.header_lines)


def _with_more(
    matched: Flags, groups: pl.DataFrame, texts: pl.Series, regex: str, lines: int
) -> tuple[Flags, pl.DataFrame]:
    """Read by a regex the texts that do not match yet; changes and returns `matched`."""
    left = np.flatnonzero(~matched)
    more, rest = _groups_of(texts.gather(left), regex, lines)
    if not rest.height:
        return matched, groups
    order = np.argsort(np.concatenate([np.flatnonzero(matched), left[more]]))
    matched[left[more]] = True
    return matched, pl.concat([groups, rest], how="diagonal")[order]


def groups_of(texts: pl.Series, regex: str, *, lines: int = 1, onepass: bool = False) -> tuple[Flags, pl.DataFrame]:
    r"""Match texts of at most so many lines: which do, and the groups of those.

    Args:
        texts: the texts.
        regex: with groups.
        lines: how many lines a text may have.
        onepass: whether each character leaves the regex one way to go on; some regexes tell that by their end.

    Example:
        >>> matched, groups = groups_of(pl.Series(["1 up", "down"]), r"^(?P<process_pid>\d+) (?P<message>.*)$")
        >>> matched.tolist(), groups.rows()
        ([True, False], [('1', 'up')])
    """
    once = _by_headers(texts, regex) if lines == 1 and (onepass or regex.endswith(_STRICT)) else None
    return _groups_of(texts, regex, lines) if once is None else _with_more(*once, texts, regex, lines)


def _by_headers(texts: pl.Series, regex: str) -> tuple[Flags, pl.DataFrame] | None:
    """Read the texts whose headers repeat, each header once; None where they do not, or the regex is none for it."""
    short, tail = _shortened(regex)
    if tail not in (_PLAIN, *_STRICT) or not any_digits(regex):
        return None
    first = texts.head(_TRIED).str.extract_groups(short).struct.unnest().drop_nulls(_HEAD).head(1)
    if first.is_empty() or (found := repeated(texts, *first.select(_HEAD, "timestamp_text").row(0))) is None:
        return None
    hit, told = _groups_of(found.headers, regex, 1)
    bare = (told["message"] == "") & (told["timestamp_text"] == first["timestamp_text"].item())
    good = pl.Series(hit).scatter(np.flatnonzero(hit), bare).gather(found.header)
    place = pl.Series(np.cumsum(hit) - 1).gather(found.header).filter(good)
    stamps, messages = found.stamps.filter(good), found.messages.filter(good)
    groups = told.select(pl.all().gather(place)).with_columns(timestamp_text=stamps, message=messages)
    matched = np.zeros(len(texts), np.bool_)
    matched[found.rows[good.to_numpy()]] = True
    return matched, groups


def _groups_of(texts: pl.Series, regex: str, lines: int) -> tuple[Flags, pl.DataFrame]:
    short, tail = _shortened(regex) if lines == 1 else _marked(regex)
    found = texts.str.extract_groups(short).struct.unnest()
    hit = found[_HEAD].is_not_null()
    matched = hit.to_numpy()
    if not matched.all():
        found, texts = found.filter(hit), texts.filter(hit)
    return matched, _with_message(found, texts, tail).drop(_HEAD)


def _with_message(found: pl.DataFrame, texts: pl.Series, tail: str) -> pl.DataFrame:
    if not tail:
        return found
    head, text = pl.col(_HEAD), pl.lit(texts)
    rest = text.str.strip_prefix(head)
    if tail == _OPTIONAL:
        rest = pl.when(text != head).then(rest.str.strip_prefix(" "))
    return found.with_columns(rest.alias("message"))


@cache
def _shortened(regex: str) -> tuple[str, str]:
    """Give a regex that ends before the message, with the head as a group, and which tail it had; else none."""
    for tail, test in _TAILS.items():
        head = regex.removesuffix(tail)
        if head != regex and head.startswith("^") and not _has_choice(head):
            return f"^(?P<{_HEAD}>{head[1:]}){test}", tail
    return _marked(regex)


def _marked(regex: str) -> tuple[str, str]:
    """Give a regex with an empty group that tells whether it matched."""
    return f"(?P<{_HEAD}>)(?:{regex})", ""


def _nameless(regex: str) -> str:
    """Give a regex without its groups' names, as an alternative among others."""
    return f"(?:{_NAMED.sub('(?:', regex)})"


def _has_choice(regex: str) -> bool:
    """Tell whether alternatives or flags stand outside all groups of a regex."""
    depth, at, in_class = 0, 0, False
    while at < len(regex):
        char = regex[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class, at = True, at + (2 if regex[at + 1 : at + 2] == "^" else 1)
        elif char in "()":
            depth += 1 if char == "(" else -1
            if _FLAGS.match(regex, at):
                return True
        elif char == "|" and not depth:
            return True
        at += 1
    return False

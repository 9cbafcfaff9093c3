"""Regular expressions as Sigma's authors write them (PCRE, of which Python reads all that matters), for Rust's engine.

The two dialects agree but for a few spellings. What Rust's engine cannot do (look-around, back-references) is said by
`to_rust` returning None: such a test runs in Python over the rows that are left, see `slow`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

import polars as pl

META = frozenset("\\.+*?()|[]{}^$#&-~")
MAX_VARIANTS = 64
"""More spellings than this of one literal are not worth a needle each."""

Literals = frozenset[str]


@lru_cache(maxsize=65536)
def to_rust(pattern: str, flags: str = "") -> str | None:
    r"""Spell a pattern for Rust's engine, or give None where that engine cannot run it.

    In Rust `\<` and `\>` are word boundaries, a bracket within a class opens another, and `&&`, `--`, `~~` are set
    operators; in PCRE all of these are plain characters.

    Example:
        >>> to_rust(r"\<script\>", "i")
        '(?i)<script>'
        >>> to_rust(r"a(?!b)") is None
        True
    """
    by_line = "m" in flags or re.search(r"\(\?[a-ln-z]*m", pattern) is not None
    rust = (f"(?{flags})" if flags else "") + _respelled(pattern, "$" if by_line else r"(?:\n?\z)")
    try:
        pl.Series([""]).str.contains(rust)
    except pl.exceptions.ComputeError:
        return None
    return rust


def escaped(literal: str) -> str:
    """Spell a literal so that Rust's engine takes it as it stands.

    Example:
        >>> escaped("a.b*")
        'a\\\\.b\\\\*'
    """
    return "".join(f"\\{c}" if c in META else c for c in literal)


def _respelled(pattern: str, end: str) -> str:
    out: list[str] = []
    at, within = 0, False
    while at < len(pattern):
        char, following = pattern[at], pattern[at + 1 : at + 2]
        if char == "\\" and following:
            out.append({"<": "<", ">": ">", "Z": "\\z"}.get(following, char + following))
            at += 2
            continue
        if within:
            within = char != "]"
            out.append(f"\\{char}" if char in "[&~" or (char == "-" and following == "-") else char)
        else:
            out.append(end if char == "$" else char)
            if char == "[":
                within = True
                head = pattern[at + 1 : at + 3]
                # a bracket that closes right after the opening one is a member of the class
                for mark in ("^]", "]", "^"):
                    if head.startswith(mark):
                        out.append(mark.replace("]", "\\]"))
                        at += len(mark)
                        break
        at += 1
    return "".join(out)


@lru_cache(maxsize=65536)
def literals(pattern: str, flags: str = "") -> Literals | None:
    """Find lower-cased literals of which one must stand in every text that the pattern matches, or None.

    Example:
        >>> sorted(literals(r"^(?:Dumping heap to|Heap dump file) \\S+") or [])
        ['dumping heap to ', 'heap dump file ']
        >>> literals(r"\\d+") is None
        True
    """
    if "x" in flags or "(?x" in pattern:
        return None
    try:
        found, _, at = _alternatives(pattern, 0)
    except (IndexError, ValueError):
        return None
    return found if at == len(pattern) else None


def longest(candidates: list[Literals]) -> Literals | None:
    """Choose the set of literals that promises the fewest rows: the one whose shortest member is the longest."""
    usable = [c for c in candidates if c and min(map(len, c)) > 0]
    return max(usable, key=lambda c: (min(map(len, c)), -len(c))) if usable else None


Spellings = tuple[str, ...] | None
"""All texts that a part of a pattern matches, where they are few and plain."""


def _alternatives(pattern: str, at: int) -> tuple[Literals | None, Spellings, int]:
    """Read `a|b|c` up to a closing parenthesis or the end: each branch must have its literals."""
    branches: list[Literals | None] = []
    spelled: list[Spellings] = []
    while True:
        found, spellings, at = _sequence(pattern, at)
        branches.append(found)
        spelled.append(spellings)
        if at >= len(pattern) or pattern[at] != "|":
            break
        at += 1
    known = [b for b in branches if b is not None]
    plain = [s for s in spelled if s is not None]
    texts = tuple(dict.fromkeys(text for each in plain for text in each)) if len(plain) == len(spelled) else None
    return (frozenset().union(*known) if len(known) == len(branches) else None), texts, at


def _sequence(pattern: str, at: int) -> tuple[Literals | None, Spellings, int]:
    """Read one branch: runs of literal characters (with few variants), groups, classes, quantifiers."""
    found: list[Literals] = []
    run: list[str] = [""]
    plain = True
    while at < len(pattern) and pattern[at] not in "|)":
        atom, group, at = _atom(pattern, at)
        least, once, at = _quantifier(pattern, at)
        fits = atom is not None and len(run) * len(atom) <= MAX_VARIANTS
        if fits and least and atom is not None:
            run = [a + b for a, b in product(run, atom)]
            if once:
                continue
        plain = False
        found.append(frozenset(run))
        run = [""]
        if group and least:
            found.append(group)
    return longest([*found, frozenset(run)]), (tuple(run) if plain else None), at


CLASSES = frozenset("dDwWsSbBAzZpP")


def _atom(pattern: str, at: int) -> tuple[tuple[str, ...] | None, Literals | None, int]:
    """Read one atom: its spellings where they are few, else the literals that a group demands."""
    char = pattern[at]
    if char == "\\":
        following = pattern[at + 1]
        if following in "xuUNkg0123456789pP":
            raise ValueError(following)
        if following in CLASSES:
            return None, None, at + 2
        known = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
        return (known.get(following, following).lower(),), None, at + 2
    if char == "[":
        return _class(pattern, at)
    if char == "(":
        return _group(pattern, at)
    return (None if char in ".^$" else (char.lower(),)), None, at + 1


def _class(pattern: str, at: int) -> tuple[tuple[str, ...] | None, Literals | None, int]:
    """Read a bracket: few plain characters are spellings, anything else is unknown."""
    end = at + 1 + (pattern[at + 1] == "^")
    end += pattern[end] == "]"
    while pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    body = pattern[at + 1 : end]
    plain = 0 < len(body) <= 4 and not set(body) & set("^\\-[]&~")
    return (tuple(sorted(set(body.lower()))) if plain else None), None, end + 1


def _group(pattern: str, at: int) -> tuple[tuple[str, ...] | None, Literals | None, int]:
    """Read a group, skipping its name or flags; look-around demands nothing."""
    inner, demands = at + 1, True
    if pattern[inner] == "?":
        head = pattern[inner + 1]
        if head in "=!" or pattern[inner + 1 : inner + 3] in ("<=", "<!"):
            demands = False
            inner += 2 + (head == "<")
        elif head in "P<":
            inner = pattern.index(">", inner) + 1
        else:
            stop = min(i for i in (pattern.find(":", inner), pattern.find(")", inner)) if i >= 0)
            if "x" in pattern[inner:stop]:
                raise ValueError("x")
            if pattern[stop] == ")":
                return ("",), None, stop + 1
            inner = stop + 1
    found, spellings, end = _alternatives(pattern, inner)
    if pattern[end] != ")":
        raise ValueError(pattern)
    return (spellings if demands else None), (found if demands else None), end + 1


def _quantifier(pattern: str, at: int) -> tuple[bool, bool, int]:
    """Read `?`, `*`, `+`, `{m,n}`: is one occurrence sure, is there exactly one, and where reading goes on."""
    char = pattern[at : at + 1]
    least = once = True
    if char in ("?", "*", "+") and char:
        least, once, at = char == "+", False, at + 1
    elif char == "{" and "}" in pattern[at:] and pattern[at + 1].isdigit():
        end = pattern.index("}", at)
        least, once, at = int(pattern[at + 1 : end].split(",", maxsplit=1)[0]) > 0, False, end + 1
    else:
        return True, True, at
    return least, once, at + (pattern[at : at + 1] in ("?", "+"))

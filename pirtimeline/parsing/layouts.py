r"""The small language in which timestamps are described: a Rust regex with fields in angle brackets.

`<d>/<b>/<Y>:<H>:<M>:<S> <z>` is the stamp of an access log. Outside the brackets stands plain regex (no groups but
`(?:...)`, no look-around); inside stands the name of a field of `FIELDS`. A chrono format is translated into it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from pirtimeline.errors import FormatError

_OFFSET = r"[+-](?:0[0-9]|1[0-4])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"

FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Y": ("year", r"[12][0-9]{3}"),
        "y": ("year2", r"[0-9]{2}"),
        "m": ("month", r"(?:0[1-9]|1[0-2])"),
        "mm": ("month", r"(?:1[0-2]|0?[1-9])"),
        "d": ("day", _DAY),
        "dd": ("day", r"(?:[12][0-9]|3[01]|[ 0]?[1-9])"),
        "d1": ("day", r"(?:[12][0-9]|3[01]|0?[1-9])"),
        "j": ("yday", r"(?:[0-2][0-9]{2}|3[0-6][0-9])"),
        "b": ("month_name", ""),
        "a": ("weekday", r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"),
        "A": ("weekday", r"\p{L}{2,12}\.?"),
        "H": ("hour", r"(?:[01][0-9]|2[0-3])"),
        "HH": ("hour", r"(?:2[0-3]|1[0-9]|[ 0]?[0-9])"),
        "H1": ("hour", r"(?:2[0-3]|1[0-9]|0?[0-9])"),
        "M": ("minute", r"[0-5][0-9]"),
        "MM": ("minute", r"[0-5]?[0-9]"),
        "S": ("second", r"(?:[0-5][0-9]|60)"),
        "SS": ("second", r"(?:60|[0-5]?[0-9])"),
        "f": ("fraction", r"[0-9]{1,9}"),
        "f3": ("fraction", r"[0-9]{3}"),
        "f6": ("fraction", r"[0-9]{6}"),
        "f9": ("fraction", r"[0-9]{9}"),
        "fc": ("fraction", r"[0-9]{3,9}"),
        "ms": ("millis", r"[0-9]{1,3}"),
        "p": ("half", ""),
        "z": ("zone", rf"(?:[Zz]\b|{_OFFSET}(?::?[0-5][0-9](?::?[0-5][0-9])?)?\b)"),
        "z4": ("zone", rf"(?:Z\b|{_OFFSET}:?[0-5][0-9]\b)"),
        "zm": ("zone", r"[+-][0-9]{3}\b"),
        "west": ("west", r"[+-][0-9]{1,3}"),
        "W": ("zone", ""),
        "Z": ("zone", r"(?:[A-Za-z][A-Za-z0-9_/+-]*|[+-][0-9]{2}(?::?[0-9]{2})?)"),
        "n1": ("first", r"[0-9]{1,2}"),
        "n2": ("second_number", r"[0-9]{1,2}"),
        "n3": ("third", r"[12][0-9]{3}"),
        "y3": ("third", r"[0-9]{2}"),
        "epoch_s": ("epoch_s", r"-?[0-9]{1,11}"),
        "epoch_ms": ("epoch_ms", r"-?[0-9]{1,14}"),
        "epoch_us": ("epoch_us", r"-?[0-9]{1,17}"),
        "epoch_ns": ("epoch_ns", r"-?[0-9]{1,19}"),
        "s10": ("epoch_s", r"[12][0-9]{9}"),
        "s13": ("epoch_ms", r"[12][0-9]{12}"),
        "s16": ("epoch_us", r"[12][0-9]{15}"),
        "s19": ("epoch_ns", r"[12][0-9]{18}"),
        "tai": ("tai", r"40000000[0-9a-f]{16}"),
        "filetime": ("filetime", r"1[0-9]{17}"),
        "webkit": ("webkit", r"1[0-9]{16}"),
        "cocoa": ("cocoa", r"[0-9]{8,9}"),
        "up": ("elapsed", r"[0-9]{1,10}"),
        "mjd": ("mjd", r"[4-7][0-9]{4}"),
        "sod": ("day_second", r"[0-9]{1,5}"),
    }
)
"""Each field: the part of a time that it gives, and its regex (empty: words, from `words.toml`)."""

CHRONO: Mapping[str, str] = MappingProxyType(
    {
        "Y": "<Y>",
        "y": "<y>",
        "m": "<mm>",
        "b": "<b>",
        "B": "<b>",
        "h": "<b>",
        "d": "<dd>",
        "e": "<dd>",
        "j": "<j>",
        "a": "<A>",
        "A": "<A>",
        "H": "<HH>",
        "k": "<HH>",
        "I": "<HH>",
        "l": "<HH>",
        "M": "<MM>",
        "S": "<SS>",
        "f": "<f>",
        ".f": r"(?:\.<f>)?",
        ".3f": r"\.<f3>",
        ".6f": r"\.<f6>",
        ".9f": r"\.<f9>",
        "3f": "<f3>",
        "6f": "<f6>",
        "9f": "<f9>",
        "p": "<p>",
        "P": "<p>",
        "z": "<z>",
        ":z": "<z>",
        "#z": "<z>",
        "::z": "<z>",
        "Z": "<Z>",
        "s": "<epoch_s>",
        "T": "<HH>:<MM>:<SS>",
        "X": "<HH>:<MM>:<SS>",
        "R": "<HH>:<MM>",
        "D": "<mm>/<dd>/<y>",
        "x": "<mm>/<dd>/<y>",
        "F": "<Y>-<mm>-<dd>",
        "v": "<dd>-<b>-<Y>",
        "c": "<A> <b> +<dd> <HH>:<MM>:<SS> <Y>",
        "r": "<HH>:<MM>:<SS> <p>",
        "+": r"<Y>-<mm>-<dd>T<HH>:<MM>:<SS>(?:\.<f>)?<z>",
        "%": "%",
        "n": r"\n",
        "t": r"\t",
    }
)
"""What each directive of chrono means in the language of layouts."""

_LOOSE: Mapping[str, str] = MappingProxyType(
    {
        "b": r"[0-9]{1,2}[月월]|[^\s0-9,./:\[\]-]{2,12}\.?",
        "W": r"[A-Za-z][A-Za-z0-9_/+:-]*(?: [A-Za-zä.]+)*(?: [+-][0-9:]{1,5})?",
    }
)
"""Short regexes for words where a whole text is read: ten times as fast; `assemble` then looks the words up."""

_INSTANTS = ("epoch", "tai", "filetime", "webkit", "cocoa", "mjd")
_FIELD = re.compile(r"<([a-zA-Z0-9_]+)>")
_DIRECTIVE = re.compile(r"%([-_0]?)(::z|[:#]z|\.[369]?f|[369]f|.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words that stand in timestamps: months, halves of the day, weekdays, zones."""

    months: Mapping[str, int]
    halves: Mapping[str, int]
    zones: Mapping[str, tuple[tuple[int, str, str], ...]]
    long_zones: Mapping[str, str]
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to write a time.

    `regex` finds it inside a longer text, `capture` matches a whole text, its groups giving `roles` in order.
    `orders` are the readings of a date of bare numbers, the likeliest first (`mdy`, `dmy`, `ymd`). `any_zone` says that
    a zone word need not be known (chrono's `%Z`).
    """

    regex: str
    capture: str
    roles: tuple[str, ...]
    orders: tuple[str, ...] = ()
    any_zone: bool = False

    @property
    def lacks(self) -> str | None:
        """Say what the text lacks to be a local time: null, `year`, `date` or `start`."""
        if "elapsed" in self.roles:
            return "start"
        if {"year", "year2", "third"} & set(self.roles) or self.roles[0].startswith(_INSTANTS):
            return None
        return "year" if {"month", "month_name"} & set(self.roles) else "date"


@cache
def words() -> Words:
    """Read the words that stand in timestamps from `words.toml`.

    Example:
        >>> words().months["okt"], words().months["août"], words().halves["下午"]
        (10, 8, 1)
    """
    text = resources.files("pirtimeline.parsing").joinpath("words.toml").read_text("utf-8")
    data = tomllib.loads(text)
    return Words(
        months={word: at for at, line in enumerate(data["months"], 1) for word in line.split()},
        halves={word: int(half == "pm") for half in ("am", "pm") for word in data["halves"][half]},
        zones={word: tuple(map(_meaning, meanings)) for word, meanings in data["zones"].items()},
        long_zones=data["long_zones"],
        areas=tuple(data["areas"]),
    )


def _meaning(text: str) -> tuple[int, str, str]:
    """Read `+08:30 2015-08-15..2018-05-05`: an offset in seconds and the local days from and before which it holds."""
    offset, _, days = text.partition(" ")
    first, _, last = days.partition("..")
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    return int(f"{offset[0]}1") * (hours * 3600 + minutes * 60), first, last or "9999-12-31"


@cache
def _pattern(name: str) -> str:
    """Give the regex of a field; the fields of words get theirs from the words."""
    if name == "b":
        return rf"(?:(?i:{_any(words().months)})\.?)"
    if name == "p":
        return f"(?i:{_any(words().halves)})"
    if name == "W":
        return _zone_words()
    return FIELDS[name][1]


def _any(known: Mapping[str, int]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", "[ \\x{a0}\\x{202f}]") for word in sorted(known, key=_longest_first))


def _longest_first(word: str) -> tuple[int, str]:
    return -len(word), word


def _zone_words() -> str:
    short = "|".join(sorted(words().zones, key=_longest_first))
    long = "|".join(sorted(words().long_zones, key=_longest_first))
    areas = "|".join(words().areas)
    apart = r"(?:UTC|GMT) [+-](?:1[0-4]|0?[0-9])(?::?[0-5][0-9])?"
    plain = r"(?:UTC|GMT|UCT|UT|Z)(?:[+-](?:1[0-4]|0?[0-9])(?::?[0-5][0-9])?)?"
    return rf"(?:{apart}\b|{plain}\b|(?:{areas})/[A-Za-z_]+(?:/[A-Za-z_]+)?|(?:{long})\b|(?:{short})\b)"


@cache
def layout(text: str, orders: tuple[str, ...] = ()) -> Layout:
    r"""Compile a description into regexes.

    Example:
        >>> layout("<Y>-<j>").regex
        '\\b[12][0-9]{3}-(?:[0-2][0-9]{2}|3[0-6][0-9])\\b'
        >>> layout("<Y>-<j>").roles
        ('year', 'yday')
    """
    names = _FIELD.findall(text)
    for name in names:
        if name not in FIELDS:
            raise FormatError(f"no field <{name}> for a time", hint=f"known are {' '.join(FIELDS)}")
    plain = _FIELD.sub(lambda field: _pattern(field[1]), text)
    groups = _FIELD.sub(lambda field: f"({_LOOSE.get(field[1]) or _pattern(field[1])})", text)
    roles = tuple(FIELDS[name][0] for name in names)
    return Layout(
        regex=_bounded(plain, text), capture=f"^(?:{groups})$", roles=roles, orders=orders, any_zone="Z" in names
    )


def _bounded(regex: str, text: str) -> str:
    """Let no match begin or end inside a number or a word."""
    start = r"\b" if text.startswith(("<", "(?:<")) else ""
    end = r"\b" if re.search(r"<(?!z|W|Z|p)\w+>\)?\??$", text) else ""
    return f"{start}{regex}{end}"


@cache
def chrono(text: str) -> Layout:
    r"""Translate a chrono format; numbers may lack their leading zero, blanks may be several.

    Example:
        >>> chrono("%b %e %H:%M").roles
        ('month_name', 'day', 'hour', 'minute')
    """
    parts, at = [], 0
    for found in _DIRECTIVE.finditer(text):
        parts += [_literal(text[at : found.start()]), _directive(found[2], text)]
        at = found.end()
    return layout("".join([*parts, _literal(text[at:])]))


def _literal(text: str) -> str:
    return re.sub(r"(?:\\ )+| +", " +", re.escape(text))


def _directive(name: str, text: str) -> str:
    if name not in CHRONO:
        raise FormatError(
            f"the time format {text!r} has a directive %{name} that is not known",
            hint=f"known are {' '.join('%' + key for key in CHRONO)}",
        )
    return CHRONO[name]

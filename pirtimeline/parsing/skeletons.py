"""The skeleton of a header: its text with each part replaced by one letter for what it looks like.

`[main] WARN o.e.Cache - full` becomes ` [T] L C - w`. Parts are told by their look alone; what they are is decided in
`parsing.headers` over many lines of one source. Each letter stands in Unicode's private use area while the text is
being replaced, so that no later step takes it for a part of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from pirtimeline.parsing.levels import ENGLISH_WORDS, LEVEL_WORDS

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "Q": "a quoted text",
        "K": "key=value",
        "V": "level=value",
        "P": "process[123]",
        "Y": "channel.LEVEL",
        "U": "[module:level]",
        "E": "[pid 123:tid 456]",
        "c": "[client 192.0.2.1:80]",
        "H": "a long hexadecimal id",
        "A": "an address, with a port or not",
        "L": "a level word that is shouted",
        "M": "a level word of another language that is shouted",
        "l": "a level word in another dress",
        "i": "a single letter that can be a level",
        "T": "a thread, in brackets",
        "t": "a thread, in parentheses",
        "y": "[thread/LEVEL]",
        "z": "%FACILITY-3-MNEMONIC",
        "C": "a dotted name that ends like a class",
        "D": "another dotted name, or one with dashes and digits",
        "F": "a file and line",
        "J": "a name and line",
        "Z": "zero",
        "N": "a number of up to seven digits",
        "B": "a longer number",
        "w": "a word",
        "G": "other text in brackets",
        "R": "text in parentheses",
        "I": "syslog's <priority>",
        "X": "anything else",
    }
)

_OFFSET = 0xE000
HEAD = 200
"""Characters beside a stamp that are looked at."""

_GROUP = "[0-9a-fA-F]{1,4}"
_IPV6 = rf"\b(?:{_GROUP}:){{7}}{_GROUP}\b|(?:\b(?:{_GROUP}:){{1,6}}:|::)(?:{_GROUP}[:.]){{0,6}}{_GROUP}\b"
_ADDRESS = rf"\b(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?::\d{{1,5}}\b|\b)|{_IPV6}"
_SHORT = {word for word in LEVEL_WORDS if len(word) < 3 and word.isascii()}
_PLAIN = {"all", "default", "normal", "status", "message", "success", "exception", "system", "fault", "t", "grave"}
WORDS = tuple(sorted(set(LEVEL_WORDS) - _SHORT - _PLAIN, key=lambda word: (-len(word), word)))
"""Level words that are told from other words by themselves, longest first."""

ENGLISH = tuple(word for word in WORDS if word in ENGLISH_WORDS)
_SHOUTED = "|".join(word.upper() for word in ENGLISH)
_SHOUTED_ABROAD = "|".join(word.upper() for word in WORDS if word not in ENGLISH)
_ANY_CASE = "|".join(WORDS)
_UNMARKED = "|".join(
    word for word in WORDS if word not in ("msg", "log", "note", "config", "fine", "failed", "failure")
)
_THREAD = (
    r"main|[^\[\]|=]*?(?i:thread|worker|dispatcher|event.?loop|handler|listener|acceptor|cleaner|reaper|executor|scheduler)"
    r"|(?i:[\w.$@-]*(?:thread|exec|worker|pool|nio|qtp|timer|scheduler|dispatcher|reaper|forkjoin|conn\d|task|executor"
    r"|initandlisten|consumer|producer)[\w.$@:#-]*(?: [#\w-]*\d)?)|[\w.$@-]+[-#]\d+|[\w ]* thread \d[\d-]*"
)
_HEX = r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b[0-9a-f]{16,64}\b|\b[0-9A-F]{16,64}\b"


def mark(kind: str) -> str:
    """Give the character that stands for a kind in a skeleton."""
    return chr(_OFFSET + ord(kind))


_MARKS = f"{chr(_OFFSET)}-{chr(_OFFSET + 0x7F)}"
_STEPS: tuple[tuple[str, str], ...] = (
    (r'"(?:[^"\\]|\\.)*"', "Q"),
    (r"^<\d{1,3}>\d?", "I"),
    (rf"\b(?i:level|lvl|severity|loglevel)=(?:{mark('Q')}|[^\s,;\])]+)", "V"),
    (rf"[\w@][\w.@-]*=(?:{mark('Q')}|[^\s\"',;\])]*)", "K"),
    (rf"\[\w*:(?i:{_ANY_CASE})\]", "U"),
    (r"\[pid \d+(?::tid \d+)?\]", "E"),
    (rf"\[(?:client|remote) (?:{_ADDRESS})(?::\d+)?\]", "c"),
    (rf"\b(?:{_SHOUTED})\[\d{{1,7}}\]", f"{mark('L')}[{mark('N')}]"),
    (r"[A-Za-z_(][\w./@()-]*\[\d+\]", "P"),
    (_HEX, "H"),
    (rf"\[(?:{_ADDRESS})\](?::\d+)?|{_ADDRESS}", "A"),
    (rf"\[\s*(?:{_THREAD})\s*\]", "T"),
    (r"\[(?:System|SYSTEM)\]", f"[{chr(_OFFSET + ord('l'))}]"),
    (rf"\(\s*(?:{_THREAD})\s*\)", "t"),
    (rf"\[[^\[\]/]+/(?:{_SHOUTED})\]", "y"),
    (rf"\b[\w-]+\.(?:{_SHOUTED})(?-u:\b)", "Y"),
    (r"%[A-Z0-9_]+-[0-7]-[A-Z0-9_]+", "z"),
    (rf"(?-u:\b)(?:{_SHOUTED})(?-u:\b)", "L"),
    (rf"\b(?:{_SHOUTED_ABROAD})\b", "M"),
    (r"(?:[\w-]+/)*[\w-]*\.?[\w.-]*\.[a-z]{1,5}:\d+", "F"),
    (r"[A-Za-z_$][\w$]*(?:[.$/][\w$-]+)*[.$](?:[\w$]*[A-Z][\w$]*)(?::\d+)?", "C"),
    (r"\b[A-Za-z_][\w-]*:\d+\b", "J"),
    (r"[A-Za-z_][\w-]*(?:\.[\w-]+)+(?::\d+)?\b|[A-Za-z][A-Za-z_]*(?:-?\d[\w-]*|-[\w-]+)", "D"),
    (r"\b0\b", "Z"),
    (r"\b\d{1,7}\b", "N"),
    (r"\b\d{8,}\b", "B"),
    (rf"\[\s*(?i:{_ANY_CASE})\s*\]", f"[{mark('l')}]"),
    (rf"\b(?i:{_UNMARKED})\b", "l"),
    (r"\b[A-Z]\b", "i"),
    (r"[\w@$%][\w@$%/+'-]*", "w"),
    (rf"\[\s*([{_MARKS}])\s*\]", "[${1}]"),
    (rf"\[(?:[^\[\]{_MARKS}]|[{_MARKS}][^\[\]]|[^\[\]]*[{_MARKS}][^\[\]]*[{_MARKS}])[^\[\]]*\]|\[\]", "G"),
    (r"\([^()]*\)", "R"),
    (rf"[^\s{_MARKS}\[\](){{}}<>|,;:*#=/>.-]", "X"),
)


def skeleton(text: pl.Expr) -> pl.Expr:
    """Replace each part of a header by the letter of its kind.

    Example:
        >>> from pirtimeline.parsing.skeletons import readable
        >>> frame = pl.DataFrame({"text": [" [main] WARN org.example.Cache - full", ",5 [error] 71#0: *1 open it"]})
        >>> [readable(one) for one in frame.select(skeleton(pl.col("text"))).to_series()]
        [' T L C - w', ',N [l] N#Z: *N w w']
    """
    cut = text.str.head(HEAD)
    for regex, kind in _STEPS:
        cut = cut.str.replace_all(regex, mark(kind) if len(kind) == 1 else kind)
    return cut


def first_parts(skeletons: pl.Expr, count: int) -> pl.Expr:
    """Keep the first `count` parts of skeletons, with what stands between them, and no sentence's fourth word."""
    word, end = mark("w"), f"[{mark('X')}{mark('Q')}]"
    skeletons = skeletons.str.replace(rf"({word}\s+{word}\s+{word}|{end}).*$", "${1}").str.replace_all(r"\s+", " ")
    part = rf"[^{_MARKS}\[(]*[\[(<]*\s*[{_MARKS}]?\s*[\])>]*"
    return skeletons.str.extract(rf"^((?:{part}){{0,{count}}})", 1)


def readable(one: str) -> str:
    """Write a skeleton with its kinds as plain letters."""
    return "".join(chr(ord(char) - _OFFSET) if _OFFSET <= ord(char) <= _OFFSET + 0x7F else char for char in one)


def is_kind(char: str) -> bool:
    """Tell whether a character of a skeleton stands for a part."""
    return _OFFSET <= ord(char) <= _OFFSET + 0x7F

"""The regex of a line, composed from the header before its stamp, the stamp, the header after it, and the message.

Rust's dialect; the groups are event columns. What has no role is never lost: the message begins before it, and the
groups of parts that follow stand inside the message's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pirtimeline.parsing import moulds
from pirtimeline.parsing.headers import CLOSE, OPEN, SKIP, Header, Part, parts_of
from pirtimeline.parsing.skeletons import ENGLISH, WORDS

_GAP_AFTER = r"(?:(?:\s*(?:\|\s*)+|\s*(?:[-\x{2013}\x{2014}]+|[:>]+)(?:\s+|$)){1,2})"


def pattern(before: Header, stamp: str, after: Header) -> str:
    """Compose the regex of a line: the header before its stamp, the stamp, the header after it, the message.

    Args:
        before: all that stands before the stamp, its last gap as `tail`.
        stamp: the shape's regex.
        after: what stands after it.
    """
    pieces = [
        *_pieces(before),
        ("", gap_regex(before.tail), True),
        ("", f"(?P<timestamp_text>{moulds.with_level(stamp)})", True),
    ]
    regex, inside = "^", False
    for gap, piece, told in [*pieces, *_pieces(after)]:
        if not told and not inside:
            kept = _OPENERS.search(gap)
            cut = kept.start() if kept else len(gap)
            regex, inside = regex + gap_regex(gap[:cut]) + "(?P<message>" + gap_regex(gap[cut:]), True
        else:
            regex += gap_regex(gap)
        regex += piece
    if inside:
        return regex + ".*)$"
    return regex + _last_gap(after) + "(?P<message>.*)$"


def opening(before: Header, stamp: str) -> str:
    """Compose the regex that tells whether a line opens an event, without groups.

    Example:
        >>> opening(Header((), "["), "12")
        '^\\\\[(?:12)'
    """
    inner = "".join(gap_regex(gap) + piece for gap, piece, _ in _pieces(before)) + gap_regex(before.tail)
    return "^" + re.sub(r"\(\?P<\w+>", "(?:", inner) + f"(?:{stamp})"


def closing(skeleton: str) -> str:
    """Give what closes a stamp: the punctuation between it and the first part, without what opens that."""
    parts, tail = parts_of(skeleton)
    return _OPENERS.sub("", parts[0].gap if parts else tail)


def _pieces(header: Header) -> Iterator[tuple[str, str, bool]]:
    """Give each part's gap and regex, and whether it has a role."""
    for part, role in header.parts:
        yield part.gap, _part_regex(part, "" if role == SKIP else role), bool(role)


def gap_regex(gap: str) -> str:
    r"""Match what stands between two parts, however many blanks it has.

    Example:
        >>> gap_regex("  - "), gap_regex(" "), gap_regex("] ")
        ('\\s*\\-\\s*', '\\s+', '\\]\\s*')
    """
    if gap and gap.isspace():
        return r"\s+"
    return "".join(r"\s*" if run.isspace() else re.escape(run) for run in re.findall(r"\s+|\S+", gap))


def _last_gap(header: Header) -> str:
    """Match what stands between header and message, and nothing that could begin the message."""
    closed = re.match(r"[\])>\"',;]*", header.tail)
    closers = re.escape(closed[0]) if closed else ""
    closers = f"(?:{closers})?" if closers else ""
    loose = header.parts and header.parts[-1][1] == "logger_name" and header.parts[-1][0].kind in "wDJ"
    loose = loose and not header.parts[-1][0].bracket  # a word is a logger only where something sets it off
    return rf"{closers}{_GAP_AFTER}{'' if loose else '?'}\s*"


_OPENERS = re.compile(r"[\[(<{\"'*#/=.]+\s*$")
_CAPTURES: Mapping[str, str] = {
    "thread_name": r"(?P<thread_name>[^\[\]]*?)",
    "logger_name": r"(?P<logger_name>[A-Za-z_$][^\s:|\]\[(),]*)",
    "process_pid": r"(?P<process_pid>\d+)",
    "trace_id": r"(?P<trace_id>[0-9A-Fa-f-]+)",
    "host_name": r"(?P<host_name>[^\s\[\]:]+)",
    "process_name": r"(?P<process_name>[^\s\[\]:]+)",
    "severity_text__pri": r"<(?P<severity_text__pri>\d{1,3})>\d?",
    "process_pid thread_name": r"\[pid (?P<process_pid>\d+)(?::tid (?P<thread_name>\d+))?\]",
    "event_code severity_text__pri": r"%(?P<event_code>[A-Z0-9_]+-(?P<severity_text__pri>[0-7])-[A-Z0-9_]+)",
    "user_name": r"(?P<user_name>\S+)",
    "process_name process_pid": r"(?P<process_name>[^\s\[\]]+)\[(?P<process_pid>\d+)\]",
    "source_ip": r"(?P<source_ip>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+)",
}
_CLIENT = (
    r"\[?(?P<source_ip>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:.]*?:[0-9a-fA-F:.]*?[0-9a-fA-F])\]?"
    r"(?::(?P<source_port>\d{4,5}))?"
)
_UNCAPTURED: Mapping[str, str] = {
    "T": r"\[[^\[\]]*\]",
    "G": r"\[[^\[\]]*\]",
    "R": r"\([^()]*\)",
    "P": r"[^\s\[\]]+\[\d+\]",
    "Q": r'"(?:[^"\\]|\\.)*"',
    "K": r"[\w@.-]+=(?:\"[^\"]*\"|[^\s\"',;\])]*)",
    "V": r"\w+=(?:\"[^\"]*\"|[^\s,;\])]+)",
    "I": r"<\d{1,3}>\d?",
    "E": r"\[pid [^\]]*\]",
    "c": r"\[\w+ [^\]]*\]",
    "A": r"\[?[^\s\[\]|]+\]?(?::\d+)?",
    "t": r"\([^()]*\)",
    "y": r"\[[^\[\]]*\]",
    "z": r"%\S+",
    "L": r"[A-Z]+\d?\b",
    "M": r"\w+",
    "K=": r"[\w@.-]+=",
    "S": r"\S+?(?:\s+\S+?){0,12}?",
}
_LEVEL = "|".join(word.upper() for word in ENGLISH)
_LEVEL_ANY = "|".join(re.escape(word) for word in WORDS)


def _part_regex(part: Part, role: str) -> str:
    if role == "severity_text":
        inner = _level_regex(part)
    elif role in ("logger_name severity_text", "thread_name severity_text"):
        inner = _level_of_logger(part)
    elif role == "source_ip" and part.kind == "c":
        inner = rf"\[\w+ {_CLIENT}\]"
    elif role == "source_ip" and part.bracket:
        inner = _CAPTURES[role] + r"(?::(?P<source_port>\d{1,5}))?"
    elif role == "logger_name" and part.kind in "JCD":
        inner = _CAPTURES[role] + r"(?::\d+)?"
    elif role == "thread_name" and part.kind == "t":
        inner = r"\(\s*(?P<thread_name>[^()]*?)\s*\)"
    elif role == "thread_name" and not part.bracket and part.kind != "T":
        inner = r"(?P<thread_name>\d+)"
    elif role:
        inner = _CAPTURES[role]
    else:
        inner = _UNCAPTURED.get(part.kind, r"[^\s\[\]|]+?")
    if role == "thread_name" and part.kind == "T":
        return rf"\[\s*{inner}\s*\]"
    if part.bracket:
        opener, closer = re.escape(part.bracket), re.escape(CLOSE[OPEN.index(part.bracket)])
        return rf"{opener}\s*{inner}\s*{closer}"
    return inner


def _level_of_logger(part: Part) -> str:
    if part.kind == "y":
        return rf"\[(?P<thread_name>[^\[\]/]+)/(?P<severity_text>{_LEVEL})\]"
    if part.kind == "Y":
        return rf"(?P<logger_name>[\w-]+)\.(?P<severity_text>{_LEVEL})(?-u:\b)"
    return rf"\[(?P<logger_name>\w*):(?P<severity_text>(?i:{_LEVEL_ANY}))\]"


def _level_regex(part: Part) -> str:
    if part.kind == "i":
        return r"(?P<severity_text>[A-Z])"
    if part.kind == "L":
        return rf"(?P<severity_text>{_LEVEL})(?-u:\b)"
    more = "|system" if part.bracket else ""
    return rf"(?P<severity_text>(?i:{_LEVEL_ANY}{more}))\b"

"""A second, strict regex for the usual line of a writer, which the engine reads several times faster.

Rust's regex captures in one pass where each character decides by itself which part it belongs to: no lazy repeats, no
alternatives that begin alike, no Unicode word boundaries. What the strict regex does not match goes to the others.
See https://docs.rs/regex-automata/latest/regex_automata/dfa/onepass/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pirtimeline.parsing import moulds
from pirtimeline.parsing.headers import CLOSE, OPEN, SKIP, Header, Part
from pirtimeline.parsing.skeletons import ENGLISH

_PIECES: Mapping[str, str] = {
    "thread_name": r"(?P<thread_name>[^\[\] ]+(?: [^\[\] ]+)*)",
    "process_pid": r"(?P<process_pid>[0-9]+)",
    "trace_id": r"(?P<trace_id>[0-9A-Fa-f-]+)",
    "host_name": r"(?P<host_name>[^\s\[\]:]+)",
    "process_name": r"(?P<process_name>[^\s\[\]:]+)",
    "user_name": r"(?P<user_name>[^ ]+)",
    "process_name process_pid": r"(?P<process_name>[^\s\[\]]+)\[(?P<process_pid>[0-9]+)\]",
    "process_pid thread_name": r"\[pid (?P<process_pid>[0-9]+)(?::tid (?P<thread_name>[0-9]+))?\]",
    "severity_text__pri": r"<(?P<severity_text__pri>[0-9]{1,3})>[0-9]?",
    "source_ip": r"(?P<source_ip>[0-9a-fA-F:.]+)",
    "event_code severity_text__pri": r"%(?P<event_code>[A-Z0-9_]+-(?P<severity_text__pri>[0-7])-[A-Z0-9_]+)",
    SKIP: r"[^ ]+",
}
_MESSAGE = r"(?P<message>(?:[^\s].*)?)$"
_MESSAGE_AFTER_BLANK = r"(?P<message>(?:[^\s|:>\x{2013}\x{2014}-].*)?)$"


def pattern(before: Header, stamp: str | None, after: Header) -> str | None:
    """Compose the strict regex of a writer's usual line, null where it cannot be read in one pass.

    Args:
        before: what stands before the stamp.
        stamp: the strict regex of the usual stamp.
        after: the header after it, or one without parts.
    """
    pieces = [_piece(part, role, end) for part, role, end in (*_told(before), *_told(after))]
    if stamp is None or any(piece is None for piece in pieces):
        return None
    ahead = len(before.parts)
    front = "".join(str(piece) for piece in pieces[:ahead]) + _gap(before.tail)
    behind = "".join(str(piece) for piece in pieces[ahead:])
    end = re.sub(r"[\[(<{\"'*#/=.]+\s*$", "", after.tail)
    if end.strip(" :|-])>,") or (end.strip() and not end[-1].isspace()):
        return None
    message = _MESSAGE if end.strip() else _MESSAGE_AFTER_BLANK
    return f"^{front}(?P<timestamp_text>{moulds.with_level(stamp)}){behind}{_gap(end) or ' *'}{message}"


def _told(header: Header) -> list[tuple[Part, str, str]]:
    """Give each part with its role and what stands after it."""
    gaps = [*[part.gap for part, _ in header.parts], header.tail][1:]
    return [(part, role, gap) for (part, role), gap in zip(header.parts, gaps, strict=True)]


def _piece(part: Part, role: str, after: str) -> str | None:
    inner = _inner(part, role, after)
    if inner is None:
        return None
    if role == "thread_name" and part.kind == "T":
        inner = rf"\[ *{inner}\]"
    elif part.bracket:
        closer = CLOSE[OPEN.index(part.bracket)]
        inner = rf"{re.escape(part.bracket)} *{inner} *{re.escape(closer)}"
    return _gap(part.gap) + inner


def _inner(part: Part, role: str, after: str) -> str | None:
    if role == "severity_text":
        return _level(part)
    if role == "logger_name" and not part.bracket:
        line = ":[0-9]+" if part.kind == "J" else "" if after.startswith(":") else "(?::[0-9]+)?"
        return rf"(?P<logger_name>[A-Za-z_$][^\s:|\]\[(),]*){line}"
    if role == "logger_name":
        return r"(?P<logger_name>[A-Za-z_$][^\s:|\]\[(),]*)"
    if role in ("logger_name severity_text", "thread_name severity_text"):
        return _level_of_logger(part)
    if role == "thread_name" and part.kind == "t":
        return r"\((?P<thread_name>[^()]*)\)"
    if role == "thread_name" and not part.bracket and part.kind != "T":
        return "(?P<thread_name>[0-9]+)"
    if part.kind == "c" or (role == "source_ip" and part.bracket) or (role == SKIP and part.kind != "w"):
        return None
    return _PIECES.get(role)


def _level(part: Part) -> str | None:
    if part.kind == "i":
        return "(?P<severity_text>[A-Z])"
    if part.kind == "M":
        return None
    return f"(?P<severity_text>{_levels()})" if part.kind == "L" else f"(?P<severity_text>(?i:{_levels()}))"


def _level_of_logger(part: Part) -> str:
    if part.kind == "y":
        return rf"\[(?P<thread_name>[^\[\]/]+)/(?P<severity_text>{_levels()})\]"
    if part.kind == "Y":
        return rf"(?P<logger_name>[\w-]+)\.(?P<severity_text>{_levels()})"
    return rf"\[(?P<logger_name>[a-z0-9_]*):(?P<severity_text>(?i:{_levels()}))\]"


@cache
def _levels() -> str:
    """Write the level words so that no two alternatives begin alike.

    Example:
        >>> bool(re.fullmatch(_levels(), "WARNING")), bool(re.fullmatch(_levels(), "WARP"))
        (True, False)
    """
    return _tree(sorted(word.upper() for word in ENGLISH))


def _tree(words: list[str]) -> str:
    heads = sorted({word[0] for word in words if word})
    branches = [re.escape(head) + _tree([word[1:] for word in words if word[:1] == head]) for head in heads]
    if not branches:
        return ""
    inner = branches[0] if len(branches) == 1 and "" not in words else f"(?:{'|'.join(branches)})"
    return inner + ("?" if "" in words else "")


def _gap(gap: str) -> str:
    """Match what stands between two parts as it is, but for the number of blanks."""
    return "".join(" +" if run.isspace() else re.escape(run) for run in re.findall(r"\s+|\S+", gap))

"""Sigma, read row by row in plain Python from the specification (rules 2.1, modifiers 2.1): slow, and easy to check.

It knows nothing of the engine: it takes the rule as its YAML says it and the event as a mapping, and answers yes or no.
An event's field that is missing or null is absent.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

Event = Mapping[str, Any]
Tokens = list[str | int]
STAR, MARK = 0, 1
FLAGS = ("i", "ignorecase", "m", "multiline", "s", "dotall")


def fold(text: str) -> str:
    return text.lower().replace("ς", "σ")


def matches(rule: Mapping[str, Any], event: Event, text: str, placeholders: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a rule matches an event whose searchable text is `text`."""
    detection = rule["detection"]
    conditions = detection["condition"]
    names = {
        name: lambda body=body: search(body, event, text, placeholders)
        for name, body in detection.items()
        if name != "condition"
    }
    several = conditions if isinstance(conditions, list) else [conditions]
    return any(Parser(condition, names).whole() for condition in several)


class Parser:
    """Conditions: `or` binds least, then `and`, then `not`; `1 of x*`, `all of them`; parentheses."""

    def __init__(self, condition: str, names: Mapping[str, Callable[[], bool]]) -> None:
        self.words = re.findall(r"[()]|[^\s()]+", condition)
        self.names = names

    def whole(self) -> bool:
        value = self.either()
        assert not self.words
        return value

    def either(self) -> bool:
        values = [self.both()]
        while self.words[:1] == ["or"]:
            self.words.pop(0)
            values.append(self.both())
        return any(values)

    def both(self) -> bool:
        values = [self.single()]
        while self.words[:1] == ["and"]:
            self.words.pop(0)
            values.append(self.single())
        return all(values)

    def single(self) -> bool:
        word = self.words.pop(0)
        if word == "not":
            return not self.single()
        if word == "(":
            value = self.either()
            assert self.words.pop(0) == ")"
            return value
        if self.words[:1] == ["of"]:
            self.words.pop(0)
            shape = self.words.pop(0)
            chosen = [
                value
                for name, value in self.names.items()
                if not name.startswith("_") and (shape == "them" or re.fullmatch(shape.replace("*", ".*"), name))
            ]
            return (all if word == "all" else any)([value() for value in chosen])
        return self.names[word]()


def search(body: Any, event: Event, text: str, placeholders: Mapping[str, Sequence[str]]) -> bool:
    """Evaluate one search identifier: a map (all), a list of maps (any), a list of keywords (any), a keyword."""
    if isinstance(body, Mapping):
        return all(item(key, value, event, text, placeholders) for key, value in body.items())
    if isinstance(body, list):
        return any(search(part, event, text, placeholders) for part in body)
    return item("", body, event, text, placeholders)


def item(key: str, value: Any, event: Event, text: str, placeholders: Mapping[str, Sequence[str]]) -> bool:
    name, *modifiers = key.split("|")
    values = value if isinstance(value, list) else [value]
    subject = event.get(name) if name else text
    if "neq" in modifiers:
        if subject is None:
            return False
        rest = [m for m in modifiers if m != "neq"]
        return not decided(name, rest, values, subject, event, placeholders)
    return decided(name, modifiers, values, subject, event, placeholders)


def decided(
    name: str,
    modifiers: Sequence[str],
    values: Sequence[Any],
    subject: Any,
    event: Event,
    placeholders: Mapping[str, Sequence[str]],
) -> bool:
    if not values:
        return subject is None
    verdicts = [one(name, modifiers, value, subject, event, placeholders) for value in values]
    return all(verdicts) if "all" in modifiers else any(verdicts)


def one(
    name: str,
    modifiers: Sequence[str],
    value: Any,
    subject: Any,
    event: Event,
    placeholders: Mapping[str, Sequence[str]],
) -> bool:
    """Compare one value with the field, as the modifiers say."""
    if "exists" in modifiers:
        return (subject is not None) is value
    if value is None:
        return subject is None
    if subject is None:
        return False
    for part in ("minute", "hour", "day", "week", "month", "year"):
        if part in modifiers:
            found = part_of(str(subject), part)
            return found is not None and compared(modifiers, found, value)
    if any(m in modifiers for m in ("lt", "lte", "gt", "gte")):
        number = figure(subject)
        return number is not None and compared(modifiers, number, value)
    if "cidr" in modifiers:
        return within(str(subject), value)
    if "re" in modifiers:
        flags = sum({"i": re.I, "m": re.M, "s": re.S, "d": re.S}[m[0]] for m in modifiers if m in FLAGS)
        patterns = expanded(value, placeholders) if "expand" in modifiers else [value]
        return any(re.search(p, shown(subject), flags) is not None for p in patterns)
    if "fieldref" in modifiers:
        return referred(modifiers, subject, event.get(value))
    if isinstance(value, bool):
        return fold(shown(subject)) == str(value).lower()
    if isinstance(value, int | float):
        return numbered(value, subject) if name else str(value) in shown(subject)
    return any(wild(name, modifiers, variant, subject) for variant in variants(modifiers, value, placeholders))


def compared(modifiers: Sequence[str], found: float, value: float) -> bool:
    for word, verdict in (
        ("lt", found < value),
        ("lte", found <= value),
        ("gt", found > value),
        ("gte", found >= value),
    ):
        if word in modifiers:
            return verdict
    return found == value


def figure(subject: Any) -> float | None:
    if isinstance(subject, int | float):
        return subject
    try:
        number = float(subject) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", subject) else None
    except ValueError:
        return None
    return number


def numbered(value: float, subject: Any) -> bool:
    if isinstance(subject, int | float) and not isinstance(subject, bool):
        return subject == value
    if shown(subject) == str(value):
        return True
    if isinstance(value, int) and re.fullmatch(r"[+-]?\d+", shown(subject)):
        return int(subject) == value
    number = figure(subject)
    return number is not None and number == value


def shown(subject: Any) -> str:
    return str(subject).lower() if isinstance(subject, bool) else str(subject)


def part_of(text: str, part: str) -> int | None:
    found = re.match(r"\s*(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?", text)
    if not found:
        return None
    if part == "week":
        try:
            return date(*(int(found[i]) for i in (1, 2, 3))).isocalendar()[1]
        except ValueError:
            return None
    figures = found[{"year": 1, "month": 2, "day": 3, "hour": 4, "minute": 5}[part]]
    return None if figures is None else int(figures)


def within(subject: str, network: str) -> bool:
    try:
        address = ipaddress.ip_address(subject)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any(a in ipaddress.ip_network(network) for a in (address, mapped) if a is not None)


def referred(modifiers: Sequence[str], subject: Any, other: Any) -> bool:
    if other is None:
        return False
    left, right = fold(shown(subject)), fold(shown(other))
    if "contains" in modifiers or {"startswith", "endswith"} <= set(modifiers):
        return right in left
    if "startswith" in modifiers:
        return left.startswith(right)
    return left.endswith(right) if "endswith" in modifiers else left == right


def tokens(value: str) -> Tokens:
    """Read wildcards and their escapes: a backslash is plain but before `*`, `?` and another backslash."""
    out: Tokens = []
    at = 0
    while at < len(value):
        if value[at] == "\\" and value[at + 1 : at + 2] in ("*", "?", "\\") and value[at + 1 : at + 2]:
            out.append(value[at + 1])
            at += 2
            continue
        out.append({"*": STAR, "?": MARK}.get(value[at], value[at]))
        at += 1
    return out


def expanded(value: str, placeholders: Mapping[str, Sequence[str]]) -> list[str]:
    parts = re.split(r"%(\w+)%", value)
    choices = [[part] if n % 2 == 0 else list(placeholders[part]) for n, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def variants(modifiers: Sequence[str], value: str, placeholders: Mapping[str, Sequence[str]]) -> list[Tokens]:
    """Apply the modifiers that change a value, in the order of the key."""
    made = [tokens(v) for v in (expanded(value, placeholders) if "expand" in modifiers else [value])]
    marked = False
    for word in modifiers:
        if word == "windash":
            made = [each for tokens_ in made for each in dashes(tokens_)]
        elif word in ("wide", "utf16", "utf16be"):
            marked = marked or word == "utf16"
            made = [wide(tokens_, word) for tokens_ in made]
        elif word == "base64":
            made = [list(base64.b64encode(raw(tokens_, marked)).decode()) for tokens_ in made]
        elif word == "base64offset":
            made = [list(text) for tokens_ in made for text in offsets(raw(tokens_, marked))]
    return made


def dashes(value: Tokens) -> list[Tokens]:
    text = "".join(c if isinstance(c, str) else "\0" for c in value)
    places = [m.start() for m in re.finditer(r"\B[-/]\b", text)]
    out: list[Tokens] = []
    for marks in product("-/–—―", repeat=len(places)):
        made = list(value)
        for place, mark in zip(places, marks, strict=True):
            made[place] = mark
        out.append(made)
    return out


def wide(value: Tokens, word: str) -> Tokens:
    out: Tokens = ["\ufeff"] if word == "utf16" else []
    for char in value:
        if isinstance(char, str):
            out.extend(("\0", char) if word == "utf16be" else (char, "\0"))
        else:
            out.append(char)
    return out


def raw(value: Tokens, marked: bool) -> bytes:
    text = "".join(str(c) for c in value)
    if marked and text.startswith("\ufeff"):
        return b"\xff\xfe" + text[1:].encode()
    return text.encode()


def offsets(data: bytes) -> list[str]:
    out = []
    for shift in range(3):
        encoded = base64.b64encode(b" " * shift + data).decode()
        end = {0: None, 1: -3, 2: -2}[(len(data) + shift) % 3]
        out.append(encoded[(0, 2, 3)[shift] : end])
    return out


def wild(name: str, modifiers: Sequence[str], pattern: Tokens, subject: Any) -> bool:
    """Match a whole field, or anywhere in it; a keyword anywhere in the text."""
    pattern = list(pattern)
    if "contains" in modifiers or "endswith" in modifiers or not name:
        pattern.insert(0, STAR)
    if "contains" in modifiers or "startswith" in modifiers or not name:
        pattern.append(STAR)
    put = (lambda s: s) if "cased" in modifiers else fold
    text = put(shown(subject))
    folded: Tokens = []
    run = ""
    for token in [*pattern, STAR]:
        if isinstance(token, str):
            run += token
            continue
        folded.extend(put(run))
        folded.append(token)
        run = ""
    return stepwise(folded[:-1], text)


def stepwise(pattern: Tokens, text: str) -> bool:
    """Match wildcards by the set of places that the pattern can have reached."""
    reached = {0}
    for token in pattern:
        if token == STAR:
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {p + 1 for p in reached if p < len(text) and (token == MARK or text[p] == token)}
    return len(text) in reached

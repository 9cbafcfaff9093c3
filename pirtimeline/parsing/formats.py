"""Format files: TOML to `Format`.

A file's own rules (`parsing.format_rules`) are held at every start and cost little; those that read its samples are in
`parsing.samples`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pirtimeline.errors import FormatError
from pirtimeline.parsing import format_rules
from pirtimeline.parsing.format_rules import Fault
from pirtimeline.parsing.plugin import CONTINUES, Format, Pattern, Sample

_FIRST_SAMPLE = re.compile(r"^\[\[sample\]\]", re.MULTILINE)
_TOKEN = re.compile(r"\\.|[\[\]]", re.DOTALL)
_OTHER_TABLE = re.compile(r"^\[\[?(?:pattern|envelope|severity|fields|columns)\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FormatFile:
    """A format file as it was read: its text, and the format, unless a rule is broken."""

    text: str
    origin: str
    format: Format | None = None
    faults: tuple[Fault, ...] = field(default=())

    def errors(self) -> list[FormatError]:
        """List what is wrong with it, in the order of the rules."""
        return [fault.error(self.text, self.origin) for fault in self.faults]


def load(path: Path, *, samples: bool = True) -> Format:
    """Read a format file.

    Args:
        path: a `*.toml` file; its stem is the format's name.
        samples: leave them unread with `False`; half of the cost of a file is its samples.

    Raises:
        FormatError: the file cannot be read or breaks a rule; the first one broken is told.
    """
    return parse(read_text(path), name=path.stem, origin=str(path), samples=samples)


def whole(one: Format) -> Format:
    """Give a format with its samples, which a start leaves unread."""
    return one if one.samples or not one.origin else load(Path(one.origin))


def read_text(path: Path) -> str:
    """Read a format file's text, or say why not."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"the format file cannot be read: {error}", at=path) from error


def parse(text: str, *, name: str, origin: str = "", samples: bool = True) -> Format:
    """Make a format of a format file's text.

    Example:
        >>> one = parse("title = 'x'\\n[[pattern]]\\nregex = '^(?P<message>x)'\\nundated = true\\n"
        ...             "[[sample]]\\ntext = 'x'", name="acme_log")
        >>> one.name, one.patterns[0].undated
        ('acme_log', True)
        >>> parse("titel = 'x'", name="acme_log", origin="acme_log.toml")
        Traceback (most recent call last):
        pirtimeline.errors.FormatError: acme_log.toml:1: unknown key 'titel'
        Hint: did you mean 'title'?
    """
    file = inspect(text, name=name, origin=origin or f"{name}.toml", samples=samples)
    if file.faults:
        raise file.faults[0].error(text, file.origin)
    assert file.format is not None
    return file.format


def inspect(text: str, *, name: str, origin: str, samples: bool = True) -> FormatFile:
    """Read a format file and collect all that is wrong with it, samples and regexes not tried."""
    try:
        told = tomllib.loads(text if samples else _front(text))
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        where = f"{origin}:{at[1] if at else len(text.splitlines())}"
        raise FormatError(
            f"this is not TOML: {error}", at=where, hint="put regexes into '…', which needs no escaping"
        ) from error
    faults = tuple(format_rules.faults(told, name, samples=samples))
    return FormatFile(text, origin, None if faults else _format(told, name, origin), faults)


def _front(text: str) -> str:
    """Cut the samples off where nothing but samples follows the first."""
    first = _FIRST_SAMPLE.search(text)
    if not first or _OTHER_TABLE.search(text, first.end()):
        return text
    return text[: first.start()]


def _format(told: Mapping[str, Any], name: str, origin: str) -> Format:
    return Format(
        name=name,
        title=told["title"],
        url=told.get("url", ""),
        kind=told.get("kind", "lines"),
        paths=tuple(told.get("paths", ())),
        patterns=tuple(_pattern(one) for one in told.get("pattern", ())),
        starts=plain_digits(told.get("starts", "")),
        leads=plain_digits(told.get("leads", "")),
        heads=plain_digits(told.get("heads", "")),
        continues=plain_digits(told.get("continues", CONTINUES)),
        inner=plain_digits(told.get("inner", "")),
        together=plain_digits(told.get("together", "")),
        zone=told.get("zone", ""),
        envelope=told.get("envelope", {}).get("inner", ""),
        partial=plain_digits(told.get("envelope", {}).get("partial", "")),
        severity=told.get("severity", {}),
        fields=told.get("fields", {}),
        columns=told.get("columns", {}),
        samples=tuple(
            Sample(text=one["text"].strip("\n"), expect=one.get("expect", {})) for one in told.get("sample", ())
        ),
        origin=origin,
    )


def _pattern(told: Mapping[str, Any]) -> Pattern:
    regexes = {key: plain_digits(told.get(key, "")) for key in ("regex", "quick")}
    return Pattern(**{**told, **regexes})


def plain_digits(regex: str) -> str:
    r"""Let `\d` be 0 to 9, as in every log: the digits of all scripts triple what a regex costs to compile.

    Example:
        >>> plain_digits(r"^\d+[\d.]\\d")
        '^[0-9]+[0-9.]\\\\d'
    """
    within = False

    def said(token: re.Match[str]) -> str:
        nonlocal within
        if token[0] == r"\d":
            return "0-9" if within else "[0-9]"
        within = token[0] == "[" if not within else token[0] != "]"
        return token[0]

    return _TOKEN.sub(said, regex)

"""The values that loading rules gives: a signature of each kind, and what is wrong with a rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pirtimeline.errors import SignatureError
from pirtimeline.signatures.condition import Condition

LEVELS = ("informational", "low", "medium", "high", "critical")
"""Sigma's levels, weakest first; they stand in a finding's `severity`."""


@dataclass(frozen=True, slots=True)
class Logsource:
    """What a rule reads, in Sigma's words; an empty word says nothing."""

    category: str = ""
    product: str = ""
    service: str = ""

    def __str__(self) -> str:
        words = (("product", self.product), ("category", self.category), ("service", self.service))
        return ", ".join(f"{name} {word}" for name, word in words if word)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a rule, where it stands, and whether the rule can run all the same.

    `where` are the keys that lead to it in its document; from them `line` is looked up.
    """

    rule: str
    path: str
    line: int
    what: str
    hint: str = ""
    fatal: bool = True
    where: tuple[str | int, ...] = ()

    def error(self) -> SignatureError:
        """Make an exception of it."""
        named = f"rule {self.rule}: {self.what}" if self.rule else self.what
        return SignatureError(named, at=f"{self.path}:{self.line}", hint=self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What every signature says of itself, whatever its kind.

    `names` are the words by which other rules refer to it; `unless` are globs of signatures that, matching the same
    event, make this one superfluous there; `origin` is its file, `index` its place among the file's documents.
    """

    signature_id: str
    title: str
    level: str
    role: str
    names: tuple[str, ...] = ()
    asks: str = ""
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    ours: bool = False
    origin: str = ""
    index: int = 0


def tactics(header: Header) -> list[str]:
    """Name the tactics of ATT&CK that a signature's tags say: `attack.` and no number of a technique or a group.

    Example:
        >>> tags = ("attack.t1110", "attack.impact")
        >>> tactics(Header(signature_id="s", title="S", level="low", role="security", tags=tags))
        ['impact']
    """
    words = [tag.removeprefix("attack.").replace("_", "-") for tag in header.tags if tag.startswith("attack.")]
    return [word for word in words if not word[1:2].isdigit()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A signature of single events."""

    header: Header
    logsource: Logsource
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The condition of a correlation: a figure compared with a limit."""

    operator: str
    limit: float
    fields: tuple[str, ...] = ()
    percentile: int = 50


Expression = str | tuple[str, tuple["Expression", ...]]
"""A correlation's condition in words: a signature's id, or (`and` / `or` / `not`, operands)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A signature of several events of other signatures, within a time span.

    `rules` are signature ids in the order that the rule gives; `aliases` say which field of which signature a name
    of `group_by` stands for: (alias, signature id, field).
    """

    header: Header
    kind: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: tuple[tuple[str, str, str], ...]
    timespan: timedelta
    threshold: Threshold | None
    expression: Expression | None
    generate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """A signature that a function of `windowed` finds; its YAML is the header alone."""

    header: Header
    windowed: str


Signature = Rule | Correlation | Windowed

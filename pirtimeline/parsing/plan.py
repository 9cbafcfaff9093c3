"""What the survey settled for each source: all that a worker needs to know to read it, as data.

`plan.json` holds it: a format is named where it is installed, and written out whole where it was synthesised from the
source's own lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pirtimeline.errors import CaseError
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.leading import LED, headed
from pirtimeline.parsing.plugin import Format, Parser, Pattern
from pirtimeline.parsing.rotation import Place


@dataclass(frozen=True, slots=True)
class FormatUse:
    """A format of a source, and those that read what it holds where it is an envelope."""

    format: Format
    inner: tuple[FormatUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """What the survey settled for one source.

    `parser` names a Python parser that reads the source instead of `formats`. `order` is `ascending`, `descending`
    or `mixed`; `place` says where it stands in a rotated set. `inferred` is the time rule that the evidence alone
    shows, `rule` the same with what the analyst declared laid over it. `because` keeps the evidence of what was
    inferred: `field`, `value`, `event_ids`, `text`.
    """

    source_id: str
    path: str
    formats: tuple[FormatUse, ...] = ()
    parser: str = ""
    encoding: str = "utf-8"
    newline: str = "lf"
    order: str = "ascending"
    place: Place | None = None
    rule: TimeRule
    inferred: TimeRule
    host_name: str | None = None
    host_basis: str | None = None
    service_name: str | None = None
    because: tuple[Mapping[str, Any], ...] = ()

    def formats_json(self) -> list[str | dict[str, Any]]:
        """Give the formats as `plan.json` has them."""
        return [_use_json(use) for use in self.formats]

    def to_json(self) -> dict[str, Any]:
        """Give the plan as `plan.json` has it, keys in a fixed order."""
        rule = self.rule.to_dict()
        return {
            "path": self.path,
            "formats": self.formats_json(),
            "parser": self.parser or None,
            "encoding": self.encoding,
            "newline": self.newline,
            "order": self.order,
            "place": self.place and dataclasses.asdict(self.place),
            "zone": rule.get("zone"),
            "year": rule.get("year"),
            "host": self.host_name,
            "host_basis": self.host_basis,
            "service": self.service_name,
            "time": rule,
            "inferred": self.inferred.to_dict(),
            "because": [dict(one) for one in self.because],
        }


def plan_from_json(source_id: str, told: Mapping[str, Any], installed: Mapping[str, Format | Parser]) -> SourcePlan:
    """Read a plan back.

    Args:
        source_id: the source it is of.
        told: its object in `plan.json`.
        installed: formats and parsers by name.

    Raises:
        CaseError: a format that the plan names is not installed.
    """
    return SourcePlan(
        source_id=source_id,
        path=told["path"],
        formats=tuple(_use_from_json(one, installed) for one in told["formats"]),
        parser=told["parser"] or "",
        encoding=told["encoding"],
        newline=told["newline"],
        order=told["order"],
        place=Place(**told["place"]) if told.get("place") else None,
        rule=TimeRule.from_dict(told["time"]),
        inferred=TimeRule.from_dict(told["inferred"]),
        host_name=told["host"],
        host_basis=told["host_basis"],
        service_name=told["service"],
        because=tuple(told["because"]),
    )


def _use_json(use: FormatUse) -> str | dict[str, Any]:
    shown: str | dict[str, Any] = _format_json(use.format) if use.format.generic else use.format.name
    shown = {LED: shown} if LED in use.format.options and not use.format.generic else shown
    return {"format": shown, "inner": [_use_json(one) for one in use.inner]} if use.inner else shown


def _format_json(one: Format) -> dict[str, Any]:
    """Write a synthesised format out: what differs from a format's defaults."""
    defaults = Format(name="", title="")
    hidden = ("patterns", "samples")
    told = {f.name: getattr(one, f.name) for f in dataclasses.fields(one) if f.name not in hidden}
    told = {key: value for key, value in told.items() if value != getattr(defaults, key)}
    plain = {key: dict(value) if isinstance(value, Mapping) else value for key, value in told.items()}
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
    return plain | {"patterns": [dataclasses.asdict(pattern) for pattern in one.patterns]}


def _use_from_json(told: str | Mapping[str, Any], installed: Mapping[str, Format | Parser]) -> FormatUse:
    if isinstance(told, str):
        return FormatUse(_named(told, installed))
    if LED in told:
        return FormatUse(headed(_named(told[LED], installed)))
    if "format" not in told:
        return FormatUse(_format_from_json(told))
    outer = _use_from_json(told["format"], installed)
    return FormatUse(outer.format, tuple(_use_from_json(one, installed) for one in told["inner"]))


def _named(name: str, installed: Mapping[str, Format | Parser]) -> Format:
    found = installed.get(name)
    if not isinstance(found, Format):
        raise CaseError(
            f"the plan uses the format {name!r}, which is not installed",
            at="plan.json",
            hint="install it, or name its folder with --parsers",
        )
    return found


def _format_from_json(told: Mapping[str, Any]) -> Format:
    said = {key: value for key, value in told.items() if key != "patterns"}
    rest: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
    return Format(**rest, patterns=tuple(Pattern(**one) for one in told["patterns"]))

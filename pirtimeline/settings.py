"""What the analyst declared, kept in `case.toml` so that it is said once.

Of two globs that match a path the last wins; a glob's `*` crosses slashes, as `fnmatch` has it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from pirtimeline.errors import CaseError
from pirtimeline.objects import Location

Globs = tuple[tuple[str, str], ...]

_GLOBS = {"zones": "zone", "years": "year", "hosts": "host", "services": "service", "parsers": "parser"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `case.toml` holds. Times are UTC; globs are pairs of a glob and what was declared for it."""

    evidence: tuple[str, ...] = ()
    incident: str = ""
    start: datetime | None = None
    end: datetime | None = None
    collected_at: datetime | None = None
    zones: Globs = ()
    years: Globs = ()
    hosts: Globs = ()
    services: Globs = ()
    parsers: Globs = ()
    parser_folders: tuple[str, ...] = field(default=())
    signature_folders: tuple[str, ...] = field(default=())
    field_folders: tuple[str, ...] = field(default=())

    def merged(self, later: Settings) -> Settings:
        """Lay what was said later over what was said before: evidence joins, a glob said again takes its new place."""
        changes = {
            one.name: _merged(getattr(self, one.name), getattr(later, one.name), one.name) for one in fields(self)
        }
        return replace(self, **changes)

    def to_toml(self) -> dict[str, Any]:
        """Give what `case.toml` holds, without what was not said."""
        told: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _GLOBS and value:
                told[one.name] = [{"glob": glob, _GLOBS[one.name]: said} for glob, said in value]
            elif value:
                told[one.name] = list(value) if isinstance(value, tuple) else value
        return told


def declared(globs: Globs, path: str) -> str | None:
    """Find what was declared for a path: the last glob that matches it.

    Example:
        >>> declared((("*", "UTC"), ("*app1*", "Europe/Berlin")), "logs/app1/catalina.out")
        'Europe/Berlin'
    """
    return next((said for glob, said in reversed(globs) if fnmatchcase(path, glob)), None)


def read_settings(case: Location) -> Settings:
    """Read `case.toml`; nothing declared where it is absent.

    Raises:
        CaseError: it is not TOML, or holds what is not known.
    """
    path = case / "case.toml"
    if not path.is_file():
        return Settings()
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        return _settings(told)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CaseError(f"cannot be read: {error}", at=path, hint="mend it, or delete it and declare again") from error


def write_settings(settings: Settings) -> bytes:
    """Write settings as `case.toml` has them."""
    import tomli_w

    return tomli_w.dumps(settings.to_toml()).encode()


def _settings(told: Mapping[str, Any]) -> Settings:
    known = {one.name for one in fields(Settings)}
    if strange := sorted(set(told) - known):
        raise KeyError(f"unknown key {strange[0]!r}")
    values: dict[str, Any] = {
        name: tuple((one["glob"], str(one[_GLOBS[name]])) for one in value)
        if name in _GLOBS
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in told.items()
    }
    return Settings(**values)


def _merged(before: Any, later: Any, name: str) -> Any:
    if name == "evidence":
        return tuple(dict.fromkeys((*before, *later)))
    if name in _GLOBS:
        said = {glob for glob, _ in later}
        return tuple(pair for pair in before if pair[0] not in said) + later
    return later or before

"""What every signature says of itself: id, title, level, role, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pirtimeline.errors import SignatureError
from pirtimeline.schema import ROLES
from pirtimeline.signatures.model import LEVELS, Header, Problem, Windowed


def header_of(rule: Any, path: str, index: int) -> Header:
    """Read the header of a rule that pySigma has parsed, with what its own key `pir` adds.

    Raises:
        SignatureError: `pir` has another shape, or names a role that there is not.
    """
    own = rule.custom_attributes.get("pir")
    if own is not None and not isinstance(own, Mapping):
        raise SignatureError("the key 'pir' must be a map")
    pir: Mapping[str, Any] = own or {}
    role = str(pir.get("role", "security"))
    if role not in ROLES:
        raise SignatureError(f"the role {role!r} is none of {', '.join(ROLES)}")
    names = tuple(str(word) for word in (rule.id, rule.name) if word)
    ours = own is not None and bool(rule.name)
    level = rule.level.name.lower() if rule.level is not None else LEVELS[0]
    return Header(
        signature_id=str(rule.name) if ours else (names[0] if names else str(rule.title)),
        title=str(rule.title),
        level=level,
        role=role,
        names=names or (str(rule.title),),
        asks=" ".join(str(pir.get("asks", "")).split()),
        tags=tuple(str(tag) for tag in rule.tags),
        references=tuple(str(r) for r in rule.references),
        falsepositives=tuple(str(f) for f in rule.falsepositives),
        unless=tuple(str(glob) for glob in pir.get("unless", ())),
        ours=own is not None,
        origin=path,
        index=index,
    )


def windowed_of(
    document: Mapping[str, Any], pir: Mapping[str, Any], file: Path, index: int
) -> tuple[Windowed | None, Problem | None]:
    """Read the header of a condition that a function finds: the condition, or what is wrong with its header.

    Example:
        >>> said = {"name": "a.b", "title": "A", "level": "loud"}
        >>> windowed_of(said, {"windowed": "f"}, Path("a.yml"), 0)[1].what
        "the level 'loud' is none of informational, low, medium, high, critical"
    """
    name, level, role = document.get("name"), document.get("level", LEVELS[0]), pir.get("role", "symptom")
    wrong = ""
    if not isinstance(name, str) or not isinstance(document.get("title"), str):
        wrong = "the header of a windowed condition needs a name and a title"
    elif level not in LEVELS:
        wrong = f"the level {level!r} is none of {', '.join(LEVELS)}"
    elif role not in ROLES:
        wrong = f"the role {role!r} is none of {', '.join(ROLES)}"
    if wrong:
        return None, Problem(str(name or ""), str(file), index, wrong)
    header = Header(
        signature_id=str(name),
        title=str(document["title"]),
        level=level,
        role=role,
        names=tuple(str(word) for word in (document.get("id"), name) if word),
        asks=" ".join(str(pir.get("asks", "")).split()),
        tags=tuple(map(str, document.get("tags") or ())),
        references=tuple(map(str, document.get("references") or ())),
        falsepositives=tuple(map(str, document.get("falsepositives") or ())),
        ours=True,
        origin=str(file),
        index=index,
    )
    return Windowed(header=header, windowed=str(pir["windowed"])), None

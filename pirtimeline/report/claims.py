"""The four classes of claim, and how each is written: derived, proposed, asked of a person, not in evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pirtimeline.report import words
from pirtimeline.report.citations import cite
from pirtimeline.report.escaping import markdown

Class = Literal["derived", "proposed", "human", "not_in_evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence of the report. `text` is Markdown, made of our words and of escaped words of the evidence.

    `key` names a proposal for `decisions.yaml`; `against` is what speaks against it, escaped as well.
    """

    text: str
    kind: Class = "derived"
    event_ids: tuple[str, ...] = ()
    confidence: float | None = None
    against: str = ""
    key: str = ""
    at_most: int = 3


def derived(text: str, event_ids: Sequence[str] = (), *, at_most: int = 3) -> Claim:
    """State what can be recomputed from the cited bytes.

    Example:
        >>> write(derived("It failed.", ["0a1b2c3d4e5f:17"]))
        'It failed. [ev:0a1b2c3d4e5f:17]'
    """
    return Claim(text=text, event_ids=tuple(event_ids), at_most=at_most)


def todo(person: str, prompt: str) -> str:
    """Ask a person for what no log can tell.

    Example:
        >>> todo("incident lead", "What was decided?")
        '> TODO(incident lead): What was decided?'
    """
    return f"> TODO({person}): {prompt}"


def absent(text: str, searched: str = "") -> Claim:
    """Say what was looked for and not found, and where.

    Example:
        >>> write(absent("No page was sent.", "3 sources"))
        '**Not in evidence:** No page was sent. Searched: 3 sources.'
    """
    where = f" Searched: {searched.rstrip('.')}." if searched else ""
    return Claim(text=text + where, kind="not_in_evidence")


def claim_id(claim: Claim) -> str:
    """Name a proposal by what it is about: eight hex digits.

    Example:
        >>> claim_id(Claim(text="", key="hypothesis|C05"))
        '3fe9e191'
    """
    return hashlib.sha256((claim.key or claim.text).encode()).hexdigest()[:8]


def write(claim: Claim, *, decisions: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Write a claim in the manner of its class.

    Example:
        >>> print(write(Claim(text="the release leaks", kind="proposed", confidence=0.6, key="k")))
        Candidate (moderate): the release leaks — [ ] confirm [ ] reject <!--claim:8254c329-->
    """
    cited = cite(claim.event_ids, at_most=claim.at_most)
    if claim.kind == "not_in_evidence":
        return f"**Not in evidence:** {claim.text}"
    if claim.kind != "proposed":
        return " ".join(filter(None, (claim.text, cited)))
    name = claim_id(claim)
    decided = (decisions or {}).get(name, {})
    against = f" Against: {claim.against}." if claim.against else ""
    said = " ".join(filter(None, (claim.text + ("." if against else ""), cited))) + against
    note = f" Note: {markdown(str(decided['note']))}." if decided.get("note") else ""
    sure = words.confidence(claim.confidence)
    return f"Candidate ({sure}): {said} — {_boxes(decided.get('decision'))}{note} <!--claim:{name}-->"


def bullets(claims: Sequence[Claim], *, decisions: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Write claims as a list.

    Example:
        >>> bullets([derived("a"), derived("b")])
        '- a\\n- b'
    """
    return "\n".join("- " + write(claim, decisions=decisions) for claim in claims)


def _boxes(decision: str | None) -> str:
    return f"[{'x' if decision == 'confirm' else ' '}] confirm [{'x' if decision == 'reject' else ' '}] reject"

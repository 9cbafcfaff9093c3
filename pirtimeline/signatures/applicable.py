"""Whether a signature can fire here: does a field map know its logsource, and does any parser yield its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pirtimeline.schema import EVENT_COLUMNS
from pirtimeline.signatures.condition import tests
from pirtimeline.signatures.fields import Binding
from pirtimeline.signatures.model import Correlation, Rule, Signature, Windowed
from pirtimeline.signatures.virtual import VIRTUAL

if TYPE_CHECKING:
    from pirtimeline.signatures.load import Rules


KEYED = ("generic_json", "generic_csv", "generic_logfmt", "generic_w3c", "generic_xml")
"""Formats that are composed for undeclared structured text; what is no column of theirs stays in `extra`."""


def applicability(signature: Signature, rules: Rules, parsers: Mapping[str, Iterable[str]] | None = None) -> str:
    """Say `yes`, or `no, because ...` in words."""
    if isinstance(signature, Windowed):
        return "yes"
    if isinstance(signature, Correlation):
        return _of_correlation(signature, rules, parsers)
    bindings = rules.maps.bindings(signature.logsource)
    if not bindings:
        return f"no, because no field map knows the logsource {signature.logsource}"
    if parsers is None:
        return "yes"
    reasons = [_unreadable(signature, binding, parsers) for binding in bindings]
    return "yes" if "" in reasons else f"no, because {reasons[0]}"


def _of_correlation(signature: Correlation, rules: Rules, parsers: Mapping[str, Iterable[str]] | None) -> str:
    known = {each.header.signature_id: each for each in rules.signatures()}
    told = {rule: applicability(known[rule], rules, parsers) for rule in signature.rules if rule in known}
    mute = sorted(rule for rule, verdict in told.items() if verdict != "yes")
    if not mute or (len(mute) < len(told) and not signature.kind.startswith("temporal")):
        return "yes"
    return f"no, because its rule {mute[0]} does not apply: {told[mute[0]].removeprefix('no, because ')}"


def _unreadable(rule: Rule, binding: Binding, parsers: Mapping[str, Iterable[str]]) -> str:
    """Say why no installed parser can feed a rule through a binding; empty where one can."""
    reading = {parser: set(own) for parser, own in parsers.items() if binding.reads(parser)}
    if not reading and not any(binding.reads(parser) for parser in (*KEYED, "generic_text")):
        return f"no installed parser yields {rule.logsource}"
    if binding.pairs or any(binding.reads(parser) for parser in KEYED):
        return ""
    wanted = {t.field for t in tests(rule.condition) if t.field is not None and t.operator not in ("null", "exists")}
    known = set(EVENT_COLUMNS) | set(VIRTUAL) | {"extra"}
    lacking = {
        field
        for field in wanted
        if not any(
            column in known or column in own or column.startswith("extra.")
            for own in (*reading.values(), set[str]())
            for column in binding.columns(field)
        )
    }
    return f"no parser of {rule.logsource} yields {sorted(lacking)[0]}" if wanted and lacking == wanted else ""

"""A rule in words: what it looks for, in whose events, in which columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pirtimeline.signatures.condition import MANY, All, Condition, Not, Test, tests
from pirtimeline.signatures.load import Rules
from pirtimeline.signatures.model import Correlation, Rule, Signature, Windowed

OPERATORS = {
    "equals": "is",
    "like": "is like",
    "startswith": "starts with",
    "endswith": "ends with",
    "regex": "matches",
    "slow": "matches (slowly)",
    "cidr": "lies in",
    "number": "is",
    "bool": "is",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
}
"""Operators of a test that are said otherwise than they are called."""


def explained(signature: Signature, rules: Rules, parsers: Mapping[str, Iterable[str]]) -> str:
    """Say what a rule looks for, and whether an installed parser can feed it.

    Example:
        >>> from pirtimeline.signatures import load
        >>> rules = load()
        >>> found = next(one for one in rules.signatures() if one.header.signature_id == "jvm.crash")
        >>> explained(found, rules, {}).splitlines()[0]
        'jvm.crash: JVM crashed'
    """
    from pirtimeline.signatures.applicable import applicability

    header = signature.header
    told = [
        ("level", header.level),
        ("role", header.role),
        ("asks for", header.asks),
        ("applies", applicability(signature, rules, parsers)),
        ("file", header.origin if not header.ours else ""),
        ("see", " ".join(header.references)),
        ("also fires on", "; ".join(header.falsepositives)),
    ]
    lines = [f"{header.signature_id}: {header.title}", *(f"{name}: {said}" for name, said in told if said)]
    return "\n".join([*lines, *_body(signature, rules)])


def _body(signature: Signature, rules: Rules) -> Iterator[str]:
    if isinstance(signature, Windowed):
        yield f"found by a function over windows of time: {signature.windowed}"
    elif isinstance(signature, Correlation):
        yield from _correlation(signature)
    else:
        yield f"among the events of {signature.logsource}, one of which"
        yield from _condition(signature.condition, 1)
        yield from _columns(signature, rules)


def _correlation(signature: Correlation) -> Iterator[str]:
    limit = signature.threshold
    wanted = f" {OPERATORS.get(limit.operator, limit.operator)} {limit.limit:g}" if limit else ""
    group = f", for each {', '.join(signature.group_by)}" if signature.group_by else ""
    yield f"{signature.kind}{wanted} within {signature.timespan}{group}, of the rules"
    yield from (f"  {rule}" for rule in signature.rules)


def _condition(condition: Condition, depth: int) -> Iterator[str]:
    """Write a condition a line a test, indented below what joins them."""
    pad = "  " * depth
    if isinstance(condition, Test):
        yield pad + _test(condition)
    elif isinstance(condition, Not):
        yield f"{pad}not"
        yield from _condition(condition.item, depth + 1)
    else:
        yield pad + ("all of" if isinstance(condition, All) else "one of")
        for item in condition.items:
            yield from _condition(item, depth + 1)


def _test(test: Test) -> str:
    field = test.field or "its text"
    if test.operator == "null":
        return f"{field} is empty or absent"
    values = " or ".join(_value(value) for value in test.values)
    return f"{field} {OPERATORS.get(test.operator, test.operator)} {values}"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        value = "".join(("*" if part == MANY else "?") if isinstance(part, int) else part for part in value)
    return f"'{value}'" if isinstance(value, str) else str(value)


def _columns(rule: Rule, rules: Rules) -> Iterator[str]:
    """Say which columns of which parsers each field is read from."""
    fields = sorted({test.field for test in tests(rule.condition) if test.field})
    for binding in rules.maps.bindings(rule.logsource):
        read = "; ".join(f"{field} from {' or '.join(binding.columns(field))}" for field in fields)
        yield f"in events of {', '.join(binding.parsers)}" + (f": {read}" if read else "")

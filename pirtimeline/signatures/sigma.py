"""Sigma rules as pySigma reads them, turned into our own values. The only module that imports pySigma."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any

from pirtimeline.errors import SignatureError
from pirtimeline.signatures.condition import MANY, ONE, All, Condition, Not, Test, Value, both, either
from pirtimeline.signatures.headers import header_of
from pirtimeline.signatures.model import (
    Correlation,
    Expression,
    Logsource,
    Problem,
    Rule,
    Threshold,
)
from pirtimeline.signatures.places import located
from pirtimeline.signatures.regex import to_rust
from pirtimeline.signatures.wildcards import joined, tested

if TYPE_CHECKING:
    from sigma.conditions import ConditionItem
    from sigma.correlations import SigmaCorrelationRule
    from sigma.filters import SigmaFilter
    from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaRule
    from sigma.types import SigmaString, SigmaType

Placeholders = Mapping[str, Sequence[str]]
Document = Mapping[str, Any]


def read(documents: Iterable[tuple[str, int, Document]], placeholders: Placeholders) -> Reading:
    """Read Sigma documents, each with its file and its place in it, into rules and what is wrong with them.

    Filters are applied to the rules that they name; `action` (global, reset, repeat) has been resolved before.
    """
    reading = Reading(placeholders)
    filters: list[SigmaFilter] = []
    raw: list[tuple[str, int, Document, SigmaRule]] = []
    for path, index, document in documents:
        with reading.of(path, index, document):
            parsed = _parsed(document)
            for issue in parsed.errors:
                reading.refuse(path, index, document, issue)
            if parsed.errors:
                continue
            if "correlation" in document:
                _sound(document["correlation"])
                reading.correlations.append(_correlation(parsed, path, index))
            elif "filter" in document:
                filters.append(parsed)
            else:
                raw.append((path, index, document, parsed))
    for path, index, document, rule in raw:
        with reading.of(path, index, document):
            reading.rules.append(_rule(rule, filters, path, index, placeholders))
    return reading


class Reading:
    """Rules, correlations and problems, as they are gathered."""

    def __init__(self, placeholders: Placeholders) -> None:
        self.rules: list[Rule] = []
        self.correlations: list[Correlation] = []
        self.problems: list[Problem] = []
        self._placeholders = placeholders

    @contextmanager
    def of(self, path: str, index: int, document: Document) -> Iterator[None]:
        """Take what reading a document raises for a problem of that document."""
        from pyparsing import ParseBaseException
        from sigma.exceptions import SigmaError

        try:
            yield
        except (SigmaError, SignatureError, ParseBaseException, *SLIPS) as error:
            self.refuse(path, index, document, error)

    def refuse(self, path: str, index: int, document: Document, error: Exception) -> None:
        """Note a problem of one document; `line` is the document's ordinal until its place is looked up."""
        name = str(document.get("name") or document.get("id") or document.get("title") or "")
        hint = error.hint if isinstance(error, SignatureError) else ""
        where = located(document, _told(error), partial(_failing, placeholders=self._placeholders))
        self.problems.append(Problem(name, path, index, _told(error), hint, where=where))


SLIPS = (TypeError, AttributeError, ValueError, KeyError)
"""What pySigma raises over shapes that it does not expect."""


def _told(error: Exception) -> str:
    """Put pySigma's own slips in words that a rule's author can use."""
    if isinstance(error, TypeError | AttributeError | KeyError):
        return f"a part of the rule has another shape than Sigma gives it ({error})"
    return error.what if isinstance(error, SignatureError) else str(error)


def _failing(body: Any, *, placeholders: Placeholders) -> tuple[str | int, ...] | None:
    """Find the part of a search identifier that cannot be read by itself; None where all can."""
    pairs: list[tuple[tuple[str | int, ...], Any]]
    if isinstance(body, Mapping) and body:
        pairs = [((str(key),), {key: value}) for key, value in body.items()]
    elif isinstance(body, list) and any(isinstance(each, Mapping) for each in body):
        return next(
            ((n, *f) for n, e in enumerate(body) if (f := _failing(e, placeholders=placeholders)) is not None), None
        )
    else:
        pairs = [((), body)]
    return next((keys for keys, part in pairs if not _readable(part, placeholders)), None)


def _readable(part: Any, placeholders: Placeholders) -> bool:
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetection

    try:
        _detection(SigmaDetection.from_definition(part, None, _policy()), placeholders)
    except (SigmaError, SignatureError, *SLIPS):
        return False
    return True


def _parsed(document: Document) -> Any:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.filters import SigmaFilter
    from sigma.rule import SigmaRule

    kind = SigmaCorrelationRule if "correlation" in document else SigmaFilter if "filter" in document else SigmaRule
    return kind.from_dict(dict(document), collect_errors=True, policy=_policy())


@lru_cache(maxsize=1)
def _policy() -> Any:
    """Let every pattern pass that Python or Rust can run; which one does is settled when the rule is compiled."""
    import re
    import warnings
    from dataclasses import replace

    from sigma.policy.profiles import TrustedPolicy
    from sigma.policy.regex_engine import PythonRegexEngine

    class EitherEngine(PythonRegexEngine):
        """Python's dialect, and Rust's where Python refuses."""

        def compile(self, pattern: str, flags: int = 0) -> Any:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FutureWarning)
                    return re.compile(pattern, flags)
            except re.error:
                if to_rust(pattern) is None:
                    raise
                return re.compile("")

    return replace(TrustedPolicy, regex_engine=EitherEngine())


def _rule(rule: SigmaRule, filters: list[SigmaFilter], path: str, index: int, placeholders: Placeholders) -> Rule:
    filtered: Any = rule
    for each in filters:
        filtered = each.apply_on_rule(filtered)
    condition = either(tuple(_condition(c, placeholders) for c in filtered.detection.parsed_condition))
    words = (rule.logsource.category, rule.logsource.product, rule.logsource.service)
    logsource = Logsource(*(str(word or "").lower() for word in words))
    return Rule(header=header_of(rule, path, index), logsource=logsource, condition=condition)


def _condition(condition: Any, placeholders: Placeholders) -> Condition:
    if "|" in condition.condition:
        raise SignatureError("aggregations behind '|' are no longer part of conditions", hint="write a correlation")
    return _walked(_syntax(condition.condition), condition.detections, placeholders)


@lru_cache(maxsize=1024)
def _syntax(text: str) -> Any:
    """Parse a condition's text; many rules share theirs, and the tree is only looked at."""
    from sigma.conditions import SigmaCondition
    from sigma.rule.detection import EmptySigmaDetections

    return SigmaCondition(text, EmptySigmaDetections()).parse(postprocess=False)


def _walked(node: ConditionItem, detections: SigmaDetections, placeholders: Placeholders) -> Condition:
    """Turn a parsed condition into ours, each name replaced by the detection it stands for."""
    from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionNOT, ConditionSelector

    if isinstance(node, ConditionSelector):
        named = [name.identifier for name in node.resolve_referenced_detections(detections)]
        if not named:
            raise SignatureError(f"'{node.args[0]} of {node.pattern}' in the condition names no detection")
        parts = tuple(_detection(detections[name], placeholders) for name in named)
        return both(parts) if issubclass(node.cond_class, ConditionAND) else either(parts)
    if isinstance(node, ConditionIdentifier):
        if node.identifier not in detections.detections:
            raise SignatureError(f"the condition names '{node.identifier}', which is no detection of the rule")
        return _detection(detections[node.identifier], placeholders)
    inner = tuple(_walked(arg, detections, placeholders) for arg in node.args if arg is not None)  # type: ignore[arg-type]
    if isinstance(node, ConditionNOT):
        return Not(inner[0])
    return both(inner) if isinstance(node, ConditionAND) else either(inner)


def _detection(detection: SigmaDetection, placeholders: Placeholders) -> Condition:
    from sigma.conditions import ConditionAND
    from sigma.rule import SigmaDetection

    parts = tuple(
        _detection(item, placeholders) if isinstance(item, SigmaDetection) else _item(item, placeholders)
        for item in detection.detection_items
    )
    return both(parts) if detection.item_linking in (None, ConditionAND) else either(parts)


def _item(item: SigmaDetectionItem, placeholders: Placeholders) -> Condition:
    """Turn one `field|modifiers: values` into tests; `neq` asks that the field is there and is none of them."""
    from sigma.conditions import ConditionAND

    if not item.value:
        if item.field is None:
            raise SignatureError("an empty list of keywords matches nothing")
        return Test(item.field, "null")
    parts = tuple(_value(item.field, value, placeholders) for value in item.value)
    linked = both(parts) if item.value_linking is ConditionAND else either(parts)
    if not item.negated:
        return linked
    return All((Test(item.field, "exists", (True,)), Not(linked))) if item.field else Not(linked)


def _value(field: str | None, value: SigmaType, placeholders: Placeholders) -> Condition:
    """Turn one value into a test of a field, or of the searchable text where there is no field."""
    from sigma import types as t

    if isinstance(value, t.SigmaExpansion):
        return either(tuple(_value(field, v, placeholders) for v in value.values))
    if isinstance(value, t.SigmaString):
        cased = isinstance(value, t.SigmaCasedString)
        return either(tuple(tested(field, parts, cased) for parts in _filled(value, placeholders)))
    if isinstance(value, t.SigmaRegularExpression):
        return _regex(field, value, placeholders)
    if field is None:
        if isinstance(value, t.SigmaNumber | t.SigmaBool) and not isinstance(value, t.SigmaTimestampPart):
            return Test(None, "contains", (str(value.to_plain()),))
        raise SignatureError(f"{type(value).__name__.removeprefix('Sigma')} needs a field; a keyword cannot be one")
    return _typed(field, value)


def _typed(field: str, value: SigmaType) -> Test:
    from sigma import types as t

    if isinstance(value, t.SigmaCompareExpression):
        operator = value.op.name.lower()
        if isinstance(value.number, t.SigmaTimestampPart):
            return Test(field, value.number.timestamp_part.name.lower(), (value.number.number,), flags=operator)
        return Test(field, operator, (value.number.number,))
    if isinstance(value, t.SigmaTimestampPart):
        return Test(field, value.timestamp_part.name.lower(), (value.number,))
    if isinstance(value, t.SigmaFieldReference):
        how = {(True, True): "_contains", (True, False): "_startswith", (False, True): "_endswith"}
        return Test(field, "fieldref" + how.get((value.starts_with, value.ends_with), ""), (value.field,))
    makers: dict[type, Callable[[Any], Test]] = {
        t.SigmaNull: lambda v: Test(field, "null"),
        t.SigmaExists: lambda v: Test(field, "exists", (bool(v),)),
        t.SigmaCIDRExpression: lambda v: Test(field, "cidr", (str(v.network),)),
        t.SigmaNumber: lambda v: Test(field, "number", (v.number,)),
        t.SigmaBool: lambda v: Test(field, "bool", (v.boolean,)),
    }
    if type(value) not in makers:
        raise SignatureError(f"values of the kind {type(value).__name__.removeprefix('Sigma')} have no meaning here")
    return makers[type(value)](value)


def _filled(value: SigmaString, placeholders: Placeholders) -> list[tuple[str | int, ...]]:
    """Spell a string's parts, wildcards as numbers, once for each combination of its placeholders' values."""
    from sigma.types import Placeholder, SigmaString, SpecialChars

    choices: list[list[tuple[str | int, ...]]] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            filled = _values_of(part.name, placeholders)
            choices.append([each for text in filled for each in _filled(SigmaString(text), placeholders)])
        elif isinstance(part, SpecialChars):
            choices.append([(MANY if part is SpecialChars.WILDCARD_MULTI else ONE,)])
        else:
            choices.append([(part,)])
    return [joined(part for group in combination for part in group) for combination in product(*choices)]


def _values_of(name: str, placeholders: Placeholders) -> Sequence[str]:
    if name not in placeholders:
        raise SignatureError(
            f"the placeholder %{name}% has no values; name them in a file and pass it as --placeholders"
        )
    return placeholders[name]


def _regex(field: str | None, value: Any, placeholders: Placeholders) -> Condition:
    flags = "".join(sorted({"IGNORECASE": "i", "MULTILINE": "m", "DOTALL": "s"}[flag.name] for flag in value.flags))
    patterns: list[Value] = [_pattern(parts) for parts in _filled(value.regexp, placeholders)]
    return either(
        tuple(Test(field, "slow" if to_rust(str(p), flags) is None else "regex", (p,), flags=flags) for p in patterns)
    )


def _pattern(parts: tuple[str | int, ...]) -> str:
    """Put a pattern together again: pySigma splits it at `*` and `?` as if they were wildcards."""
    return "".join(part if isinstance(part, str) else {MANY: "*", ONE: "?"}[part] for part in parts)


CORRELATION_KEYS = frozenset(
    {"type", "rules", "generate", "group-by", "aliases", "timespan", "timeframe", "condition", "field"}
)


def _sound(body: Mapping[Any, Any]) -> None:
    """Refuse what pySigma lets pass: keys that mean nothing, and lists of what are no names."""
    if unknown := sorted(str(key) for key in body if key not in CORRELATION_KEYS):
        raise SignatureError(f"a correlation has no key {unknown[0]!r}")
    for key in ("rules", "group-by"):
        names = body.get(key) or ()
        if any(not isinstance(name, str) for name in (names if isinstance(names, list) else [names] if names else ())):
            raise SignatureError(f"{key} must be a list of names")


def _correlation(rule: SigmaCorrelationRule, path: str, index: int) -> Correlation:
    from sigma.correlations import SigmaExtendedCorrelationCondition

    kind, condition = rule.type.name.lower(), rule.condition
    expression, threshold = None, None
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        expression, named = _expression(condition.parsed), condition.get_referenced_rules()
    else:
        fields = condition.fieldref
        named = [reference.reference for reference in rule.rules or ()]
        threshold = Threshold(
            operator=condition.op.name.lower(),
            limit=condition.count,
            fields=(fields,) if isinstance(fields, str) else tuple(fields or ()),
            percentile=50 if condition.percentile is None else condition.percentile,
        )
    if not named:
        raise SignatureError("a correlation needs rules to refer to")
    return Correlation(
        header=header_of(rule, path, index),
        kind=kind,
        rules=tuple(named),
        group_by=tuple(rule.group_by or ()),
        aliases=tuple((a.alias, ref.reference, field) for a in rule.aliases for ref, field in a.mapping.items()),
        timespan=timedelta(seconds=rule.timespan.seconds),
        threshold=threshold,
        expression=expression,
        generate=bool(rule.generate),
    )


def _expression(node: Any) -> Expression:
    from sigma.correlations import CorrelationConditionAND, CorrelationConditionNOT, SigmaRuleReference

    if isinstance(node, SigmaRuleReference):
        return node.reference
    word = {CorrelationConditionAND: "and", CorrelationConditionNOT: "not"}.get(type(node), "or")
    return word, tuple(_expression(arg) for arg in node.args)

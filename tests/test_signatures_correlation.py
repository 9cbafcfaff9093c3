"""Correlations against a naive reading, window by window, and what their findings say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signatures import naive_correlation
from signatures.cases import cases

from pirtimeline.signatures import Rules, match
from pirtimeline.signatures.fields import Binding, Entry, FieldMaps
from pirtimeline.signatures.load import _resolved
from pirtimeline.signatures.sigma import read

MAPS = FieldMaps((Entry(("x", "", ""), Binding(("*",)), {}, False),))
START = datetime(2024, 3, 4, tzinfo=UTC)
SCHEMA = {
    "event_id": pl.String(),
    "parser": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "host_name": pl.String(),
    "service_name": pl.String(),
    "message": pl.String(),
    "user": pl.String(),
    "peer": pl.String(),
    "amount": pl.String(),
}


def table(events: list[dict[str, Any]]) -> pl.LazyFrame:
    rows = [
        {
            **dict.fromkeys(SCHEMA),
            "event_id": f"{n:012x}:0",
            "parser": "any",
            "timestamp": START + timedelta(seconds=event["at"]),
            "message": event["rule"],
            **event.get("fields", {}),
        }
        for n, event in enumerate(events)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy()


def loaded(*correlations: dict[str, Any]) -> Rules:
    base = [
        {
            "title": name,
            "name": name,
            "logsource": {"category": "x"},
            "detection": {"s": {"message": name}, "condition": "s"},
        }
        for name in "abc"
    ]
    documents = [("rules.yml", n, document) for n, document in enumerate([*base, *correlations])]
    reading = read(documents, {})
    assert not reading.problems, reading.problems
    resolved, lost = _resolved(reading.correlations, [*reading.rules, *reading.correlations])
    assert not lost
    return Rules(tuple(reading.rules), tuple(resolved), (), MAPS)


def correlation(name: str = "found", **keys: Any) -> dict[str, Any]:
    body = {k.replace("_", "-") if k == "group_by" else k: v for k, v in keys.items()}
    return {"title": name, "name": name, "correlation": body}


def ids(events: pl.LazyFrame, rules: Rules, name: str = "found") -> set[str]:
    return set(match(events, rules).hits.filter(pl.col("signature_id") == name)["event_id"])


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "user": st.sampled_from(["u", "v"]),
        "peer": st.sampled_from(["u", "v"]),
        "amount": st.sampled_from(["1", "2.5", "-3", "x", "10"]),
    },
)
EVENTS = st.lists(
    st.fixed_dictionaries({"rule": st.sampled_from("abc"), "at": st.integers(0, 30), "fields": FIELDS}), max_size=14
)
LIMITS = st.dictionaries(
    st.sampled_from(["lt", "lte", "gt", "gte", "eq", "neq"]), st.integers(0, 4), min_size=1, max_size=1
)
KINDS = ["event_count", "value_count", "value_sum", "value_avg", "value_median", "value_percentile"]


@st.composite
def correlations(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([*KINDS, "temporal", "temporal_ordered"]))
    rules = draw(st.permutations("abc"))[: draw(st.integers(1, 3))]
    body: dict[str, Any] = {"type": kind, "rules": rules, "group-by": draw(st.sampled_from([["user"], ["who"], []]))}
    if body["group-by"] == ["who"]:
        body["aliases"] = {"who": {rule: draw(st.sampled_from(["user", "peer"])) for rule in rules}}
    if not kind.startswith("temporal"):
        body["condition"] = draw(LIMITS)
        if kind.startswith("value"):
            body["condition"]["field"] = "user" if kind == "value_count" else "amount"
        if kind == "value_percentile":
            body["condition"]["percentile"] = draw(st.sampled_from([0, 25, 90, 100]))
    elif draw(st.booleans()):
        body["condition"] = draw(LIMITS)
    body["timespan"] = draw(st.sampled_from([1, 5, 7, 60]))
    return body


def as_sigma(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "timespan": f"{body['timespan']}s"} | ({} if body["group-by"] else {"group-by": None})


@settings(max_examples=cases(45, 3500), deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS, st.lists(correlations(), min_size=4, max_size=8))
def test_correlations_agree_with_naive_reading(events: list[dict[str, Any]], bodies: list[dict[str, Any]]) -> None:
    """Try about six correlations on the same events each time: more than 20,000 in the profile `search`."""
    items = [{**event, "events": [f"{n:012x}:0"]} for n, event in enumerate(events)]
    rules = loaded(*({"title": f"k{n}", "name": f"k{n}", "correlation": as_sigma(b)} for n, b in enumerate(bodies)))
    hits = match(table(events), rules).hits
    for n, body in enumerate(bodies):
        expected = {
            event
            for each in naive_correlation.found(body, items).values()
            for found in each
            for item in found
            for event in item["events"]
        }
        assert set(hits.filter(pl.col("signature_id") == f"k{n}")["event_id"]) == expected, body


def seen(*told: str, **fields: str) -> list[dict[str, Any]]:
    """Make events of `rule@second` and, behind a colon, an amount; all have the same further fields."""
    out = []
    for one in told:
        head, _, amount = one.partition(":")
        rule, _, second = head.partition("@")
        out.append({"rule": rule, "at": int(second), "fields": {**fields, **({"amount": amount} if amount else {})}})
    return out


AMOUNTS = seen("a@0:1", "a@1:2", "a@2:9")
USERS = [*seen("a@0", user="u"), *seen("a@1", user="v"), *seen("a@2", user="u")]
TABLE: list[tuple[str, list[str], Any, list[dict[str, Any]], int]] = [
    ("event_count", ["a"], {"gte": 3}, seen("a@0", "a@1", "a@2"), 3),
    ("event_count", ["a"], {"gte": 3}, seen("a@0", "a@1"), 0),
    ("event_count", ["a"], {"gt": 3}, seen("a@0", "a@1", "a@2"), 0),
    ("event_count", ["a"], {"gt": 2}, seen("a@0", "a@1", "a@2"), 3),
    ("event_count", ["a"], {"lt": 2}, seen("a@0", "a@99"), 2),
    ("event_count", ["a"], {"lt": 1}, seen("a@0"), 0),
    ("event_count", ["a"], {"lte": 1}, seen("a@0", "a@99"), 2),
    ("event_count", ["a"], {"eq": 1}, seen("a@0", "a@99"), 2),
    ("event_count", ["a"], {"eq": 3}, seen("a@0"), 0),
    ("event_count", ["a"], {"neq": 1}, seen("a@0", "a@99"), 0),
    ("event_count", ["a"], {"neq": 1}, seen("a@0", "a@9"), 2),
    ("event_count", ["a", "b"], {"gte": 2}, seen("a@0", "b@1", "c@2"), 2),
    ("value_count", ["a"], {"field": "user", "gte": 2}, USERS, 3),
    ("value_count", ["a"], {"field": "user", "gte": 3}, USERS, 0),
    ("value_count", ["a"], {"field": "user", "gte": 1}, seen("a@0"), 0),
    ("value_sum", ["a"], {"field": "amount", "gte": 12}, AMOUNTS, 3),
    ("value_sum", ["a"], {"field": "amount", "gt": 12}, AMOUNTS, 0),
    ("value_sum", ["a"], {"field": "amount", "lte": 0}, seen("a@0:x"), 0),
    ("value_avg", ["a"], {"field": "amount", "gte": 4}, AMOUNTS, 3),
    ("value_avg", ["a"], {"field": "amount", "gte": 5}, AMOUNTS, 0),
    ("value_median", ["a"], {"field": "amount", "eq": 2}, AMOUNTS, 3),
    ("value_median", ["a"], {"field": "amount", "gte": 3}, AMOUNTS, 0),
    ("value_percentile", ["a"], {"field": "amount", "percentile": 100, "gte": 9}, AMOUNTS, 3),
    ("value_percentile", ["a"], {"field": "amount", "percentile": 75, "gte": 6}, AMOUNTS, 0),
    ("value_percentile", ["a"], {"field": "amount", "percentile": 0, "lte": 0}, AMOUNTS, 0),
    ("temporal", ["a", "b"], None, seen("b@0", "a@1"), 2),
    ("temporal", ["a", "b"], None, seen("a@0", "a@1"), 0),
    ("temporal", ["a", "b", "c"], {"gte": 2}, seen("a@0", "c@1"), 2),
    ("temporal", ["a", "b"], "a or b", seen("b@0"), 1),
    ("temporal", ["a", "b"], "a and not b", seen("a@0", "b@1"), 1),
    ("temporal_ordered", ["a", "b"], None, seen("a@0", "b@1"), 2),
    ("temporal_ordered", ["a", "b"], None, seen("b@0", "a@1"), 0),
    ("temporal_ordered", ["a", "b"], None, seen("a@0", "b@11"), 0),
    ("temporal_ordered", ["a", "b", "c"], {"gte": 2}, seen("a@0", "c@1"), 2),
]
"""A kind of correlation, its rules and condition, the events, and how many of them its matches hold within 10 s."""


def test_truth_table_of_correlations_holds() -> None:
    for kind, rules, condition, events, expected in TABLE:
        body = {"type": kind, "rules": rules, "timespan": "10s", **({"condition": condition} if condition else {})}
        assert len(ids(table(events), loaded(correlation(**body)))) == expected, (kind, condition)


def test_every_type_and_operator_stands_in_the_truth_table() -> None:
    from sigma.correlations import SigmaCorrelationConditionOperator, SigmaCorrelationType

    assert {each.name.lower() for each in SigmaCorrelationType} == {kind for kind, *_ in TABLE}
    used = {word for _, _, condition, _, _ in TABLE if isinstance(condition, dict) for word in condition}
    assert {each.name.lower() for each in SigmaCorrelationConditionOperator} <= used


def test_window_ends_where_the_time_span_does() -> None:
    rules = loaded(correlation(type="event_count", rules=["a"], timespan="5s", condition={"gte": 2}))
    assert len(ids(table([{"rule": "a", "at": 0}, {"rule": "a", "at": 5}]), rules)) == 2
    assert not ids(table([{"rule": "a", "at": 0}, {"rule": "a", "at": 6}]), rules)


def test_every_unit_of_a_time_span_is_read() -> None:
    spans = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2629746, "y": 31556952}
    for unit, seconds in spans.items():
        rules = loaded(correlation(type="event_count", rules=["a"], timespan=f"1{unit}", condition={"gte": 2}))
        assert ids(table([{"rule": "a", "at": 0}, {"rule": "a", "at": seconds}]), rules), unit
        assert not ids(table([{"rule": "a", "at": 0}, {"rule": "a", "at": seconds + 1}]), rules), unit


def test_order_decides_ordered_correlations_only() -> None:
    backwards = table([{"rule": "b", "at": 1}, {"rule": "a", "at": 2}])
    assert ids(backwards, loaded(correlation(type="temporal", rules=["a", "b"], timespan="1m")))
    assert not ids(backwards, loaded(correlation(type="temporal_ordered", rules=["a", "b"], timespan="1m")))


def test_condition_in_words_can_ask_for_absence() -> None:
    rules = loaded(correlation(type="temporal", rules=["a", "b"], timespan="10s", condition="a and not b"))
    assert ids(table([{"rule": "a", "at": 0}]), rules)
    assert not ids(table([{"rule": "b", "at": 0}, {"rule": "a", "at": 5}]), rules)


def test_ordered_condition_in_words_keeps_order() -> None:
    rules = loaded(
        correlation(type="temporal_ordered", rules=["a", "b", "c"], timespan="1m", condition="a and b and not c")
    )
    assert ids(table([{"rule": "a", "at": 0}, {"rule": "b", "at": 5}]), rules)
    assert not ids(table([{"rule": "b", "at": 0}, {"rule": "a", "at": 5}]), rules)
    assert not ids(table([{"rule": "a", "at": 0}, {"rule": "c", "at": 2}, {"rule": "b", "at": 5}]), rules)


def test_chain_of_three_levels_gives_the_events_at_its_bottom() -> None:
    many = correlation("many", type="event_count", rules=["a"], group_by=["user"], timespan="10s", condition={"gte": 3})
    then = correlation("then", type="temporal_ordered", rules=["many", "b"], group_by=["user"], timespan="1m")
    twice = correlation(
        "twice", type="event_count", rules=["then"], group_by=["user"], timespan="1h", condition={"gte": 2}
    )
    burst = [{"rule": "a", "at": n, "fields": {"user": "u"}} for n in range(3)]
    one = [*burst, {"rule": "b", "at": 20, "fields": {"user": "u"}}]
    two = [*one, *({**e, "at": e["at"] + 600} for e in one)]
    rules = loaded(many, then, twice)
    assert ids(table(one), rules, "then") == {f"{n:012x}:0" for n in range(4)}
    assert not ids(table(one), rules, "twice")
    assert len(ids(table(two), rules, "twice")) == 8
    other = [*burst, {"rule": "b", "at": 20, "fields": {"user": "v"}}]
    assert not ids(table(other), rules, "then")


def test_finding_of_a_correlation_is_one_for_its_group_and_names_all_hosts() -> None:
    rules = loaded(correlation(type="event_count", rules=["a"], group_by=["user"], timespan="1m", condition={"gte": 3}))
    events = [{"rule": "a", "at": n, "fields": {"user": "u", "host_name": f"h{n}"}} for n in range(3)]
    found = match(table(events), rules).findings.row(0, named=True)
    assert found["signature_id"] == "found" and found["count"] == 3
    assert found["hosts"] == ["h0", "h1", "h2"]
    assert found["first_timestamp"] == START and found["last_timestamp"] == START + timedelta(seconds=2)


def test_rules_of_a_correlation_are_not_findings_themselves_unless_it_says_generate() -> None:
    body = {"type": "event_count", "rules": ["a"], "timespan": "1m", "condition": {"gte": 3}}
    event = [{"rule": "a", "at": 0}]
    assert not match(table(event), loaded(correlation(**body))).hits.height
    assert match(table(event), loaded(correlation(**body, generate=True))).hits["signature_id"].to_list() == ["a"]


def test_events_without_a_time_are_in_no_window() -> None:
    rules = loaded(correlation(type="event_count", rules=["a"], timespan="1m", condition={"gte": 1}))
    undated = table([{"rule": "a", "at": 0}]).with_columns(timestamp=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    assert not ids(undated, rules)

"""The engine against a naive reading of the specification, row by row: every modifier, every operator."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from signatures import naive

from pirtimeline.schema import EVENT_COLUMNS
from pirtimeline.signatures import Rules, match
from pirtimeline.signatures.fields import Binding, Entry, FieldMaps
from pirtimeline.signatures.sigma import read
from pirtimeline.signatures.text import searchable

WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Differences are shown one by one; shrinking tables of hundreds of pairs would take minutes and tell no more."""

MAPS = FieldMaps((Entry(("x", "", ""), Binding(("*",)), {}, False),))
PLACEHOLDERS = {"who": ["ab", "É*"], "lone": ["b-a"]}
OWN = {"f": pl.String(), "g": pl.String(), "n": pl.Int64(), "x": pl.Float64(), "b": pl.Boolean(), "ip": pl.String()}
SCHEMA = {**EVENT_COLUMNS, "parser": pl.String(), "event_id": pl.String(), **OWN, "t": pl.String()}

LETTERS = st.sampled_from([*"aAbB-/ éÉσΣς.01\n", "\\", "ab", "/a"])
TEXT = st.lists(LETTERS, max_size=5).map("".join)
WILD = st.lists(LETTERS | st.sampled_from(["*", "?", "\\*", "\\?", "\\\\", "\\\\*"]), max_size=5).map("".join)
NUMBER = st.integers(-3, 12) | st.sampled_from([1.5, 10.0, -0.5])
ADDRESS = st.sampled_from(
    [
        "192.0.2.1",
        "192.0.2.200",
        "198.51.100.9",
        "::ffff:192.0.2.7",
        "2001:db8::1",
        "2001:db8:1::5",
        "192.0.2.256",
        "-",
        "",
    ]
)
NETWORK = st.sampled_from(["192.0.2.0/25", "198.51.100.0/24", "0.0.0.0/0", "2001:db8::/48", "::/0", "192.0.2.1/32"])
TIME = st.sampled_from(
    ["2024-03-04T05:06:07Z", "2024-12-30 23:59:00", "2024-02-30T00:00:00Z", "2021-01-03", "yesterday", ""]
)
REGEX = st.sampled_from(
    [
        r"a+",
        r"^a",
        r"b$",
        r"a.b",
        r"[ab]{2}",
        r"^(a|b)",
        r"É",
        r"\.",
        r"a\Bb",
        r"[^a]",
        r"\d",
        r"(?:ab|-/)",
        r"\/a",
        "[]a]",
    ]
)
NUMERIC_TEXT = st.sampled_from(["1", "01", "1.5", "10.0", "10", "x", "", "+3", "1e1", "nan", "inf", "-0.5"])

EVENT = st.fixed_dictionaries(
    {},
    optional={
        "f": TEXT | NUMERIC_TEXT,
        "g": TEXT,
        "n": st.integers(-3, 12),
        "x": st.sampled_from([1.5, 10.0, -0.5, 2.0]),
        "b": st.booleans(),
        "ip": ADDRESS,
        "t": TIME,
        "e": TEXT | st.integers(0, 3),
        "message": TEXT,
    },
)

FIELD = st.sampled_from(["f", "g", "e", "absent", "n"])


def listed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


def keyed(fields: st.SearchStrategy[str], modifiers: list[str], values: st.SearchStrategy[Any]) -> Any:
    """Make one item: a field with one of several chains of modifiers, and values for it."""
    return st.tuples(fields, st.sampled_from(modifiers), listed(values)).map(
        lambda t: {t[0] + (f"|{t[1]}" if t[1] else ""): t[2]}
    )


NAMED = st.sampled_from(["f", "g", "e", "absent", "n", "x", "b"])
TEXTS = st.sampled_from(["f", "g"])
REFERENCES = ["fieldref", "fieldref|startswith", "fieldref|endswith", "fieldref|contains", "fieldref|neq"]
PLAIN_TEXT = st.lists(st.sampled_from(list("aAbB -/.01")), min_size=1, max_size=4).map("".join)
ITEM = st.one_of(
    keyed(NAMED, ["", "contains", "startswith", "endswith", "cased", "contains|cased", "startswith|cased"], WILD),
    keyed(FIELD, ["contains|all", "startswith|all", "all", "contains|all|cased", "neq", "contains|neq"], WILD),
    keyed(TEXTS, ["re", "re|i", "re|m", "re|s", "re|i|m|s", "re|neq"], REGEX),
    keyed(TEXTS, ["windash", "contains|windash", "windash|contains|all"], PLAIN_TEXT),
    keyed(TEXTS, ["expand", "contains|expand", "expand|contains"], st.sampled_from(["%who%", "a%lone%", "%"])),
    keyed(
        TEXTS,
        ["base64", "base64|contains", "wide|base64offset|contains", "base64offset|contains", "utf16|base64|startswith"],
        st.sampled_from(["a", "ab", "abc", "É"]).filter(str.isascii),
    ),
    keyed(TEXTS, ["wide|contains", "utf16be|contains", "utf16|startswith"], st.just("a")),
    keyed(st.just("ip"), ["cidr", "cidr|neq"], NETWORK),
    keyed(st.sampled_from(["n", "x", "f", "e", "absent"]), ["", "neq", "lt", "lte", "gt", "gte"], NUMBER),
    keyed(st.just("t"), ["hour", "day", "month", "hour|gte", "minute|lt", "week"], st.integers(0, 31)),
    keyed(st.just("t"), ["year", "year|lte"], st.integers(2020, 2025)),
    keyed(st.sampled_from(["f", "g", "n"]), REFERENCES, st.sampled_from(["f", "g", "n", "absent"])),
    st.tuples(NAMED, st.booleans()).map(lambda t: {f"{t[0]}|exists": t[1]}),
    st.tuples(NAMED, st.sampled_from([None, "", []])).map(lambda t: {t[0]: t[1]}),
    st.tuples(NAMED, st.booleans()).map(lambda t: {t[0]: t[1]}),
)
MAP = st.lists(ITEM, min_size=1, max_size=2).map(lambda items: {k: v for each in items for k, v in each.items()})
KEYWORD = WILD.filter(bool)
SEARCH = st.one_of(
    MAP,
    MAP,
    st.lists(MAP, min_size=1, max_size=3),
    st.lists(KEYWORD, min_size=1, max_size=3),
    st.lists(KEYWORD, min_size=2, max_size=3).map(lambda words: {"|all": words}),
    REGEX.map(lambda pattern: {"|re": pattern}),
)
CONDITION = st.sampled_from(
    [
        "sel_a",
        "not sel_a",
        "sel_a and sel_b",
        "sel_a or not sel_b",
        "1 of sel_*",
        "all of sel_*",
        "not 1 of sel_*",
        "all of them",
        "1 of them and not other",
        "not (sel_a and not (sel_b or other))",
        "not sel_a and not sel_b or other",
    ]
)
DETECTION = st.fixed_dictionaries({"sel_a": SEARCH, "sel_b": SEARCH, "other": SEARCH, "condition": CONDITION})


def table(events: list[dict[str, Any]]) -> pl.DataFrame:
    rows = []
    for number, event in enumerate(events):
        row = dict.fromkeys(SCHEMA) | {k: v for k, v in event.items() if k != "e"}
        row |= {"event_id": f"{number:012x}:0", "parser": "any"}
        row |= {"extra": json.dumps({"e": event["e"]}, ensure_ascii=False)} if "e" in event else {}
        rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def compiled(detections: list[dict[str, Any]]) -> Rules:
    documents = [
        ("rules.yml", n, {"title": f"r{n}", "name": f"r{n}", "logsource": {"category": "x"}, "detection": detection})
        for n, detection in enumerate(detections)
    ]
    reading = read(documents, PLACEHOLDERS)
    assert not reading.problems, reading.problems[0]
    return Rules(tuple(reading.rules), (), (), MAPS)


def differences(detections: list[dict[str, Any]], events: list[dict[str, Any]], *, batch: int = 7) -> list[Any]:
    frame = table(events)
    texts = frame.select(searchable(frame.columns)).to_series().to_list()
    hits = match(frame.lazy(), compiled(detections), batch=batch).hits
    found = set(hits.select("signature_id", "event_id").iter_rows())
    return [
        (detection, event)
        for n, detection in enumerate(detections)
        for m, event in enumerate(events)
        if naive.matches({"detection": detection}, event, texts[m], PLACEHOLDERS) != ((f"r{n}", f"{m:012x}:0") in found)
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=WITHOUT_SHRINKING)
@given(st.lists(DETECTION, min_size=10, max_size=30), st.lists(EVENT, min_size=10, max_size=30))
def test_engine_agrees_with_naive_reading(detections: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    assert not differences(detections, events)


TRUTH: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"f": "a*"}, {"f": "A\nb"}, True),
    ({"f": "a?"}, {"f": "a"}, False),
    ({"f": "a\\*"}, {"f": "a*"}, True),
    ({"f": "a\\*"}, {"f": "ab"}, False),
    ({"f": ""}, {"f": ""}, True),
    ({"f": ""}, {}, False),
    ({"f": None}, {}, True),
    ({"f": None}, {"f": ""}, False),
    ({"f|exists": True}, {"f": ""}, True),
    ({"f|exists": False}, {}, True),
    ({"f|neq": "a"}, {"f": "b"}, True),
    ({"f|neq": "a"}, {}, False),
    ({"f|cased": "A"}, {"f": "a"}, False),
    ({"f|contains": "ÉCOLE"}, {"f": "l'école"}, True),
    ({"f|endswith": "ΟΔΟΣ"}, {"f": "μεγάλη οδος"}, True),
    ({"f|contains|all": ["a", "b"]}, {"f": "ba"}, True),
    ({"f|contains|all": ["a", "b"]}, {"f": "a"}, False),
    ({"f|re": "^a.b$"}, {"f": "a\nb"}, False),
    ({"f|re|s": "^a.b$"}, {"f": "a\nb"}, True),
    ({"f|re|m": "^b"}, {"f": "a\nb"}, True),
    ({"f|re": "b$"}, {"f": "ab\n"}, True),
    ({"f|re": "A"}, {"f": "a"}, False),
    ({"f|re|i": "A"}, {"f": "a"}, True),
    ({"f|gt": 1}, {"f": "nan"}, False),
    ({"f|gt": 1}, {"f": "inf"}, False),
    ({"f|gte": 2}, {"f": "2.0"}, True),
    ({"f|lt": 2}, {"n": 1}, False),
    ({"f": 10}, {"f": "010"}, True),
    ({"f": 10}, {"f": "10a"}, False),
    ({"n": "10"}, {"n": 10}, True),
    ({"ip|cidr": "0.0.0.0/0"}, {"ip": "192.0.2.256"}, False),
    ({"ip|cidr": "192.0.2.0/24"}, {"ip": "192.0.2.255"}, True),
    ({"ip|cidr": "192.0.2.0/24"}, {"ip": "192.0.3.0"}, False),
    ({"ip|cidr": "2001:db8::/32"}, {"ip": "2001:DB8:0::1"}, True),
    ({"f|windash|contains": " -enc"}, {"f": "x /ENC"}, True),
    ({"f|windash|contains": " -enc"}, {"f": "x –enc"}, True),
    ({"f|base64": "abc"}, {"f": "YWJj"}, True),
    ({"f|wide|base64offset|contains": "ab"}, {"f": "xxQBiAxx"}, False),
    ({"f|base64offset|contains": "foobar"}, {"f": "eHhmb29iYXJ4"}, True),
    ({"f|fieldref": "g"}, {"f": "A", "g": "a"}, True),
    ({"f|fieldref": "g"}, {"f": "A"}, False),
    ({"f|fieldref|endswith": "g"}, {"f": "xA", "g": "a"}, True),
    ({"t|hour": 5}, {"t": "2024-03-04T05:06:07+02:00"}, True),
    ({"t|week": 1}, {"t": "2024-12-30 23:59:00"}, True),
    ({"t|month|gte": 3}, {"t": "2024-03-04"}, True),
    ({"t|minute": 0}, {"t": "2024-03-04"}, False),
    ({"f|contains|expand": "%who%"}, {"f": "xÉty"}, True),
    ({"e": 3}, {"e": 3}, True),
    ({"e|exists": False}, {"f": "x"}, True),
    ({"b": True}, {"b": True}, True),
    ({"b": "true"}, {"b": True}, True),
]


def test_truth_table_holds() -> None:
    for selection, event, expected in TRUTH:
        detection = {"sel_a": selection, "condition": "sel_a"}
        hits = (
            match(table([event, {"g": "y", "message": "z"}]).lazy(), compiled([detection])).hits["event_id"].to_list()
        )
        assert ("000000000000:0" in hits) is expected, (selection, event)
        assert naive.matches({"detection": detection}, event, "", PLACEHOLDERS) is expected, (selection, event)


def test_every_operator_stands_in_the_truth_table() -> None:
    from pirtimeline.signatures.condition import OPERATORS, tests

    rules = compiled([{"a": selection, "condition": "a"} for selection, _, _ in TRUTH])
    used = {test.operator for rule in rules.rules for test in tests(rule.condition)}
    missing = set(OPERATORS) - used - {"slow", "day", "year", "lte", "fieldref_startswith", "fieldref_contains"}
    assert not missing

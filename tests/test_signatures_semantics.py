"""The engine against a naive reading of the specification, row by row: every modifier, every operator."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from signatures import naive
from signatures.cases import cases

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


@settings(
    max_examples=cases(15, 1100), deadline=None, suppress_health_check=list(HealthCheck), phases=WITHOUT_SHRINKING
)
@given(st.lists(DETECTION, min_size=10, max_size=30), st.lists(EVENT, min_size=10, max_size=30))
def test_rules_agree_with_naive_reading(detections: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """Try about twenty rules on about twenty events each time: more than 20,000 rules in the profile `search`."""
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
    ({"f": "a?b"}, {"f": "xaxb"}, False),
    ({"f": "a*b*c"}, {"f": "abcd"}, False),
    ({"f": "a*b*c"}, {"f": "axbxc"}, True),
    ({"f|startswith": "ab"}, {"f": "ABc"}, True),
    ({"f|startswith": "ab"}, {"f": "cab"}, False),
    ({"f|endswith": "ab"}, {"f": "abc"}, False),
    ({"f|contains|cased": "AB"}, {"f": "xab"}, False),
    ({"f|startswith|cased": "Ab"}, {"f": "Abc"}, True),
    ({"f|re|ignorecase": "^A"}, {"f": "a"}, True),
    ({"f|re|multiline": "^b$"}, {"f": "a\nb\nc"}, True),
    ({"f|re|dotall": "a.b"}, {"f": "a\nb"}, True),
    ({"f|re": "a(?!b)"}, {"f": "ac"}, True),
    ({"f|re": "a(?!b)"}, {"f": "ab"}, False),
    ({"f|re": r"(a|b)\1"}, {"f": "xbb"}, True),
    ({"f|re": r"(a|b)\1"}, {"f": "ab"}, False),
    ({"f|re|neq": "^a"}, {"f": "b"}, True),
    ({"f|re|neq": "^a"}, {}, False),
    ({"n|lte": 3}, {"n": 3}, True),
    ({"n|lte": 3}, {"n": 4}, False),
    ({"n|lt": 3}, {"n": 3}, False),
    ({"n|gt": 3}, {"n": 3}, False),
    ({"n|gte": 3}, {"n": 2}, False),
    ({"f|lte": 3}, {"f": "x"}, False),
    ({"t|day": 4}, {"t": "2024-03-04T05:06:07Z"}, True),
    ({"t|day": 5}, {"t": "2024-03-04T05:06:07Z"}, False),
    ({"t|year": 2024}, {"t": "2024-03-04"}, True),
    ({"t|year|lt": 2024}, {"t": "2024-03-04"}, False),
    ({"t|hour": 4}, {"t": "yesterday"}, False),
    ({"f|fieldref|startswith": "g"}, {"f": "Abc", "g": "ab"}, True),
    ({"f|fieldref|startswith": "g"}, {"f": "cab", "g": "ab"}, False),
    ({"f|fieldref|contains": "g"}, {"f": "xABx", "g": "ab"}, True),
    ({"f|fieldref|contains": "g"}, {"f": "ab", "g": "abc"}, False),
    ({"f|fieldref|neq": "g"}, {"f": "a", "g": "b"}, True),
    ({"f|fieldref": "absent"}, {"f": "a"}, False),
    ({"f|utf16|base64": "a"}, {"f": "//5hAA=="}, True),
    ({"f|utf16be|contains": "ab"}, {"f": "\0a\0b"}, True),
    ({"f|wide|contains": "ab"}, {"f": "xa\0b\0"}, True),
    ({"ip|cidr": "::ffff:192.0.2.0/120"}, {"ip": "::ffff:192.0.2.7"}, True),
    ({"ip|cidr|neq": "192.0.2.0/24"}, {"ip": "198.51.100.1"}, True),
    ({"ip|cidr|neq": "192.0.2.0/24"}, {}, False),
    ({"f": "\\\\*"}, {"f": "\\x"}, True),
    ({"f": "a\\?"}, {"f": "a?"}, True),
    ({"f": []}, {}, True),
    ({"f": [None, "a"]}, {"f": "a"}, True),
    ({"f": [None, "a"]}, {}, True),
    ({"f|all": ["a*", "*b"]}, {"f": "ab"}, True),
    ({"f|all": ["a*", "*b"]}, {"f": "ac"}, False),
    ({"f|contains|neq": ["a", "b"]}, {"f": "xb"}, False),
]
"""A selection, an event, and whether the one holds of the other."""

COMBINED: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"a": {"f": "x"}, "condition": "not a"}, {}, True),
    ({"a": {"f": "x", "g": "y"}, "condition": "a"}, {"f": "x"}, False),
    ({"a": [{"f": "x"}, {"g": "y"}], "condition": "a"}, {"g": "y"}, True),
    ({"a": [{"f": "x"}, {"g": "y"}], "condition": "a"}, {"g": "z"}, False),
    ({"a": [{"f": "b"}, {"f|cased": "A"}], "condition": "a"}, {"f": "B"}, True),
    ({"a": [{"f|cased": "A"}, {"f": "b"}], "condition": "a"}, {"f": "a"}, False),
    ({"a": {"f": "x"}, "b": {"g": "y"}, "condition": "a and b"}, {"f": "x"}, False),
    ({"a": {"f": "x"}, "b": {"g": "y"}, "condition": "a or b"}, {"g": "y"}, True),
    ({"a": {"f": "x"}, "b": {"g": "y"}, "condition": "a and not b"}, {"f": "x"}, True),
    ({"a": {"f": "x"}, "b": {"g": "y"}, "condition": "not (a or b)"}, {"g": "y"}, False),
    ({"sel_a": {"f": "x"}, "sel_b": {"g": "y"}, "condition": "1 of sel_*"}, {"g": "y"}, True),
    ({"sel_a": {"f": "x"}, "sel_b": {"g": "y"}, "condition": "all of sel_*"}, {"g": "y"}, False),
    ({"sel_a": {"f": "x"}, "b": {"g": "y"}, "condition": "all of them"}, {"f": "x", "g": "y"}, True),
    ({"sel_a": {"f": "x"}, "b": {"g": "y"}, "condition": "1 of them"}, {"f": "z"}, False),
    ({"sel_a": {"f": "x"}, "_b": {"g": "y"}, "condition": "all of them"}, {"f": "x"}, True),
    ({"a": {"f": "x"}, "b": {"g": "y"}, "condition": ["a", "b"]}, {"g": "y"}, True),
    ({"a": {"f": "x"}, "b": {"g": "y"}, "c": {"f": "z"}, "condition": "a or b and c"}, {"f": "x"}, True),
    ({"k": ["needle", "pin"], "condition": "k"}, {"message": "a Needle."}, True),
    ({"k": ["needle", "pin"], "condition": "k"}, {"message": "nothing"}, False),
    ({"k": {"|all": ["needle", "pin"]}, "condition": "k"}, {"message": "pin, needle"}, True),
    ({"k": {"|all": ["needle", "pin"]}, "condition": "k"}, {"message": "pin"}, False),
    ({"k": {"|re": r"ne+dle \d"}, "condition": "k"}, {"message": "needle 4"}, True),
    ({"k": ["ne*le"], "condition": "k"}, {"message": "the\nneedle is here"}, True),
    ({"k": ["needle"], "condition": "not k"}, {"message": "needle"}, False),
    ({"k": ["needle"], "condition": "k"}, {"e": "needle"}, True),
]
"""A detection, an event, and whether the one holds of the other: conditions, lists, keywords."""


def holds(detections: list[dict[str, Any]], events: list[dict[str, Any]]) -> list[bool]:
    """Tell of each detection whether it holds of its own event, the others standing beside it."""
    hits = set(match(table(events).lazy(), compiled(detections)).hits.select("signature_id", "event_id").iter_rows())
    return [(f"r{n}", f"{n:012x}:0") in hits for n in range(len(events))]


def test_truth_tables_hold() -> None:
    rows = [({"a": selection, "condition": "a"}, event, verdict) for selection, event, verdict in TRUTH] + COMBINED
    texts = table([event for _, event, _ in rows]).select(searchable(list(SCHEMA))).to_series().to_list()
    found = holds([detection for detection, _, _ in rows], [event for _, event, _ in rows])
    for (detection, event, expected), text, verdict in zip(rows, texts, found, strict=True):
        assert verdict is expected, (detection, event)
        assert naive.matches({"detection": detection}, event, text, PLACEHOLDERS) is expected, (detection, event)


def test_every_operator_and_modifier_stands_in_the_truth_table() -> None:
    from sigma.modifiers import modifier_mapping

    from pirtimeline.signatures.condition import OPERATORS, tests

    rules = compiled([{"a": selection, "condition": "a"} for selection, _, _ in TRUTH])
    used = {test.operator for rule in rules.rules for test in tests(rule.condition)}
    assert set(OPERATORS) == used
    modifiers = {word for selection, _, _ in TRUTH for key in selection for word in key.split("|")[1:]}
    assert set(modifier_mapping) <= modifiers


def test_every_mistake_that_is_kept_can_still_be_made() -> None:
    from pathlib import Path

    import yaml

    root = Path(__file__).parents[1]
    kept = yaml.safe_load((root / "benchmarks" / "mistakes.yaml").read_text("utf-8"))
    folder = root / "pirtimeline" / "signatures"
    lost = [one["mistake"] for one in kept if one["says"] not in (folder / one["file"]).read_text("utf-8")]
    assert len(kept) >= 50 and not lost

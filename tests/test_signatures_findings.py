"""Findings: how matches are joined and split, what is cited, and what stays the same whatever the batches are."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline import signatures
from pirtimeline.errors import SignatureError
from pirtimeline.schema import FINDING_COLUMNS
from pirtimeline.signatures.findings import findings
from pirtimeline.signatures.model import Header

START = datetime(2024, 3, 4, 5, 0, tzinfo=UTC)
HEADERS = {
    name: Header(signature_id=name, title=f"Title of {name}", level="high", role="cause") for name in ("sig", "other")
}
TIME = pl.Datetime("us", "UTC")
SCHEMA = {
    "signature_id": pl.String(),
    "event_id": pl.String(),
    "timestamp": TIME,
    "not_before": TIME,
    "not_after": TIME,
    "host_name": pl.String(),
    "service_name": pl.String(),
    "key": pl.String(),
}


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def made(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    full = [
        {**dict.fromkeys(SCHEMA), "signature_id": "sig", "event_id": f"{n:012x}:0", "host_name": "h", **row}
        for n, row in enumerate(rows)
    ]
    return findings(pl.DataFrame(full, schema=SCHEMA, orient="row"), HEADERS).to_dicts()


def test_finding_is_split_where_more_than_thirty_minutes_pass() -> None:
    found = made([{"timestamp": minute(m)} for m in (0, 30, 60, 90.1, 100)])
    assert [(f["first_timestamp"], f["last_timestamp"], f["count"]) for f in found] == [
        (minute(0), minute(60), 3),
        (minute(90.1), minute(100), 2),
    ]


def test_findings_are_of_one_signature_host_and_service() -> None:
    rows = [
        {"timestamp": minute(0)},
        {"timestamp": minute(1), "host_name": "g"},
        {"timestamp": minute(2), "service_name": "shop"},
        {"timestamp": minute(3), "signature_id": "other"},
        {"timestamp": minute(4), "host_name": None},
    ]
    found = made(rows)
    assert [(f["signature_id"], f["hosts"], f["services"]) for f in found] == [
        ("sig", ["h"], []),
        ("sig", ["g"], []),
        ("sig", ["h"], ["shop"]),
        ("other", ["h"], []),
        ("sig", [], []),
    ]
    assert found[0]["title"] == "Title of sig" and found[0]["severity"] == "high" and found[0]["role"] == "cause"


def test_first_last_and_peak_are_cited() -> None:
    quiet = [{"timestamp": minute(n / 10)} for n in range(60)]
    busy = [{"timestamp": minute(10) + timedelta(milliseconds=n)} for n in range(100)]
    after = [{"timestamp": minute(20 + n / 10)} for n in range(60)]
    (found,) = made([*quiet, *busy, *after])
    cited = [int(event.split(":")[0], 16) for event in found["event_ids"]]
    assert cited == [*range(50), 60, *range(170, 220)]
    assert found["count"] == 220


def test_finding_is_named_by_what_it_is_of() -> None:
    (found,) = made([{"timestamp": minute(1)}, {"timestamp": minute(0), "service_name": None}])
    named = "\n".join(["sig", "h", "", "000000000001:0"])
    assert found["finding_id"] == hashlib.sha256(named.encode()).hexdigest()[:12]


def test_undated_match_stands_within_its_bounds() -> None:
    bounds = {"not_before": minute(1), "not_after": minute(2)}
    (joined,) = made([{"timestamp": minute(0)}, bounds, {"timestamp": minute(5)}])
    assert (joined["first_timestamp"], joined["last_timestamp"], joined["count"]) == (minute(0), minute(5), 3)
    (alone,) = made([bounds])
    assert (alone["first_timestamp"], alone["last_timestamp"]) == (minute(1), minute(2))
    (unknown,) = made([{}])
    assert unknown["first_timestamp"] is None and unknown["count"] == 1
    (named,) = made([{**bounds, "not_before": minute(-1)}, {"timestamp": minute(0)}])
    assert named["finding_id"] == made([{"event_id": "000000000001:0", "timestamp": minute(0)}])[0]["finding_id"]


def test_no_match_gives_an_empty_table_of_the_same_columns(ours: signatures.Rules) -> None:
    empty = signatures.match(pl.LazyFrame(schema={"event_id": pl.String(), "parser": pl.String()}), ours)
    assert empty.findings.schema == pl.Schema(FINDING_COLUMNS) and empty.findings.is_empty()
    assert empty.hits.columns == ["signature_id", "event_id", "timestamp", "host_name", "service_name"]


LINES = st.sampled_from(
    [
        "java.lang.OutOfMemoryError: Java heap space",
        "Connection refused",
        "all is well",
        "Failed password for ann from 192.0.2.1 port 1 ssh2",
        "No space left on device, straße É",
        "deploy started: shop 1.2.3",
    ]
)


@pytest.fixture(scope="module")
def ours() -> signatures.Rules:
    return signatures.load()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(LINES, st.sampled_from(["generic_text", "syslog_rfc3164"])), max_size=40), st.integers(1, 9))
def test_matches_do_not_depend_on_batches_or_order(
    ours: signatures.Rules, lines: list[tuple[str, str]], batch: int
) -> None:
    table = pl.DataFrame(
        {
            "event_id": [f"{n:012x}:0" for n in range(len(lines))],
            "message": [line for line, _ in lines],
            "parser": [parser for _, parser in lines],
            "timestamp": [minute(n) for n in range(len(lines))],
        },
        schema_overrides={"timestamp": TIME, "message": pl.String(), "parser": pl.String(), "event_id": pl.String()},
    )
    whole = signatures.match(table.lazy(), ours)
    pieces = signatures.match(table.reverse().lazy(), ours, batch=batch)
    assert whole.hits.equals(pieces.hits) and whole.findings.equals(pieces.findings)


def test_parser_with_columns_of_its_own_is_read_from_its_own_table(tmp_path: Any) -> None:
    rule = tmp_path / "own.yml"
    rule.write_text(
        "title: Own\nname: own\nlogsource: {category: application}\n"
        "detection: {s: {weird: x}, condition: s}\nlevel: low\n"
    )
    rules = signatures.load([rule], builtin=False)
    shared = pl.LazyFrame({"event_id": ["a:0", "b:0"], "parser": ["one", "two"]})
    own = {"two": pl.LazyFrame({"event_id": ["b:0"], "parser": ["two"], "weird": ["X"]})}
    assert signatures.match(shared, rules, own=own).hits["event_id"].to_list() == ["b:0"]
    assert signatures.match(shared, rules).hits.is_empty()


def test_explanation_counts_rows_part_by_part() -> None:
    rules = signatures.load()
    table = pl.LazyFrame(
        {"event_id": ["a:0", "b:0"], "parser": ["any", "any"], "message": ["Connection refused", "ok"]}
    )
    told = signatures.explain("net.refused", table, rules)
    assert told.matches == 1 and told.readings[0].rows == 2 and told.readings[0].candidates == 1
    assert [part.rows for part in told.readings[0].parts] == [1]
    assert "net.refused" in told.text() and told.to_json()["matches"] == 1
    with pytest.raises(SignatureError, match="no signature is called"):
        signatures.explain("net.refusal", table, rules)

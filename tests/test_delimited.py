"""Cells under a header: CSV, W3C's extended format, Zeek."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline import evidence
from pirtimeline.parsing.delimited import Header, header, names_of, read
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.survey import survey


def frame(lines: list[str]) -> tuple[Header, pl.DataFrame]:
    """Read lines as the engine does: the header first, then the events below it."""
    found = header(lines)
    assert found is not None
    events = pl.Series([line for line in lines if not pl.select(pl.lit(line).str.contains(found.structure)).item()])
    return found, read(events, Format(name="mine", title="", kind=found.kind, options=found.options))


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}


def test_csv_with_quotes_and_line_ends() -> None:
    found, rows = frame(
        [
            "Timestamp,Level,Host Name,Text,Basket",
            '2026-11-23T08:00:00Z,WARN,web1,"a ""b"",\nc",3',
            "2026-11-23T08:00:01Z,INFO,,d,",
        ]
    )
    assert found.kind == "csv"
    assert told(rows.row(0, named=True)) == {
        "timestamp_text": "2026-11-23T08:00:00Z",
        "severity_text": "WARN",
        "message": 'a "b",\nc',
        "host_name": "web1",
        "_time": "iso8601",
        "extra": '{"Basket":"3"}',
    }
    assert told(rows.row(1, named=True)) == {
        "timestamp_text": "2026-11-23T08:00:01Z",
        "severity_text": "INFO",
        "message": "d",
        "_time": "iso8601",
    }


def test_a_line_with_other_cells_than_the_header_is_refused() -> None:
    _, rows = frame(["time,level", *["1700758468,a"] * 9, "1700758468,a,b", "1700758468"])
    assert rows["_reject"].to_list() == [
        *[None] * 9,
        "3 cells where the header has 2",
        "1 cells where the header has 2",
    ]


def test_w3c_extended_format() -> None:
    found, rows = frame(
        [
            "#Software: Microsoft Internet Information Services 10.0",
            "#Version: 1.0",
            "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query cs-username c-ip cs(User-Agent) sc-status "
            "sc-bytes time-taken",
            "2026-11-23 08:00:00 192.0.2.1 GET /pay x=1 - 203.0.113.9 Mozilla/5.0+(X) 503 17 15",
        ]
    )
    assert (found.kind, found.lines) == ("w3c", 3)
    assert told(rows.row(0, named=True)) == {
        "timestamp_text": "2026-11-23 08:00:00",
        "source_ip": "203.0.113.9",
        "destination_ip": "192.0.2.1",
        "http_method": "GET",
        "url_path": "/pay",
        "url_query": "x=1",
        "http_status_code": 503,
        "http_response_bytes": 17,
        "user_agent": "Mozilla/5.0+(X)",
        "duration_ms": 15.0,
        "_time": "auto",
    }


def test_zeek() -> None:
    lines = [
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        "#path\tconn",
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tduration\ttunnel",
        "#types\ttime\tstring\taddr\tport\taddr\tport\tinterval\tset",
        "1795424010.133000\tCx1\t192.0.2.1\t5\t198.51.100.2\t443\t0.25\t(empty)",
        "#close\t2026-11-23-09-00-00",
    ]
    _, rows = frame(lines)
    assert told(rows.row(0, named=True)) == {
        "timestamp_text": "1795424010.133000",
        "_time": "epoch_s",
        "trace_id": "Cx1",
        "source_ip": "192.0.2.1",
        "source_port": 5,
        "destination_ip": "198.51.100.2",
        "destination_port": 443,
        "duration_ms": 250.0,
    }


@pytest.mark.parametrize(
    "lines",
    [
        ["a, b, and c", "went to sea"],
        ["2026-11-23 08:00:00,INFO,x", "2026-11-23 08:00:01,INFO,y"],
        ["Dear all, welcome", "this is, text"],
        ["level"],
        [],
        ["x,y,z", "1,2,3", "4,5,6"],
    ],
)
def test_lines_without_a_header(lines: list[str]) -> None:
    assert header(lines) is None


def test_names_are_never_empty_nor_twice_the_same() -> None:
    assert names_of({"header": "a,,a,a", "delimiter": ","}) == ["a", "column 2", "a 2", "a 3"]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5), st.sampled_from([",", ";", "\t", "|"]))
def test_every_cell_is_found_again(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    texts = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="").writerow(row)
        texts.append(out.getvalue())
    options = {"header": delimiter.join(["one", "two", "three"]), "delimiter": delimiter}
    found = read(pl.Series(texts), Format(name="mine", title="", kind="csv", options=options))
    assert found["_reject"].null_count() == len(rows)
    assert [tuple(json.loads(one).values()) for one in found["extra"]] == rows


def test_a_cell_larger_than_the_csv_module_allows() -> None:
    options = {"header": "time,level,what", "delimiter": ","}
    text = '1700758468,"WARN","' + "x," * 100_000 + '"'
    row = read(pl.Series([text]), Format(name="mine", title="", kind="csv", options=options)).row(0, named=True)
    assert row["severity_text"] == "WARN"
    assert len(json.loads(row["extra"])["what"]) == 200_000


def test_carriage_return_within_a_line_and_a_cell_too_large_are_no_table() -> None:
    assert header(["time,level\rmessage", "2024-03-04 02:58:03,INFO"]) is None
    assert header(["time," + "x" * 200_000, "2024-03-04 02:58:03,INFO"]) is None


def test_header_of_iis_says_more_than_the_order_of_most(tmp_path: Path) -> None:
    fields = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent)"
    head = f"#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n{fields} sc-status time-taken\n"
    line = "2024-03-04 02:58:{:02} 192.0.2.10 GET /shop - 443 - 198.51.100.4 okhttp/4.12.0 503 31\n"
    usual = "2024-03-04 02:59:00 192.0.2.10 GET /shop/cart id=7 443 - 198.51.100.4 okhttp/4.12.0 - 503 0 64 1203\n"
    for name, text in (("headed", head + "".join(map(line.format, range(30)))), ("bare", usual * 30)):
        (tmp_path / f"{name}.log").write_text(text, "utf-8")
    plans = survey(evidence.walk([tmp_path]), installed()).plans
    kinds = {one.path: [use.format.kind for use in one.formats] for one in plans.values()}
    assert kinds == {"headed.log": ["w3c"], "bare.log": ["lines"]}

"""CEF and LEEF: pipes and escapes, values with blanks, whose time and whose host."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline.parsing.cef import looks_like_cef, read_cef, read_leef
from pirtimeline.parsing.plugin import Format

CEF = Format(name="mine", title="", kind="cef")
LEEF = Format(name="mine", title="", kind="leef")
HEAD = "CEF:0|Acme|Watch|3.2|HW-1|down|8|"


def cef(text: str) -> dict[str, Any]:
    row = read_cef(pl.Series([text]), CEF).row(0, named=True)
    return {key: value for key, value in row.items() if value is not None}


def extra(row: dict[str, Any]) -> dict[str, str]:
    told: dict[str, str] = json.loads(row["extra"])
    return told


def test_an_alert_fills_its_columns() -> None:
    row = cef(
        HEAD + "rt=1795424010133 dvchost=gw1 src=192.0.2.1 spt=5 dst=198.51.100.2 dpt=443 suser=ann act=blocked "
        "request=https://shop.example.org/pay?x=1 requestMethod=POST msg=three of five failed cs1Label=zone cs1=dmz"
    )
    expected = {
        "timestamp_text": "1795424010133",
        "_time": "epoch_ms",
        "host_name": "gw1",
        "source_ip": "192.0.2.1",
        "source_port": 5,
        "destination_ip": "198.51.100.2",
        "destination_port": 443,
        "user_name": "ann",
        "event_action": "blocked",
        "url_path": "/pay",
        "url_query": "x=1",
        "http_method": "POST",
        "message": "three of five failed",
        "rule_name": "down",
        "event_code": "HW-1",
        "event_kind": "alert",
        "severity_text": "8",
        "_severity": "ERROR",
    }
    assert {key: row[key] for key in expected} == expected
    assert extra(row)["cs1"] == "dmz"


def test_the_name_is_the_message_where_there_is_none() -> None:
    assert cef(HEAD)["message"] == "down"


@pytest.mark.parametrize(
    ("word", "ours"), [("0", "INFO"), ("6", "WARN"), ("10", "FATAL"), ("Medium", "WARN"), ("Very-High", "FATAL")]
)
def test_severity_by_number_and_word(word: str, ours: str) -> None:
    assert cef(f"CEF:0|a|b|c|d|e|{word}|")["_severity"] == ours


def test_escapes_in_header_and_extension() -> None:
    row = cef(r"CEF:0|A\|B|C\\D|1|2|a \| b|3|msg=x\=1 \\ y\nz path=C:\\dir n= last=q")
    assert (row["rule_name"], row["message"]) == ("a | b", "x=1 \\ y\nz")
    assert {key: extra(row)[key] for key in ("deviceVendor", "deviceProduct", "path", "n", "last")} == {
        "deviceVendor": "A|B",
        "deviceProduct": "C\\D",
        "path": "C:\\dir",
        "n": "",
        "last": "q",
    }


@pytest.mark.parametrize(
    "time", ["rt=Nov 23 2026 08:53:30.133 UTC", "end=Nov 23 2026 08:53:30", "start=Nov 23 08:53:30"]
)
def test_times_written_out(time: str) -> None:
    assert (cef(HEAD + time)["timestamp_text"], cef(HEAD + time)["_time"]) == (time.partition("=")[2], "auto")


def test_a_label_that_names_a_column_fills_it_and_stays() -> None:
    row = cef(HEAD + "cs1Label=service cs1=shop")
    assert row["service_name"] == "shop"
    assert extra(row)["cs1"] == "shop"


def test_other_text_is_refused() -> None:
    frame = read_cef(pl.Series(["CEF:0|a|b", HEAD]), CEF)
    assert frame["_reject"].to_list() == ["not CEF: fewer fields between pipes than its header has", None]


def test_priorities_and_a_missing_mark_before_it() -> None:
    for text in ("<134>" + HEAD, HEAD.removeprefix("CEF:"), "CEF: " + HEAD.removeprefix("CEF:")):
        assert cef(text)["rule_name"] == "down"
        assert pl.select(looks_like_cef(pl.lit(text))).item()


@given(st.dictionaries(st.from_regex(r"\A[a-z]{2,8}Zz\Z"), st.from_regex(r"\A[a-z |=\\]{0,20}\Z"), max_size=5))
def test_every_pair_is_found_again(pairs: dict[str, str]) -> None:
    said = " ".join(f"{key}=" + value.replace("\\", "\\\\").replace("=", "\\=") for key, value in pairs.items())
    told = extra(cef(HEAD + said))
    assert {key: told[key] for key in pairs} == {key: value.strip() for key, value in pairs.items()}


@pytest.mark.parametrize(
    "text",
    [
        "LEEF:1.0|Acme|Watch|1|login|src=192.0.2.1\tusrName=ann lee\tdevTime=Nov 23 2026 08:53:30\tsev=9",
        "LEEF:2.0|Acme|Watch|1|login|^|src=192.0.2.1^usrName=ann lee^devTime=Nov 23 2026 08:53:30^sev=9",
        "LEEF:2.0|Acme|Watch|1|login|x5E|src=192.0.2.1^usrName=ann lee^devTime=Nov 23 2026 08:53:30^sev=9",
        "LEEF:2.0|Acme|Watch|1|login||src=192.0.2.1\tusrName=ann lee\tdevTime=Nov 23 2026 08:53:30\tsev=9",
        "LEEF:1.0|Acme|Watch|1|login|src=192.0.2.1 usrName=ann lee devTime=Nov 23 2026 08:53:30 sev=9",
    ],
)
def test_leef_with_each_delimiter(text: str) -> None:
    row = read_leef(pl.Series([text]), LEEF).row(0, named=True)
    assert (row["source_ip"], row["user_name"], row["timestamp_text"]) == (
        "192.0.2.1",
        "ann lee",
        "Nov 23 2026 08:53:30",
    )
    assert (row["event_code"], row["_severity"], row["event_kind"]) == ("login", "FATAL", "alert")


def test_leef_events_with_different_delimiters_stay_in_order() -> None:
    texts = ["LEEF:2.0|a|b|1|x|^|n=1^m=2", "LEEF:1.0|a|b|1|x|n=3\tm=4", "no", "LEEF:2.0|a|b|1|x|^|n=5^m=6"]
    frame = read_leef(pl.Series(texts), LEEF)
    assert [json.loads(one)["n"] if one else None for one in frame["extra"]] == ["1", "3", None, "5"]
    assert frame["_reject"].is_null().to_list() == [True, True, False, True]

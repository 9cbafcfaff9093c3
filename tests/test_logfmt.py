"""Lines of key=value pairs."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline.parsing.logfmt import looks_like, read
from pirtimeline.parsing.plugin import Format

PLAIN = Format(name="mine", title="", kind="logfmt")


def one(text: str) -> dict[str, Any]:
    return {key: value for key, value in read(pl.Series([text]), PLAIN).row(0, named=True).items() if value is not None}


def test_quoted_and_bare_values() -> None:
    assert one('t=2026-11-23T08:53:30.1+01:00 lvl=eror msg="no \\"luck\\"" logger=web n= x=1') == {
        "timestamp_text": "2026-11-23T08:53:30.1+01:00",
        "_time": "iso8601",
        "severity_text": "eror",
        "message": 'no "luck"',
        "logger_name": "web",
        "extra": '{"n":"","x":"1"}',
    }


def test_a_bare_value_ends_where_the_next_key_begins() -> None:
    assert one("user=ann lee msg=account is locked now code=7")["message"] == "account is locked now"


def test_words_before_the_first_key_make_the_text_the_message() -> None:
    row = one("login failed: user=ann")
    assert (row["message"], row["user_name"]) == ("login failed: user=ann", "ann")


def test_text_without_pairs_is_refused() -> None:
    frame = read(pl.Series(["a b c", "a=1"]), PLAIN)
    assert frame["_reject"].to_list() == ["no key=value pair", None]


def test_date_and_time_in_two_keys_and_an_epoch_before_both() -> None:
    assert one("date=2026-11-23 time=08:53:30 level=alert x=1")["timestamp_text"] == "2026-11-23 08:53:30"
    fortinet = 'date=2026-11-23 time=08:53:30 devname="fw" eventtime=1795424010133000000 logid="01" level="alert"'
    assert (one(fortinet)["timestamp_text"], one(fortinet)["_time"]) == ("1795424010133000000", "epoch_ns")


@given(
    st.dictionaries(
        st.from_regex(r"\A[a-z]{1,6}Zz\Z"),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
        min_size=1,
    )
)
def test_every_pair_is_found_again(pairs: dict[str, str]) -> None:
    text = " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in pairs.items())
    told = json.loads(one(text)["extra"])
    assert told == pairs


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("time=1 level=info", True),
        ('time="2026-11-23 08:00:00" msg=x', True),
        ("uname= t=2026-11-23T06:10:23Z", True),
        ("2026-11-23 08:00:00 a=1 b=2", False),
        ("select a=1 and b=2", False),
        ("a = 1", False),
    ],
)
def test_lines_that_may_be_pairs(text: str, is_one: bool) -> None:
    assert pl.select(looks_like(pl.lit(text))).item() is is_one

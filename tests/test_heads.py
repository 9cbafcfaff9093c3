"""Headers whose message is not matched say what the whole regex says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pirtimeline_parsers
from pirtimeline.parsing import heads
from pirtimeline.parsing.formats import load
from pirtimeline.parsing.heads import groups_of
from pirtimeline.parsing.plugin import Format

FILES = sorted(Path(pirtimeline_parsers.__file__).parent.glob("*.toml"))
FORMATS = [one for one in map(load, FILES) if one.kind == "lines"]
LINES = sorted({sample.text.split("\n")[0].rstrip("\r") for one in FORMATS for sample in one.samples})
SHORTER = [line[: len(line) * part // 4] for line in LINES for part in range(4)]
TEXTS = pl.Series([*LINES, *SHORTER, *(line + " " for line in LINES), *(f"{line} ümlaut | x" for line in LINES), ""])


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_a_shortened_regex_finds_the_lines_and_groups_that_the_whole_one_does(one: Format) -> None:
    for pattern in one.patterns:
        if pattern.header_lines > 1:
            continue
        whole = TEXTS.str.extract_groups(pattern.regex).struct.unnest()
        opens = TEXTS.str.contains(pattern.regex)
        matched, groups = groups_of(TEXTS, pattern.regex)
        assert matched.tolist() == opens.to_list()
        assert groups.select(whole.columns).equals(whole.filter(opens))


STRICT = r"(?P<message>(?:[^\s|:>\x{2013}\x{2014}-].*)?)$"
STAMP = r"(?P<timestamp_text>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
HEADERS = (
    rf"^{STAMP} +(?P<severity_text>(?i:INFO|WARN)) +\[ *(?P<thread_name>[^\[\] ]+(?: [^\[\] ]+)*) *\] *{STRICT}",
    rf"^{STAMP} (?P<severity_text>[A-Z]+) \[(?P<thread_name>[^\[\]]+)\] (?P<message>.*)$",
    rf"^\[{STAMP}\] (?P<severity_text>[A-Za-z]+): {STRICT}",
)
WRITTEN = st.tuples(
    st.sampled_from(
        ["2024-03-04 05:06:07", "2024-03-04 05:06:08.123", "2024-3-04 05:06:07", "[2024-03-04 05:06:07]", ""]
    ),
    st.sampled_from([" INFO [main] ", " WARN [main] ", " info [a b] ", "  INFO [main]  ", " WARN: ", " INFO [x]", " "]),
    st.sampled_from(["up", "", "- up", " up", "é", "[x] y z", "a  b ", "\tx", "1 > 2", "\u2003x"]),
).map("".join)


@pytest.mark.parametrize("regex", HEADERS)
@given(lines=st.lists(WRITTEN, min_size=1, max_size=9))
@settings(max_examples=8, deadline=None)
def test_headers_that_repeat_are_read_as_each_by_itself(regex: str, lines: list[str]) -> None:
    head = "[2024-03-04 05:06:07] WARN: " if regex.startswith(r"^\[") else "2024-03-04 05:06:07 INFO [main] "
    usual = [head + word for word in ("up", "down", "x y")] * 800
    texts = pl.Series([*usual, *lines, *usual])
    assert heads._by_headers(texts, regex) is not None
    matched, groups = heads.groups_of(texts, regex, onepass=True)
    each, said = heads._groups_of(texts, regex, 1)
    assert matched.tolist() == each.tolist()
    assert groups.equals(said)


def test_headers_of_which_most_differ_are_read_as_they_stand() -> None:
    names = [str(n) for n in range(6000)]
    texts = pl.Series([f"2024-03-04 05:06:07 INFO [{name}] up" for name in names])
    assert heads._by_headers(texts, HEADERS[1]) is None
    assert heads.groups_of(texts, HEADERS[1], onepass=True)[1]["thread_name"].to_list() == names


def test_one_header_among_empty_lines_is_read() -> None:
    texts = pl.Series(["", "2024-03-04 05:06:07 INFO [main] up", *[""] * 5000])
    matched, groups = heads.groups_of(texts, HEADERS[1], onepass=True)
    assert np.flatnonzero(matched).tolist() == [1]
    assert groups["message"].to_list() == ["up"]


QUICK = sorted({(one.name, pattern.quick) for one in FORMATS for pattern in one.patterns if pattern.quick})


@pytest.mark.parametrize(("name", "regex"), QUICK)
def test_a_quick_regex_says_the_same_of_headers_that_repeat(name: str, regex: str) -> None:
    lines = [sample.text.split("\n")[0] for one in FORMATS if one.name == name for sample in one.samples]
    written = [line + end for line in lines for end in ("", " x: y - z", " [1] - a")]
    texts = pl.Series([*written[:1] * 4096, *written, *LINES])
    matched, groups = heads.groups_of(texts, regex, onepass=True)
    each, said = heads._groups_of(texts, regex, 1)
    assert matched.tolist() == each.tolist()
    assert groups.equals(said)

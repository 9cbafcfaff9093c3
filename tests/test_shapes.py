"""The table of shapes: each example is read by its own shape, and found in the middle of a line."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.errors import FormatError
from pirtimeline.parsing import assemble, times
from pirtimeline.parsing.layouts import layout, words
from pirtimeline.parsing.shapes import Shape, shape, shapes

EXAMPLES = [(one, text) for one in shapes() for text in one.examples]
SOUGHT = [(one, text) for one, text in EXAMPLES if not one.whole]
NAMES = [f"{one.name}: {text}" for one, text in EXAMPLES]


def reads(one: Shape, texts: Sequence[str]) -> list[bool]:
    return assemble.read(pl.Series(texts), one.layout)["_local"].is_not_null().to_list()


@pytest.mark.parametrize(("one", "text"), EXAMPLES, ids=NAMES)
def test_example_is_read_by_its_shape(one: Shape, text: str) -> None:
    assert reads(one, [text]) == [True]


def test_there_are_shapes_enough_and_each_has_its_own_name() -> None:
    assert len({one.name for one in shapes()}) == len(shapes()) >= 60
    assert [one.rank for one in shapes()] == list(range(len(shapes())))


def test_first_shape_in_the_table_that_reads_an_example_is_its_own() -> None:
    sought = [one for one in shapes() if one.name not in times.KEYED]
    texts = [text for one, text in EXAMPLES if one in sought]
    table = {one.name: reads(one, texts) for one in sought}
    firsts = [next(name for name, good in table.items() if good[at]) for at in range(len(texts))]
    assert firsts == [one.name for one, _ in EXAMPLES if one in sought]


@pytest.mark.parametrize(("one", "text"), SOUGHT, ids=[f"{one.name}: {text}" for one, text in SOUGHT])
def test_shape_is_found_whole_in_the_middle_of_a_line(one: Shape, text: str) -> None:
    lines = pl.Series([f"[{text}] INFO up", f"main {text} started", f"{text}"])
    assert lines.str.extract(f"({one.regex})").to_list() == [text] * 3


def test_of_all_shapes_the_longest_earliest_match_in_a_line_is_the_example() -> None:
    lines = pl.DataFrame({"line": [f"x {text} INFO up" for _, text in SOUGHT]})
    found = lines.select(
        pl.col("line").str.extract(f"({one.regex})").alias(one.name) for one in shapes() if not one.whole
    )
    for (_, text), row in zip(SOUGHT, found.iter_rows(), strict=True):
        matches = [match for match in row if match]
        assert max(matches, key=len) == text


@pytest.mark.parametrize("one", shapes(), ids=[one.name for one in shapes()])
def test_regex_can_stand_in_a_larger_one(one: Shape) -> None:
    assert not re.search(r"(?<!\\)\((?!\?(?:i?:))", re.sub(r"\[[^\]]*\]", "", one.regex))
    assert not re.search(r"\(\?(?:[=!<]|P)", one.regex)


DIGITS = st.text("0123456789", min_size=40, max_size=40)


@given(st.lists(st.tuples(st.sampled_from(EXAMPLES), DIGITS), min_size=50, max_size=60))
@settings(max_examples=5, deadline=None)
def test_texts_that_differ_in_digits_alone_are_read_by_one_shape(drawn: list[tuple[tuple[Shape, str], str]]) -> None:
    texts = [
        "".join(digits[i % 40] if c in "0123456789" else c for i, c in enumerate(text)) for (_, text), digits in drawn
    ]
    read_by = {each.name: reads(each, texts) for each in shapes() if each.name not in times.KEYED}
    for place, ((one, _), _) in enumerate(drawn):
        if one.name in read_by and read_by[one.name][place]:
            first = next(name for name, read in read_by.items() if read[place])
            assert first == one.name, texts[place]


@pytest.mark.parametrize(
    "text",
    [
        "version 10.1.60.0",
        "10.0.0.1:8080",
        "2024",
        "127.0.0.1",
        "id=12345678901",
        "1:2:3",
        "a-b-c",
        "port 5432",
        "1.8.0_291",
    ],
)
def test_what_only_looks_like_a_time_is_none(text: str) -> None:
    for one in shapes():
        if not one.whole:
            assert not pl.Series([text]).str.contains(one.regex)[0], one.name


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR", "DEBUG", "MAIN", "A"])
def test_level_behind_a_time_is_no_zone(level: str) -> None:
    text = f"2024-01-02 03:04:05 {level} x"
    assert pl.Series([text]).str.extract(f"({shape('iso8601').regex})")[0] == "2024-01-02 03:04:05"


def test_months_of_eleven_languages_are_known() -> None:
    months = words().months
    for line, month in (
        ("mars märz marzo março maart marca марта 3月 3월 三月", 3),
        ("mai mayo maggio maio mei maja мая 五月", 5),
        ("déc dezember diciembre dicembre dezembro grudnia декабря 12月 十二月 12월", 12),
    ):
        assert {months[word] for word in line.split()} == {month}


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(FormatError, match="no shape"):
        shape("isoo8601")
    with pytest.raises(FormatError, match="no field <q>"):
        layout("<q>")

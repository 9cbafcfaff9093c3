"""The search for needles: what it looks for first, and where texts recur, changes nothing of what it finds."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline.signatures.search import HEAD, Needles, searched
from pirtimeline.signatures.text import fold

WORD = st.text(alphabet="aAbÉς ", min_size=1, max_size=2 * HEAD)
TEXT = st.lists(WORD, max_size=3).map("x".join)


@given(st.lists(WORD, min_size=1, max_size=6), st.lists(TEXT | st.none(), min_size=1, max_size=12), st.data())
def test_short_heads_find_what_whole_needles_find(
    words: list[str], texts: list[str | None], data: st.DataObject
) -> None:
    needles = Needles.of([(fold(word), number) for number, word in enumerate(words)])
    sample = data.draw(st.lists(st.sampled_from(texts), max_size=4))
    series = pl.Series(texts, dtype=pl.String())
    expected = {
        (rule, row)
        for rule, word in enumerate(words)
        for row, text in enumerate(texts)
        if text is not None and fold(word) in fold(text)
    }
    for each in (needles, needles.shortened(pl.Series(sample, dtype=pl.String()))):
        assert set(searched(series, each).rows()) == expected


def test_head_that_is_common_in_the_sample_is_not_looked_for() -> None:
    needles = Needles.of([("java.lang.OutOf".lower(), 0), ("evacuation failure", 1)])
    sample = pl.Series([f"java.lang.Thread.run {n}" for n in range(50)])
    assert needles.shortened(sample).heads == ("java.lang.outof", "evacuation failure"[:HEAD])


def test_rare_head_stands_for_the_whole_needle_and_is_not_taken_for_it() -> None:
    needles = Needles.of([("evacuation failure", 1), ("evacuation of data", 2)]).shortened(pl.Series(["calm"] * 50))
    assert needles.heads == ("evacuation",)
    assert searched(pl.Series(["Evacuation Failure", "evacuation drill"]), needles).rows() == [(1, 0)]


def test_text_that_recurs_is_found_in_each_of_its_rows() -> None:
    texts = pl.Series(["a tool.EXE b", "nothing"] * 600)
    found = searched(texts, Needles.of([("tool.exe", 7)]))
    assert sorted(found.rows()) == [(7, row) for row in range(0, 1200, 2)]


@pytest.mark.parametrize("many", [0, 2000])
def test_literals_are_no_patterns_and_case_is_put_aside_however_many_there_are(many: int) -> None:
    wanted = [("a.b*(c", 1), ("x|y", 2), ("[z]", 3), *((f"absent{number}", 4) for number in range(many))]
    wanted += [(fold("éclat"), 5), (fold("İzmir"), 6)]
    texts = pl.Series(["A.B*(C", "aXb*(c", "X|Y [Z]", "x", "y", "z", None, "ÉCLAT", "İZMIR"])
    assert sorted(searched(texts, Needles.of(wanted)).rows()) == [(1, 0), (2, 2), (3, 2), (5, 7), (6, 8)]

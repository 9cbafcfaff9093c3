"""Patterns: spelled for Rust's engine they match what Python's matches, and their literals stand in all they match."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pirtimeline import signatures
from pirtimeline.signatures import condition as c
from pirtimeline.signatures.regex import literals, to_rust
from pirtimeline.signatures.text import fold

# Python warns of brackets and doubled signs within a class, which it means to read otherwise some day; PCRE does not
pytestmark = pytest.mark.filterwarnings("ignore:Possible:FutureWarning")


def patterns() -> list[tuple[str, str]]:
    """List the patterns of the catalogue."""
    found = {
        (str(value), test.flags)
        for rule in signatures.load().rules
        for test in c.tests(rule.condition)
        if test.operator == "regex"
        for value in test.values
    }
    return sorted(found)


PIECES = st.sampled_from(
    ["a", "b", "A", "1", r"\d", r"\s", ".", "-",
     "[ab]", "[^a]", r"\.", r"\<", r"\/", " ", "[[a]", "[a&&b]", "[a~]", r"\w", r"\b", "$", "^"]
)  # fmt: skip


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda t: f"(?:{t[0]}|{t[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "*?", "+?"])).map(
            lambda t: f"(?:{t[0]}){t[1]}"
        ),
        inner.map(lambda text: f"({text})"),
    )


PATTERNS = st.recursive(PIECES, grown, max_leaves=8)
TEXTS = st.text(alphabet="aAbB1 .<>/-[&~É\n", max_size=8)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=12), st.sampled_from(["", "i", "s", "m", "im"]))
def test_pattern_for_rust_matches_what_python_matches(pattern: str, texts: list[str], flags: str) -> None:
    rust = to_rust(pattern, flags)
    assert rust is not None, pattern
    compiled = re.compile(pattern, sum({"i": re.I, "m": re.M, "s": re.S}[f] for f in flags))
    expected = [compiled.search(text) is not None for text in texts]
    assert pl.Series(texts).str.contains(rust).to_list() == expected, (pattern, rust)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=12))
def test_literals_stand_in_every_text_that_a_pattern_matches(pattern: str, texts: list[str]) -> None:
    found = literals(pattern, "i")
    for text in texts:
        if found is not None and re.search(pattern, text, re.I):
            assert any(fold(literal) in fold(text) for literal in found), (pattern, text, found)


@pytest.mark.parametrize("number", range(4))
def test_literals_of_the_catalogue_stand_in_what_it_matches(number: int) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(patterns()[number::4]), st.data())
    def holds(pattern: tuple[str, str], data: st.DataObject) -> None:
        text = data.draw(st.from_regex(re.compile(pattern[0], re.A if "(?" not in pattern[0][:3] else 0)))
        found = literals(*pattern)
        assert found is not None, f"{pattern[0]} has no needle: every row would be evaluated"
        assert any(fold(literal) in fold(text) for literal in found), (pattern, text)

    holds()


def test_what_rust_cannot_run_is_told() -> None:
    assert to_rust(r"a(?=b)") is None
    assert to_rust(r"(a)\1") is None

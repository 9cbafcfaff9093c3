from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline.parsing.levels import (
    LEVEL_WORDS,
    find_level,
    found_levels,
    otel_severity,
    pino_severity,
    severity,
    syslog_severity,
)
from pirtimeline.schema import SEVERITIES, SEVERITY


def level_of(word: str) -> str | None:
    return pl.select(severity(pl.lit(word))).item()


def found_in(message: str) -> str | None:
    return pl.DataFrame({"message": [message]}).select(find_level(pl.col("message"))).item()


def test_every_word_means_one_of_our_severities() -> None:
    assert set(LEVEL_WORDS.values()) == set(SEVERITIES)
    assert all(word == word.lower().strip() for word in LEVEL_WORDS)


@given(st.sampled_from(sorted(LEVEL_WORDS)), st.sampled_from(["{}", "[{}]", "<{}>", " {}: ", "({})", "{} |"]))
def test_a_word_is_read_in_any_case_and_in_brackets(word: str, dress: str) -> None:
    assert level_of(dress.format(word)) == LEVEL_WORDS[word]
    if word.upper().lower() == word:
        assert level_of(dress.format(word.upper())) == LEVEL_WORDS[word]


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("SCHWERWIEGEND", "ERROR"),
        ("GRAVE", "ERROR"),
        ("AVERTISSEMENT", "WARN"),
        ("ADVERTENCIA", "WARN"),
        ("致命的", "FATAL"),
        ("严重", "ERROR"),
        ("심각", "ERROR"),
        ("OSTRZEŻENIE", "WARN"),
        ("ОШИБКА", "ERROR"),
        ("WRN", "WARN"),
        ("Note", "INFO"),
        ("debug5", "DEBUG"),
        ("emerg", "FATAL"),
        ("D", "DEBUG"),
    ],
)
def test_words_of_products_and_languages(word: str, level: str) -> None:
    assert level_of(word) == level


def test_an_unknown_word_stays_unknown() -> None:
    assert level_of("GET") is None
    assert level_of("") is None


def test_the_result_has_the_type_of_the_table() -> None:
    frame = pl.DataFrame({"word": ["info", None]}, schema={"word": pl.String})
    assert frame.select(severity(pl.col("word"))).to_series().dtype == SEVERITY


@given(st.integers(0, 7))
def test_syslog_grows_graver_towards_zero(number: int) -> None:
    order = [SEVERITIES.index(pl.select(syslog_severity(pl.lit(one))).item()) for one in range(8)]
    assert order[number:] == sorted(order[number:], reverse=True)


@given(st.integers(-5, 100))
def test_numbers_outside_their_scale_are_unknown(number: int) -> None:
    assert (pl.select(syslog_severity(pl.lit(number))).item() is None) == (not 0 <= number <= 7)
    assert (pl.select(pino_severity(pl.lit(number))).item() is None) == (not 10 <= number <= 69)
    assert (pl.select(otel_severity(pl.lit(number))).item() is None) == (not 1 <= number <= 24)


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("ERROR: no route to host", "ERROR"),
        ("[error] no route", "error"),
        ("  <Warning> low", "Warning"),
        ("time=1 level=warn msg=slow", "warn"),
        ('{"severity": "ERROR", "text": "x"}', "ERROR"),
        ("node-7 |WARN | low disk", "WARN"),
        ("[core:error] AH00035", "error"),
        ("warning: deprecated", "warning"),
        ("org.example.Cache turn\nAVERTISSEMENT: low", "AVERTISSEMENT"),
    ],
)
def test_a_level_is_found_where_it_is_unmistakable(message: str, word: str) -> None:
    assert found_in(message) == word


@pytest.mark.parametrize(
    "message",
    [
        "the error was mine",
        "GET /search?level=error HTTP/1.1",
        "no warnings were raised by the fatal blow",
        "user info page opened",
        "Errors in the order were fixed",
        '"TRACE / HTTP/1.1" 405 0',
        "the answer was <error>1</error>",
        "",
    ],
)
def test_a_level_in_a_sentence_is_none(message: str) -> None:
    assert found_in(message) is None


@given(st.lists(st.sampled_from(["ERROR: down", "all is well", "[warn] low", None, "a\nINFO: b"])))
def test_looking_at_few_rows_finds_what_looking_at_all_does(messages: list[str | None]) -> None:
    series = pl.Series("message", messages, dtype=pl.String)
    assert (
        found_levels(series).to_list() == series.to_frame().select(find_level(pl.col("message"))).to_series().to_list()
    )

"""`pirtimeline.testing`: what it finds wrong with a stranger's parser, and that a good one passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import polars as pl
import pytest

from pirtimeline.parsing.plugin import Format, Pattern, Sample
from pirtimeline.testing import problems

SAMPLE = b"1931328942 up\n1931328943 down\n"


@dataclass(frozen=True)
class Lines:
    """Read lines of an epoch and a word."""

    name: str = "acme_lines"
    title: str = "Acme's lines"
    time: str = "epoch_s"
    columns: Mapping[str, pl.DataType] = field(default_factory=lambda: {"cart": pl.Int64()})
    more: Mapping[str, Any] = field(default_factory=dict)
    skip: int = 0

    def sniff(self, head: bytes, path: str) -> bool:
        return head[:10].isdigit()

    def read(self, stream: BinaryIO) -> Iterator[pl.DataFrame]:
        at = 0
        for line in stream.readlines()[self.skip :]:
            stamp, _, word = line.decode().rstrip().partition(" ")
            row = {"byte_offset": at, "byte_length": len(line), "parser": "acme_lines", "timestamp_text": stamp}
            types = {"byte_offset": pl.UInt64, "byte_length": pl.UInt32}
            yield pl.DataFrame([row | {"message": word, "cart": 7} | self.more], schema_overrides=types)
            at += len(line)


def test_good_parser_has_no_problems() -> None:
    assert list(problems(Lines(), SAMPLE)) == []


@pytest.mark.parametrize(
    ("parser", "told"),
    [
        (Lines(name="Acme"), "is no name for a format"),
        (Lines(title=""), "no title"),
        (Lines(columns={"message": pl.String()}), "is a column of the event table"),
        (Lines(columns={}), "'cart' is neither a column of the event table nor declared"),
        (Lines(time="sundial"), "sundial"),
        (Lines(time="%Y-%m-%d"), "is not written as"),
        (Lines(skip=1), "the rows end at byte 16 of 30"),
        (Lines(more={"byte_offset": 3}), "a row begins at byte 3"),
        (Lines(more={"parser": "other"}), "parser is ['other']"),
        (Lines(more={"time_basis": "explicit"}), "filled by the engine alone"),
        (Lines(more={"process_pid": "one"}), "'process_pid' is String, not Int64"),
    ],
)
def test_broken_rule_is_told(parser: Lines, told: str) -> None:
    assert any(told in problem for problem in problems(parser, SAMPLE)), list(problems(parser, SAMPLE))


def test_source_that_the_parser_does_not_know_is_told() -> None:
    assert "sniff does not know the sample as acme_lines" in list(problems(Lines(), b"x"))


def test_format_is_tried_on_its_samples() -> None:
    pattern = Pattern(regex="^(?P<message>a.*)", undated=True)
    good = Format(
        name="acme_log", title="x", patterns=(pattern,), samples=(Sample(text="ab", expect={"message": "ab"}),)
    )
    assert list(problems(good)) == []

"""Events begin where a format opens one; every line belongs to an event, a reject, or structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline.parsing.framing import EVERYTHING, REJECT, STRUCTURE, Framed, frame
from pirtimeline.parsing.lines import lines_of
from pirtimeline.parsing.plugin import Format, Pattern

NUMBERED = Format(
    name="numbered", title="", patterns=(Pattern(regex=r"^(?P<timestamp_text>\d+) (?P<message>.*)$", time="epoch_s"),)
)
LETTERED = Format(name="lettered", title="", patterns=(Pattern(regex=r"^[A-Z] (?P<message>.*)$", undated=True),))
LINE = st.sampled_from(
    ["1 first", "2 second", "A letter", "\tat x.Y(Z.java:1)", "", "prose", "Caused by: a.B", "\x00\x00"]
)


def framed(text: str, *, breaks: list[int] | None = None) -> Framed:
    at = None if breaks is None else np.array(breaks, np.int64)
    return frame(lines_of(text.encode()), [NUMBERED, LETTERED], at)


@given(st.lists(LINE, max_size=30), st.booleans())
def test_rows_partition_the_bytes_and_count_every_line_end(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended else "")
    table = framed(text).table()
    assert table["byte_length"].sum() == len(text.encode())
    assert table["line_count"].sum() == text.count("\n") + bool(text and not text.endswith("\n"))
    assert framed(text).table(last=False)["line_count"].sum() == text.count("\n")
    ends = (table["byte_offset"] + table["byte_length"]).to_list()
    assert table["byte_offset"].to_list() == [0, *ends[:-1]][: table.height]


def test_lines_that_lead_to_a_start_open_its_event_and_no_other() -> None:
    led = Format(
        name="led",
        title="",
        patterns=NUMBERED.patterns,
        starts="^# took",
        leads="^# (?:time|user)",
        continues=EVERYTHING,
    )
    text = "# time 1\n# user a\n# took 3\nselect 1\n# time of day\n# user b\n# took 4\n# user c\nselect 2\n"
    text += "# took 5\n# time 9"  # leads to nothing
    found = frame(lines_of(text.encode()), [led]).table()["line"].to_list()
    assert found == [0, 4, 9]


def test_a_stack_trace_belongs_to_the_line_above() -> None:
    found = framed("1 boom\n\tat a.B(C.java:1)\nCaused by: x.Y\n\n2 next\n")
    assert found.format.tolist() == [0, 0]
    assert found.rests(np.arange(2)).to_list() == ["\tat a.B(C.java:1)\nCaused by: x.Y\n\n", ""]


def test_a_line_that_opens_nothing_and_continues_nothing_is_a_reject() -> None:
    found = framed("1 a\nprose\n2 b\n")
    assert found.format.tolist() == [0, REJECT, 0]


def test_a_format_may_take_every_line_below_its_header() -> None:
    every = Format(name="all", title="", patterns=NUMBERED.patterns, continues=EVERYTHING)
    assert frame(lines_of(b"1 a\nprose\nmore\n2 b\n"), [every]).format.tolist() == [0, 0]


def test_blank_lines_above_the_first_event_belong_to_it() -> None:
    found = framed("\n\n1 a\n")
    assert found.table()["byte_offset"].to_list() == [0]
    assert found.headers(np.arange(1)).to_list() == ["1 a"]


@pytest.mark.parametrize("text", ["\n\n", "\x00\x00\x00\x00"])
def test_blank_lines_alone_and_padding_are_structure(text: str) -> None:
    assert framed(text).format.tolist() == [STRUCTURE]


def test_two_sources_in_one_block_do_not_continue_each_other() -> None:
    found = framed("1 a\n\n\n x\n2 b\n", breaks=[0, 2])
    assert found.format.tolist() == [0, REJECT, 0]
    assert found.table()["line"].to_list() == [0, 2, 4]


def test_interleaved_formats_each_keep_their_own_lines() -> None:
    found = framed("1 a\nA x\n\tat q\n2 b\n")
    assert found.format.tolist() == [0, 1, 0]

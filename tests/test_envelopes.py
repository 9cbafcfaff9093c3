"""What stands in an envelope is read again; what was wrapped line by line is one event again."""

from __future__ import annotations

import polars as pl

from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import Format, Pattern

OUTER = Format(
    name="outer",
    title="",
    patterns=(
        Pattern(
            regex=r"^(?P<timestamp_text>\d+) (?P<stream>\w+)(?: (?P<partial>[FP]))? \| (?P<message>.*)$", time="epoch_s"
        ),
    ),
    envelope="message",
    partial=r"^\d+ \w+ P ",
    columns={"stream": "string", "partial": "string"},
)
INNER = Format(
    name="inner",
    title="",
    patterns=(Pattern(regex=r"^@(?P<timestamp_text>\d+) (?P<severity_text>[A-Z]+) (?P<message>.*)$", time="epoch_s"),),
)


def rows(text: str, *inner: Format) -> pl.DataFrame:
    return parse_many([text.encode()], [FormatUse(OUTER, tuple(FormatUse(one) for one in inner))])


def test_the_inner_line_wins_and_the_outer_time_is_when_it_was_observed() -> None:
    found = rows("10 out | @7 WARN low\n", INNER).row(0, named=True)
    assert (found["parser"], found["envelope"], found["message"]) == ("inner", "outer", "low")
    assert found["_local"].second == 7 and found["_observed_local"].second == 10
    assert found["severity"] == "WARN"


def test_a_line_that_no_inner_format_reads_stays_the_envelopes() -> None:
    found = rows("10 out | plain\n", INNER).row(0, named=True)
    assert (found["parser"], found["message"], found["_local"].second) == ("outer", "plain", 10)


def test_a_stack_trace_that_was_wrapped_line_by_line_is_one_event() -> None:
    text = "1 out | @1 ERROR no\n2 err | other\n3 out | \tat a.B.c(D.java:1)\n4 out | @4 INFO yes\n"
    found = rows(text, INNER)
    assert found["_piece_of"].to_list() == [None, None, 0, None]
    assert found["stack_trace"].to_list() == ["\tat a.B.c(D.java:1)", None, None, None]
    assert found["message"].to_list() == ["no", "other", None, "yes"]
    assert found["byte_length"].sum() == len(text)


def test_lines_that_a_container_runtime_split_are_joined_without_a_line_end() -> None:
    found = rows("1 out P | half \n2 err F | x\n3 out F | whole\n4 out F | next\n", INNER)
    assert found["message"].to_list() == ["half whole", "x", None, "next"]


def test_streams_of_two_sources_in_one_block_do_not_mix() -> None:
    first, second = b"1 out | @1 ERROR no\n", b"2 out | \tat a.B.c(D.java:1)\n"
    found = parse_many([first, second], [FormatUse(OUTER, (FormatUse(INNER),))])
    assert found["_piece_of"].null_count() == 2


def test_files_that_are_read_together_do_not_continue_each_other() -> None:
    texts = ["1 out | @2 WARN gone\n1 out P | half ", "1 out |   at a.B.c(D.java:1)\n2 out | @3 INFO up\n"]
    use = FormatUse(OUTER, (FormatUse(INNER),))
    together = parse_many([text.encode() for text in texts], [use])
    alone = [parse_many([text.encode()], [use]) for text in texts]
    kept = ["byte_offset", "parser", "message", "_piece_of", "_local"]
    for number, table in enumerate(alone):
        assert together.filter(pl.col("_block") == number).select(kept).equals(table.select(kept))

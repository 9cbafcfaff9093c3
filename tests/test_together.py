"""Records that share a key are one event, whatever lies between them."""

from __future__ import annotations

import polars as pl

from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import Format, Pattern

RECORD = Format(
    name="record",
    title="",
    together="trace_id",
    patterns=(
        Pattern(
            regex=r"^(?:@(?P<host_name>\w+) )?(?P<timestamp_text>\d+):(?P<trace_id>\d+) "
            r"(?P<message>(?:user=(?P<user_name>\w+))?.*)$",
            time="epoch_s",
        ),
    ),
)
OUTER = Format(
    name="outer", title="", envelope="message", patterns=(Pattern(regex=r"^relay: (?P<message>.*)$", undated=True),)
)
TEXT = "10:1 open\n10:2 close\n10:1 user=ann\n10:1 path\n11:3 end\n"


def rows(text: str, *uses: FormatUse) -> pl.DataFrame:
    return parse_many([text.encode()], uses or [FormatUse(RECORD)])


def test_records_of_one_key_are_one_event_also_where_others_lie_between() -> None:
    found = rows(TEXT)
    assert found["_piece_of"].to_list() == [None, None, 0, 0, None]
    assert found["message"].to_list() == ["open\n10:1 user=ann\n10:1 path", "close", None, None, "end"]
    assert found["user_name"][0] == "ann"
    assert found["byte_length"].sum() == len(TEXT)


def test_records_of_two_hosts_are_two_events() -> None:
    assert rows("@a 10:1 x\n@b 10:1 y\n")["_piece_of"].null_count() == 2


def test_records_within_an_envelope_are_one_event_too() -> None:
    lines = TEXT.splitlines(keepends=True)
    found = rows("".join(f"relay: {line}" for line in lines), FormatUse(OUTER, (FormatUse(RECORD),)))
    assert found["_piece_of"].to_list() == [None, None, 0, 0, None]
    assert found["message"][0] == "open\n10:1 user=ann\n10:1 path"


def test_records_of_two_sources_that_are_read_together_do_not_mix() -> None:
    assert parse_many([b"10:1 x\n", b"10:1 y\n"], [FormatUse(RECORD)])["_piece_of"].null_count() == 2

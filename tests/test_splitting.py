"""Blocks begin at events, and what they hold does not depend on how they are read."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from pirtimeline.parsing import splitting
from pirtimeline.parsing.blocks import parse
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.pieces import PIECE
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.plugin import Format, Pattern

FORMAT = Format(
    name="numbered",
    title="",
    patterns=(Pattern(regex=r"^(?P<timestamp_text>\d+) (?P<message>.*)$", time="epoch_s"),),
    continues=".*",
)


def plan(encoding: str = "utf-8") -> SourcePlan:
    return SourcePlan(
        source_id="0" * 12,
        path="a.log",
        formats=(FormatUse(FORMAT),),
        encoding=encoding,
        rule=TimeRule(),
        inferred=TimeRule(),
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "BLOCK", 1000)
    monkeypatch.setattr(splitting, "LOOK", 300)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_blocks_begin_at_the_first_event_after_each_multiple(encoding: str) -> None:
    text = "".join(f"{n} event\n continued\n" for n in range(500)).encode(encoding)
    found = [*splitting.blocks(io.BytesIO(text), plan(encoding))]
    assert b"".join(block.data for block in found) == text
    assert [block.offset for block in found] == [sum(len(one.data) for one in found[:n]) for n in range(len(found))]
    for block in found[1:]:
        assert block.data.decode(encoding)[0].isdigit() and not block.within
        assert block.offset % 1000 < 60


@pytest.mark.usefixtures("small_blocks")
def test_an_event_longer_than_a_block_is_cut_and_goes_on_in_the_next() -> None:
    text = b"1 long\n" + b" more\n" * 1000 + b"2 next\n"
    found = [*splitting.blocks(io.BytesIO(text), plan())]
    assert b"".join(block.data for block in found) == text
    assert any(block.within for block in found)
    tables = [parse(block, plan()) for block in found]
    assert sum(table["byte_length"].sum() for table in tables) == len(text)
    events = sum(table.filter(table["_piece_of"].is_null()).height for table in tables)
    assert events == 2


def test_an_event_over_a_mebibyte_is_cut_into_pieces_with_their_own_text() -> None:
    body = "".join(f" line {n}\n" for n in range(200_000))
    data = f"1 long\n{body}2 next\n".encode()
    table = parse(splitting.Block(0, data), plan())
    pieces = table.filter(table["_piece_of"].is_not_null())
    assert table["byte_length"].max() <= PIECE
    assert pieces["_piece_of"].unique().to_list() == [0]
    assert "".join(pieces["message"].to_list()) in body
    assert table["byte_length"].sum() == len(data)
    assert table["line_count"].sum() == data.count(b"\n")


@pytest.mark.usefixtures("small_blocks")
def test_what_follows_the_last_event_of_a_source_is_not_cut_off() -> None:
    text = b"".join(b"%d event\n" % n for n in range(100)) + b"999 last\n" + b" more\n" * 30
    found = [*splitting.blocks(io.BytesIO(text), plan())]
    assert b"".join(block.data for block in found) == text
    assert not any(block.within for block in found)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("lead", range(20, 60))
def test_no_block_begins_between_an_event_and_the_lines_that_lead_to_it(lead: int) -> None:
    slow = Format(name="slow", title="", starts="^# Query", leads="^# User", continues=".*")
    events = [f"# User: {number:0{lead}}\n# Query: {number}\nSELECT {number};\n" for number in range(80)]
    found = list(splitting.blocks(io.BytesIO("".join(events).encode()), replace(plan(), formats=(FormatUse(slow),))))
    assert b"".join(block.data for block in found) == "".join(events).encode()
    assert len(found) > 2
    assert all(block.data.startswith(b"# User") for block in found)

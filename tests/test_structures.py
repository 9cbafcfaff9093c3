"""Structured text that nobody has declared, told from its lines alone."""

from __future__ import annotations

import polars as pl
import pytest

from pirtimeline.parsing.elements import Elements
from pirtimeline.parsing.plugin import KINDS, Format
from pirtimeline.parsing.structured import opens
from pirtimeline.parsing.structures import LOOKS, READERS, elements, synthesise


def formats(lines: list[str], claimed: list[bool] | None = None) -> tuple[tuple[Format, ...], list[bool]]:
    table = pl.DataFrame({"source_id": "a", "text": lines, "claimed": claimed or [False] * len(lines)})
    found, mine = synthesise(table)
    return found.get("a", ()), mine.to_list()


PLAIN = [f"2026-11-23 08:00:0{n} INFO started, all is well" for n in range(5)]
JSON = ['{"ts":1795424010,"msg":"a"}', '{"ts":1795424011,"msg":"b"}']


def test_every_kind_has_a_test_of_lines_and_a_reader() -> None:
    assert set(READERS) == set(LOOKS) == set(KINDS) - {"lines"}


@pytest.mark.parametrize(
    ("lines", "kind", "framing"),
    [
        (JSON, "json", None),
        (["[", ' {"a":1},', ' {"a":2}', "]"], "json", "elements"),
        (['[{"a":1},{"a":2}]'], "json", "elements"),
        (['{"a":1}{"a":2}', '{"a":3}{"a":4}'], "json", "elements"),
        (['{"Records":[{"eventTime":"x"},{"eventTime":"y"}]}'], "json", "elements"),
        (["{", '  "a": 1', "}", "{", '  "a": 2', "}"], "json", None),
        (["t=1 level=info msg=x", 't=2 level=warn msg="y z"'], "logfmt", None),
        (["CEF:0|a|b|c|d|e|3|rt=1"], "cef", None),
        (["LEEF:1.0|a|b|c|d|x=1"], "leef", None),
        (["time,level,text", "1795424010,INFO,x", "1795424011,INFO,y"], "csv", None),
        (["time,level,text", '1795424010,INFO,"x', 'y"', "1795424011,INFO,y", "1795424012,INFO,z"], "csv", "elements"),
        (["#Fields: date time cs-method", "2026-11-23 08:00:00 GET"], "w3c", None),
        (['<?xml version="1.0"?>', "<log>", "<record>", "<level>INFO</level>", "</record>"], "xml", "elements"),
    ],
)
def test_kind_and_framing(lines: list[str], kind: str, framing: str | None) -> None:
    found, claimed = formats(lines)
    assert [(one.kind, one.options.get("framing"), one.generic) for one in found] == [(kind, framing, True)]
    assert all(claimed)
    if framing is None:
        opened = pl.DataFrame({"text": lines}).select(opens(pl.col("text"), found[0])).to_series()
        assert opened.any()


@pytest.mark.parametrize(
    "lines", [PLAIN, ["[2026-11-23] {x}", "[2026-11-23] y"], ["<34>Nov 23 08:00:00 h p: m"] * 3, [""]]
)
def test_plain_text_is_left_alone(lines: list[str]) -> None:
    assert formats(lines) == ((), [False] * len(lines))


def test_objects_among_lines_are_claimed_and_the_lines_are_not() -> None:
    found, claimed = formats([*PLAIN, JSON[0], "  more", *PLAIN, JSON[1]])
    assert [one.kind for one in found] == ["json"]
    assert claimed == [False] * 5 + [True, True] + [False] * 5 + [True]


def test_claimed_lines_found_no_format() -> None:
    assert formats(JSON, [True, True]) == ((), [True, True])


def test_sources_do_not_mix() -> None:
    table = pl.DataFrame({"source_id": ["a", "a", "b"], "text": [*JSON, "x"], "claimed": [False] * 3})
    found, claimed = synthesise(table)
    assert ([*found], claimed.to_list()) == (["a"], [True, True, False])


def test_a_synthesised_format_reads_its_source() -> None:
    lines = ["[", ' {"time":"2026-11-23T08:00:00Z","n":1},', ' {"time":"2026-11-23T08:00:01Z","n":2}', "]"]
    (one,), _ = formats(lines)
    data = "\n".join(lines).encode()
    found: Elements = elements(data, one)
    texts = [data[at : at + size].decode() for at, size, no in zip(*found, strict=True) if not no]
    frame = READERS[one.kind](pl.Series(texts), one)
    assert frame["extra"].to_list() == ['{"n":1}', '{"n":2}']


def test_cells_are_claimed_by_their_number_and_the_header_is_structure() -> None:
    (one,), claimed = formats(["time,level,text", "1795424010,INFO,x", "1795424011,INFO,y"])
    assert one.options == {"structure": "^time,level,text$", "header": "time,level,text", "delimiter": ","}
    assert claimed == [True] * 3
    assert pl.select(pl.lit('1,"a,b",c').str.contains(one.starts)).item()
    assert not pl.select(pl.lit("1,a").str.contains(one.starts)).item()


def test_each_header_of_a_server_that_was_set_up_anew_has_its_format() -> None:
    lines = [
        "#Fields: date time cs-method sc-status",
        "2026-11-23 08:00:00 GET 200",
        "#Fields: date time c-ip cs-method sc-status",
        "2026-11-23 08:00:01 192.0.2.1 POST 201",
    ]
    found, claimed = formats(lines)
    assert all(claimed)
    read = [READERS[one.kind](pl.Series([line]), one) for one, line in zip(found, lines[1::2], strict=True)]
    assert [frame["http_status_code"][0] for frame in read] == [200, 201]
    assert [pl.select(pl.lit(lines[3]).str.contains(one.starts)).item() for one in found] == [False, True]

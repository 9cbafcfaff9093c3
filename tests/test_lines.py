"""Lines keep their places in the source, whatever its encoding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline.parsing.lines import LATIN1, UTF8, encoding_of, lines_of, newline_of

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\ufeff\x00"), max_size=40)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@given(lines=st.lists(TEXT.map(lambda text: text.replace("\n", "")), max_size=12), ended=st.booleans())
def test_each_line_is_found_at_its_place(encoding: str, lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    data = text.encode(encoding)
    found = lines_of(data, encoding)
    parts = text.split("\n")
    expected = parts[:-1] if parts[-1] == "" else parts
    assert found.text.to_list() == expected
    bounds = found.offsets.tolist()
    assert bounds[0] == 0 and bounds[-1] == len(data)
    pieces = [data[a:b].decode(encoding) for a, b in pairwise(bounds)]
    assert [piece.removesuffix("\n") for piece in pieces] == expected


@given(st.binary(max_size=200))
def test_any_bytes_give_lines_that_partition_them(data: bytes) -> None:
    found = lines_of(data)
    assert found.offsets[0] == 0 and found.offsets[-1] == len(data)
    assert (found.offsets[1:] >= found.offsets[:-1]).all()
    assert len(found.text) == len(found.offsets) - 1
    assert found.text.str.len_bytes().null_count() == 0


def test_a_byte_that_does_not_decode_does_not_move_the_lines_below_it() -> None:
    found = lines_of(b"caf\xe9\nnext\n")
    assert found.text.to_list() == ["caf�", "next"]
    assert found.offsets.tolist() == [0, 5, 10]
    assert found.replaced == 1


def test_carriage_returns_alone_end_lines_where_the_source_says_so() -> None:
    data = b"one\rtwo\r"
    assert newline_of(data, "utf-8") == "cr"
    assert lines_of(data, newline="cr").text.to_list() == ["one", "two"]


def test_a_bom_in_the_middle_is_not_text() -> None:
    found = lines_of(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n")
    assert found.text.to_list() == ["a", "b"]
    assert found.offsets.tolist() == [0, 5, 10]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Grüße\n".encode(), "utf-8"),
        ("plain ascii\n".encode("utf-16-le"), "utf-16-le"),
        ("plain ascii\n".encode("utf-16-be"), "utf-16-be"),
        (("ok ü\n" * 100).encode() + b"one \xe9\n", "utf-8"),
        ("Grüße aus Köln\n".encode("latin-1"), "latin-1"),
    ],
)
def test_the_encoding_is_told_by_the_content(data: bytes, encoding: str) -> None:
    assert encoding_of(data) == encoding


def test_nuls_in_front_of_a_line_are_a_line_without_an_end() -> None:
    hole = b"\0" * 40
    for encoding, text in ((UTF8, b"a\n" + hole + b"b \xff\nc\n"), (LATIN1, b"a\n" + hole + b"b \xe9\nc\n")):
        found = lines_of(text, encoding)
        assert found.text.to_list()[0::3] == ["a", "c"]
        assert found.text[1] == hole.decode() and found.text[2].startswith("b ")
        assert found.offsets.tolist() == [0, 2, 42, len(text) - 2, len(text)]
        assert found.numbers(np.arange(5)).tolist() == [0, 1, 1, 2, 3]


def test_form_feeds_in_front_of_a_line_are_not_text() -> None:
    assert lines_of(b"\fa\nb\n\f\n").text.to_list() == ["a", "b", ""]

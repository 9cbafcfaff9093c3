"""Events that lines do not tell: whatever the bytes, rows partition them, and each object is one event."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.parsing.elements import Elements, csv_elements, element_depth, event_name, json_elements, xml_elements
from pirtimeline.parsing.json_lines import read
from pirtimeline.parsing.plugin import Format

VALUES = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a"\\{}[],: \n'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), min_size=1, max_size=6)
PLAIN = Format(name="mine", title="", kind="json")


def pieces(data: bytes, found: Elements) -> list[tuple[bytes, bool]]:
    """Check that rows partition the bytes, and give each with its kind."""
    assert found.offsets.tolist() == [0, *(found.offsets + found.lengths).tolist()][:-1] if len(data) else True
    assert int(found.lengths.sum()) == len(data)
    assert (found.lengths > 0).all()
    return [
        (data[at : at + size], bool(kind))
        for at, size, kind in zip(found.offsets, found.lengths, found.structure, strict=True)
    ]


def events(data: bytes, found: Elements) -> list[bytes]:
    return [piece for piece, structure in pieces(data, found) if not structure]


def written(objects: list[dict[str, Any]], shape: str, indent: int | None) -> str:
    texts = [json.dumps(one, indent=indent) for one in objects]
    if shape == "array":
        return json.dumps(objects, indent=indent) + "\n"
    if shape == "wrapped":
        return json.dumps({"took": 3, "Records": [{"n": 1}, *objects]}, indent=indent)
    return {"lines": "\n", "commas": ",\n", "together": "", "records": "\x1e"}[shape].join(texts) + "\n"


@settings(max_examples=300, deadline=None)
@given(
    OBJECTS,
    st.sampled_from(["array", "wrapped", "lines", "commas", "together", "records"]),
    st.sampled_from([None, 2]),
    st.integers(1, 40),
)
def test_each_object_of_a_document_is_one_event(
    objects: list[dict[str, Any]], shape: str, indent: int | None, window: int
) -> None:
    data = written(objects, shape, indent).encode()
    found = json_elements(data, window=window)
    texts = [piece.decode().strip(" \r\n,\x1e") for piece in events(data, found)]
    expected = [{"n": 1}, *objects] if shape == "wrapped" else objects
    assert [json.loads(text) for text in texts] == expected
    assert read(pl.Series([piece.decode() for piece in events(data, found)]), PLAIN)["_reject"].null_count() == len(
        texts
    )


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(['{"a":1}', "{", "}", "[", "]", '"', "\\", "text", "\n", ",", '{"b":"}"}', " "]), max_size=20
    )
)
def test_rows_partition_any_bytes(parts: list[str]) -> None:
    data = "".join(parts).encode()
    for depth in (None, 0, 1, 2):
        pieces(data, json_elements(data, depth=depth, window=5))
    pieces(data, csv_elements(data))
    pieces(data, xml_elements(data, name="a"))


def test_text_between_objects_is_an_event_of_its_own() -> None:
    data = b'start\n{"a":1}\nnoise\nmore\n{"b":2}\n'
    assert events(data, json_elements(data)) == [b"start\n", b'{"a":1}\n', b"noise\nmore\n", b'{"b":2}\n']


def test_brackets_are_structure_and_commas_belong_to_the_event_before() -> None:
    data = b'[\n {"a":1},\n {"b":2}\n]\n'
    assert pieces(data, json_elements(data)) == [
        (b"[\n ", True),
        (b'{"a":1},\n ', False),
        (b'{"b":2}\n', False),
        (b"]\n", True),
    ]


def test_what_is_no_object_in_an_array_is_not_lost_among_structure() -> None:
    data = b'[{"a":1}, "lonely", {"b":2}]'
    assert events(data, json_elements(data)) == [b'{"a":1}, ', b'"lonely", ', b'{"b":2}']


def test_a_document_that_was_cut_leaves_its_tail_as_an_event() -> None:
    data = b'[{"a":1},{"b":'
    assert events(data, json_elements(data)) == [b'{"a":1},', b'{"b":']


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ('{"a":1}\n{"a":2}', 0),
        ('\ufeff[{"a":1}]', 1),
        ('{"Records":[{"eventName":"x"}]}', 2),
        ('{"took":3,"hits":{"total":{"value":2},"hits":[{"_source":{}}]}}', 3),
        ('{"a":1,"tags":[{"b":2}]}', 0),
        ("", 0),
    ],
)
def test_depth_of_elements(text: str, depth: int) -> None:
    assert element_depth(text.encode()) == depth


CELLS = st.text(st.sampled_from("ab,\"\n;' "), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=8))
def test_quoted_line_ends_stay_within_their_record(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["x", "y"], *rows])
    data = out.getvalue().encode()
    found = [piece.decode() for piece, _ in pieces(data, csv_elements(data))]
    assert [next(csv.reader(io.StringIO(text, newline=""))) for text in found] == [["x", "y"], *rows]


def test_a_stray_quote_does_not_swallow_the_file() -> None:
    data = b'a,b\n5",x\n' + b"1,2\n" * 5000
    assert len(events(data, csv_elements(data))) == 5001


def test_xml_events_on_many_lines_or_several_on_one() -> None:
    first, second = b'<Event a=">">\n <x>1</x>\n</Event>', b"<Event><![CDATA[</Event>]]></Event>"
    data = b'<?xml version="1.0"?>\n<Events>\n' + first + second + b"\n</Events>\n"
    assert events(data, xml_elements(data)) == [first, second + b"\n"]


def test_text_between_xml_events_is_an_event_and_an_event_that_never_ends_too() -> None:
    data = b"<e>1</e>\nnoise\n<e>2</e>\n<e>3"
    assert events(data, xml_elements(data)) == [b"<e>1</e>\n", b"noise\n", b"<e>2</e>\n", b"<e>3"]
    assert event_name(b"no markup") == ""

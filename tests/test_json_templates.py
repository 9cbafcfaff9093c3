"""Objects written alike: a template reads them as the general way does, and takes nothing that is not valid."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pirtimeline.parsing import json_lines
from pirtimeline.parsing.json_templates import Templates
from pirtimeline.parsing.plugin import Format

PLAIN = Format(name="mine", title="", kind="json")
OWN = Format(name="mine", title="", kind="json", fields={"a": "what"}, columns={"what": "string"})

STRINGS = st.text(st.sampled_from('ab:,{}[]é" 1\\'), max_size=12)
LEAVES = (
    STRINGS
    | st.integers(-(10**6), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
KEYS = st.sampled_from(["level", "message", "time", "a", "b", "error", "host", "name", "user", "status"])
SHAPES = st.recursive(
    st.just("leaf"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def filled(shape: Any, draw: st.DataObject) -> Any:
    """Put values into a shape."""
    if shape == "leaf":
        return draw.draw(LEAVES)
    if isinstance(shape, list):
        return [filled(one, draw) for one in shape]
    return {key: filled(one, draw) for key, one in shape.items()}


def generally(texts: list[str], use: Format) -> pl.DataFrame:
    """Read texts without templates: a control character behind each keeps them from fitting any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Templates, "fit", lambda self, data, bounds: ([], None))
        return json_lines.read(pl.Series(texts), use)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(KEYS, SHAPES, max_size=5), min_size=1, max_size=3),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :  ")]),
    st.sampled_from([PLAIN, OWN]),
    st.data(),
)
def test_templates_change_nothing(
    shapes: list[dict[str, Any]], separators: tuple[str, str], use: Format, data: st.DataObject
) -> None:
    objects = [filled(data.draw(st.sampled_from(shapes)), data) for _ in range(12)]
    texts = [json.dumps(one, ensure_ascii=False, separators=separators) for one in objects]
    assert_frame_equal(json_lines.read(pl.Series(texts), use), generally(texts, use), check_column_order=False)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 80), st.sampled_from(list('",:{}[]x1 \\\t')), st.booleans())
def test_a_damaged_neighbour_is_told_from_its_likes(at: int, byte: str, insert: bool) -> None:
    good = '{"time":"2026-11-23T08:00:00Z","level":"warn","n":12.5,"ok":true,"tags":["a","b"],"m":{"x":1}}'
    bad = good[:at] + byte + good[at + (not insert) :]
    texts = [good, good.replace("12.5", "7"), bad, good.replace("warn", "")]
    assert_frame_equal(json_lines.read(pl.Series(texts), PLAIN), generally(texts, PLAIN), check_column_order=False)


def test_values_of_any_length_and_kind_fit_one_template() -> None:
    texts = [
        json.dumps({"level": word, "n": n, "s": "é" * n, "b": n % 2 == 0})
        for n, word in enumerate(["", "info", "a" * 300])
    ]
    frame = json_lines.read(pl.Series(texts), PLAIN)
    assert frame["severity_text"].to_list() == [None, "info", "a" * 300]
    assert [json.loads(one)["n"] for one in frame["extra"]] == [0, 1, 2]


def test_rows_whose_values_do_not_fit_keep_them_in_extra() -> None:
    frame = json_lines.read(pl.Series(['{"pid":12,"x":1}', '{"pid":-1.5,"x":2}', '{"pid":13,"x":3}']), PLAIN)
    assert frame["extra"].to_list() == ['{"x":1}', '{"pid":-1.5,"x":2}', '{"x":3}']


def test_many_shapes_are_read_too() -> None:
    texts = [json.dumps({f"k{n % 200}": n, "level": "info", "z": [n] * (n % 5)}) for n in range(3000)]
    frame = json_lines.read(pl.Series(texts), PLAIN)
    assert frame["_reject"].null_count() == 3000
    assert [json.loads(one)[f"k{n % 200}"] for n, one in enumerate(frame["extra"])] == list(range(3000))

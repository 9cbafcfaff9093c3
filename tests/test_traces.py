"""Stack traces are told from messages of several lines, and their exception is named."""

from __future__ import annotations

import polars as pl
import pytest

from pirtimeline.parsing.traces import below

TRACE = "java.lang.IllegalStateException: full\n\tat com.example.A.b(A.java:1)\nCaused by: java.io.IOException: x"


@pytest.mark.parametrize(
    ("rest", "message", "trace", "kind", "said"),
    [
        (TRACE, "no", TRACE, "java.lang.IllegalStateException", "full"),
        (f"more\n{TRACE}", "no\nmore", TRACE, "java.lang.IllegalStateException", "full"),
        ("more\nand more", "no\nmore\nand more", None, None, None),
        (
            "\tjava.lang.OutOfMemoryError: Java heap space",
            "no",
            "\tjava.lang.OutOfMemoryError: Java heap space",
            "java.lang.OutOfMemoryError",
            "Java heap space",
        ),
        ("\tat com.example.A.b(A.java:1)", "no", "\tat com.example.A.b(A.java:1)", None, None),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: bad\n',
            "no",
            'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: bad\n',
            "ValueError",
            "bad",
        ),
    ],
)
def test_what_stands_below_a_header(
    rest: str, message: str, trace: str | None, kind: str | None, said: str | None
) -> None:
    assert below(pl.Series([rest]), pl.Series(["no"])).row(0) == (message, trace, kind, said)


def test_a_trace_without_its_first_line_is_of_the_exception_that_the_header_ends_with() -> None:
    found = below(pl.Series(["\tat a.B.c(D.java:1)"]), pl.Series(["failed: java.io.IOException: gone"]))
    assert found.row(0)[2:] == ("java.io.IOException", "gone")


def test_rows_keep_their_order_when_they_differ() -> None:
    rests = pl.Series(["x", TRACE, f"y\n{TRACE}", "z"])
    found = below(rests, pl.Series(["a", "b", "c", "d"]))
    assert found["message"].to_list() == ["a\nx", "b", "c\ny", "d\nz"]
    assert found["exception_type"].is_not_null().to_list() == [False, True, True, False]

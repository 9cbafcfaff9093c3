"""What stands below an event's header: more of its message, or a stack trace, and which exception that is of.

Most traces begin in the first line below the header; only the few that do not are searched for their beginning.
"""

from __future__ import annotations

import numpy as np
import polars as pl

_NAME = "[A-Za-z0-9_$]"
EXCEPTION = rf"(?:{_NAME}+\.)+{_NAME}*(?:Exception|Error|Throwable|Failure|Fault|Interrupt|Death)\b"
"""The name of a Java exception's class, with its package."""

_OPENING = rf"[ \t]*(?:Caused by: )?{EXCEPTION}|[ \t]+at [A-Za-z0-9_$.<>/@]|[ \t]*Traceback \(most recent call last\)"
_OPENS = rf"\A(?:{_OPENING})"
_HOLDS = rf"(?m)^(?:{_OPENING})"
_SPLIT = rf"(?ms)\A(?P<above>.*?)(?P<trace>^(?:{_OPENING}).*)\z"
_FIRST = rf'\A[ \t]*(?:Exception in thread ".*?" )?(?:Caused by: )?(?P<type>{EXCEPTION})(?::[ \t]*(?P<said>.*))?'
_TAIL = rf"(?P<type>{EXCEPTION})(?::[ \t]*(?P<said>[^\n]*))?\z"
_PYTHON = r"(?m)^(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning))(?:: (?P<said>.*))?\s*\z"


def below(rests: pl.Series, messages: pl.Series) -> pl.DataFrame:
    r"""Tell what stands below headers.

    Args:
        rests: the texts below, none of them empty.
        messages: what the headers say.

    Returns:
        `message` (with what is no trace), `stack_trace`, `exception_type` (the outermost), `exception_message`.

    Example:
        >>> text = "java.lang.IllegalStateException: full\n\tat com.example.A.b(A.java:1)"
        >>> below(pl.Series([text]), pl.Series(["no"])).row(0)[2:]
        ('java.lang.IllegalStateException', 'full')
    """
    above, trace = _parted(rests)
    table = pl.DataFrame({"message": messages, "above": above, "stack_trace": trace})
    message = pl.when(pl.col("above").is_null()).then("message").otherwise(pl.format("{}\n{}", "message", "above"))
    return table.with_columns(message.alias("message"), *_exceptions(trace, messages)).drop("above")


def _parted(rests: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Part texts into what stands above a trace, null for nothing, and the trace, null where there is none."""
    opens = rests.str.contains(_OPENS)
    trace = rests.set(~opens, None)
    others = np.flatnonzero(~opens.to_numpy())
    above = pl.Series([None], dtype=pl.String).new_from_index(0, len(rests))
    if len(others):
        held = rests.gather(others)
        parts = held.filter(held.str.contains(_HOLDS)).str.extract_groups(_SPLIT).struct
        inner = others[held.str.contains(_HOLDS).to_numpy()]
        above = above.scatter(others, held.str.strip_chars_end("\r\n"))
        above = above.scatter(inner, parts.field("above").str.strip_chars_end("\r\n").replace("", None))
        trace = trace.scatter(inner, parts.field("trace"))
    return above, trace


def _exceptions(trace: pl.Series, messages: pl.Series) -> list[pl.Series]:
    """Name the exception of each trace: by its first line, by the end of the header's message, or as Python does."""
    line = trace.str.splitn("\n", 2).struct.field("field_0").str.strip_suffix("\r")
    found = line.str.extract_groups(_FIRST).struct.unnest()
    kind, said = found["type"], found["said"]
    left = np.flatnonzero((kind.is_null() & trace.is_not_null()).to_numpy())
    if len(left):
        tail = messages.gather(left).str.extract_groups(_TAIL).struct.unnest()
        python = trace.gather(left).str.extract_groups(_PYTHON).struct.unnest()
        kind = kind.scatter(left, python["type"].zip_with(python["type"].is_not_null(), tail["type"]))
        said = said.scatter(left, python["said"].zip_with(python["type"].is_not_null(), tail["said"]))
    return [kind.alias("exception_type"), said.alias("exception_message")]

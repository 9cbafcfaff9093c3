"""Patterns that Rust's engine cannot run: in Python, over the rows that the other tests leave, within a limit.

Python's engine can take hours over one line and cannot be interrupted from without, so it runs in a process of its
own, which is ended when its time is up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import polars as pl

from pirtimeline.errors import SignatureError
from pirtimeline.signatures.compile import compiled
from pirtimeline.signatures.condition import All, AnyOf, Condition, Not, Test, both, either, tests
from pirtimeline.signatures.frames import PLAIN, TEXT, Prepared, needs
from pirtimeline.signatures.model import Rule

LIMIT_S = 10.0
"""Seconds that one rule's slow patterns may take over one batch of events."""


def matched_slowly(rule: Rule, ready: Prepared, rows: pl.Series, *, limit_s: float = LIMIT_S) -> pl.Series:
    """Give those of some rows that meet a condition with slow patterns.

    Raises:
        SignatureError: the patterns did not end within the limit; the rule is named.
    """
    left = _meeting(bound(rule.condition, most=True), ready, rows)
    if not len(left):
        return left
    slow = [test for test in dict.fromkeys(tests(rule.condition)) if test.operator == "slow"]
    frame = ready.rows(left)
    verdicts = {test: _verdicts(test, frame, rule, limit_s) for test in slow}
    columns = [verdict.alias(f"{PLAIN}:\0slow{n}") for n, verdict in enumerate(verdicts.values())]
    known = {test: Test(f"\0slow{n}", "bool", (True,)) for n, test in enumerate(slow)}
    condition = _replaced(rule.condition, known)
    decided = Prepared(frame.frame.with_columns(columns), frame.binding).with_forms(needs(condition))
    return left.gather(_meeting(condition, decided, pl.int_range(len(left), dtype=pl.UInt32(), eager=True)))


def _meeting(condition: Condition, ready: Prepared, rows: pl.Series) -> pl.Series:
    return ready.frame.select(pl.lit(rows).filter(compiled(condition, ready.at(rows)))).to_series()


def bound(condition: Condition, *, most: bool) -> Condition:
    """Take every slow pattern to hold, or to fail, whichever lets the most (or the fewest) rows through.

    Example:
        >>> bound(Not(Test("a", "slow", ("(?!x)",))), most=True)
        Not(item=AnyOf(items=()))
    """
    if isinstance(condition, Test):
        return (All(()) if most else AnyOf(())) if condition.operator == "slow" else condition
    if isinstance(condition, Not):
        return Not(bound(condition.item, most=not most))
    join = both if isinstance(condition, All) else either
    return join(tuple(bound(item, most=most) for item in condition.items))


def _replaced(condition: Condition, known: dict[Test, Test]) -> Condition:
    if isinstance(condition, Test):
        return known.get(condition, condition)
    if isinstance(condition, Not):
        return Not(_replaced(condition.item, known))
    return type(condition)(tuple(_replaced(item, known) for item in condition.items))


def _verdicts(test: Test, frame: Prepared, rule: Rule, limit_s: float) -> pl.Series:
    if frame.dtype(test.field) is None:
        return pl.repeat(False, frame.frame.height, dtype=pl.Boolean(), eager=True)
    texts = frame.with_forms({(TEXT, test.field)}).frame.select(frame.text(test.field)).to_series()
    distinct = texts.unique(maintain_order=True).drop_nulls()
    try:
        verdicts = _searched([str(v) for v in test.values], test.flags, distinct.to_list(), limit_s)
    except subprocess.TimeoutExpired as error:
        header = rule.header
        what = f"rule {header.signature_id}: the pattern {test.values[0]!r} did not end within {limit_s:g} s"
        hint = "rewrite it without nested repetition, or without look-around, which lets the quick engine run it"
        raise SignatureError(what, at=header.origin, hint=hint) from error
    return texts.replace_strict(distinct, pl.Series(verdicts, dtype=pl.Boolean), default=False)


def _searched(patterns: Sequence[str], flags: str, texts: Sequence[str], limit_s: float) -> list[bool]:
    job = json.dumps({"patterns": list(patterns), "flags": flags, "texts": list(texts)})
    command = [sys.executable, "-I", "-c", WORKER]
    done = subprocess.run(command, input=job.encode(), capture_output=True, timeout=limit_s, check=True)
    return [mark == ord("1") for mark in done.stdout]


WORKER = """
import json, re, sys
job = json.load(sys.stdin)
flags = 0
for flag in job["flags"]:
    flags |= {"i": re.I, "m": re.M, "s": re.S}[flag]
patterns = [re.compile(pattern, flags) for pattern in job["patterns"]]
sys.stdout.write("".join("01"[any(p.search(text) for p in patterns)] for text in job["texts"]))
"""
"""What the process runs: the standard library alone, so that it starts in a few hundredths of a second."""

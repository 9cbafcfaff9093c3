"""Patterns beyond Rust's engine: they find what they mean, and end by their limit."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pirtimeline import signatures
from pirtimeline.errors import SignatureError
from pirtimeline.signatures import condition as c
from pirtimeline.signatures.fields import Binding
from pirtimeline.signatures.frames import Prepared, needs
from pirtimeline.signatures.slow import bound, matched_slowly

RULE = """\
title: Slow
name: slow
logsource: {{category: application}}
detection:
  a: {{message|re: '{}'}}
  b: {{message|contains: 'key'}}
  condition: {}
level: low
"""


def loaded(folder: Path, pattern: str, condition: str) -> signatures.Rules:
    path = folder / "slow.yml"
    path.write_text(RULE.format(pattern.replace("'", "''"), condition))
    return signatures.load([path], builtin=False)


def found(rules: signatures.Rules, texts: list[str | None]) -> list[str | None]:
    frame = pl.DataFrame({"message": texts}, schema={"message": pl.String()}).with_columns(
        event_id=pl.format("0123456789ab:{}", pl.int_range(pl.len())), parser=pl.lit("any")
    )
    hits = signatures.match(frame.lazy(), rules).hits.select("event_id")
    return frame.join(hits, on="event_id", how="semi")["message"].to_list()


TEXTS = ["key=1 pass=x", "key=1 pass=y", "pass=x", "other", None, "KEY pass=x pass=x"]


@pytest.mark.parametrize(
    ("pattern", "condition", "expected"),
    [
        (r"pass=(?!x)", "a", ["key=1 pass=y"]),
        (r"pass=(?!x)", "b and not a", ["key=1 pass=x", "KEY pass=x pass=x"]),
        (r"(pass=x).*\1", "a", ["KEY pass=x pass=x"]),
        (r"(?<=1 )pass", "a or b", ["key=1 pass=x", "key=1 pass=y", "KEY pass=x pass=x"]),
        (r"(?=other)", "not a", ["key=1 pass=x", "key=1 pass=y", "pass=x", None, "KEY pass=x pass=x"]),
    ],
)
def test_look_around_and_back_references_mean_what_they_say(
    tmp_path: Path, pattern: str, condition: str, expected: list[str | None]
) -> None:
    assert found(loaded(tmp_path, pattern, condition), TEXTS) == expected


def test_catastrophic_pattern_ends_by_its_limit_with_its_name(tmp_path: Path) -> None:
    (rule,) = loaded(tmp_path, r"(?=(a+)+$)key", "a").rules
    frame = pl.DataFrame({"message": ["a" * 40 + "! key"], "parser": ["any"]})
    ready = Prepared(frame, Binding(("*",))).with_forms(needs(rule.condition))
    with pytest.raises(SignatureError, match=r"rule slow: the pattern .* did not end within 0\.5 s"):
        matched_slowly(rule, ready, pl.Series([0], dtype=pl.UInt32), limit_s=0.5)


def test_bound_lets_most_or_fewest_rows_through() -> None:
    slow, quick = c.Test("a", "slow", ("x",)), c.Test("b", "null")
    condition = c.All((c.AnyOf((slow, quick)), c.Not(slow)))
    assert bound(condition, most=True) == c.All((c.AnyOf((c.All(()), quick)), c.Not(c.AnyOf(()))))
    assert bound(condition, most=False) == c.All((quick, c.Not(c.All(()))))

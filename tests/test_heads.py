"""Headers whose message is not matched say what the whole regex says."""

from __future__ import annotations

import polars as pl
import pytest

from pirtimeline.parsing.heads import groups_of
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.registry import installed

FORMATS = [one for one in installed().values() if isinstance(one, Format) and one.kind == "lines"]
LINES = sorted({sample.text.split("\n")[0].rstrip("\r") for one in FORMATS for sample in one.samples})
SHORTER = [line[: len(line) * part // 4] for line in LINES for part in range(4)]
TEXTS = pl.Series([*LINES, *SHORTER, *(line + " " for line in LINES), *(f"{line} ümlaut | x" for line in LINES), ""])


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_a_shortened_regex_finds_the_lines_and_groups_that_the_whole_one_does(one: Format) -> None:
    for pattern in one.patterns:
        if pattern.header_lines > 1:
            continue
        whole = TEXTS.str.extract_groups(pattern.regex).struct.unnest()
        opens = TEXTS.str.contains(pattern.regex)
        matched, groups = groups_of(TEXTS, pattern.regex)
        assert matched.tolist() == opens.to_list()
        assert groups.select(whole.columns).equals(whole.filter(opens))

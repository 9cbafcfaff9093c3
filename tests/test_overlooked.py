from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from pirtimeline.parsing import framing
from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.generic import synthesise
from pirtimeline.parsing.lines import lines_of
from pirtimeline.parsing.overlooked import FEW, overlooked, suspects
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import Format

START = datetime(2024, 4, 21, 12)


def own(number: int) -> str:
    return f"{START + timedelta(seconds=number):%Y-%m-%d %H:%M:%S,000} INFO  [main] o.e.Cache - turn {number}"


def further(number: int) -> str:
    return f"{START + timedelta(seconds=number):%b %d %H:%M:%S} web1 relay[77]: turn {number}"


def known() -> tuple[Format, ...]:
    rows = pl.DataFrame({"text": [own(at) for at in range(9)]})
    return synthesise(
        rows.select(pl.lit("s").alias("source_id"), "text", piece=pl.lit(0), line=pl.lit(0), claimed=False)
    )["s"]


def block(lines: list[str]) -> framing.Framed:
    return framing.frame(lines_of("\n".join(lines).encode()), known())


def test_a_program_between_the_samples_is_met() -> None:
    lines = [line for at in range(500) for line in ([own(at), further(at)] if 200 < at < 300 else [own(at)])]
    found = overlooked(block(lines))
    assert (framing.openings(pl.Series("text", lines), found) != framing.REJECT).sum() == 99
    table = parse_many(["\n".join(lines).encode()], [FormatUse(one) for one in known()])
    assert table["line_count"].to_list() == [1] * len(lines)


def test_a_log_quoted_in_the_middle_is_not_met() -> None:
    quote = ["as the customer wrote:", *[further(at - 90_000) for at in range(6)]]
    lines = [line for at in range(500) for line in ([own(at), *quote] if at % 40 == 7 else [own(at)])]
    framed = block(lines)
    assert len(suspects(framed)) > FEW
    assert overlooked(framed) == ()


def test_few_lines_are_left_alone() -> None:
    assert overlooked(block([own(0), *[further(at) for at in range(FEW - 1)]])) == ()


def test_traces_are_no_suspects() -> None:
    trace = ["\tat o.e.Cache.turn(Cache.java:7)", "Caused by: java.io.IOException: gone"]
    assert len(suspects(block([own(0), *trace, own(1)]))) == 0

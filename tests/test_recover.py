"""Formats that no sample met are found in the rejects, of many blocks at once as of each alone."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pirtimeline.case import Case
from pirtimeline.ingest import ingest
from pirtimeline.ingest.recover import Read, parse_or_recover, recovered
from pirtimeline.parsing.blocks import parse
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.splitting import Block
from pirtimeline.settings import Settings

ACCESS = '192.0.2.7 - - [21/Apr/2024:12:00:0{} +0000] "GET /a HTTP/1.1" 200 17 "-" "curl/8"'
JUL = "21-Apr-2024 12:00:0{}.004 INFO [main] org.apache.catalina.startup.Catalina.start up"
OWN = "2024-04-21T12:00:0{}Z level=info msg=up"
FOREIGN = (
    '{{"timestamp": "2024-04-21T12:00:0{}Z", "level": "warn", "message": "gone"}}',
    "nothing {} that is known",
    JUL,
)


def plan(name: str, format_: str) -> SourcePlan:
    use = FormatUse(installed()[format_])  # type: ignore[arg-type]  # a format, no parser
    return SourcePlan(source_id=name, path=f"{name}.log", formats=(use,), rule=TimeRule(), inferred=TimeRule())


def block(own: str, foreign: str) -> Block:
    lines = [(foreign if at in (4, 5, 6) else own).format(at) for at in range(9)]
    return Block(0, ("\n".join(lines) + "\n").encode())


def told(table: pl.DataFrame) -> list[dict[str, object]]:
    """Give rows without what is null, and without the count of bytes that did not decode, which is a group's."""
    rows = table.drop("_replaced").iter_rows(named=True)
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def test_many_blocks_are_read_again_as_each_alone() -> None:
    asked = [(block(ACCESS, one), plan(f"a{at}", "access_log")) for at, one in enumerate((*FOREIGN, *FOREIGN))]
    asked += [(block(JUL, ACCESS), plan("b", "tomcat_juli")), (block(JUL, JUL), plan("c", "tomcat_juli"))]
    known = installed()
    found = recovered([Read(*one, parse(*one)) for one in asked], known)
    assert 7 not in found
    for place, one in enumerate(asked):
        alone, together = parse_or_recover(*one, known), found.get(place, parse(*one))
        assert told(together) == told(alone), one[1].path


def test_rejects_tell_a_format_that_the_plan_lacks() -> None:
    table = parse_or_recover(block(ACCESS, JUL), plan("a", "access_log"), installed())
    assert table["parser"].to_list() == ["access_log"] * 4 + ["tomcat_juli"] * 3 + ["access_log"] * 2


def test_a_format_whose_lines_only_open_like_its_own_does_not_take_them_again() -> None:
    lines = "".join(f"08/21/2024 12:00:0{at} shop.cart down\n" for at in range(9))
    table = parse_or_recover(Block(0, lines.encode()), plan("a", "tomcat_juli_two_line"), installed())
    assert table["parser"].to_list() == ["generic_text"] * 9
    assert table["_local"].dt.day().to_list() == [21] * 9


def test_a_format_that_begins_in_the_middle_of_a_large_file_is_met(tmp_path: Path) -> None:
    own = [f'{{"timestamp": "2024-04-21T12:00:0{at}Z", "message": "{"turn " * 12}"}}' for at in range(9)] * 5_600
    lines = [*own[:20_000], *[JUL.format(at % 10) for at in range(300)], *own[20_000:]]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "app.log"),)), workers=1)
    case = Case(tmp_path / "case")
    (source,), (known,) = case.sources, case.plan.values()
    assert len(known["formats"]) == 1
    assert (sorted(source["parsers"].values()), source["rejects"]) == ([300, 50_400], 0)

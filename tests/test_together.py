"""Small sources that are settled at once have the rows and tell the times of each settled by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
from evidence_scenes import access, console, postgresql, syslog
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.ingest.finish import Ongoing, finish
from pirtimeline.ingest.together import settle_together
from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.rotation import Place

FORMATS = [
    installed()[name] for name in ("tomcat_juli", "access_log", "postgresql", "syslog_bsd") if name in installed()
]
USES = tuple(FormatUse(one) for one in FORMATS if isinstance(one, Format))
NIGHT = "".join(
    f"27-Oct-2024 {clock}.004 INFO [main] org.example.A.b said {n}\n"
    for n, clock in enumerate(("01:59:00", "02:59:59", "02:00:00", "03:10:00"))
)
TEXTS = [console(count=9), access(count=4), postgresql(5), syslog("ops1", count=4), NIGHT, "\n\n" + access(0, 2) + "\n"]
RULES = [
    TimeRule(),
    TimeRule(zone="Europe/Berlin", zone_basis="zone_declared"),
    TimeRule(zone="-05:00", zone_basis="zone_inferred", zone_from="2024-03-04", zone_to="2024-03-04"),
    TimeRule(collected_at=datetime(2024, 3, 1, tzinfo=UTC)),
]


def plan(number: int, rule: TimeRule) -> SourcePlan:
    mtime = datetime(2024, 3, 5, number % 24, tzinfo=UTC)
    host = "web1" if number % 2 else None
    place = Place("0" * 12, number)
    rule = replace(rule, mtime=mtime)
    return SourcePlan(
        source_id=f"{number:012x}",
        path=f"{number}.log",
        formats=USES,
        host_name=host,
        place=place,
        rule=rule,
        inferred=rule,
    )


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(RULES)), min_size=2, max_size=6))
def test_sources_settled_together_are_as_if_settled_alone(chosen: list[tuple[str, TimeRule]]) -> None:
    plans = [plan(number, rule) for number, (_, rule) in enumerate(chosen)]
    table = parse_many([text.encode() for text, _ in chosen], USES)
    found = settle_together(table, plans)
    alone = {key: one for (key,), one in table.partition_by("_block", as_dict=True).items()}
    settled = {key: rows for one in found.rows for (key,), rows in one.partition_by("source_id", as_dict=True).items()}
    assert len(settled) + len(found.left) == len(chosen)
    for number in set(range(len(chosen))) - found.left:
        rows, ongoing = finish(alone[number], plans[number], Ongoing(), offset=0)
        mine = settled[plans[number].source_id]
        columns = sorted({*rows.columns} & {*mine.columns})
        assert mine.select(columns).equals(rows.select(columns))
        assert all(mine[name].null_count() == mine.height for name in {*mine.columns} - {*columns})
        assert all(rows[name].null_count() == rows.height for name in {*rows.columns} - {*columns})
        assert found.told[plans[number].source_id] == ongoing.past


def test_sources_that_need_a_look_at_the_whole_are_left() -> None:
    texts = [access(count=3), syslog("ops1", count=3), NIGHT, "nobody knows this\n" + access(count=3)]
    plans = [plan(number, RULES[1]) for number in range(len(texts))]
    found = settle_together(parse_many([text.encode() for text in texts], USES), plans)
    assert found.left == {1, 2, 3}
    assert pl.concat(found.rows)["source_id"].unique().to_list() == [plans[0].source_id]

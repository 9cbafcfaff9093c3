"""The clock: what texts say becomes UTC, and says on which assumption."""

from __future__ import annotations

import pickle
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.errors import CaseError
from pirtimeline.parsing import clock, times
from pirtimeline.parsing.clock import TimeRule

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Moscow",
    "Europe/Istanbul",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
]
BERLIN = TimeRule(zone="Europe/Berlin", zone_basis="zone_declared")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def read(texts: Sequence[str | None], shape: str, **columns: Any) -> pl.DataFrame:
    frame = pl.DataFrame({"timestamp_text": texts, **columns}, schema_overrides={"timestamp_text": pl.String})
    return times.read(frame.with_columns(byte_offset=pl.int_range(pl.len(), dtype=pl.UInt64) * 100), shape)


def settle(texts: Sequence[str | None], shape: str, rule: TimeRule, **columns: Any) -> pl.DataFrame:
    return clock.settle(read(texts, shape, **columns), rule)[0]


def told(frame: pl.DataFrame) -> list[tuple[str | None, str]]:
    text = frame["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return list(zip(text, frame["time_basis"], strict=True))


def test_offset_in_the_text_is_explicit_whatever_the_plan_says() -> None:
    assert told(settle(["2024-07-01T12:00:00+05:30"], "iso8601", BERLIN)) == [("2024-07-01 06:30:00", "explicit")]


def test_zone_word_with_one_meaning_is_explicit() -> None:
    assert told(settle(["2024-07-01 12:00:00 CEST"], "iso8601", TimeRule())) == [("2024-07-01 10:00:00", "explicit")]


def test_zone_word_with_several_meanings_takes_the_commonest_and_says_ambiguous() -> None:
    found = told(settle(["2024-01-01 12:00:00 CST", "2024-01-01 12:00:00 IST"], "iso8601", TimeRule()))
    assert found == [("2024-01-01 18:00:00", "ambiguous"), ("2024-01-01 06:30:00", "ambiguous")]


@pytest.mark.parametrize(
    ("zone", "hour", "basis"),
    [("Asia/Shanghai", "04", "zone_declared"), ("+08:00", "04", "zone_declared"), ("Europe/Berlin", "18", "ambiguous")],
)
def test_plan_decides_a_zone_word_that_its_zone_uses(zone: str, hour: str, basis: str) -> None:
    rule = TimeRule(zone=zone, zone_basis="zone_declared")
    assert told(settle(["2024-01-01 12:00:00 CST"], "iso8601", rule)) == [(f"2024-01-01 {hour}:00:00", basis)]


def test_word_that_is_no_zone_leaves_the_decision_to_the_plan() -> None:
    frame = read(["2024-01-01 12:00:00 QQQ"], "%Y-%m-%d %H:%M:%S %Z")
    assert told(clock.settle(frame, BERLIN)[0]) == [("2024-01-01 11:00:00", "zone_declared")]


def test_iana_name_in_the_text_is_explicit() -> None:
    found = told(settle(["2024-07-01 12:00:00 America/New_York"], "iso8601", BERLIN))
    assert found == [("2024-07-01 16:00:00", "explicit")]


def test_nothing_known_is_utc_and_says_assumed() -> None:
    assert told(settle(["2024-07-01 12:00:00"], "iso8601", TimeRule())) == [("2024-07-01 12:00:00", "zone_assumed")]


def test_inferred_offset_holds_for_the_days_of_its_evidence_alone() -> None:
    rule = TimeRule(zone="-05:00", zone_basis="zone_inferred", zone_from="2024-01-02", zone_to="2024-01-03")
    found = told(settle(["2024-01-02 00:00:00", "2024-01-03 23:00:00", "2024-01-04 01:00:00"], "iso8601", rule))
    assert [basis for _, basis in found] == ["zone_inferred", "zone_inferred", "zone_assumed"]
    assert found[2][0] == "2024-01-04 06:00:00"


def test_time_that_came_twice_is_settled_by_order() -> None:
    found = told(
        settle(
            ["2024-10-27 02:10:00", "2024-10-27 02:50:00", "2024-10-27 02:05:00", "2024-10-27 02:55:00"],
            "iso8601",
            BERLIN,
        )
    )
    assert found == [
        ("2024-10-27 00:10:00", "zone_declared"),
        ("2024-10-27 00:50:00", "zone_declared"),
        ("2024-10-27 01:05:00", "zone_declared"),
        ("2024-10-27 01:55:00", "zone_declared"),
    ]


def test_time_that_came_twice_without_a_step_back_is_ambiguous() -> None:
    found = settle(["2024-10-27 01:59:00", "2024-10-27 02:30:00", "2024-10-27 03:00:00"], "iso8601", BERLIN)
    assert told(found)[1] == ("2024-10-27 00:30:00", "ambiguous")
    assert "came twice" in found["_note"][1]


def test_time_that_came_twice_is_settled_for_stamps_without_a_year_too() -> None:
    texts = ["Oct 27 02:10:00", "Oct 27 02:50:00", "Oct 27 02:05:00"]
    found = told(settle(texts, "syslog", TimeRule(zone="Europe/Berlin", zone_basis="zone_declared", year=2024)))
    assert [text for text, _ in found] == ["2024-10-27 00:10:00", "2024-10-27 00:50:00", "2024-10-27 01:05:00"]
    assert {basis for _, basis in found} == {"zone_declared"}


def test_time_that_was_skipped_is_ambiguous_and_lies_behind_the_change() -> None:
    found = settle(["2024-03-31 02:30:00"], "iso8601", BERLIN)
    assert told(found) == [("2024-03-31 01:30:00", "ambiguous")]
    assert "set ahead" in found["_note"][0]


def test_december_to_january_turns_the_year() -> None:
    texts = ["Dec 30 10:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Jan  2 10:00:00"]
    found = told(settle(texts, "syslog", TimeRule(mtime=at(2024, 1, 2, 10, 0, 5))))
    assert [text[:4] for text, _ in found if text] == ["2023", "2023", "2024", "2024"]
    assert {basis for _, basis in found} == {"zone_assumed"}


def test_year_known_from_outside_makes_year_inferred_under_a_declared_zone() -> None:
    rule = TimeRule(zone="UTC", zone_basis="zone_declared", collected_at=at(2024, 3, 1))
    assert told(settle(["Feb 29 10:00:00"], "syslog", rule)) == [("2024-02-29 10:00:00", "year_inferred")]


def test_29_february_goes_back_to_a_leap_year() -> None:
    rule = TimeRule(collected_at=at(2023, 5, 1))
    found = told(settle(["Feb 28 10:00:00", "Feb 29 10:00:00", "Mar  1 10:00:00"], "syslog", rule))
    assert [text[:10] for text, _ in found if text] == ["2020-02-28", "2020-02-29", "2020-03-01"]


def test_29_february_of_a_declared_common_year_is_undated_with_its_reason() -> None:
    found = settle(
        ["Feb 28 10:00:00", "Feb 29 10:00:00", "Mar  1 10:00:00"], "syslog", TimeRule(year=2023, year_basis="declared")
    )
    assert found["time_basis"].to_list()[1] == "undated"
    assert found["not_before"][1] == at(2023, 2, 28, 10)
    assert found["not_after"][1] == at(2023, 3, 1, 10)


def test_declared_year_is_that_of_the_first_line_and_no_inference() -> None:
    rule = TimeRule(zone="UTC", zone_basis="zone_declared", year=2022, year_basis="declared")
    found = told(settle(["Dec 31 10:00:00", "Jan  1 10:00:00"], "syslog", rule))
    assert found == [("2022-12-31 10:00:00", "zone_declared"), ("2023-01-01 10:00:00", "year_inferred")]


def test_name_makes_a_year_where_mtime_lies() -> None:
    rule = TimeRule(name_date="2021-01-03", mtime=at(2026, 1, 1))
    found = told(settle(["Dec 31 10:00:00", "Jan  3 10:00:00"], "syslog", rule))
    assert [text[:4] for text, _ in found if text] == ["2020", "2021"]


def test_dated_lines_among_the_stamps_make_their_year() -> None:
    frame = times.read(
        pl.DataFrame(
            {"byte_offset": [0, 1, 2], "timestamp_text": ["Dec 31 23:00:00", "2019-01-01 00:00:00", "Jan  1 01:00:00"]}
        ),
        ["syslog", "iso8601"],
    )
    found = clock.settle(frame, TimeRule(mtime=at(2026, 1, 1)))[0]
    assert found["timestamp"].dt.year().to_list() == [2018, 2019, 2019]


def test_no_year_known_is_undated_and_says_so() -> None:
    found = settle(["Dec 31 10:00:00"], "syslog", TimeRule())
    assert (found["time_basis"][0], found["_note"][0]) == ("undated", clock.NO_YEAR)


def test_stamps_to_and_fro_take_each_the_latest_year_before_the_collection() -> None:
    texts = [f"{month}  5 10:00:00" for month in ("Jun", "Feb", "Jul", "Mar", "Aug", "Apr", "Dec")]
    found = told(settle(texts, "syslog", TimeRule(collected_at=at(2024, 9, 1))))
    assert [text[:7] for text, _ in found if text] == [
        "2024-06",
        "2024-02",
        "2024-07",
        "2024-03",
        "2024-08",
        "2024-04",
        "2023-12",
    ]


def test_time_alone_takes_the_date_of_the_name_and_rolls_over_midnight() -> None:
    rule = TimeRule(name_date="2024-02-28", zone="UTC", zone_basis="zone_declared")
    found = told(settle(["22:00:00", "23:59:59", "00:00:01", "21:00:00", "02:00:00"], "time", rule))
    assert [text[8:10] for text, _ in found if text] == ["28", "28", "29", "29", "01"]
    assert {basis for _, basis in found} == {"date_inferred"}


def test_time_alone_without_a_name_ends_at_the_last_change() -> None:
    rule = TimeRule(mtime=at(2024, 1, 2, 1, 0, 3), zone="Europe/Berlin", zone_basis="zone_declared")
    found = told(settle(["23:00:00", "02:00:00"], "time", rule))
    assert [text for text, _ in found] == ["2024-01-01 22:00:00", "2024-01-02 01:00:00"]


def test_time_alone_follows_the_dated_line_above_it() -> None:
    frame = pl.DataFrame({"byte_offset": [0, 1, 2], "timestamp_text": ["2024-01-01 22:00:00", "23:00:00", "01:00:00"]})
    found = clock.settle(times.read(frame, ["iso8601", "time"]), TimeRule(mtime=at(2026, 1, 1)))[0]
    assert [text[:13] for text, _ in told(found) if text] == ["2024-01-01 22", "2024-01-01 23", "2024-01-02 01"]


def test_seconds_since_a_start_count_from_it() -> None:
    rule = TimeRule(start=at(2024, 1, 1))
    assert told(settle(["3600.5"], "uptime", rule)) == [("2024-01-01 01:00:00", "date_inferred")]
    assert told(settle(["3600.5"], "uptime", TimeRule())) == [(None, "undated")]


def test_impossible_date_is_undated_between_its_neighbours() -> None:
    found = settle(["2024-02-28 10:00:00", "2024-02-31 10:00:00", "2024-03-01 10:00:00"], "iso8601", TimeRule())
    row = found.row(1, named=True)
    assert (row["time_basis"], row["_note"]) == ("undated", clock.IMPOSSIBLE)
    assert (row["not_before"], row["not_after"]) == (at(2024, 2, 28, 10), at(2024, 3, 1, 10))


def test_structure_has_no_bounds_and_a_reject_has() -> None:
    found = settle(
        [None, "2024-01-01 10:00:00", None, None],
        "iso8601",
        TimeRule(),
        parser=["structure", "x", "unrecognised", "structure"],
    )
    assert found["not_before"].to_list() == [None, None, at(2024, 1, 1, 10), None]
    assert found["not_after"].to_list() == [None, None, None, None]


def test_leap_second_is_the_first_of_the_next_minute() -> None:
    found = settle(["2016-12-31T23:59:60Z"], "iso8601", TimeRule())
    assert told(found) == [("2017-01-01 00:00:00", "explicit")]


def test_date_behind_the_collection_is_kept_and_reported() -> None:
    found = settle(["2030-01-01 10:00:00"], "iso8601", TimeRule(collected_at=at(2024, 1, 1)))
    assert (told(found)[0][0], found["_note"][0]) == ("2030-01-01 10:00:00", clock.FUTURE)


def test_remarks_join_what_is_noted_already() -> None:
    found = settle(["2024-02-31 10:00:00"], "iso8601", TimeRule(), _note=["cut at 1 MiB"])
    assert found["_note"][0] == f"cut at 1 MiB; {clock.IMPOSSIBLE}"


def test_numbers_are_read_as_the_source_as_a_whole_does() -> None:
    found = settle(["03/02/2024 10:00:00", "13/02/2024 10:00:00"], "slash", BERLIN)
    assert told(found) == [("2024-02-03 09:00:00", "zone_declared"), ("2024-02-13 09:00:00", "zone_declared")]


def test_numbers_that_can_be_read_either_way_are_ambiguous_until_declared() -> None:
    assert told(settle(["03/02/2024 10:00:00"], "slash", BERLIN)) == [("2024-03-02 09:00:00", "ambiguous")]
    declared = TimeRule(zone="UTC", zone_basis="zone_declared", date_order="dmy")
    assert told(settle(["03/02/2024 10:00:00"], "slash", declared)) == [("2024-02-03 10:00:00", "zone_declared")]


def test_rule_and_carry_survive_json_and_pickle() -> None:
    rule = TimeRule(zone="+05:30", zone_basis="zone_inferred", mtime=at(2024, 1, 1), name_date="2024-01", year=2023)
    assert TimeRule.from_dict(rule.to_dict()) == rule
    told_by_block = clock.summarise(read(["Dec 31 10:00:00"], "syslog"))
    carry = clock.anchor([told_by_block], rule)[0]
    assert pickle.loads(pickle.dumps(carry)) == carry
    assert pickle.loads(pickle.dumps(told_by_block)) == told_by_block


def test_misspelt_zone_names_close_ones() -> None:
    with pytest.raises(CaseError) as caught:
        clock.zone("America/New_Yrok")
    assert "America/New_York" in str(caught.value)


SHAPES = ("iso8601", "syslog", "time", "slash")
FORMATS = {"iso8601": "%Y-%m-%d %H:%M:%S", "syslog": "%b %e %H:%M:%S", "time": "%H:%M:%S", "slash": "%d/%m/%Y %H:%M:%S"}


@st.composite
def logs(draw: st.DrawFn) -> tuple[pl.DataFrame, list[int], TimeRule]:
    """A source of one or two shapes that goes on in time, with undated rows, and places where blocks are cut."""
    zone = draw(st.sampled_from(ZONES))
    when = draw(st.datetimes(datetime(1999, 1, 1), datetime(2027, 1, 1)))
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=2))
    steps = draw(st.lists(st.integers(0, 40_000_000), max_size=60))
    texts: list[str | None] = []
    for step in steps:
        when += timedelta(seconds=step // draw(st.sampled_from([1, 1000, 20_000])))
        local = when.replace(tzinfo=UTC).astimezone(zoneinfo.ZoneInfo(zone))
        texts.append(
            draw(st.sampled_from([local.strftime(FORMATS[draw(st.sampled_from(shapes))]), None, "2024-02-31 00:00:00"]))
        )
    frame = pl.DataFrame({"timestamp_text": texts}, schema={"timestamp_text": pl.String})
    frame = times.read(frame.with_columns(byte_offset=pl.int_range(pl.len(), dtype=pl.UInt64)), shapes)
    rule = TimeRule(zone=zone, zone_basis="zone_declared", mtime=when.replace(tzinfo=UTC))
    return frame, sorted(draw(st.lists(st.integers(0, len(texts)), max_size=4))), rule


@given(logs())
@settings(max_examples=40, deadline=None)
def test_where_blocks_are_cut_does_not_matter(log: tuple[pl.DataFrame, list[int], TimeRule]) -> None:
    frame, cuts, rule = log
    edges = [0, *cuts, frame.height]
    blocks = [frame.slice(start, stop - start) for start, stop in pairwise(edges)]
    carries = clock.anchor([clock.summarise(block) for block in blocks], rule)
    parts = [clock.settle(block, rule, carry)[0] for block, carry in zip(blocks, carries, strict=True)]
    assert pl.concat(parts).equals(clock.settle(frame, rule)[0])


INSTANTS = st.lists(
    st.datetimes(datetime(1999, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),
    min_size=20,
    max_size=40,
).map(sorted)
"""The instants of a log in order: what holds for one alone must hold for each."""


@given(st.sampled_from(ZONES), INSTANTS)
@settings(max_examples=15, deadline=None)
def test_instant_comes_back_from_its_local_time_or_is_ambiguous(zone: str, instants: list[datetime]) -> None:
    local = [at.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None).isoformat(" ") for at in instants]
    found = settle(local, "iso8601", TimeRule(zone=zone, zone_basis="zone_declared"))
    assert (found["timestamp"].eq(pl.Series(instants)) | found["time_basis"].eq("ambiguous")).all()


@given(st.sampled_from(ZONES), INSTANTS)
@settings(max_examples=15, deadline=None)
def test_zone_word_is_never_explicit_and_wrong(zone: str, instants: list[datetime]) -> None:
    written = "%a %b %e %H:%M:%S %Z %Y"
    frame = read([at.astimezone(zoneinfo.ZoneInfo(zone)).strftime(written) for at in instants], written)
    found = clock.settle(frame, TimeRule())[0]
    right = found["timestamp"].eq(pl.Series(instants))
    assert set(found["time_basis"]) <= {"explicit", "ambiguous", "zone_assumed"}
    assert (right | found["time_basis"].ne("explicit")).all()
    declared = clock.settle(frame, TimeRule(zone=zone, zone_basis="zone_declared"))[0]
    assert (declared["timestamp"].eq(pl.Series(instants)) | declared["time_basis"].eq("ambiguous")).all()


@pytest.mark.parametrize("zone", ZONES)
def test_log_that_never_rests_comes_back_through_every_change_of_its_zone(zone: str) -> None:
    hours = pl.datetime_range(at(1999, 1, 1), at(2027, 12, 31), "1h", eager=True)
    offset = hours.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.epoch("s") - hours.dt.epoch("s")
    changes = hours.filter(offset.diff().fill_null(0) != 0).to_list()
    instants = [change + timedelta(minutes=10 * i) for change in changes for i in range(-30, 31)] or [at(2024, 1, 1)]
    there = pl.Series(instants).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    frame = read(there.dt.strftime("%Y-%m-%d %H:%M:%S").to_list(), "iso8601")
    found = clock.settle(frame, TimeRule(zone=zone, zone_basis="zone_declared"))[0]
    unsure = found["time_basis"].eq("ambiguous")
    assert (found["timestamp"].eq(pl.Series(instants)) | unsure).all()
    assert unsure.sum() <= 12

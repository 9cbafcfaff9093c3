"""Zones that evidence shows, each beside the sources that show it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.parsing.zones import Clue, Inference, infer

SCHEMA = {
    "source_id": pl.String(),
    "byte_offset": pl.UInt64(),
    "local": pl.Datetime("us"),
    "offset_s": pl.Int32(),
    "zone_word": pl.String(),
    "lacks": pl.String(),
    "trace_id": pl.String(),
    "epoch_us": pl.Int64(),
}
NOON = datetime(2024, 1, 15, 12)


def events(*rows: dict[str, object]) -> pl.DataFrame:
    told = [{"byte_offset": 100 * i, **row} for i, row in enumerate(rows)]
    return pl.DataFrame(told, schema=SCHEMA)


def row(source: str, local: datetime, **more: object) -> dict[str, object]:
    return {"source_id": source, "local": local, **more}


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def clue(source: str, folder: str = "", host: str | None = None) -> Clue:
    return Clue(source_id=source, path=f"{folder}/{source}.log".lstrip("/"), folder=folder, host_name=host)


def alone(found: dict[str, Inference], source: str) -> tuple[str | None, str]:
    return found[source].zone, found[source].rule


def test_epoch_inside_an_event_shows_the_zone_of_its_local_time() -> None:
    late = timedelta(seconds=2)
    rows = [row("cef", NOON + late + i * late, epoch_us=micros(NOON - timedelta(hours=1) + i * late)) for i in range(3)]
    found = infer([clue("cef")], events(*rows))
    assert alone(found, "cef") == ("+01:00", "epoch")
    assert (found["cef"].zone_from, found["cef"].zone_to) == ("2024-01-15", "2024-01-15")
    assert found["cef"].because[0]["event_ids"] == ["cef:0", "cef:100", "cef:200"]
    assert "3 events" in str(found["cef"].because[0]["text"])


def test_epoch_gives_a_stamp_its_year_across_new_year() -> None:
    stamp = datetime(2000, 1, 1, 0, 30)
    rows = [row("cef", stamp, lacks="year", epoch_us=micros(datetime(2023, 12, 31, 23, 30)))]
    assert infer([clue("cef")], events(*rows))["cef"].zone == "+01:00"


def test_request_ids_tie_a_source_to_one_whose_instants_are_known() -> None:
    ids = [f"{i:032x}" for i in range(5)]
    rows = [row("access", NOON, offset_s=0, trace_id=one) for one in ids]
    rows += [row("orders", NOON - timedelta(hours=5) + timedelta(seconds=3), trace_id=one) for one in ids]
    found = infer([clue("access", "web"), clue("orders", "app")], events(*rows))
    assert alone(found, "orders") == ("-05:00", "request")
    assert "5 request ids" in str(found["orders"].because[0]["text"])
    assert "access" not in found


def test_epoch_beats_request_ids() -> None:
    rows = [
        row("other", NOON, offset_s=0, trace_id="request-1"),
        row("other", NOON, offset_s=0, trace_id="request-2"),
        row("cef", NOON + timedelta(hours=2), trace_id="request-1", epoch_us=micros(NOON + timedelta(hours=1))),
        row("cef", NOON + timedelta(hours=2), trace_id="request-2", epoch_us=micros(NOON + timedelta(hours=1))),
    ]
    assert alone(infer([clue("other"), clue("cef")], events(*rows)), "cef") == ("+01:00", "epoch")


def test_named_host_hands_its_zone_on_and_a_chain_holds() -> None:
    rows = [
        row("cef", NOON, epoch_us=micros(NOON - timedelta(hours=1))),
        row("syslog", NOON.replace(year=2000), lacks="year"),
    ]
    found = infer([clue("cef", "ops", "ops1"), clue("syslog", "logs", "ops1")], events(*rows))
    assert alone(found, "syslog") == ("+01:00", "host")
    assert "ops1" in str(found["syslog"].because[0]["text"])


def test_times_without_a_date_take_their_host_s_zone() -> None:
    rows = [
        row("cef", NOON, epoch_us=micros(NOON - timedelta(hours=1))),
        row("app", datetime(1970, 1, 1, 9), lacks="date"),
    ]
    assert alone(infer([clue("cef", "a", "h"), clue("app", "b", "h")], events(*rows)), "app") == ("+01:00", "host")


def test_host_that_no_text_names_founds_nothing() -> None:
    rows = [row("gc", NOON, offset_s=-18000), row("app", NOON + timedelta(hours=3))]
    assert infer([clue("gc", "app1"), clue("app", "app1")], events(*rows)) == {}


def test_source_that_writes_utc_tells_nothing_of_its_host() -> None:
    rows = [row("json", NOON, offset_s=0), row("app", NOON + timedelta(hours=3))]
    assert infer([clue("json", "a", "app1"), clue("app", "b", "app1")], events(*rows)) == {}
    together = [row("json", NOON, offset_s=0), row("app", NOON + timedelta(seconds=3))]
    assert alone(infer([clue("json", "a", "app1"), clue("app", "b", "app1")], events(*together)), "app") == (
        "+00:00",
        "host",
    )


@pytest.mark.parametrize("off", [0, 59])
def test_sources_of_a_folder_that_begin_together_share_their_offset(off: int) -> None:
    rows = [row("gc", NOON, offset_s=-18000), row("gc", NOON + timedelta(hours=2), offset_s=-18000)]
    rows += [row("catalina", NOON + timedelta(seconds=off)), row("catalina", NOON + timedelta(hours=1))]
    found = infer([clue("gc", "tomcat"), clue("catalina", "tomcat")], events(*rows))
    assert alone(found, "catalina") == ("-05:00", "folder")
    assert "both begin within" in str(found["catalina"].because[0]["text"])


def test_sources_of_a_folder_that_neither_begin_nor_end_together_share_nothing() -> None:
    rows = [row("gc", NOON, offset_s=-18000), row("catalina", NOON + timedelta(minutes=2))]
    assert infer([clue("gc", "tomcat"), clue("catalina", "tomcat")], events(*rows)) == {}


def test_source_that_writes_offsets_in_some_lines_shows_them_for_the_others() -> None:
    rows = [row("mixed", NOON, offset_s=-18000), row("mixed", NOON + timedelta(seconds=5))]
    assert alone(infer([clue("mixed")], events(*rows)), "mixed") == ("-05:00", "folder")


def test_different_offsets_at_different_dates_are_explained_by_one_zone() -> None:
    winter, summer = datetime(2024, 1, 15, 12), datetime(2024, 7, 15, 12)
    rows = [
        row("cef", winter, epoch_us=micros(winter + timedelta(hours=5))),
        row("cef", summer, epoch_us=micros(summer + timedelta(hours=4))),
    ]
    found = infer([clue("cef")], events(*rows))["cef"]
    assert (found.zone, found.zone_from) == ("America/New_York", None)


def test_evidence_that_contradicts_itself_shows_no_zone_and_says_so() -> None:
    rows = [
        row("cef", NOON, epoch_us=micros(NOON - timedelta(hours=1))),
        row("cef", NOON, epoch_us=micros(NOON - timedelta(hours=7))),
    ]
    found = infer([clue("cef")], events(*rows))["cef"]
    assert found.zone is None
    assert "contradict" in str(found.because[0]["text"])


def test_word_with_several_meanings_is_settled_by_evidence() -> None:
    rows = [row("app", NOON, zone_word="CST", epoch_us=micros(NOON - timedelta(hours=8)))]
    assert infer([clue("app")], events(*rows))["app"].zone == "+08:00"


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns"]),
    st.datetimes(datetime(2010, 1, 1), datetime(2027, 1, 1)),
    st.lists(st.integers(-30, 30), min_size=2, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_clocks_a_few_seconds_off_still_agree(zone: str, utc: datetime, skews: list[int]) -> None:
    offset = ZoneInfo(zone).utcoffset(utc.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)))
    assert offset is not None
    rows = [row("access", utc, offset_s=0, trace_id=f"request-{i}") for i in range(len(skews))]
    rows += [row("app", utc + offset + timedelta(seconds=s), trace_id=f"request-{i}") for i, s in enumerate(skews)]
    found = infer([clue("access", "a"), clue("app", "b")], events(*rows))["app"].zone
    assert found is not None
    assert int(f"{found[0]}1") * (int(found[1:3]) * 60 + int(found[4:])) * 60 == offset.total_seconds()


def test_order_of_sources_does_not_matter() -> None:
    rows = [
        row("gc", NOON, offset_s=-18000),
        row("a", NOON),
        row("b", NOON),
        row("c", NOON.replace(year=2000), lacks="year"),
    ]
    clues = [clue(one, "f", "h") for one in ("gc", "a", "b", "c")]
    assert infer(clues, events(*rows)) == infer(clues[::-1], events(*rows).sort("source_id", descending=True))

"""Times as their texts say them: round trips through every shape, resolutions, offsets, and what texts lack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.errors import FormatError
from pirtimeline.parsing import assemble, clock, quick, times
from pirtimeline.parsing.clock import TimeRule
from pirtimeline.parsing.shapes import shape, shapes
from pirtimeline.parsing.times import convert, date_order, read

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
    "America/Caracas",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]

EXAMPLES = [text for one in shapes() if one.name not in times.KEYED for text in one.examples]
Writer = Callable[[datetime], str]


def strf(format_: str) -> Writer:
    """Write with C's letters, and `{h}` for an hour of twelve, `{ms}` and `{us}` for fractions."""

    def write(at: datetime) -> str:
        text = at.strftime(format_)
        parts: dict[str, object] = {
            "h": at.hour % 12 or 12,
            "D": at.day,
            "m": at.month,
            "ms": f"{at.microsecond // 1000:03}",
            "us": f"{at.microsecond:06}",
        }
        for key, value in parts.items():
            text = text.replace(f"<{key}>", str(value))
        return text

    return write


def epoch(unit: int) -> Writer:
    return lambda at: str((at - datetime(1970, 1, 1)) // timedelta(microseconds=1) // unit)


MJD = datetime(1858, 11, 17)
"""Day 0 of the modified Julian day."""


def ticks(at: datetime) -> str:
    return str(((at - datetime(1601, 1, 1)) // timedelta(microseconds=1)) * 10)


def tai(at: datetime) -> str:
    seconds = (at - datetime(1970, 1, 1)) // timedelta(seconds=1)
    return f"@{2**62 + 10 + seconds:016x}{at.microsecond * 1000:08x}"


WRITERS: dict[str, list[Writer]] = {
    "iso8601": [strf("%Y-%m-%d %H:%M:%S,<ms>"), strf("%Y-%m-%dT%H:%M:%S.<us>")],
    "iso_ampm": [strf("%Y-%m-%d %I:%M:%S.<ms> %p")],
    "iso_zone_first": [strf("UTC %Y-%m-%d %H:%M:%S.<us>")],
    "iso_brackets": [strf("%Y-%m-%d] [%H:%M:%S.<ms>")],
    "time_date": [strf("%H:%M:%S.<ms> %Y-%m-%d"), strf("%H:%M:%S UTC %Y/%m/%d")],
    "time_date_named": [strf("%H:%M:%S %d-%b-%Y")],
    "time_date_numbers": [strf("%H:%M:%S UTC %m/%d/%Y")],
    "db2": [strf("%Y-%m-%d-%H.%M.%S.<us>")],
    "iso_dashes": [strf("%Y-%m-%d_%H-%M-%S")],
    "iso_loose": [strf("%Y-<m>-<D> %H:%M:%S.<us>")],
    "iso_ordinal": [strf("%Y-%jT%H:%M:%S.<ms>Z")],
    "iso_basic": [strf("%Y%m%dT%H%M%S.<us>")],
    "iso_minutes": [strf("%Y-%m-%d %H:%M")],
    "ymd_slash": [strf("%Y/%m/%d %H:%M:%S.<us>"), strf("%Y/%m/%d %H:%M:%S")],
    "ymd_dot": [strf("%Y.%m.%d %H:%M:%S")],
    "ymd_colons": [strf("%Y:%m:%d-%H:%M:%S.<ms>")],
    "ymd_dots": [strf("%Y.%m.%d-%H.%M.%S:<ms>")],
    "ymd_blank": [strf("%Y %m %d %H:%M:%S:<ms>")],
    "year_month_day": [strf("%Y %b %e %H:%M:%S.<ms>"), strf("%Y-%b-%d %H:%M:%S.<us>")],
    "clf": [strf("%d/%b/%Y:%H:%M:%S +0000")],
    "ctime": [strf("%a %b %e %H:%M:%S %Y"), strf("%a %b %d %H:%M:%S.<us> %Y")],
    "ctime_zone_last": [strf("%a %b %e %H:%M:%S %Y +0000")],
    "ctime_year_first": [strf("%a %b %e %Y %H:%M:%S:<ms>")],
    "rfc850": [strf("%A, %d-%b-%y %H:%M:%S GMT")],
    "cookie": [strf("%a, %d-%b-%Y %H:%M:%S GMT")],
    "rfc2822": [strf("%a, %d %b %Y %H:%M:%S +0000")],
    "oracle": [strf("%d-%b-%y %I.%M.%S.<us> %p")],
    "oracle_year4": [strf("%d-%b-%Y %I.%M.%S.<us> %p")],
    "juli": [strf("%d-%b-%Y %H:%M:%S.<ms>")],
    "juli_year2": [strf("%d-%b-%y %H:%M:%S.<us>")],
    "logging_ampm": [strf("%b %d, %Y <h>:%M:%S %p")],
    "month_day_year": [strf("%b %d, %Y %H:%M:%S.<us> UTC"), strf("%b %e %Y %H:%M:%S.<ms>")],
    "month_day_year_slash": [strf("%b/%d/%Y %H:%M:%S")],
    "day_month_year": [strf("%d %b %Y %H:%M:%S,<ms>")],
    "day_month_year_tight": [strf("<D>%b%Y %H:%M:%S")],
    "han": [strf("%Y年<m>月<D>日 %H:%M:%S")],
    "han_short": [
        lambda at: strf("%Y. <m>. <D>. ")(at) + ("오후" if at.hour > 11 else "오전") + strf(" <h>:%M:%S")(at)
    ],
    "iso_dot_blank": [strf("%Y. <m>. <D>. %H:%M:%S")],
    "slash_ampm": [strf("<m>/<D>/%Y <h>:%M:%S %p")],
    "slash_ampm_year2": [strf("<m>/<D>/%y <h>:%M:%S %p")],
    "slash": [strf("%m/%d/%Y-%H:%M:%S.<us>")],
    "slash_year2": [strf("<m>/<D>/%y %H:%M:%S:<ms>")],
    "slash_minutes": [strf("<m>/<D>/%Y <h>:%M %p")],
    "dot": [strf("%d.%m.%Y %H:%M:%S")],
    "dot_year2": [strf("%d.%m.%y %H:%M:%S")],
    "dash": [strf("%d-%m-%Y %H:%M:%S.<ms>")],
    "dash_year2": [strf("%y-%m-%d %H:%M:%S.<ms>")],
    "compact": [strf("%Y%m%d%H%M%S"), strf("%Y%m%d-%H%M%S.<ms>"), strf("%Y%m%d%H%M%S<ms>")],
    "compact_time": [strf("%Y%m%d-%H:%M:%S:<ms>")],
    "compact_loose": [lambda at: f"{at:%Y%m%d}-{at.hour}:{at.minute}:{at.second}:{at.microsecond // 1000}"],
    "compact_year2_time": [strf("%y%m%d %H:%M:%S")],
    "compact_year2": [strf("%y%m%d %H%M%S")],
    "julian": [strf("%Y%j %H:%M:%S.<us>")],
    "klog": [strf("I%m%d %H:%M:%S.<us>")],
    "klog_year2": [strf("I%y%m%d %H:%M:%S.<us>")],
    "glog": [strf("I%Y%m%d %H:%M:%S.<us>")],
    "syslog": [strf("%b %e %H:%M:%S"), strf("%b %d %H:%M:%S.<ms>")],
    "day_month": [strf("%d %b %H:%M:%S.<ms>")],
    "day_month_year_minutes": [strf("%d-%b-%Y %H:%M")],
    "day_month_minutes": [strf("%d-%b %H:%M")],
    "day_month_dot": [strf("%d.%m. %H:%M:%S.<ms>")],
    "month_day_dot": [strf("%m.%d %H:%M:%S.<ms>")],
    "month_day_slash": [strf("%b/%d %H:%M:%S")],
    "logcat": [strf("%m-%d %H:%M:%S.<ms>")],
    "month_day_numbers": [strf("%m/%d %H:%M:%S.<ms>")],
    "sccm": [strf('%H:%M:%S.<ms>+000" date="%m-%d-%Y')],
    "sccm_local": [strf('%H:%M:%S.<ms>" date="%m-%d-%Y')],
    "tai64n": [tai],
    "seconds": [epoch(1_000_000)],
    "milliseconds": [epoch(1000)],
    "microseconds": [epoch(1)],
    "nanoseconds": [lambda at: epoch(1)(at) + "000"],
    "time": [strf("%H:%M:%S,<ms>"), strf("%H:%M:%S.<us>")],
    "time_ampm": [strf("<h>:%M:%S %p")],
    "iso_date": [strf("%Y-%m-%d")],
    "date_compact": [strf("%Y%m%d")],
    "epoch_s": [epoch(1_000_000)],
    "epoch_ms": [epoch(1000)],
    "epoch_us": [epoch(1)],
    "epoch_ns": [lambda at: epoch(1)(at) + "000"],
    "filetime": [ticks],
    "webkit": [lambda at: ticks(at)[:-1]],
    "cocoa": [lambda at: str((at - datetime(2001, 1, 1)) // timedelta(seconds=1))],
    "mjd": [lambda at: f"{(at - MJD).days} {(at - MJD).seconds}.{at.microsecond:06}"],
    "uptime": [lambda at: epoch(1_000_000)(at)],
}
EARLIEST = {
    "seconds": datetime(2001, 9, 10),
    "milliseconds": datetime(2001, 9, 10),
    "microseconds": datetime(2001, 9, 10),
    "nanoseconds": datetime(2001, 9, 10),
    "cocoa": datetime(2004, 1, 1),
}
INSTANTS = st.datetimes(datetime(1999, 1, 1), datetime(2027, 12, 31, 23, 59, 59))


def told(text: str, time: str) -> dict[str, object]:
    return read(pl.DataFrame({"timestamp_text": [text]}), time).row(0, named=True)


def test_every_shape_has_a_writer() -> None:
    assert [one.name for one in shapes()] == sorted(WRITERS, key=lambda name: shape(name).rank)


@pytest.mark.parametrize("name", WRITERS)
@given(drawn=st.lists(INSTANTS, min_size=6, max_size=12))
@settings(max_examples=2, deadline=None)
def test_what_a_shape_writes_comes_back(name: str, drawn: list[datetime]) -> None:
    instants = [max(at, EARLIEST.get(name, at)) for at in drawn]
    for write in WRITERS[name]:
        frame = read(pl.DataFrame({"timestamp_text": [write(at) for at in instants]}), name)
        for at, found in zip(instants, frame.iter_rows(named=True), strict=True):
            wanted = at.replace(year=2000) if found["_lacks"] == "year" else at
            wanted = at.replace(year=1970, month=1, day=1) if found["_lacks"] == "date" else wanted
            off = (wanted - found["_local"]) // timedelta(microseconds=1)
            assert 0 <= off < found["_resolution_us"] or found["_ambiguous"], (write(at), found["_local"])


def in_their_zone(write: Writer, name: str, zone: str, instant: datetime) -> datetime:
    """Give the wall time that a writer is handed: of UTC where its text says so, else of the zone."""
    utc = shape(name).layout.roles[0].startswith(("epoch", "tai", "filetime", "webkit", "cocoa", "mjd", "elapsed"))
    if utc or any(word in write(instant) for word in ("UTC", "GMT", "+0000", "+000", "Z")):
        return instant
    return instant.astimezone(ZoneInfo(zone))


FULL = [name for name in WRITERS if shape(name).layout.lacks is None]


@pytest.mark.parametrize("name", WRITERS)
@given(zone=st.sampled_from(ZONES), drawn=st.lists(INSTANTS, min_size=4, max_size=6))
@settings(max_examples=3, deadline=None)
def test_instant_that_a_shape_writes_comes_back_or_is_ambiguous(name: str, zone: str, drawn: list[datetime]) -> None:
    instants = sorted(max(at, EARLIEST.get(name, at)).replace(tzinfo=UTC) for at in drawn)
    files = [instants] if name in FULL else [[at] for at in instants[:3]]  # what lacks a year or a date stands alone
    for write in WRITERS[name]:
        for file in files:
            there = [in_their_zone(write, name, zone, at) for at in file]
            rule = TimeRule(
                zone=zone,
                zone_basis="zone_declared",
                year=there[0].year,
                year_basis="declared",
                name_date=f"{there[0]:%Y-%m-%d}",
                start=datetime(1970, 1, 1, tzinfo=UTC),
            )
            texts = [write(at.replace(tzinfo=None)) for at in there]
            frame = read(pl.DataFrame({"timestamp_text": texts, "byte_offset": range(len(texts))}), name)
            for instant, found in zip(file, clock.settle(frame, rule)[0].iter_rows(named=True), strict=True):
                unit, off = timedelta(microseconds=found["resolution_us"]), instant - found["timestamp"]
                assert timedelta(0) <= off < unit or found["time_basis"] == "ambiguous"
                assert off < unit or found["time_basis"] != "explicit"


CHANGING = [zone for zone in ZONES if zone not in ("UTC", "Asia/Kolkata", "Asia/Kathmandu")]
EVERY_YEAR = ["Europe/Berlin", "America/New_York", "America/St_Johns"]
AROUND = [("syslog", zone) for zone in EVERY_YEAR]
AROUND += [(("juli", "slash")[place % 2], zone) for place, zone in enumerate(CHANGING)]


@pytest.mark.parametrize(("name", "zone"), AROUND)
def test_every_quarter_hour_around_every_change_comes_back_or_is_ambiguous(name: str, zone: str) -> None:
    hours = pl.datetime_range(datetime(1999, 1, 1), datetime(2027, 12, 31), "1h", time_zone="UTC", eager=True)
    there = hours.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    changes = hours.filter(((there.dt.epoch("ms") - hours.dt.epoch("ms")).diff() != 0).fill_null(False))
    around = [change + timedelta(minutes=15 * i) for change in changes for i in range(-16, 17)]
    texts = [WRITERS[name][0](at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for at in around]
    rule = TimeRule(zone=zone, zone_basis="zone_declared", year=1999, year_basis="declared", date_order="mdy")
    frame = pl.DataFrame({"timestamp_text": texts, "byte_offset": range(len(texts))})
    found = clock.settle(read(frame, name), rule)[0]
    wrong = found.filter((found["timestamp"] != pl.Series(around)) & (pl.col("time_basis") != "ambiguous"))
    assert wrong.is_empty()


@pytest.mark.parametrize("name", WRITERS)
@given(at=INSTANTS, steps=st.lists(st.integers(0, 100_000_000_000), min_size=6, max_size=9))
@settings(max_examples=2, deadline=None)
def test_quick_way_and_exact_way_agree(name: str, at: datetime, steps: list[int]) -> None:
    for write in WRITERS[name]:
        texts = pl.Series([write(at + timedelta(microseconds=step * i)) for i in range(30) for step in steps])
        found = quick.read(texts, shape(name).layout)
        if found is not None:
            good = found["_local"].is_not_null()
            assert found.filter(good).equals(assemble.read(texts, shape(name).layout).filter(good))


@given(
    st.lists(
        st.sampled_from([text for one in shapes() if one.name not in times.KEYED for text in one.examples]), max_size=40
    )
)
@settings(max_examples=6, deadline=None)
def test_auto_reads_each_text_as_if_it_stood_alone(texts: list[str]) -> None:
    frame = read(pl.DataFrame({"timestamp_text": texts}, schema={"timestamp_text": pl.String}), "auto")
    assert [row[1:] for row in frame.iter_rows()] == [tuple(told(text, "auto").values())[1:] for text in texts]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2024-01-02 03:04", 60_000_000),
        ("2024-01-02 03:04:05", 1_000_000),
        ("2024-01-02 03:04:05.1", 100_000),
        ("2024-01-02 03:04:05,123", 1000),
        ("2024-01-02 03:04:05.123456", 1),
        ("2024-01-02 03:04:05.123456789", 1),
        ("2024-01-02", 86_400_000_000),
        ("1704164645", 1_000_000),
        ("1704164645.57", 10_000),
        ("1704164645123", 1000),
    ],
)
def test_resolution_is_the_unit_of_the_last_digit(text: str, unit: int) -> None:
    assert told(text, "auto")["_resolution_us"] == unit


def test_finer_than_a_microsecond_is_cut_off() -> None:
    assert told("2024-01-02 03:04:05.123456999", "iso8601")["_local"] == datetime(2024, 1, 2, 3, 4, 5, 123456)


@pytest.mark.parametrize(
    ("zone", "offset", "word"),
    [
        ("Z", 0, None),
        ("+05", 18000, None),
        ("+0530", 19800, None),
        ("-03:30", -12600, None),
        (" +0100", 3600, None),
        (" UTC", 0, None),
        (" GMT+2", 7200, None),
        (" CET", None, "CET"),
        (" America/Argentina/Buenos_Aires", None, "America/Argentina/Buenos_Aires"),
        ("", None, None),
    ],
)
def test_zone_is_said_as_offset_or_word(zone: str, offset: int | None, word: str | None) -> None:
    found = told(f"2024-01-02T03:04:05{zone}", "iso8601")
    assert (found["_local"], found["_offset_s"], found["_zone_word"]) == (datetime(2024, 1, 2, 3, 4, 5), offset, word)


@pytest.mark.parametrize(
    ("text", "format_", "want"),
    [
        ("02/Jan/2024:03:04:05 -0500", "%d/%b/%Y:%H:%M:%S %z", datetime(2024, 1, 2, 3, 4, 5)),
        ("Jan 2 03:04:05", "%b %e %H:%M:%S", datetime(2000, 1, 2, 3, 4, 5)),
        ("Jan  2 03:04:05", "%b %e %H:%M:%S", datetime(2000, 1, 2, 3, 4, 5)),
        ("23-Nov-2026 03:47:56.771", "%d-%b-%Y %H:%M:%S%.3f", datetime(2026, 11, 23, 3, 47, 56, 771000)),
        ("23-nov.-2026 03:47:56.771", "%d-%b-%Y %H:%M:%S%.3f", datetime(2026, 11, 23, 3, 47, 56, 771000)),
        ("2024-01-02 03:04:05,678", "%Y-%m-%d %H:%M:%S,%3f", datetime(2024, 1, 2, 3, 4, 5, 678000)),
        ("2024-01-02 03:04:05.678 PST", "%Y-%m-%d %H:%M:%S%.3f %Z", datetime(2024, 1, 2, 3, 4, 5, 678000)),
        ("2024-01-02 03:04:05", "%Y-%m-%d %H:%M:%S%.f", datetime(2024, 1, 2, 3, 4, 5)),
        ("1/2/24 3:04:05 PM", "%m/%d/%y %I:%M:%S %p", datetime(2024, 1, 2, 15, 4, 5)),
        ("12:04:05 AM", "%r", datetime(1970, 1, 1, 0, 4, 5)),
        ("100%[03]", "100%%[%H]", datetime(1970, 1, 1, 3)),
        ("2024-060", "%Y-%j", datetime(2024, 2, 29)),
        ("Tue Jan  2 03:04:05 2024", "%c", datetime(2024, 1, 2, 3, 4, 5)),
    ],
)
def test_chrono_formats_are_read(text: str, format_: str, want: datetime) -> None:
    assert told(text, format_)["_local"] == want


@pytest.mark.parametrize(
    "text", ["2024-02-31 00:00:00", "2023-02-29 00:00:00", "2024-13-01 00:00:00", "2024-01-02 25:00:00", "x", ""]
)
def test_what_is_no_time_is_null(text: str) -> None:
    found = told(text, "iso8601")
    assert [value for key, value in found.items() if key.startswith("_")] == [None] * 6


def test_leap_second_is_the_first_of_the_next_minute_on_both_ways() -> None:
    texts = ["2016-12-31 23:59:60.5"] * 70
    frame = read(pl.DataFrame({"timestamp_text": texts}), "iso8601")
    assert set(frame["_local"]) == {datetime(2017, 1, 1, 0, 0, 0, 500000)}
    assert told(texts[0], "iso8601")["_local"] == datetime(2017, 1, 1, 0, 0, 0, 500000)


def test_expressions_give_what_the_frame_gives() -> None:
    frame = pl.DataFrame({"timestamp_text": ["2024-01-02 03:04:05 CET", None, "x", "Jan  2 03:04:05"]})
    fields = convert(pl.col("timestamp_text"), ["iso8601", "syslog"])
    parts = frame.lazy().select(
        fields.local, fields.resolution_us, fields.offset_s, fields.zone_word, fields.lacks, fields.ambiguous
    )
    together = frame.select(fields.together.alias("all")).unnest("all")
    assert parts.collect().equals(together)
    assert together.equals(read(frame, ["iso8601", "syslog"]).drop("timestamp_text"))


def test_first_of_several_ways_that_reads_a_text_holds() -> None:
    frame = pl.DataFrame({"timestamp_text": ["02/03/2024", "31/03/2024"]})
    assert read(frame, ["%m/%d/%Y", "%d/%m/%Y"])["_local"].dt.day().to_list() == [3, 31]


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["13/02/2024 10:00:00", "01/02/2024 10:00:00"], "dmy"),
        (["02/13/2024 10:00:00", "02/01/2024 10:00:00"], "mdy"),
        (["30/01/2024 10:00:00", "31/01/2024 10:00:00"], "dmy"),
        (["01/02/2024 10:00:00", "02/02/2024 10:00:00", "01/03/2024 10:00:00"], "dmy"),
        (["01/02/2024 10:00:00"], None),
        (["19/09/30 10:00:00", "19/10/01 10:00:00"], "ymd"),
        ([], None),
    ],
)
def test_order_of_numbers_is_settled_by_all_of_them(texts: list[str], order: str | None) -> None:
    assert date_order(pl.Series(texts, dtype=pl.String)) == order


@given(st.lists(INSTANTS, min_size=2, max_size=30), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]))
@settings(max_examples=25, deadline=None)
def test_order_of_numbers_is_never_settled_wrong_for_a_log_in_order(days: list[datetime], format_: str) -> None:
    texts = [f"{day.strftime(format_)} 10:00:00" for day in sorted(days)]
    order = date_order(pl.Series(texts))
    wanted = "dmy" if format_.startswith("%d") else "mdy"
    shown = read(pl.DataFrame({"timestamp_text": texts}), "slash", order=order)["_local"].dt.date().to_list()
    assert order in (None, wanted) or shown == [day.date() for day in sorted(days)]


@pytest.mark.parametrize("time", ["%Q", "", "no_such_shape"])
def test_unknown_way_to_write_times_is_refused(time: str) -> None:
    with pytest.raises(FormatError):
        read(pl.DataFrame({"timestamp_text": ["x"]}), time)


def test_offsets_of_half_hours_and_odd_zones_come_back() -> None:
    minutes = [*range(-12 * 60, 14 * 60 + 1, 15)]
    zones = [timezone(timedelta(minutes=one)) for one in minutes]
    texts = [datetime(2024, 1, 2, 3, 4, 5, tzinfo=zone).isoformat() for zone in zones]
    found = read(pl.DataFrame({"timestamp_text": texts}), "iso8601")["_offset_s"]
    assert found.to_list() == [one * 60 for one in minutes]

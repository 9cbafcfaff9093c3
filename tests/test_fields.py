"""The table of keys: every entry names a column and a hint that exist."""

from __future__ import annotations

import polars as pl

from pirtimeline.parsing import structured
from pirtimeline.parsing.fields import field_map, known, plain, resolve
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import reading
from pirtimeline.schema import ENGINE_COLUMNS, EVENT_COLUMNS

HINTS = {
    "",
    "?",
    "maybe",
    "ns",
    "us",
    "ms",
    "s",
    "w3c",
    "epoch_s",
    "epoch_ms",
    "epoch_us",
    "epoch_ns",
    "filetime",
    "webkit",
    "cocoa",
}
HINTS |= {"syslog", "otel", "python", "logback", "windows", "suricata", "wazuh", "cef"}


def test_every_column_and_hint_of_the_table_exists() -> None:
    table = field_map()
    told = [table.targets, *(one.targets for one in table.profiles)]
    for targets in (target for one in told for target in one.values()):
        for target in targets:
            assert target.column in EVENT_COLUMNS.keys() - ENGINE_COLUMNS, target
            assert target.hint in HINTS, target
            assert target.column in reading(target.column, target.hint).columns
    for profile in table.profiles:
        assert set(profile.constants) <= EVENT_COLUMNS.keys() - ENGINE_COLUMNS


def test_every_profile_is_found_by_its_own_keys() -> None:
    table = field_map()
    for profile in table.profiles:
        assert all(known(table, key) for key in profile.when)


def test_a_formats_own_keys_come_first() -> None:
    mine = Format(
        name="mine", title="", kind="json", fields={"Who": "user_name", "x.y": "basket"}, columns={"basket": "int"}
    )
    told = resolve(field_map(mine), ["who", "user.name", "x.y"])
    assert told["who"][0].rank < told["user.name"][0].rank
    assert told["x.y"][0].column == "basket"


def test_wrapped_keys_come_last() -> None:
    told = resolve(field_map(), ["fields.level", "level"])
    assert told["level"][0].rank < told["fields.level"][0].rank


def test_spelling_does_not_count() -> None:
    assert {plain(key) for key in ("logLevel", "log_level", "Log-Level", "LOGLEVEL")} == {"loglevel"}


def test_a_key_says_that_its_times_are_in_utc() -> None:
    one = Format(name="mine", title="", kind="json", generic=True)
    texts = [f'{{"{key}": "2024-04-21 12:00:00"}}' for key in ("timestampUTC", "UtcTime", "timestamp", "GMTTime")]
    assert structured.read(pl.Series(texts), one)["_offset_s"].to_list() == [0, 0, None, 0]

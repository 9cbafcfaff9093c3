"""Events of kind `json`: what becomes a column, what stays in `extra`, what is refused and why."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.parsing.json_faults import mend
from pirtimeline.parsing.json_lines import looks_like, read, with_prefix
from pirtimeline.parsing.plugin import Format
from pirtimeline.schema import EVENT_COLUMNS

PLAIN = Format(name="mine", title="", kind="json")


def one(text: str, use: Format = PLAIN) -> dict[str, Any]:
    return {key: value for key, value in read(pl.Series([text]), use).row(0, named=True).items() if value is not None}


def of(value: object) -> dict[str, Any]:
    return one(json.dumps(value))


KEYS = st.text(max_size=8) | st.sampled_from(["level", "message", "error", "host", "time", "a", "status", "user"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)


def leaves(value: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Give the paths of an object that lead to something other than an object with keys."""
    if isinstance(value, dict) and value:
        return {key: leaf for name, inner in value.items() for key, leaf in leaves(inner, (*path, name)).items()}
    return {path: value}


@settings(max_examples=300, deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=6), st.booleans(), st.sampled_from([None, 2]))
def test_every_key_is_found_again_in_a_column_or_in_extra(
    objects: list[dict[str, Any]], escaped: bool, indent: int | None
) -> None:
    texts = [json.dumps(value, ensure_ascii=escaped, indent=indent) for value in objects]
    frame = read(pl.Series(texts), PLAIN)
    assert frame.height == len(objects)
    assert frame["_reject"].null_count() == frame.height
    for value, row in zip(objects, frame.to_dicts(), strict=True):
        kept = leaves(json.loads(row["extra"])) if row["extra"] else {}
        gone = {path: leaf for path, leaf in leaves(value).items() if path not in kept and path}
        assert all(leaves(value)[path] == leaf for path, leaf in kept.items() if path)
        filled = {str(cell) for name, cell in row.items() if cell is not None and name != "extra"}
        for path, leaf in gone.items():
            assert str(leaf).rstrip("\r\n") in filled or isinstance(leaf, float | str | list), (path, leaf, row)
        assert len(gone) <= len(filled)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), OBJECTS)
def test_any_text_is_either_read_or_refused_with_a_reason(text: str, value: dict[str, Any]) -> None:
    frame = read(pl.Series([text, json.dumps(value), text + json.dumps(value)]), PLAIN)
    assert frame.height == 3
    assert frame["_reject"][1] is None
    for row in frame.to_dicts():
        assert row["_reject"] is None or row["_reject"].startswith("not a JSON object")


def test_all_columns_have_the_types_of_the_event_table() -> None:
    frame = read(
        pl.Series(['{"status":200,"method":"GET","pid":7,"duration_ms":3,"source.port":80,"level":"x"}']), PLAIN
    )
    for name in set(frame.columns) - {"_time", "_severity", "_reject"}:
        assert frame.schema[name] == EVENT_COLUMNS[name], name


def test_values_stay_as_they_were_logged() -> None:
    text = (
        '{"price":1.10,"big":123456789012345678901234567890,"tiny":2.701e-06,"level":"info",'
        '"on":true,"none":null,"s":"a\\u00e9"}'
    )
    expected = (
        '{"price":1.10,"big":123456789012345678901234567890,"tiny":2.701e-06,"on":true,"none":null,"s":"a\\u00e9"}'
    )
    assert one(text)["extra"] == expected


def test_nested_and_dotted_keys_are_one() -> None:
    nested = of(
        {
            "log": {"level": "WARN", "logger": "a.B"},
            "host": {"name": "h1"},
            "process": {"pid": 4, "thread": {"name": "main"}},
        }
    )
    dotted = of(
        {"log.level": "WARN", "log.logger": "a.B", "host.name": "h1", "process.pid": 4, "process.thread.name": "main"}
    )
    assert nested == dotted
    assert nested == {
        "severity_text": "WARN",
        "logger_name": "a.B",
        "host_name": "h1",
        "process_pid": 4,
        "thread_name": "main",
    }


def test_an_object_that_is_partly_mapped_keeps_the_rest() -> None:
    row = of(
        {
            "a": 1,
            "http": {"request": {"method": "GET", "quux": "q"}, "response": {"status_code": 503}},
            "z": [1, {"level": "x"}],
        }
    )
    assert (row["http_method"], row["http_status_code"]) == ("GET", 503)
    assert json.loads(row["extra"]) == {"a": 1, "http": {"request": {"quux": "q"}}, "z": [1, {"level": "x"}]}


def test_one_key_with_different_types_loses_nothing() -> None:
    frame = read(
        pl.Series(['{"level":{"deep":1},"pid":"x"}', '{"level":30,"pid":12}', '{"level":"warn","pid":null}']), PLAIN
    )
    assert frame["extra"].to_list() == ['{"level":{"deep":1},"pid":"x"}', None, '{"pid":null}']
    assert frame["process_pid"].to_list() == [None, 12, None]
    assert frame["severity_text"].to_list() == [None, "30", "warn"]
    assert frame["_severity"].to_list() == [None, "INFO", None]


def test_of_equal_keys_the_last_counts() -> None:
    assert one('{"level":"info","level":"error"}') == {"severity_text": "error"}


@pytest.mark.parametrize(
    ("value", "text", "name"),
    [
        ({"@timestamp": "2026-11-23T08:53:30.132+00:00"}, "2026-11-23T08:53:30.132+00:00", "iso8601"),
        ({"ts": 1700758468.384019}, "1700758468.384019", "epoch_s"),
        ({"time": 1700758468384}, "1700758468384", "epoch_ms"),
        ({"t": {"$date": "2026-03-22T21:21:20.349+00:00"}}, "2026-03-22T21:21:20.349+00:00", "iso8601"),
        ({"__REALTIME_TIMESTAMP": "1700758468384019"}, "1700758468384019", "epoch_us"),
        ({"timeUnixNano": "1700758468384019123"}, "1700758468384019123", "epoch_ns"),
        ({"asctime": "2026-11-23 08:53:30,132"}, "2026-11-23 08:53:30,132", "iso8601"),
        ({"date": "23/Nov/2026:08:53:30 +0000"}, "23/Nov/2026:08:53:30 +0000", "auto"),
        ({"date": "2026-11-23", "time": "08:53:30", "tz": "+0100"}, "2026-11-23 08:53:30 +0100", "auto"),
        ({"time": "08:53:30"}, "08:53:30", "auto"),
        ({"time": "08:53:30", "created_at": "2026-11-23T08:53:30Z"}, "2026-11-23T08:53:30Z", "iso8601"),
        ({"date": "2026-11-23"}, "2026-11-23", "auto"),
        ({"instant": {"epochSecond": 1700758468, "nanoOfSecond": 384000000}}, "1700758468.384000000", "epoch_s"),
        ({"time": 12, "timestamp": "2026-11-23T08:53:30Z"}, "2026-11-23T08:53:30Z", "iso8601"),
        ({"event": {"created": "2026-11-23T08:53:30Z"}}, "2026-11-23T08:53:30Z", "iso8601"),
        ({"jsonPayload": {"time": "2026-11-23T08:53:30Z"}}, "2026-11-23T08:53:30Z", "iso8601"),
    ],
)
def test_time_keys(value: dict[str, Any], text: str, name: str) -> None:
    row = of(value)
    assert (row["timestamp_text"], row["_time"]) == (text, name)


def test_what_is_no_time_stays_in_extra() -> None:
    assert of({"time": 12, "date": "soon"}) == {"extra": '{"time": 12, "date": "soon"}'}


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ({"level": 50, "pid": 1, "hostname": "h"}, "ERROR"),
        ({"PRIORITY": "3"}, "ERROR"),
        ({"version": "1.1", "host": "h", "short_message": "m", "level": 4}, "WARN"),
        ({"severityNumber": 17}, "ERROR"),
        ({"level_value": 40000}, "ERROR"),
        ({"levelno": 30}, "WARN"),
    ],
)
def test_numeric_levels_by_their_scale(value: dict[str, Any], severity: str) -> None:
    assert of(value)["_severity"] == severity


def test_kibana_alerts() -> None:
    row = of(
        {
            "@timestamp": "2026-11-23T08:53:30.132+00:00",
            "kibana.alert.rule.name": "checkout failing",
            "kibana.alert.status": "recovered",
            "kibana.alert.severity": "critical",
            "kibana.alert.reason": "4 probes ok",
            "host.name": "web1",
            "event.kind": "signal",
        }
    )
    assert row["event_kind"] == "alert"
    assert (row["rule_name"], row["event_action"], row["message"], row["severity_text"], row["host_name"]) == (
        "checkout failing",
        "recovered",
        "4 probes ok",
        "critical",
        "web1",
    )


def test_exceptions() -> None:
    trace = "org.example.NoStock: none left\n\tat org.example.Shop.sell(Shop.java:7)"
    expected = {"exception_type": "org.example.NoStock", "exception_message": "none left", "stack_trace": trace}
    assert of({"error": {"stack_trace": trace}}) == expected
    assert of({"exception": trace}) == expected
    assert of({"stacktrace": trace.split("\n")}) == expected
    assert of({"error": {"type": "T", "message": "m", "stack_trace": trace}})["exception_type"] == "T"
    assert of({"msg": "failed", "error": "user not found"}) == {
        "message": "failed",
        "exception_message": "user not found",
    }


def test_http_requests() -> None:
    row = of(
        {
            "request": {
                "method": "POST",
                "uri": "/pay?x=1",
                "proto": "HTTP/1.1",
                "remote_ip": "192.0.2.1",
                "headers": {"X-Forwarded-For": ["203.0.113.9"]},
            },
            "status": 502,
            "size": 17,
            "duration": 0.25,
        }
    )
    assert (row["http_method"], row["url_path"], row["url_query"], row["http_status_code"]) == (
        "POST",
        "/pay",
        "x=1",
        502,
    )
    assert (row["source_ip"], row["client_ip"], row["duration_ms"], row["http_response_bytes"]) == (
        "192.0.2.1",
        "203.0.113.9",
        250.0,
        17,
    )


def test_a_status_without_a_request_is_no_http_status() -> None:
    assert of({"status": 200, "path": "/var/log/x"}) == {"extra": '{"status": 200, "path": "/var/log/x"}'}


def test_an_absolute_url_is_split_and_kept() -> None:
    row = of({"url": "https://shop.example.org/pay?x=1"})
    assert (row["url_path"], row["url_query"], row["extra"]) == (
        "/pay",
        "x=1",
        '{"url": "https://shop.example.org/pay?x=1"}',
    )


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ({"event.duration": 1500000}, 1.5),
        ({"latency": "968.030256ms"}, 968.030256),
        ({"took": "1m2.5s"}, 62500.0),
        ({"request_time": 0.25}, 250.0),
        ({"elapsed": "00:00:01.500"}, 1500.0),
    ],
)
def test_durations_by_the_unit_of_key_or_text(value: dict[str, Any], milliseconds: float) -> None:
    assert of(value)["duration_ms"] == pytest.approx(milliseconds)


def test_a_duration_without_unit_is_a_guess_and_stays_in_extra() -> None:
    assert of({"duration": 12}) == {"extra": '{"duration": 12}'}


def test_a_format_has_columns_and_keys_of_its_own() -> None:
    mine = Format(
        name="mine",
        title="",
        kind="json",
        fields={"who": "user_name", "shop.basket": "basket", "n": "count", "never": "never"},
        columns={"basket": "string", "count": "int", "never": "bool"},
    )
    frame = read(pl.Series(['{"who":"ann","user":"bob","shop":{"basket":[1, 2]},"n":"7"}']), mine)
    assert frame.select("user_name", "basket", "count", "never", "extra").row(0) == (
        "ann",
        "[1, 2]",
        7,
        None,
        '{"user":"bob"}',
    )
    assert frame.schema["never"] == pl.Boolean()


def test_reasons_say_what_is_wrong_and_where() -> None:
    texts = pl.Series(['{"a":1', "hello", '{"a":tru}', "[1]", '{"a":1} {"b":2}', "", '{"é":x}'])
    assert read(texts, PLAIN)["_reject"].to_list() == [
        "not a JSON object: unexpected end at byte 6",
        "not a JSON object: Expecting value at byte 0",
        "not a JSON object: Expecting value at byte 5",
        "not a JSON object, but another JSON value",
        "not a JSON object: Extra data at byte 8",
        "not a JSON object: unexpected end at byte 0",
        "not a JSON object: Expecting value at byte 6",
    ]


def test_broken_events_among_many_are_found_alone() -> None:
    texts = [f'{{"n":{n}}}' for n in range(5000)]
    texts[17] = texts[4990] = '{"n":tru}'
    frame = read(pl.Series(texts), PLAIN)
    assert frame["_reject"].is_not_null().arg_true().to_list() == [17, 4990]
    assert frame["extra"][18] == '{"n":18}'


def test_deep_nesting_and_long_keys_neither_crash_nor_lose() -> None:
    deep, long = '{"a":' * 50 + "1" + "}" * 50, '{"' + "k" * 5000 + '":{"level":"info"}}'
    assert read(pl.Series([deep, long]), PLAIN)["extra"].to_list() == [deep, long]
    assert read(pl.Series(['{"a":' + "[" * 100_000 + "]" * 100_000 + "}"]), PLAIN)["_reject"][0] is not None


def test_hand_made_json_is_mended_within_strings_only() -> None:
    assert one('{"path": "C:\\dir\\x", "msg": "a\nb", "n": NaN}')["message"] == "a\nb"
    assert mend('{"a": 1,}')[1] is not None


def test_commas_brackets_and_marks_around_an_object_do_not_matter() -> None:
    dressed = ['{"n":1},', '@cee: {"n":1}', '\x1e{"n":1}', '\ufeff{"n":1}\r']
    assert read(pl.Series(dressed), PLAIN)["extra"].to_list() == ['{"n":1}'] * 4


def test_pretty_printed_objects_are_kept_on_one_line() -> None:
    assert one('{\n  "level" : "warn",\n  "a" : [ 1,\n 2 ]\n}') == {"severity_text": "warn", "extra": '{"a" : [ 1,2 ]}'}


def test_an_empty_column_of_texts_gives_an_empty_frame() -> None:
    assert read(pl.Series([], dtype=pl.String), PLAIN).height == 0


def test_lines_that_may_hold_an_object() -> None:
    lines = pl.DataFrame({"t": ['{"a":1}', "{}", "{ }", "{x}", "a", '["a"]', "{"]})
    assert lines.select(looks_like(pl.col("t"))).to_series().to_list() == [True, True, True, False, False, False, True]
    assert lines.select(with_prefix(pl.lit('x=1 {"a":1}')).struct.field("prefix")).item(0, 0) == "x=1 "


def test_two_objects_in_one_text_are_refused_also_where_their_neighbours_would_complete_them() -> None:
    texts = ['{"a":1}'] * 400 + ['{"a":1},{"b":2}', '{"a":[{"x":1}', '{"y":2}]}', '{"a":\n"b\nc"}', '{"a"\n:1\n}']
    frame = read(pl.Series(texts), PLAIN)
    assert frame["_reject"].is_not_null().arg_true().to_list() == [400, 401, 402]
    assert frame["extra"].to_list()[-2:] == ['{"a":"b\\u000ac"}', '{"a":1}']


def test_the_order_of_nested_keys_counts() -> None:
    assert of({"message": {"host": "h1"}, "host": {"message": "no host"}}) == {
        "host_name": "h1",
        "extra": '{"host": {"message": "no host"}}',
    }


def test_alert_that_is_over_has_the_time_of_its_end() -> None:
    labels = '"labels":{"alertname":"ShopDown"},"startsAt":"2024-03-04T02:59:00Z"'
    firing = f'{{"status":"firing",{labels},"endsAt":"0001-01-01T00:00:00Z"}}'
    over = f'{{"status":"resolved",{labels},"endsAt":"2024-03-04T03:31:00Z"}}'
    found = read(pl.Series([firing, over, firing]), Format(name="mine", title="", kind="json"))
    times = ["2024-03-04T02:59:00Z", "2024-03-04T03:31:00Z", "2024-03-04T02:59:00Z"]
    assert found["timestamp_text"].to_list() == times
    assert found["event_action"].to_list() == ["firing", "resolved", "firing"]

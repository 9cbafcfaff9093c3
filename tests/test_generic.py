from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pirtimeline.parsing import columns, framing, shapes
from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.generic import synthesise
from pirtimeline.parsing.plan import FormatUse
from pirtimeline.parsing.plugin import Format
from pirtimeline.schema import ENGINE_COLUMNS, EVENT_COLUMNS

SLOW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Examples are files that are looked at together: composing formats costs the same for one and for six."""

SHAPES = [one for one in shapes.shapes() if not one.whole]
EXAMPLES = [one.examples[0] for one in SHAPES]
DAY = timedelta(days=1)
WRITTEN: dict[str, Callable[[datetime], str]] = {
    "iso": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    "log4j": lambda at: at.strftime("%Y-%m-%d %H:%M:%S,%f")[:-3],
    "clf": lambda at: at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
    "ctime": lambda at: at.strftime("%a %b %d %H:%M:%S %Y"),
    "mail": lambda at: at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
    "go": lambda at: at.strftime("%Y/%m/%d %H:%M:%S"),
    "juli": lambda at: at.strftime("%d-%b-%Y %H:%M:%S.%f")[:-3],
    "american": lambda at: at.strftime("%m/%d/%Y %I:%M:%S %p"),
    "european": lambda at: at.strftime("%d.%m.%Y %H:%M:%S"),
    "syslog": lambda at: at.strftime("%b %d %H:%M:%S"),
    "db2": lambda at: at.strftime("%Y-%m-%d-%H.%M.%S.%f"),
    "compact": lambda at: at.strftime("%Y%m%d-%H%M%S"),
}
HEADERS = ("{} INFO  [main] org.example.Cache - ", "[{}] [ERROR] ", "{} | WARN | ", "[DEBUG] {} ", "{} web1 app[123]: ")
WORDS = "the cache was warmed again by our team after node restart and then ticket reopened"
WORD = st.sampled_from(WORDS.split())
SENTENCE = st.lists(WORD, min_size=2, max_size=8).map(" ".join)


def samples(lines: Sequence[str], source_id: str = "s", claimed: Sequence[bool] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "source_id": pl.Series([source_id] * len(lines), dtype=pl.String),
            "piece": pl.Series([0] * len(lines), dtype=pl.UInt32),
            "line": pl.Series(range(len(lines)), dtype=pl.UInt32),
            "text": pl.Series(lines, dtype=pl.String),
            "claimed": pl.Series(list(claimed or [False] * len(lines)), dtype=pl.Boolean),
        }
    )


def made(lines: Sequence[str]) -> tuple[Format, ...]:
    return synthesise(samples(lines))["s"]


def opened(lines: Sequence[str], formats: Sequence[Format]) -> list[str]:
    which = framing.openings(pl.Series("text", lines, dtype=pl.String), formats)
    return [line for line, place in zip(lines, which, strict=True) if place != framing.REJECT]


def together(files: Sequence[Sequence[str]]) -> list[tuple[Format, ...]]:
    """Compose the formats of several files in one frame."""
    found = synthesise(pl.concat([samples(lines, f"{number:02}") for number, lines in enumerate(files)]))
    return [found[f"{number:02}"] for number in range(len(files))]


def rows(lines: Sequence[str], formats: Sequence[Format] = ()) -> list[dict[str, object]]:
    table = columns.extract(pl.Series("text", lines), (formats or made(lines))[0])
    return [
        {name: value for name, value in row.items() if value is not None and not name.startswith("_")}
        for row in table.iter_rows(named=True)
    ]


def read(lines: Sequence[str], number: int = 0) -> dict[str, object]:
    return rows(lines)[number]


def written(example: str) -> list[str]:
    return [f"{example} ERROR started", f"{example} INFO  stopped", "  below", f"{example} WARN  tired"]


@pytest.fixture(scope="module")
def by_example() -> dict[str, tuple[Format, ...]]:
    return synthesise(pl.concat([samples(written(text), text) for shape in SHAPES for text in shape.examples]))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_shape_opens_events_and_is_kept_as_written(
    shape: shapes.Shape, by_example: dict[str, tuple[Format, ...]]
) -> None:
    for example in shape.examples:
        lines, formats = written(example), by_example[example]
        assert opened(lines, formats) == [lines[0], lines[1], lines[3]]
        table = columns.extract(pl.Series([lines[0], lines[3]]), formats[0])
        assert table["timestamp_text"].to_list() == [example] * 2
        assert table["_local"].null_count() == 0
        if shape.name not in ("klog", "klog_year2", "glog"):  # whose stamps begin with the level
            assert table["severity"].to_list() == ["ERROR", "WARN"]
            assert table["message"].to_list() == ["started", "tired"]


HEADER_PARTS: list[tuple[str, dict[str, object]]] = [
    (
        "2024-04-21 12:00:00,123 [http-nio-8080-exec-3] WARN  o.e.web.Orders - slow answer",
        {"thread_name": "http-nio-8080-exec-3", "severity": "WARN", "logger_name": "o.e.web.Orders"},
    ),
    (
        "2024-04-21 12:00:00.123  INFO 4711 --- [           main] o.e.Application : slow answer",
        {"process_pid": 4711, "thread_name": "main", "logger_name": "o.e.Application", "severity": "INFO"},
    ),
    (
        "[2024-04-21T12:00:00,123][ERROR][o.e.n.Node     ] slow answer",
        {"logger_name": "o.e.n.Node", "severity": "ERROR"},
    ),
    ("[2024-04-21 12:00:00 +0000] [17] [INFO] slow answer", {"process_pid": 17, "severity": "INFO"}),
    (
        "2024-04-21T12:00:00.1+02:00 web1 orders[99]: slow answer",
        {"host_name": "web1", "process_name": "orders", "process_pid": 99},
    ),
    (
        "2024/04/21 12:00:00 [error] 71#9: slow answer",
        {"severity": "ERROR", "process_pid": 71, "thread_name": "9"},
    ),
    ("2024-04-21 12:00:00.123456 W | slow answer", {"severity": "WARN", "severity_text": "W"}),
    ("W, [2024-04-21T12:00:00.123456 #71]  WARN -- : slow answer", {"severity": "WARN", "process_pid": 71}),
    ("[2024-04-21 12:00:00] shop.CRITICAL: slow answer", {"severity": "FATAL", "logger_name": "shop"}),
    ("<11>Apr 21 12:00:00 slow answer", {"severity": "ERROR"}),
    ("ERROR    2024-04-21T12:00:00 - slow answer", {"severity": "ERROR"}),
    ("[WARN] 2024-04-21 12:00:00 slow answer", {"severity": "WARN"}),
    ("W0421 12:33:04.123456 slow answer", {"severity": "WARN"}),
    (
        "2024-04-21 12:00:00,123 INFO  [org.example.as] (MSC service thread 1-2) slow answer",
        {"logger_name": "org.example.as", "thread_name": "MSC service thread 1-2"},
    ),
    (
        "2024-04-21 12:00:00,123 - orders.cache - INFO - slow answer",
        {"logger_name": "orders.cache", "severity": "INFO"},
    ),
    (
        "[2024-04-21 12:00:00,123: INFO/MainProcess] slow answer",
        {"process_name": "MainProcess", "severity": "INFO"},
    ),
    ("[12:00:00] [Server thread/WARN]: slow answer", {"thread_name": "Server thread", "severity": "WARN"}),
    (
        "2024-04-21 12:00:00,123 [7] ERROR Orders.Cache - slow answer",
        {"thread_name": "7", "logger_name": "Orders.Cache"},
    ),
    ("*Apr 21 12:00:00.123: %LINK-3-UPDOWN: slow answer", {"severity": "ERROR", "event_code": "LINK-3-UPDOWN"}),
    ("[Apr 21 12:00:00] NOTICE[71] cache.c: slow answer", {"severity": "INFO", "logger_name": "cache.c"}),
    ("E [21/Apr/2024:12:00:00 +0000] slow answer", {"severity": "ERROR"}),
    ("[   12.345678] slow answer", {"timestamp_text": "12.345678"}),
    ("21-Apr-2024 12:00:00.123 SCHWERWIEGEND [main] slow answer", {"severity": "ERROR", "thread_name": "main"}),
    (
        "[Sun Apr 21 12:00:00.123456 2024] [core:error] [pid 71:tid 9] [client 192.0.2.7:4711] slow answer",
        {
            "severity": "ERROR",
            "logger_name": "core",
            "process_pid": 71,
            "source_ip": "192.0.2.7",
            "source_port": 4711,
        },
    ),
    (
        "2024-04-21 12:00:00,1 INFO [3f2b8c1d-0a4e-4b6f-9c8d-112233445566] slow answer",
        {"trace_id": "3f2b8c1d-0a4e-4b6f-9c8d-112233445566", "severity": "INFO"},
    ),
]


@pytest.fixture(scope="module")
def by_line() -> dict[str, tuple[Format, ...]]:
    return synthesise(pl.concat([samples([line] * 4, line) for line, _ in HEADER_PARTS]))


@pytest.mark.parametrize(("line", "expected"), HEADER_PARTS)
def test_header_parts_are_what_they_look_like(
    line: str, expected: dict[str, object], by_line: dict[str, tuple[Format, ...]]
) -> None:
    row = rows([line] * 4, by_line[line])[0]
    assert {name: row.get(name) for name in expected} == expected
    assert row["message"] == "slow answer"


def test_an_access_log_nobody_declared_gives_peer_and_user() -> None:
    line = '192.0.2.7 - frank [21/Apr/2024:12:00:00 +0200] "GET /a HTTP/1.1" 200 5'
    row = read([line, line.replace("frank", "-").replace("192.0.2.7", "198.51.100.9")])
    assert (row["source_ip"], row["user_name"], row["message"]) == ("192.0.2.7", "frank", '"GET /a HTTP/1.1" 200 5')


def test_a_level_in_a_sentence_is_no_level() -> None:
    lines = [
        f"2024-04-21 12:00:0{at} {text}"
        for at, text in enumerate(["the error was ours", "no info came", "all is well"])
    ]
    assert all("severity_text" not in row for row in rows(lines))


def test_what_has_no_role_stays_in_the_message() -> None:
    row = read([f"2024-04-21T12:00:0{at}Z [AUTH] WARN: {at} tries" for at in range(4)])
    assert row["message"] == "[AUTH] WARN: 0 tries"
    assert row["severity"] == "WARN"


def test_headers_that_differ_a_little_are_all_read() -> None:
    lines = [
        "2024-04-21 12:00:00,001 INFO  [main] org.example.Cache - up",
        "2024-04-21 12:00:00,002 ERROR [pool-1-thread-7] org.example.Store - down",
        "2024-04-21 12:00:00,003 WARN  no thread here",
        "2024-04-21 12:00:00,004 nothing but text",
    ]
    assert [row["message"] for row in rows(lines)] == ["up", "down", "no thread here", "nothing but text"]
    assert [row.get("severity") for row in rows(lines)] == ["INFO", "ERROR", "WARN", None]


def test_lines_of_named_formats_are_left_alone() -> None:
    lines = ["2024-04-21 12:00:00,001 INFO up", "2024-04-21 12:00:00,002 INFO down"]
    assert synthesise(samples(lines, claimed=[True, True]))["s"] == ()


def test_a_source_without_stamps_has_no_format() -> None:
    assert made(["no time here", "nor there"]) == ()
    assert synthesise(samples([])) == {}


def test_groups_are_columns_that_a_format_may_fill() -> None:
    lines = ["192.0.2.7 - frank [21/Apr/2024:12:00:00 +0200] x", "<11>Apr 21 12:00:00 web1 app[12]: [error] x"]
    for line in lines:
        for one in made([line] * 3):
            names = {columns.column_and_unit(group)[0] for it in one.patterns for group in columns.groups_of(it.regex)}
            assert names <= set(EVENT_COLUMNS) - ENGINE_COLUMNS


def test_two_programs_in_one_file_are_both_read() -> None:
    start = datetime(2024, 4, 21, 12)
    lines = []
    for at in range(40):
        when = start + timedelta(seconds=7 * at)
        lines.append(f"{WRITTEN['log4j'](when)} INFO  [main] org.example.Cache - turn {at}")
        if at % 3 == 0:
            lines.append("\tat org.example.Cache.turn(Cache.java:7)")
        if at % 4 == 1:
            lines.append(f"[{WRITTEN['ctime'](when + timedelta(seconds=2))}] [warn] proxy slow")
    formats = made(lines)
    assert len(formats) == 2
    assert opened(lines, formats) == [line for line in lines if not line.startswith("\t")]


PROSE = st.lists(
    st.tuples(SENTENCE, st.sampled_from(EXAMPLES), SENTENCE), min_size=20, max_size=40, unique_by=lambda part: part[0]
)


@SLOW
@given(st.lists(PROSE, min_size=4, max_size=6))
def test_prose_with_dates_in_the_middle_opens_nothing(files: list[list[tuple[str, str, str]]]) -> None:
    texts = [[" ".join(part) for part in parts] for parts in files]
    assert [opened(lines, formats) for lines, formats in zip(texts, together(texts), strict=True)] == [[]] * len(texts)


@st.composite
def ticket(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Write events of one shape whose bodies quote older lines that begin with a date of another shape."""
    own, quoted = draw(st.permutations(sorted(WRITTEN)))[:2]
    header, at = draw(st.sampled_from(HEADERS)), datetime(2024, 4, 21, 12)
    lines: list[str] = []
    events: list[str] = []
    for number in range(draw(st.integers(3, 12))):
        at += timedelta(seconds=draw(st.integers(1, 4000)))
        events.append(f"{header.format(WRITTEN[own](at))}event {number}")
        lines.append(events[-1])
        for days in draw(st.lists(st.integers(3, 90), max_size=4)):
            dress = draw(st.sampled_from(["{} {}", "{} ERROR {}", "{} web2 app[77]: {}"]))
            lines.append(draw(SENTENCE))
            lines.append(dress.format(WRITTEN[quoted](at - days * DAY), draw(SENTENCE)))
    return lines, events


@SLOW
@given(st.lists(ticket(), min_size=4, max_size=6))
def test_a_quoted_log_opens_no_event(files: list[tuple[list[str], list[str]]]) -> None:
    for (lines, events), formats in zip(files, together([lines for lines, _ in files]), strict=True):
        assert opened(lines, formats) == events
        data = "".join(line + "\n" for line in lines).encode()
        table = parse_many([data], [FormatUse(one) for one in formats])
        assert table["byte_length"].sum() == len(data)
        assert table["byte_offset"].to_list() == [data.index(event.encode() + b"\n") for event in events]
        assert table["_local"].null_count() == 0 and table["_local"].is_sorted()


def test_a_thread_dump_and_a_diff_belong_to_their_event() -> None:
    body = [
        "2024-04-20 08:00:00",
        "Full thread dump OpenJDK 64-Bit Server VM:",
        '"main" #1 prio=5',
        "--- a/x\t2024-04-01 10:00:00",
    ]
    lines = [line for at in range(9) for line in (f"21-Apr-2024 12:0{at}:00.000 INFO [main] dump", *body)]
    assert opened(lines, made(lines)) == lines[:: len(body) + 1]


@st.composite
def program(draw: st.DrawFn) -> list[str]:
    """Write what one program writes: a shape, a header, sentences."""
    written, header = WRITTEN[draw(st.sampled_from(sorted(WRITTEN)))], draw(st.sampled_from(HEADERS))
    at = datetime(2024, 4, 21, 12)
    sentences = draw(st.lists(SENTENCE, min_size=2, max_size=9))
    return [f"{header.format(written(at + number * DAY))}{text}" for number, text in enumerate(sentences)]


@SLOW
@given(st.lists(program(), min_size=4, max_size=6))
def test_no_word_of_a_line_is_lost(files: list[list[str]]) -> None:
    for lines, formats in zip(files, together(files), strict=True):
        for line, row in zip(lines, rows(lines, formats), strict=True):
            said = " ".join(map(str, row.values()))
            assert [word for word in re.findall(r"[A-Za-z]{2,}", line) if word not in said] == []


@settings(SLOW, max_examples=3)
@given(st.lists(ticket(), min_size=2, max_size=3))
def test_sources_do_not_look_at_each_other(several: list[tuple[list[str], list[str]]]) -> None:
    files = [lines for lines, _ in several]
    assert together(files) == [together([lines])[0] for lines in files]

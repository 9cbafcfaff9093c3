"""The crash file of HotSpot: one event, its time and what crashed."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from pirtimeline.testing import problems
from pirtimeline_parsers.jvm_hs_err import CrashFile

LOG = Path(__file__).parents[1] / "sample_logs" / "formats" / "jvm_hs_err" / "hs_err_pid4711.log"
SHARED = Path(__file__).parents[2] / "shared" / "jvm" / "hs_err"


def _read(data: bytes) -> dict[str, object]:
    return pl.concat(CrashFile().read(io.BytesIO(data))).row(0, named=True)


def test_crash_file_keeps_the_contract() -> None:
    assert list(problems(CrashFile(), LOG.read_bytes(), path="app1/hs_err_pid4711.log")) == []


def test_crash_file_is_one_event_that_tells_what_crashed() -> None:
    row = _read(LOG.read_bytes())
    assert row["byte_length"] == LOG.stat().st_size
    assert row["event_code"] == "SIGSEGV (0xb)"
    assert row["process_pid"] == 4711
    assert row["thread_name"] == "http-nio-8080-exec-3"
    assert row["jvm_frame"] == "C  [libexample.so+0x1a10]  cart_add+0x10"
    assert row["host_name"] == "app1.example.org"
    assert row["jvm_uptime_ms"] == 389123.456
    assert row["timestamp_text"] == "Fri Mar 14 08:15:42 2031 CET"


def test_zone_on_a_line_of_its_own_is_taken_to_the_time() -> None:
    row = _read(
        b"#\n# A fatal error\n\ntime: Fri Mar 14 08:15:42 2031\ntimezone: CET\nelapsed time: 7 seconds (0d 0h 0m 7s)\n"
    )
    assert row["timestamp_text"] == "Fri Mar 14 08:15:42 2031 CET"
    assert row["jvm_uptime_ms"] == 7000.0


def test_log_that_only_quotes_a_crash_is_not_taken() -> None:
    assert not CrashFile().sniff(b"2031-03-14 08:15:42 INFO up\n" + LOG.read_bytes(), "app1/catalina.out")


def test_empty_file_has_no_rows() -> None:
    assert list(CrashFile().read(io.BytesIO(b""))) == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared crash files are not here")
def test_real_crash_files_are_known_and_read_whole() -> None:
    for path in sorted(SHARED.glob("*.log")):
        assert list(problems(CrashFile(), path.read_bytes(), path=path.name)) == [], path.name

"""Files as they come from the field: each event once, whole, at its instant, and a reason where it has none."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from contracts import breaches

from pirtimeline import Case, Settings
from pirtimeline.ingest import ingest

BEGUN = datetime(2024, 3, 1, 10)
COLLECTED = datetime(2024, 3, 2, 12, tzinfo=UTC)
COUNT = 30


def line(second: int, message: str = "hello") -> str:
    return f"{BEGUN + timedelta(seconds=second):%Y-%m-%d %H:%M:%S},001 INFO  [main] org.example.A - {message}"


def lines(first: int, last: int, *, end: str = "\n", message: str = "hello") -> str:
    return "".join(line(second, message) + end for second in range(first, last))


def two_zones() -> str:
    collection = "[GC (Allocation Failure)  65536K->10748K(251392K), 0.0091230 secs]"
    both = [
        (line(n), f"{BEGUN + timedelta(seconds=n):%Y-%m-%dT%H:%M:%S}.002-0500: {n}.002: {collection}")
        for n in range(15)
    ]
    return "".join(f"{app}\n{jvm}\n" for app, jvm in both)


def two_writers() -> str:
    trace = "java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n"
    pairs = [f"{line(n)}\n{trace}Mar  1 10:00:{n:02} web1 proxy[77]: upstream {n}\n" for n in range(15)]
    return "".join(pairs)


FILES: dict[str, bytes] = {
    "cr": lines(0, COUNT, end="\r").encode(),
    "crlf": lines(0, COUNT, end="\r\n").encode(),
    "nuls_first": b"\0" * (2 << 20) + lines(0, COUNT).encode(),
    "nuls_between": lines(0, 10).encode() + b"\0" * 5000 + lines(10, COUNT).encode(),
    "boms": b"\xef\xbb\xbf" + lines(0, 10).encode() + b"\xef\xbb\xbf" + lines(10, COUNT).encode(),
    "form_feeds": ("\f" + lines(0, 10) + "\f" + lines(10, COUNT) + "\f\n").encode(),
    "utf_16": lines(0, COUNT, message="grüße").encode("utf-16-le"),
    "one_bad_byte": lines(0, 10, message="grüße €").encode()
    + f"{line(10)} it".encode()
    + b"\x92s\n"
    + lines(11, COUNT).encode(),
    "no_last_end": lines(0, COUNT).encode()[:-1],
    "deep_trace": (
        lines(0, 15)
        + "a.B$Error: x\n"
        + "".join(f"\tat a.B.f{n}(B.java:{n})\n" for n in range(5000))
        + lines(15, COUNT)
    ).encode(),
    "two_zones": two_zones().encode(),
    "two_writers": two_writers().encode(),
}
ODD = {
    "stepping": lines(600, 630) + lines(60, 90),
    "late": lines(600, 620) + line(60, "began long ago") + "\n" + lines(620, 640),
    "leap": "2016-12-31T23:59:59Z a\n2016-12-31T23:59:60Z b\n2017-01-01T00:00:00Z c\n",
    "impossible": "2024-02-29 10:00:00 a\n2024-02-30 10:00:00 b\n2024-03-01 25:00:00 c\n2024-03-01 10:00:00 d\n",
    "future": lines(0, 5) + "2031-03-01 10:00:00,001 INFO  [main] org.example.A - later\n",
    "next_year": "Dec 30 10:00:00 h1 sshd[1]: x\nDec 31 10:00:00 h1 sshd[1]: y\n",
    "leap_day": "Feb 28 10:00:00 h2 sshd[1]: x\nFeb 29 10:00:00 h2 sshd[1]: y\nMar  1 10:00:00 h2 sshd[1]: z\n",
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Ingest all files, each in a folder of its own, so that none tells another's zone."""
    folder = tmp_path_factory.mktemp("odd")
    for name, data in (FILES | {name: text.encode() for name, text in ODD.items()}).items():
        (folder / "evidence" / name).mkdir(parents=True)
        (folder / "evidence" / name / f"{name}.log").write_bytes(data)
        os.utime(folder / "evidence" / name / f"{name}.log", (COLLECTED.timestamp(), COLLECTED.timestamp()))
    member(
        folder / "evidence" / "old.tar", "var/log/auth.log", b"Dec 30 10:00:00 h3 sshd[1]: x\n", datetime(2019, 1, 1)
    )
    ingest(folder / "case", Settings(evidence=(str(folder / "evidence"),), collected_at=COLLECTED))
    assert breaches(folder / "case") == []
    return Case(folder / "case")


def member(path: Path, name: str, data: bytes, mtime: datetime) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), int(mtime.replace(tzinfo=UTC).timestamp())
    with tarfile.open(path, "w") as tar:
        tar.addfile(info, io.BytesIO(data))


def of(case: Case, name: str) -> pl.DataFrame:
    (source,) = [one for one in case.sources if name in one["paths"][0].replace(".", "/").split("/")]
    return case.events().filter(pl.col("source_id") == source["source_id"]).sort("byte_offset").collect()


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_event_is_there_once_at_its_instant(case: Case, name: str) -> None:
    found = of(case, name)
    local = sorted(found["local_timestamp"].dt.truncate("1s").unique())
    assert found["parser"].ne("unrecognised").all() and found.height == COUNT
    assert local == [BEGUN + timedelta(seconds=n) for n in range(15 if name.startswith("two") else COUNT)]


CHECKS: dict[str, tuple[str, Callable[[pl.DataFrame], Any], Any]] = {
    "trace of 5,000 lines is one event's": ("deep_trace", lambda e: e["line_count"].max(), 5002),
    "text of another encoding stays readable": ("utf_16", lambda e: e["message"][0], "grüße"),
    "one byte of another encoding costs itself alone": (
        "one_bad_byte",
        lambda e: e["message"][9:11].to_list(),
        ["grüße €", "hello it�s"],
    ),
    "two zones in one file agree": ("two_zones", lambda e: e["timestamp"].dt.hour().unique().to_list(), [15]),
    "two writers keep their lines": (
        "two_writers",
        lambda e: sorted(e["stack_trace"].is_not_null().to_list()),
        [False] * 15 + [True] * 15,
    ),
    "leap second is the next minute": (
        "leap",
        lambda e: e["timestamp"].dt.strftime("%H:%M:%S").to_list(),
        ["23:59:59", "00:00:00", "00:00:00"],
    ),
    "impossible date is kept undated": (
        "impossible",
        lambda e: e["time_basis"].eq("undated").to_list(),
        [False, True, True, False],
    ),
    "impossible date says why": (
        "impossible",
        lambda e: e["extra"].str.contains("no real one").to_list(),
        [None, True, True, None],
    ),
    "future is kept and reported": (
        "future",
        lambda e: (e["timestamp"][-1].year, "collected" in e["extra"][-1]),
        (2031, True),
    ),
    "future without a year is last year": ("next_year", lambda e: e["timestamp"].dt.year().to_list(), [2023, 2023]),
    "29 February is of a leap year": ("leap_day", lambda e: e["timestamp"].dt.year().to_list(), [2024] * 3),
    "archive's member is of the year of its change": ("auth", lambda e: e["timestamp"].dt.year().to_list(), [2018]),
}


def test_clock_that_was_set_back_is_told_and_a_late_line_is_not(case: Case) -> None:
    steps = {one["paths"][0].split("/")[0]: one["steps_back"] for one in case.sources if one["steps_back"]}
    assert [(one["from"][11:19], one["to"][11:19]) for one in steps.pop("stepping")] == [("10:10:29", "10:01:00")]
    assert steps == {}


@pytest.mark.parametrize("what", CHECKS)
def test_oddity_is_told_as_it_is(case: Case, what: str) -> None:
    name, look, wanted = CHECKS[what]
    assert look(of(case, name)) == wanted

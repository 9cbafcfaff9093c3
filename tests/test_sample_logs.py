import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pirtimeline import evidence

SAMPLES = Path(__file__).parents[1] / "sample_logs"
ARCHIVE = SAMPLES / "inc-2024-00123.tar.gz"


@pytest.fixture(scope="module")
def truth() -> dict[str, object]:
    made: dict[str, object] = json.loads((SAMPLES / "inc-2024-00123.truth.json").read_text())
    return made


@pytest.fixture(scope="module")
def logs() -> dict[str, bytes]:
    walk = evidence.walk([ARCHIVE])
    paths = {found.source.place: found.source.path.split("!", 1)[1].split("/", 1)[1] for found in walk}
    assert walk.custody["skipped"] == []
    return {paths[place]: stream.read() for place, stream in evidence.read(paths)}


def members(path: Path) -> Iterator[tuple[str, int, str]]:
    """Give what an archive holds, however its compressor packed it."""
    with tarfile.open(path) as tar:
        for info in tar:
            file = tar.extractfile(info)
            assert file is not None
            data = file.read()
            content = gzip.decompress(data) if info.name.endswith(".gz") else data
            yield info.name, int(info.mtime), hashlib.sha256(content).hexdigest()


def test_script_writes_the_same_archive_and_truth_again(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        subprocess.run([sys.executable, SAMPLES / "make_inc_2024_00123.py", tmp_path / folder], check=True)
    one, two = ((tmp_path / folder / ARCHIVE.name).read_bytes() for folder in ("one", "two"))
    assert hashlib.sha256(one).hexdigest() == hashlib.sha256(two).hexdigest()
    assert list(members(tmp_path / "one" / ARCHIVE.name)) == list(members(ARCHIVE))
    made = (tmp_path / "one" / "inc-2024-00123.truth.json").read_bytes()
    assert made == (SAMPLES / "inc-2024-00123.truth.json").read_bytes()
    if gzip.compress(gzip.decompress(ARCHIVE.read_bytes()), 9, mtime=0) == ARCHIVE.read_bytes():
        assert hashlib.sha256(one).hexdigest() == hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()


def test_archive_is_small_and_says_nothing_of_its_making() -> None:
    data = ARCHIVE.read_bytes()
    assert len(data) <= 2_500_000
    assert data[3] == 0 and data[4:8] == bytes(4)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {(info.uid, info.gid, info.uname, info.gname) for info in tar} == {(0, 0, "", "")}


def test_archive_holds_what_its_readme_promises(logs: dict[str, bytes]) -> None:
    assert {path.split("/")[0] for path in logs} == {"app1", "app2", "db1", "mail1", "mon1", "web1", "win1"}
    copy, whole = logs["app1/tomcat/checkout.log.copy"], logs["app1/tomcat/checkout.log"]
    assert whole.startswith(copy) and len(copy) < len(whole)
    assert logs["web1/nginx/error.log"] == logs["web1/nginx/error.log.copy"]
    assert logs["win1/backup-agent.log"].decode("utf-16").count("\r\n") > 50
    assert not logs["web1/nginx/access.log"].endswith(b"\n")
    assert b"Apache Tomcat/9.0.46" in logs["app1/tomcat/catalina.out"]
    assert b"1.8.0_291" in logs["app1/tomcat/catalina.out"]
    assert b".password=" in logs["app1/tomcat/catalina.out"]
    assert b"access.log.2.gz" in gzip.decompress(ARCHIVE.read_bytes())


def test_each_instant_of_the_truth_stands_in_the_logs_at_its_second(
    logs: dict[str, bytes], truth: dict[str, object]
) -> None:
    shown = {
        "deploy": ("app1/syslog", -5, "%b  %-d %H:%M:%S"),
        "oom": ("app1/tomcat/catalina.out", -5, "%d-%b-%Y %H:%M:%S"),
        "alert": ("mon1/siem-cef.log", 1, "%b  %-d %H:%M:%S"),
        "page": ("mon1/syslog", 1, "%b  %-d %H:%M:%S"),
        "containment": ("web1/syslog", 0, "%b  %-d %H:%M:%S"),
        "mail": ("mail1/mail.log", 1, "%b  %-d %H:%M:%S"),
        "restart": ("app1/syslog", -5, "%b  %-d %H:%M:%S"),
        "rollback": ("app1/syslog", -5, "%b  %-d %H:%M:%S"),
        "statuspage": ("mon1/syslog", 1, "%b  %-d %H:%M:%S"),
    }
    seen: set[str] = set()
    for event in truth["events"]:  # type: ignore[attr-defined]
        kind = event["kind"]
        if kind in shown and kind not in seen:
            path, hours, form = shown[kind]
            local = (datetime.fromisoformat(event["time"]) + timedelta(hours=hours)).strftime(form)
            assert f"\n{local}".encode() in logs[path], (kind, local)
            seen.add(kind)
    assert seen == set(shown)


def test_truth_counts_the_failures_of_the_access_log(logs: dict[str, bytes], truth: dict[str, object]) -> None:
    lines = logs["web1/nginx/access.log"].decode().splitlines()
    failed = [line for line in lines if re.search(r'" 5\d\d ', line)]
    assert len(failed) == truth["failed_5xx"]
    assert len({line.split('"')[7] for line in failed}) == truth["clients"]
    first = datetime.fromisoformat(str(truth["first_5xx"]))
    last = datetime.fromisoformat(str(truth["last_5xx"]))
    assert f"{first:%H:%M:%S}" in failed[0] and f"{last:%H:%M:%S}" in failed[-1]


def test_no_memory_error_stands_before_its_time(logs: dict[str, bytes]) -> None:
    console = logs["app1/tomcat/catalina.out"].decode()
    head = console[: console.index("OutOfMemoryError")].splitlines()[-2]
    assert head.startswith("03-Mar-2024 21:58:03")


def test_heap_after_full_collections_grows_from_the_release_on(logs: dict[str, bytes]) -> None:
    text = logs["app1/tomcat/gc-2024-03-01_21-14-07.log"].decode()
    left = {
        time: int(kib)
        for time, kib in re.findall(
            r"^(\S+)-0500: .*\[Full GC \(System.gc\(\)\).*?\] \d+K->(\d+)K\(2010112K\)", text, re.M
        )
    }
    before = [kib for time, kib in left.items() if time < "2024-03-03T17:10:00"]
    after = [kib for time, kib in left.items() if time > "2024-03-03T17:10:00"]
    assert max(before) < 300_000
    assert after == sorted(after) and after[-1] > 1_000_000 and len(after) >= 4

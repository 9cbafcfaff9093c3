import bz2
import gzip
import lzma
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from contracts import breaches
from evidence_scenes import access, console, hashes, incident, postgresql, syslog, tarred, write, zipped
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from small_blocks import shrink

from pirtimeline import Case, CaseError, Settings, SourceError, build
from pirtimeline.ingest import batches, ingest

ZONES = (("ops1/*", "Europe/Berlin"), ("app1/*", "America/New_York"))

KNOWN = st.sampled_from(
    [
        b"04-Mar-2024 02:58:03.004 SEVERE [exec-1] org.example.shop.Basket.fill out of room",
        b"java.lang.OutOfMemoryError: Java heap space",
        b"\tat org.example.shop.Basket.fill(Basket.java:71)",
        b'192.0.2.7 - - [04/Mar/2024:02:58:03 +0000] "GET / HTTP/1.1" 503 12',
        b"Mar  4 02:58:03 ops1 sshd[4711]: Accepted publickey for ann from 192.0.2.17 port 50112 ssh2",
        b'{"@timestamp":"2024-03-04T02:58:03.004Z","log.level":"ERROR","message":"out of room"}',
        b"2024-03-04 02:58:03,004 INFO  [main] org.example.A - begun",
        b"time=2024-03-04T02:58:03Z level=warn msg=slow",
        b"",
        b"\x00" * 40,
        b"no time at all",
        b"\xff\xfe broken \xc3",
        b"\xef\xbb\xbfnot at the beginning",
    ]
)
LINE = st.one_of(KNOWN, st.binary(max_size=30), st.text(max_size=30).map(str.encode))
LINE_END = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"])
LINES = st.lists(st.tuples(LINE, LINE_END), max_size=12).map(lambda lines: b"".join(map(b"".join, lines)))
SOURCE = st.tuples(KNOWN, LINE_END, LINES).map(b"".join)
"""A first line that is no archive's magic number, then anything."""


def ingested(tmp_path: Path, files: dict[str, Any], **said: Any) -> Case:
    """Ingest files and hold the case against its contracts."""
    evidence = write(tmp_path / "evidence", files)
    ingest(tmp_path / "case", Settings(evidence=(str(evidence),), **said), workers=2)
    assert breaches(tmp_path / "case") == []
    return Case(tmp_path / "case")


def only(case: Case) -> dict[str, Any]:
    """Give a case's one source."""
    (source,) = case.sources
    return source


@settings(max_examples=6, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(contents=st.lists(SOURCE, min_size=1, max_size=12), cut=st.booleans())
def test_no_byte_is_lost_whatever_is_ingested(
    contents: list[bytes], cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("law")
    files = {
        f"host{i}/a.log": content[: -1 if cut and len(content) > 1 else None] for i, content in enumerate(contents)
    }
    case = ingested(folder, files)
    total = case.rows().select(pl.col("byte_length").cast(pl.Int64).sum()).collect().item()
    assert total == sum(len(content) for content in {*files.values()})
    found = case.raw(case.rows().filter(pl.col("continues").is_null()).select("event_id").collect().to_series())
    for source in case.sources:
        mine = {int(key.partition(":")[2]): data for key, data in found.items() if key.startswith(source["source_id"])}
        assert b"".join(mine[at] for at in sorted(mine)) == files[source["paths"][0]]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `evidence` and with `case`, built from it with every zone declared."""
    folder = tmp_path_factory.mktemp("once")
    incident(folder / "evidence")
    build(folder / "case", Settings(evidence=(str(folder / "evidence"),), zones=ZONES), workers=1)
    return folder


def test_incident_keeps_the_contracts(once: Path) -> None:
    assert breaches(once / "case") == []


def test_second_run_changes_no_byte(once: Path) -> None:
    case = once / "case"
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in case.rglob("*") if path.is_file()}
    again = build(case, Settings())
    assert not again.outcome.changed
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in case.rglob("*") if path.is_file()}


def test_copy_elsewhere_with_other_workers_gives_the_same_files(once: Path, tmp_path: Path) -> None:
    shutil.copytree(once / "evidence", tmp_path / "of another name")
    build(tmp_path / "case", Settings(evidence=(str(tmp_path / "of another name"),), zones=ZONES), workers=3)
    assert hashes(tmp_path / "case") == hashes(once / "case")


def test_order_of_arguments_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path, {"one.log": console(), "two.log": access(), "three.log": postgresql()})
    named = [str(tmp_path / name) for name in ("one.log", "two.log", "three.log")]
    for case, evidence in (("a", named), ("b", named[::-1]), ("c", [*named[1:], *named])):
        ingest(tmp_path / case, Settings(evidence=tuple(evidence)))
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") == hashes(tmp_path / "c")


def test_evidence_added_later_joins_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, {"m.log": console(), "b.log": access(), "z.log": postgresql()})
    named = [str(tmp_path / name) for name in ("m.log", "b.log", "z.log")]
    ingest(tmp_path / "at once", Settings(evidence=tuple(named)))
    for one in named:
        ingest(tmp_path / "later", Settings(evidence=(one,)))
    assert breaches(tmp_path / "later") == []
    one, other = (Case(tmp_path / name) for name in ("at once", "later"))
    assert rows_of(one).equals(rows_of(other))
    assert [told["paths"] for told in one.sources] == [told["paths"] for told in other.sources]
    ids = other.events().select("event_id").collect().to_series()
    assert other.raw(ids) == one.raw(ids)


def test_evidence_that_moved_is_taken_for_what_it_is(tmp_path: Path) -> None:
    write(tmp_path / "before", {"a.log": access()})
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "before" / "a.log"),)))
    (tmp_path / "before").rename(tmp_path / "after")
    again = ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "after" / "a.log"),)))
    assert again.settings.evidence == (str(tmp_path / "after" / "a.log"),)
    case = Case(tmp_path / "case")
    assert case.raw([f"{only(case)['source_id']}:0"]) != {}


def rows_of(case: Case) -> pl.DataFrame:
    return case.rows().collect().sort("source_id", "byte_offset")


@pytest.mark.parametrize("moved", [False, True], ids=["evidence there", "evidence moved away"])
def test_zone_declared_later_equals_zone_declared_at_once(once: Path, tmp_path: Path, moved: bool) -> None:
    evidence = tmp_path / "evidence"
    shutil.copytree(once / "evidence", evidence)
    build(tmp_path / "case", Settings(evidence=(str(evidence),)))
    assert not rows_of(Case(tmp_path / "case")).equals(rows_of(Case(once / "case")))
    if moved:
        evidence.rename(tmp_path / "gone")
    later = build(tmp_path / "case", Settings(zones=ZONES))
    assert later.outcome.changed
    assert breaches(tmp_path / "case") == []
    assert rows_of(Case(tmp_path / "case")).equals(rows_of(Case(once / "case")))
    for name in ("timeline.parquet", "findings.parquet", "duplicates.parquet", "report.json"):
        assert (tmp_path / "case" / name).read_bytes() == (once / "case" / name).read_bytes(), name


def test_zone_declared_later_rewrites_only_the_parts_it_touches(once: Path, tmp_path: Path) -> None:
    ingest(tmp_path / "case", Settings(evidence=(str(once / "evidence"),)))
    before = hashes(tmp_path / "case")
    ingest(tmp_path / "case", Settings(zones=(("ops1/*", "Europe/Berlin"),)))
    after = hashes(tmp_path / "case")
    changed = {name for name in set(before) ^ set(after) if name.startswith("events/")}
    assert {name.split("/")[1] for name in changed} == {
        "parser=sshd_session",
        "parser=sudo_command",
        "parser=syslog_rfc3164",
    }


def test_zone_of_two_globs_the_last_wins(tmp_path: Path) -> None:
    case = ingested(
        tmp_path, {"app1/catalina.out": console()}, zones=(("*", "Asia/Tokyo"), ("app1*", "America/New_York"))
    )
    assert only(case)["zone"] == "America/New_York"
    first = case.events().select(pl.col("timestamp").min()).collect().item()
    assert first == datetime(2024, 3, 4, 1, 0, 0, 4000, tzinfo=UTC)


KILLED = """
import os, signal, sys
left = int(sys.argv[3])

def hook(event, args):
    global left
    if event == "os.rename":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
from pirtimeline import Settings
from pirtimeline.ingest import batches, ingest
batches.BATCH = 6000
ingest(sys.argv[1], Settings(evidence=(sys.argv[2],)), workers=2)
"""


@pytest.mark.parametrize("instant", [0, 2, 7, 14])
def test_run_killed_at_any_instant_is_completed_by_the_next(
    instant: int, once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pirtimeline.ingest.batches.BATCH", 6000)
    evidence = str(once / "evidence")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), evidence, str(instant)]
    assert subprocess.run(command, check=False).returncode == -9
    for name in ("killed", "whole"):
        ingest(tmp_path / name, Settings(evidence=(evidence,)))
    assert len([*(tmp_path / "whole" / "sources").iterdir()]) > 2
    assert hashes(tmp_path / "killed", but=()) == hashes(tmp_path / "whole", but=())


def test_part_that_is_missing_is_written_again(once: Path, tmp_path: Path) -> None:
    shutil.copytree(once / "case", tmp_path / "case")
    next((tmp_path / "case" / "events").glob("parser=postgresql/*")).unlink()
    with pytest.raises(CaseError, match="missing"):
        Case(tmp_path / "case").events()
    ingest(tmp_path / "case", Settings())
    before = {name: sha for name, sha in hashes(once / "case").items() if name.startswith(("events/", "sources/"))}
    assert before.items() <= hashes(tmp_path / "case").items()


def test_large_source_is_the_same_in_however_many_hands(tmp_path: Path) -> None:
    block = console(count=59).encode() + b"".join(b"%d junk \xff line\n" % i for i in range(40))
    trace = b"\tat org.example.shop.Deep.down(Deep.java:7)\n" * 40_000
    write(tmp_path, {"catalina.out": (block + trace) * 12})
    evidence = tmp_path / "catalina.out"
    assert evidence.stat().st_size > 17 << 20
    for name, workers in (("one", 1), ("four", 4)):
        ingest(tmp_path / name, Settings(evidence=(str(evidence),)), workers=workers)
    assert breaches(tmp_path / "one") == []
    assert only(Case(tmp_path / "one"))["identity"] == "ends"
    assert Case(tmp_path / "one").rows().filter(pl.col("continues").is_not_null()).collect().height
    assert hashes(tmp_path / "one") == hashes(tmp_path / "four")


def test_one_content_under_two_paths_is_one_source_with_both(once: Path) -> None:
    paths = [one["paths"] for one in Case(once / "case").sources]
    assert ["web1/access.log", "web1/access.log.copy"] in paths


def test_log_and_its_gzip_are_one_source(tmp_path: Path) -> None:
    case = ingested(tmp_path, {"a.log": access(), "a.log.1.gz": gzip.compress(access().encode())})
    assert only(case)["paths"] == ["a.log", "a.log.1.gz"]


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-16", "utf-16"), ("utf-8-sig", "utf-8"), ("latin-1", "latin-1"), ("utf-8", "utf-8")]
)
def test_offsets_count_the_bytes_of_the_source_in_every_encoding(tmp_path: Path, encoding: str, named: str) -> None:
    lines = [f"2024-03-04 02:58:{i:02d}.004 WARN [main] org.example.A - Gerät {i} überhitzt\r\n" for i in range(20)]
    data = "".join(lines).encode(encoding)
    case = ingested(tmp_path, {"a.log": data})
    assert named in only(case)["encoding"].lower()
    events = case.events().collect().sort("byte_offset")
    assert events["message"].to_list() == [f"Gerät {i} überhitzt" for i in range(20)]
    assert events["timestamp"].to_list()[7] == datetime(2024, 3, 4, 2, 58, 7, 4000, tzinfo=UTC)
    assert b"".join(case.raw(case.rows().collect().sort("byte_offset")["event_id"].to_list()).values()) == data
    third = case.raw([events["event_id"][3]])[events["event_id"][3]]
    codec = "utf-16-le" if encoding == "utf-16" else named
    assert third.decode(codec) == lines[3]


def test_nul_padding_is_structure(tmp_path: Path) -> None:
    case = ingested(tmp_path, {"a.log": access().encode() + b"\x00" * 4096})
    assert only(case)["parsers"] == {"tomcat_access": 60} or only(case)["rejects"] == 0
    assert case.rows("structure").collect()["byte_length"].sum() == 4096


def test_last_line_without_an_end_is_an_event(tmp_path: Path) -> None:
    case = ingested(tmp_path, {"a.log": access()[:-20]})
    assert only(case)["events"] == only(case)["lines"] == 60


def test_gzip_that_ends_early_gives_the_events_up_to_there_and_says_so(tmp_path: Path) -> None:
    lines = "".join(
        f"2024-03-04 02:{i // 60 % 60:02d}:{i % 60:02d}.004 WARN [main] org.example.A - {random.Random(i).random()}\n"
        for i in range(3000)
    )
    packed = gzip.compress(lines.encode())
    case = ingested(tmp_path, {"a.log.gz": packed[: len(packed) // 2]})
    source = only(case)
    assert 500 < source["events"] < 2900
    assert source["truncated"]
    read = b"".join(case.raw(case.rows().collect().sort("byte_offset")["event_id"].to_list()).values())
    assert lines.encode().startswith(read)


def test_archives_are_read_however_they_are_nested(tmp_path: Path) -> None:
    inner = zipped({"db1/postgresql.log.bz2": bz2.compress(postgresql().encode()), "ops1/syslog": syslog("ops1")})
    outer = tarred(
        {
            "logs/inner.zip": inner,
            "logs/app1/catalina.out.xz": lzma.compress(console().encode()),
            "logs/web1/access.log.zst": zstandard.compress(access(0).encode()),
        },
        "bz2",
    )
    case = ingested(tmp_path, {"handed-over.dat": outer})
    paths = sorted(one["paths"][0] for one in case.sources)
    assert [path.split("!")[-1] for path in paths] == [
        "logs/app1/catalina.out.xz",
        "db1/postgresql.log.bz2",
        "ops1/syslog",
        "logs/web1/access.log.zst",
    ]
    assert {one["rejects"] for one in case.sources} == {0}
    ids = case.events().group_by("source_id").agg(pl.col("event_id").sort().first()).collect()["event_id"]
    assert all(case.raw(ids).values())


def test_nothing_is_followed_out_of_the_evidence(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": access(), "empty.log": b""})
    write(tmp_path / "secret", {"b.log": console()})
    (tmp_path / "evidence" / "file").symlink_to(tmp_path / "secret" / "b.log")
    (tmp_path / "evidence" / "folder").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "evidence" / "pipe")
    outcome = ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "evidence"),)))
    assert [one["paths"] for one in outcome.sources] == [["a.log"]]
    reasons = {one["path"]: one["reason"] for one in outcome.skipped}
    assert set(reasons) == {"empty.log", "file", "folder", "pipe"}
    assert "symbolic link" in reasons["file"] and "symbolic link" in reasons["folder"] and "FIFO" in reasons["pipe"]
    custody = Case(tmp_path / "case").custody["skipped"]
    assert {one["path"]: one["reason"] for one in custody} == reasons


def test_member_that_would_leave_the_archive_is_skipped_with_its_reason(tmp_path: Path) -> None:
    case = ingested(tmp_path, {"logs.tar": tarred({"../../etc/passwd": "root:x:0:0\n", "a.log": access()}, "")})
    (skipped,) = case.custody["skipped"]
    assert "passwd" in skipped["path"] and ".." in skipped["reason"]
    assert not (tmp_path.parent / "etc").exists()


def test_change_of_the_evidence_makes_results_stale(tmp_path: Path) -> None:
    incident(tmp_path / "evidence")
    said = Settings(evidence=(str(tmp_path / "evidence"),))
    build(tmp_path / "case", said)
    write(tmp_path / "evidence", {"web2/access.log": access(0, 80)})
    ingest(tmp_path / "case", said)
    assert not [name for name in ("findings.parquet", "report.json") if (tmp_path / "case" / name).exists()]
    assert "web2/access.log" in {path for one in Case(tmp_path / "case").sources for path in one["paths"]}


def test_nothing_generated_names_this_machine_or_this_day(once: Path) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}".encode()
    for path in (once / "case").rglob("*"):
        if path.is_file() and path.name != "case.toml":
            assert str(once).encode() not in path.read_bytes(), path
            assert today not in path.read_bytes(), path


def test_evidence_without_a_byte_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    with pytest.raises(SourceError, match="evidence"):
        ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "evidence"),)))


def test_what_a_killed_run_wrote_of_a_large_source_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch.setattr)
    write(tmp_path / "evidence", {"a.log": access(count=2000), "b.out": console(count=900)})
    said = Settings(evidence=(str(tmp_path / "evidence"),))
    ingest(tmp_path / "whole", said)
    note = batches.note

    def killed(*arguments: Any) -> None:
        note(*arguments)
        if arguments[-2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(batches, "note", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest(tmp_path / "case", said)
    monkeypatch.setattr(batches, "note", note)
    (journal,) = (tmp_path / "case" / "sources").glob(".*.read.tmp")
    with journal.open("ab") as out:
        out.write(b'{"stamp": "cut')
    offsets: list[int] = []
    parse = batches.parse_or_recover
    monkeypatch.setattr(
        batches, "parse_or_recover", lambda block, *rest: (offsets.append(block.offset), parse(block, *rest))[1]
    )
    ingest(tmp_path / "case", said)
    assert offsets.count(0) == 1 and min(offset for offset in offsets if offset) > 0
    assert hashes(tmp_path / "case") == hashes(tmp_path / "whole")

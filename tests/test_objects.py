"""Evidence and cases in a bucket: the bytes of a local run, errors in sentences, runs that know of one another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from buckets import bucket, hashes_of, uploaded
from click.testing import CliRunner
from evidence_scenes import access, console, hashes, incident, syslog, tarred, write

from pirtimeline import Case, PirTimelineError, Settings, SourceError, faults, leases, objects
from pirtimeline.cli import cli
from pirtimeline.evidence import ranges
from pirtimeline.evidence.ranges import Ranges
from pirtimeline.ingest import ingest
from pirtimeline.objects import ObjectPath

__all__ = ["bucket"]


def test_case_in_a_bucket_is_that_of_a_local_run(tmp_path: Path, bucket: ObjectPath) -> None:
    incident(tmp_path / "evidence")
    write(tmp_path / "evidence", {"host.tar.gz": tarred({"a.log": access(), "b/messages": syslog("b1")})})
    far = Settings(evidence=(uploaded(tmp_path / "evidence", bucket / "evidence"),))
    ingest("s3://bucket/case", far)
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "evidence"),)))
    assert hashes_of(bucket / "case") == hashes(tmp_path / "case")
    assert not ingest("s3://bucket/case", far).changed
    case = Case("s3://bucket/case")
    assert case.events().collect().equals(Case(tmp_path / "case").events().collect())
    assert list(faults(case)) == []
    event = case.query("SELECT event_id FROM events WHERE parser = 'access_log' LIMIT 1")["event_id"][0]
    assert case.raw([event]) == Case(tmp_path / "case").raw([event])
    anew = Settings(zones=(("*app1*", "America/New_York"),))
    ingest("s3://bucket/case", anew)
    ingest(tmp_path / "case", anew)
    assert hashes_of(bucket / "case") == hashes(tmp_path / "case")


def test_case_that_lies_below_its_evidence_is_not_read_as_evidence(bucket: ObjectPath) -> None:
    (bucket / "all/a.log").write_bytes(access().encode())
    said = Settings(evidence=("s3://bucket/all",))
    for _ in range(2):
        assert [one["paths"] for one in ingest("s3://bucket/all/case", said).sources] == [["a.log"]]


def test_what_a_killed_run_left_is_thrown_away_by_the_next(bucket: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_S", 0.05)
    monkeypatch.setattr(leases, "DEAD_S", 0.3)
    (bucket / "evidence/a.log").write_bytes(access().encode())
    left = (".runs/0123456789abcdef", ".runs/0123456789abcdef.sweeping", "events/parser=x/0123-0.parquet")
    for name in left:
        (bucket / "case" / name).write_bytes(b"")
    ingest("s3://bucket/case", Settings(evidence=("s3://bucket/evidence",)))
    assert not {*left} & {*(bucket / "case").below()}


def test_run_beside_one_that_lives_throws_nothing_away(bucket: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_S", 0.6)
    monkeypatch.setattr(leases, "DEAD_S", 20)
    (bucket / "evidence/a.log").write_bytes(access().encode())
    part = bucket / "case/events/parser=x/0123-0.parquet"
    with leases.leased(bucket / "case"):
        part.write_bytes(b"")
        ingest("s3://bucket/case", Settings(evidence=("s3://bucket/evidence",)))
        assert part.is_file()
    assert not [name for name in (bucket / "case").below() if name.startswith(".runs")]


def test_object_is_read_anywhere_and_asked_for_in_growing_ranges(
    bucket: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "FIRST", 64)
    monkeypatch.setattr(ranges, "MOST", 256)
    data = console().encode()
    (bucket / "a.log").write_bytes(data)
    asked: list[int] = []
    with Ranges(bucket / "a.log") as stream:
        real = stream._asked
        monkeypatch.setattr(stream, "_asked", lambda begin, count: (asked.append(count), real(begin, count))[1])
        assert b"".join(iter(lambda: stream.read(100), b"")) == data
        assert asked[:3] == [128, 256, 256]
        stream.seek(-50, 2)
        assert stream.read() == data[-50:]
        stream.seek(700)
        assert stream.read(20) == data[700:720] and asked[-1] == 20


def test_object_that_is_put_anew_while_it_is_read_is_an_error_that_names_it(bucket: ObjectPath) -> None:
    place = bucket / "a.log"
    place.write_bytes(b"x" * (3 << 20))
    with Ranges(place) as stream:
        place.write_bytes(b"y" * (3 << 20))
        with pytest.raises(SourceError, match=r"a\.log: the evidence changed while it was read"):
            stream.read()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build", "s3://none/evidence", "--case", "s3://bucket/case"), "there is no bucket 'none'"),
        (("build", "s3://bucket/evidence", "--case", "s3://none/case"), "there is no bucket 'none'"),
        (("build", "s3://bucket/nothing", "--case", "s3://bucket/case"), "no such object, and none below it"),
        (("build", "s3://bucket/evidence", "--case", "s3://bucket/evidence"), "something that is not a case"),
        (("query", "s3://none/case", "SELECT 1"), "there is no bucket 'none'"),
        (("verify", "s3://bucket/evidence"), "this is not a case"),
        (("timeline", "s3://"), "no bucket is named"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(bucket: ObjectPath, arguments: tuple[str, ...], said: str) -> None:
    (bucket / "evidence/a.log").write_bytes(access().encode())
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, PirTimelineError)
    assert said in str(done.exception)


def test_missing_credentials_are_told_in_a_sentence(
    bucket: ObjectPath, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    objects._system.cache_clear()
    with pytest.raises(PirTimelineError, match="no credentials for S3 were found"):
        Case("s3://bucket/case")


def test_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    objects._system.cache_clear()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    done = CliRunner().invoke(cli, ["query", "s3://bucket/case", "SELECT 1"])
    assert isinstance(done.exception, PirTimelineError)
    assert "pip install 'pirtimeline[s3]'" in str(done.exception)

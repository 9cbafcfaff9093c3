import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from evidence_scenes import STOOD, incident, tarred, write

from pirtimeline import Case, Settings, build, faults


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    incident(folder / "evidence")
    build(folder / "case", Settings(evidence=(str(folder / "evidence"),), zones=(("ops1/*", "Europe/Berlin"),)))
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """A copy of the case to be damaged, and of its evidence."""
    shutil.copytree(built, tmp_path / "copy")
    return tmp_path / "copy"


def found(folder: Path) -> list[str]:
    """Name what does not hold, with the copied evidence in place of the one that was read."""
    return list(faults(Case(folder / "case"), moved=folder / "evidence"))


def change(path: Path, at: int, byte: bytes = b"#") -> None:
    """Change one byte of a file; let it look as old as before."""
    data = bytearray(path.read_bytes())
    assert data[at : at + 1] != byte
    data[at : at + 1] = byte
    write(path.parent, {path.name: bytes(data)})


def test_case_holds_against_its_evidence(built: Path) -> None:
    assert list(faults(Case(built / "case"))) == []


def test_case_holds_where_its_evidence_lies_now(copy: Path) -> None:
    assert found(copy) == []


@pytest.mark.parametrize("name", ["app1/catalina.out", "web1/notes.txt"])
def test_byte_of_the_evidence_that_changed_is_named(copy: Path, name: str) -> None:
    change(copy / "evidence" / name, 40)
    (fault,) = found(copy)
    assert name in fault and "not what was read" in fault


def test_evidence_that_grew_shorter_is_named(copy: Path) -> None:
    path = copy / "evidence" / "app1" / "catalina.out"
    write(path.parent, {path.name: path.read_bytes()[:-3000]})
    assert any("app1/catalina.out" in fault for fault in found(copy))


def test_gzip_that_was_damaged_is_named(copy: Path) -> None:
    change(copy / "evidence" / "ops1" / "syslog.1.gz", 100)
    assert any("ops1/syslog.1.gz" in fault for fault in found(copy))


def test_evidence_that_is_gone_is_named(copy: Path) -> None:
    (copy / "evidence" / "db1" / "postgresql.log").unlink()
    assert any("db1/postgresql.log" in fault for fault in found(copy))
    shutil.rmtree(copy / "evidence")
    assert any("evidence" in fault for fault in found(copy))


def test_byte_of_a_part_that_changed_is_named(copy: Path) -> None:
    part = sorted((copy / "case" / "events").glob("parser=tomcat_juli/*"))[0]
    change(part, 200)
    assert any(
        part.relative_to(copy / "case").as_posix() in fault and "changed after it was written" in fault
        for fault in found(copy)
    )


def test_part_that_is_missing_and_part_that_nobody_lists_are_named(copy: Path) -> None:
    part = sorted((copy / "case" / "events").glob("parser=tomcat_juli/*"))[0]
    part.rename(part.with_name("other.parquet"))
    told = found(copy)
    assert any("is missing" in fault for fault in told)
    assert any("no source lists this part" in fault for fault in told)


def test_bytes_that_do_not_add_up_are_named(copy: Path) -> None:
    (mark,) = (copy / "case" / "sources").iterdir()
    told = [json.loads(line) for line in mark.read_text().splitlines()]
    told[0]["size_bytes"] += 1
    mark.write_text("".join(json.dumps(one) + "\n" for one in told))
    assert any(told[0]["paths"][0] in fault and "bytes" in fault for fault in found(copy))


def test_citation_of_what_is_not_there_is_named(copy: Path) -> None:
    path = copy / "case" / "timeline.parquet"
    table = pl.read_parquet(path).with_columns(event_ids=pl.lit(["0a1b2c3d4e5f:7"]))
    table.write_parquet(path)
    assert any("0a1b2c3d4e5f:7" in fault and "not in the case" in fault for fault in found(copy))


def test_archive_that_changed_is_named(tmp_path: Path) -> None:
    packed = tarred({"app1/a.log": "2024-03-04 02:58:03,004 WARN [main] org.example.A - slow\n" * 50}, "")
    write(tmp_path, {"logs.tar": packed})
    build(tmp_path / "case", Settings(evidence=(str(tmp_path / "logs.tar"),)))
    assert list(faults(Case(tmp_path / "case"))) == []
    change(tmp_path / "logs.tar", 512 + 30)
    told = list(faults(Case(tmp_path / "case")))
    assert any(fault.endswith("logs.tar: the evidence was changed after it was read") for fault in told)
    assert any("logs.tar!app1/a.log" in fault for fault in told)
    assert (tmp_path / "logs.tar").stat().st_mtime == STOOD

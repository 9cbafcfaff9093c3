"""What a cluster's workers write is what a local run writes, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts import breaches
from evidence_scenes import access, console, hashes, incident, syslog, write

from pirtimeline import Case, CaseError, Settings
from pirtimeline.ingest import batches, cluster, ingest, ranges, run
from pirtimeline.parsing import splitting


class Here:
    """A client whose only worker is this process: what a cluster is asked for, without one."""

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def nthreads(self) -> dict[str, int]:
        return {"here": 2}

    def submit(self, task: Any, *arguments: Any, pure: bool, retries: int) -> Any:
        assert not pure and retries
        return Result(task(*(one.value if isinstance(one, Result) else one for one in arguments)))


class Result:
    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self) -> Any:
        return self.value


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (splitting, batches, run, cluster):
        monkeypatch.setattr(module, "BLOCK", 16 << 10)
    monkeypatch.setattr(splitting, "HEAD", 2 << 10)
    monkeypatch.setattr(splitting, "LOOK", 1 << 10)
    for module in (batches, ranges):
        monkeypatch.setattr(module, "PART", 48 << 10)


@pytest.mark.usefixtures("small_blocks")
def test_parts_of_a_cluster_are_those_of_a_local_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    incident(tmp_path / "evidence")
    files = {"a.log": access(count=2000), "app1/b.out": console(count=700), "ops1/messages": syslog("ops1", count=2000)}
    write(tmp_path / "evidence", files)
    said = Settings(evidence=(str(tmp_path / "evidence"),))
    monkeypatch.setattr(cluster, "_client", lambda address: Here())
    ingest(tmp_path / "far", said, scheduler="tcp://192.0.2.1:8786")
    ingest(tmp_path / "here", said)
    assert breaches(tmp_path / "far") == []
    assert sum(len(one["parts"]) > 1 for one in Case(tmp_path / "far").sources) >= 3
    assert hashes(tmp_path / "far") == hashes(tmp_path / "here")


def test_scheduler_that_does_not_answer_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra cluster")

    def refused(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", refused)
    said = Settings(evidence=(str(write(tmp_path / "evidence", {"a.log": access()})),))
    with pytest.raises(CaseError, match="no scheduler answers"):
        ingest(tmp_path / "case", said, scheduler="tcp://192.0.2.1:8786")

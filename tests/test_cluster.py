"""What a cluster's workers write is what a local run writes, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from buckets import bucket, hashes_of, uploaded
from contracts import breaches
from evidence_scenes import access, console, hashes, incident, syslog, write
from small_blocks import shrink

from pirtimeline import Case, CaseError, Settings, store
from pirtimeline.ingest import cluster, ingest
from pirtimeline.objects import ObjectPath

__all__ = ["bucket"]


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
    shrink(monkeypatch.setattr)


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


@contextmanager
def workers(address: str, count: int, scratch: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start workers of a cluster, each a process."""
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(scratch)]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
    preload = ["--preload", str(Path(__file__).with_name("small_blocks.py"))]
    running = [subprocess.Popen([*command, *preload], stderr=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.wait()


@pytest.mark.usefixtures("small_blocks")
def test_cluster_that_loses_a_worker_writes_into_a_bucket_what_a_local_run_writes(
    tmp_path: Path, bucket: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
    files = {f"{name}.log": access(count=900 + number) for number, name in enumerate("abcd")}
    write(tmp_path / "evidence", {**files, "app1/b.out": console(count=700)})
    far = Settings(evidence=(uploaded(tmp_path / "evidence", bucket / "evidence"),))
    ingest(tmp_path / "here", Settings(evidence=(str(tmp_path / "evidence"),)))
    with (
        distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=None) as scheduler,
        workers(scheduler.scheduler_address, 2, tmp_path / "scratch") as running,
        distributed.Client(scheduler, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        commit = store.commit

        def and_lose_one(*arguments: Any) -> str:
            running[0].kill()
            return commit(*arguments)

        monkeypatch.setattr(store, "commit", and_lose_one)
        ingest(str(bucket / "case"), far, scheduler=scheduler.scheduler_address)
        assert [one.poll() is None for one in running] == [False, True]
    assert hashes_of(bucket / "case") == hashes(tmp_path / "here")


def test_scheduler_that_does_not_answer_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra cluster")

    def refused(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", refused)
    said = Settings(evidence=(str(write(tmp_path / "evidence", {"a.log": access()})),))
    with pytest.raises(CaseError, match="no scheduler answers"):
        ingest(tmp_path / "case", said, scheduler="tcp://192.0.2.1:8786")

"""A large log and its gzip are one source, whichever was read first and however often the case is built."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from contracts import breaches
from evidence_scenes import access, hashes, write

from pirtimeline import Case, Settings
from pirtimeline.evidence import content, streams, walking
from pirtimeline.ingest import batches, growing, ingest, run, selecting
from pirtimeline.parsing import splitting


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (content, streams, walking, splitting, batches, run, selecting, growing):
        monkeypatch.setattr(module, "BLOCK", 4 << 10)


def test_log_and_its_gzip_become_one_source_with_both_paths(tmp_path: Path) -> None:
    text = access(count=300)
    files = {"a.log": text, "old/a.log.gz": gzip.compress(text.encode(), mtime=0), "b.log": access(count=9)}
    said = Settings(evidence=(str(write(tmp_path / "evidence", files)),))
    ingest(tmp_path / "case", said)
    assert breaches(tmp_path / "case") == []
    both, other = Case(tmp_path / "case").sources
    assert (both["identity"], both["paths"]) == ("ends", ["a.log", "old/a.log.gz"])
    assert other["paths"] == ["b.log"]
    assert Case(tmp_path / "case").events().collect().height == 309
    before = hashes(tmp_path / "case")
    assert not ingest(tmp_path / "case", said).changed
    assert hashes(tmp_path / "case") == before


def test_gzip_that_is_added_later_joins_and_is_not_read_again_after_that(tmp_path: Path) -> None:
    text = access(count=300)
    evidence = write(tmp_path / "evidence", {"a.log": text})
    said = Settings(evidence=(str(evidence),))
    ingest(tmp_path / "case", said)
    before = Case(tmp_path / "case").sources[0]["source_id"]
    write(evidence, {"0.gz": gzip.compress(text.encode(), mtime=0)})
    ingest(tmp_path / "case", said)
    (one,) = Case(tmp_path / "case").sources
    assert (one["source_id"], one["paths"]) == (before, ["0.gz", "a.log"])
    write(evidence, {"c.log": access(count=5)})
    told: list[str] = []
    ingest(tmp_path / "case", said, progress=lambda advance: told.append(advance.path))
    assert told == ["c.log"]
    assert breaches(tmp_path / "case") == []
    assert [one["paths"] for one in Case(tmp_path / "case").sources] == [["0.gz", "a.log"], ["c.log"]]

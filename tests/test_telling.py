"""How far a run is: what is told adds up, and looks at no clock of its own."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from evidence_scenes import access, write

from pirtimeline import Settings
from pirtimeline.cli.progress import Slowest, as_lines
from pirtimeline.ingest import ingest
from pirtimeline.ingest.telling import Advance, Telling


def test_reads_of_a_source_and_its_end_add_up_to_its_size() -> None:
    told: list[Advance] = []
    telling = Telling(told.append, sources=2, size=30)
    stream = telling.watched(io.BytesIO(b"x" * 40), "a.log", 20)
    while stream.read(8):
        pass
    telling.done("a.log", 20)
    telling.done("b.log", 10)
    assert [one.bytes_done for one in told] == [8, 16, 20, 20, 20, 20, 20, 30]
    assert [one.sources_done for one in told][-2:] == [1, 2]


def test_run_tells_every_source_and_byte_whatever_is_read_of_it(tmp_path: Path) -> None:
    evidence = write(tmp_path / "evidence", {"a.log": access() * 300, "b.log": access(count=9), "c.log": access(0)})
    told: list[Advance] = []
    window = {"start": datetime(2024, 3, 4, 1, tzinfo=UTC), "end": datetime(2024, 3, 4, 2, tzinfo=UTC)}
    said = Settings(evidence=(str(evidence),), **window)  # type: ignore[arg-type]
    for span in (timedelta(minutes=1), None):
        told.clear()
        ingest(tmp_path / "case", said, progress=told.append, only_near=span)
        assert not told or told[-1].sources_done == told[-1].sources
        assert not told or told[-1].bytes_done == told[-1].bytes_total


def test_lines_come_when_a_source_is_done_and_now_and_then_between(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = iter((0.0, 0.1, 0.7, 0.7, 0.8, 0.9))
    told = as_lines(lambda: next(ticks))
    for done in (False, False, True):
        told(Advance("a.log", 9, done, 0, 1, 3, 9))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["done"] for line in lines] == [False, True]


def test_slowest_source_is_the_one_that_took_longest_and_is_not_named_below_a_second() -> None:
    slowest = Slowest(iter((0.0, 0.5, 1.0, 4.0)).__next__)
    slowest.told(Advance("a.log", 9, False, 0, 2, 0, 9))
    slowest.told(Advance("a.log", 9, True, 1, 2, 0, 9))
    assert str(slowest) == ""
    slowest.told(Advance("b.log", 9, False, 1, 2, 0, 9))
    slowest.told(Advance("b.log", 9, True, 2, 2, 0, 9))
    assert str(slowest) == "slowest: b.log (3 s)"

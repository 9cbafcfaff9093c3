"""A log that is still being written: what was appended is a source of its own; what else changed is an error."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from contracts import breaches
from evidence_scenes import access, console, hashes, syslog, write

from pirtimeline import Case, Settings, SourceError
from pirtimeline.ingest import ingest
from pirtimeline.verify import faults

LATER = 1_709_600_000


def grow(path: Path, text: str) -> None:
    """Append to a file, some time later."""
    with path.open("ab") as out:
        out.write(text.encode())
    os.utime(path, (LATER + len(text), LATER + len(text)))


def logged(folder: Path, text: str, cuts: list[int], **said: object) -> Case:
    """Ingest a log as it grows, after each cut and at its end."""
    evidence = write(folder / "evidence", {"app1/a.log": text[: cuts[0]]})
    declared = Settings(evidence=(str(evidence),), **said)  # type: ignore[arg-type]
    ingest(folder / "case", declared)
    for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        grow(evidence / "app1" / "a.log", text[begin:end])
        ingest(folder / "case", declared)
        assert breaches(folder / "case") == []
    return Case(folder / "case")


def whole(folder: Path, text: str, **said: object) -> Case:
    evidence = write(folder / "at once", {"app1/a.log": text})
    os.utime(evidence / "app1" / "a.log", (LATER, LATER))
    ingest(folder / "other", Settings(evidence=(str(evidence),), **said))  # type: ignore[arg-type]
    return Case(folder / "other")


@pytest.mark.parametrize("text", [console(), access(), syslog("ops1")], ids=["console", "access", "syslog"])
def test_log_that_grew_in_steps_has_the_events_of_one_that_was_read_at_once(text: str, tmp_path: Path) -> None:
    lines = text.splitlines(keepends=True)
    cuts = [len("".join(lines[:count])) for count in (len(lines) // 3, len(lines) // 3 * 2)]
    case, other = logged(tmp_path, text, cuts), whole(tmp_path, text)
    assert [*faults(case)] == []
    first, second, third = sorted(case.sources, key=lambda one: one.get("base_offset", 0))
    assert (second["grows"], third["grows"]) == (first["source_id"], second["source_id"])
    assert [second["base_offset"], third["base_offset"]] == cuts
    columns = ["timestamp", "timestamp_text", "severity", "host_name", "parser", "time_basis", "url_query"]
    events = other.events().sort("byte_offset").select(columns).collect()
    assert case.events().sort("timestamp").select(columns).collect().equals(events.sort("timestamp"))


def test_trace_that_was_cut_continues_the_event_of_the_source_before(tmp_path: Path) -> None:
    text = console()
    cut = text.index("\tat java.base", len(text) // 2) + 7
    case = logged(tmp_path, text, [cut])
    old, new = sorted(case.sources, key=lambda one: one.get("base_offset", 0))
    pieces = case.rows().filter(pl.col("continues").is_not_null()).collect()
    assert pieces["source_id"].unique().to_list() == [new["source_id"]]
    owner = case.events().filter(pl.col("event_id") == pieces["continues"][0]).collect()
    assert owner["source_id"][0] == old["source_id"]
    assert pieces["timestamp"][0] == owner["timestamp"][0]
    assert pieces["byte_offset"][0] == 0
    total = case.rows().select(pl.col("byte_length").cast(pl.Int64).sum()).collect().item()
    assert total == len(text)
    assert case.events().collect().height == whole(tmp_path, text).events().collect().height


def test_zone_declared_later_moves_what_goes_on_in_the_next_source(tmp_path: Path) -> None:
    text = console()
    case = logged(tmp_path, text, [text.index("\tat java.base", len(text) // 2) + 7])
    ingest(case.path, Settings(zones=(("*", "Asia/Tokyo"),)))
    assert breaches(case.path) == []
    moved = Case(case.path)
    piece = moved.rows().filter(pl.col("continues").is_not_null()).collect()
    owner = moved.events().filter(pl.col("event_id") == piece["continues"][0]).collect()
    assert piece["timestamp"][0] == owner["timestamp"][0]
    assert owner["time_basis"][0] == "zone_declared"


def test_growth_keeps_what_was_read_and_a_run_without_change_changes_nothing(tmp_path: Path) -> None:
    text = access()
    evidence = write(tmp_path / "evidence", {"a.log": text[:2000]})
    said = Settings(evidence=(str(evidence),))
    ingest(tmp_path / "case", said)
    before = {name: sha for name, sha in hashes(tmp_path / "case").items() if name.startswith("events/")}
    grow(evidence / "a.log", text[2000:])
    assert ingest(tmp_path / "case", said).changed
    assert before.items() <= hashes(tmp_path / "case").items()
    assert not ingest(tmp_path / "case", said).changed
    os.utime(evidence / "a.log", (LATER * 1.1, LATER * 1.1))
    parts = {name: sha for name, sha in hashes(tmp_path / "case").items() if name.startswith("events/")}
    ingest(tmp_path / "case", said)
    assert parts == {name: sha for name, sha in hashes(tmp_path / "case").items() if name.startswith("events/")}


@pytest.mark.parametrize("text", [access().replace("500", "200"), access()[:3000]], ids=["other", "shorter"])
def test_evidence_that_changed_is_an_error_that_names_it(text: str, tmp_path: Path) -> None:
    evidence = write(tmp_path / "evidence", {"web1/a.log": access(), "b.log": console()})
    ingest(tmp_path / "case", Settings(evidence=(str(evidence),)))
    write(evidence, {"web1/a.log": text})
    os.utime(evidence / "web1" / "a.log", (LATER, LATER))
    with pytest.raises(SourceError, match=r"web1/a\.log.*changed after it was read"):
        ingest(tmp_path / "case", Settings())
    write(evidence, {"web1/a.log": access()})
    ingest(tmp_path / "case", Settings())
    assert breaches(tmp_path / "case") == []


def test_log_that_was_rotated_meanwhile_is_found_under_its_new_name(tmp_path: Path) -> None:
    evidence = write(tmp_path / "evidence", {"a.log": access()})
    ingest(tmp_path / "case", Settings(evidence=(str(evidence),)))
    (evidence / "a.log").rename(evidence / "a.log.1")
    write(evidence, {"a.log": access(count=90)[len(access()) :]})
    ingest(tmp_path / "case", Settings())
    assert breaches(tmp_path / "case") == []
    assert Case(tmp_path / "case").events().collect().height == 90

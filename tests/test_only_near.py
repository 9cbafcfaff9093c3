"""Large plain sources are entered at the window, and what a later run reads completes them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from contracts import breaches
from evidence_scenes import write

from pirtimeline import Case, CaseError, Settings, build
from pirtimeline.cli import cli
from pirtimeline.ingest import batches, entering, ingest, run, selecting
from pirtimeline.parsing import splitting
from pirtimeline.verify import faults

START = datetime(2023, 12, 31, 22, 0, tzinfo=UTC)
WINDOW = {"start": datetime(2023, 12, 31, 23, 50, tzinfo=UTC), "end": datetime(2024, 1, 1, 0, 10, tzinfo=UTC)}
SPAN = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let blocks be small, so that a source of some hundred KB has many."""
    for module in (splitting, entering, selecting, batches, run):
        monkeypatch.setattr(module, "BLOCK", 16 << 10)
    for module in (splitting, entering, selecting):
        monkeypatch.setattr(module, "HEAD", 2 << 10)
    monkeypatch.setattr(splitting, "LOOK", 1 << 10)
    monkeypatch.setattr(entering, "PIECE", 1 << 10)
    monkeypatch.setattr(batches, "PART", 48 << 10)


def instants(count: int = 2000) -> Iterator[tuple[int, datetime]]:
    return ((n, START + timedelta(seconds=8 * n)) for n in range(count))


def access() -> str:
    line = '198.51.100.7 - - [{:%d/%b/%Y:%H:%M:%S} +0000] "GET /a?n={} HTTP/1.1" 200 512 "-" "curl/8.5.0"\n'
    return "".join(line.format(at, n) for n, at in instants())


def syslog() -> str:
    return "".join(f"{at:%b %d %H:%M:%S} ops1 sshd[{n}]: Accepted publickey for ann port {n}\n" for n, at in instants())


def console() -> str:
    """Give lines without a zone, traces among them, and a line that no format knows before the first."""
    head = "begun by nobody\n"
    line = "{:%d-%b-%Y %H:%M:%S}.004 INFO [exec-1] org.example.shop.Basket.fill request {}\n"
    trace = "java.lang.IllegalStateException: no room\n\tat org.example.shop.Basket.fill(Basket.java:71)\n"
    return head + "".join(line.format(at, n) + (trace if n % 9 == 0 else "") for n, at in instants())


def settings(folder: Path, **said: Any) -> Settings:
    return Settings(evidence=(str(folder),), collected_at=datetime(2024, 1, 2, tzinfo=UTC), **WINDOW, **said)


def rows(case: Path) -> pl.DataFrame:
    return Case(case).rows().drop("line").sort("source_id", "byte_offset").collect()


def skipped(case: Path) -> int:
    (source,) = Case(case).sources
    return sum(length for _, length in source.get("skipped") or ())


@pytest.mark.parametrize(("text", "encoding"), [(access, "utf-8"), (syslog, "utf-16"), (console, "utf-8")])
def test_window_then_wider_then_whole_gives_the_rows_of_a_source_read_at_once(
    text: Any, encoding: str, tmp_path: Path
) -> None:
    said = settings(write(tmp_path / "evidence", {"a.log": text().encode(encoding)}))
    size = (tmp_path / "evidence" / "a.log").stat().st_size
    ingest(tmp_path / "whole", said)
    case, left = tmp_path / "case", size
    for span in (SPAN, timedelta(minutes=40), None):
        ingest(case, said if left == size else Settings(), only_near=span)
        assert breaches(case) == []
        assert [*faults(Case(case))] == []
        read = Case(case).rows().select(pl.col("byte_length").cast(pl.Int64).sum()).collect().item()
        assert read + skipped(case) == size
        assert skipped(case) < left
        left = skipped(case)
    assert left == 0
    assert rows(case).equals(rows(tmp_path / "whole"))
    (one,), (other,) = Case(case).sources, Case(tmp_path / "whole").sources
    same = ("sha256", "events", "rejects", "parsers", "first_timestamp", "last_timestamp", "time_bases", "zone")
    assert [one[key] for key in same] == [other[key] for key in same]
    assert one["lines"] is None and other["lines"] == text().count("\n")


def test_everything_near_the_window_is_read_and_little_else(tmp_path: Path) -> None:
    said = settings(write(tmp_path / "evidence", {"a.log": access()}))
    ingest(tmp_path / "case", said, only_near=SPAN)
    ingest(tmp_path / "whole", said)
    near = pl.col("timestamp").is_between(WINDOW["start"] - SPAN, WINDOW["end"])
    assert rows(tmp_path / "case").filter(near).equals(rows(tmp_path / "whole").filter(near))
    assert skipped(tmp_path / "case") > len(access()) // 2
    (source,) = Case(tmp_path / "case").sources
    assert source["window"]["probes"] < 40
    assert source["window"]["reason"] is None
    known = Case(tmp_path / "case").rows().filter(pl.col("line").is_not_null()).collect()
    assert known["line"].to_list() == [*range(1, known.height + 1)]
    assert Case(tmp_path / "case").rows().filter(pl.col("line").is_null()).collect().height


class Counted(io.BytesIO):
    """Bytes that count how many of them are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_way_into_a_source_touches_little_of_it(tmp_path: Path) -> None:
    said = settings(write(tmp_path / "evidence", {"a.log": access()}))
    ingest(tmp_path / "case", said, only_near=SPAN)
    from pirtimeline.parsing.plan import plan_from_json
    from pirtimeline.parsing.registry import installed

    ((key, told),) = Case(tmp_path / "case").plan.items()
    stream = Counted(access().encode())
    near = entering.Near(WINDOW["start"], WINDOW["end"], SPAN)
    way = entering.way_into(stream, plan_from_json(key, told, installed()), len(access()), near)
    assert way.spans[0][0] == 0 and len(way.spans) == 2
    assert stream.count < len(access()) // 4


def test_second_run_near_the_same_window_changes_nothing(tmp_path: Path) -> None:
    said = settings(write(tmp_path / "evidence", {"a.log": access()}))
    ingest(tmp_path / "case", said, only_near=SPAN)
    assert not ingest(tmp_path / "case", Settings(), only_near=SPAN).changed


def test_narrower_window_reads_nothing_more(tmp_path: Path) -> None:
    said = settings(write(tmp_path / "evidence", {"a.log": access()}))
    ingest(tmp_path / "case", said, only_near=timedelta(hours=1))
    before = rows(tmp_path / "case")
    ingest(tmp_path / "case", Settings(), only_near=SPAN)
    assert rows(tmp_path / "case").equals(before)
    assert breaches(tmp_path / "case") == []


def test_source_out_of_order_is_read_whole_and_says_so(tmp_path: Path) -> None:
    lines = access().splitlines(keepends=True)
    text = "".join(lines[len(lines) // 2 :] + lines[: len(lines) // 2])
    built = build(tmp_path / "case", settings(write(tmp_path / "evidence", {"a.log": text})), only_near=SPAN)
    (source,) = built.outcome.sources
    assert "not in the order of time" in source["window"]["reason"]
    assert source["lines"] == len(lines)
    assert "was read whole, not only near the window" in (tmp_path / "case" / "report.md").read_text()


def test_report_says_what_was_skipped_and_after_how_many_probes(tmp_path: Path) -> None:
    build(tmp_path / "case", settings(write(tmp_path / "evidence", {"a.log": access()})), only_near=SPAN)
    report = (tmp_path / "case" / "report.md").read_text()
    assert "on the assumption of order, after" in report
    assert breaches(tmp_path / "case") == []


def test_gzip_and_times_without_a_date_are_read_through(tmp_path: Path) -> None:
    clock = "".join(f"{at:%H:%M:%S} [exec-{n}] INFO org.example.shop.Basket - {n}\n" for n, at in instants())
    files = {"a.log.gz": gzip.compress(access().encode()), "2023-12-31.log": clock}
    ingest(tmp_path / "case", settings(write(tmp_path / "evidence", files)), only_near=SPAN)
    assert all(not one.get("skipped") and one["lines"] == 2000 for one in Case(tmp_path / "case").sources)


def test_rotated_files_outside_of_the_window_are_left_at_their_first_bytes(tmp_path: Path) -> None:
    lines = access().splitlines(keepends=True)
    cut = [lines[at : at + 250] for at in range(0, len(lines), 250)]
    files = {f"access.log.{len(cut) - n}": "".join(some) for n, some in enumerate(cut)}
    said = settings(write(tmp_path / "evidence", files))
    ingest(tmp_path / "case", said, only_near=SPAN)
    assert breaches(tmp_path / "case") == []
    read = [one for one in Case(tmp_path / "case").sources if not one.get("skipped")]
    assert 1 <= len(read) < 6
    ingest(tmp_path / "case", Settings())
    ingest(tmp_path / "whole", said)
    assert breaches(tmp_path / "case") == []
    assert rows(tmp_path / "case").equals(rows(tmp_path / "whole"))


def test_zone_declared_later_moves_what_is_near(tmp_path: Path) -> None:
    said = settings(write(tmp_path / "evidence", {"a.log": console()}))
    ingest(tmp_path / "case", said, only_near=SPAN)
    zones = (("*", "+00:10"),)
    ingest(tmp_path / "case", Settings(zones=zones), only_near=SPAN)
    ingest(tmp_path / "whole", settings(tmp_path / "evidence", zones=zones))
    near = pl.col("timestamp").is_between(WINDOW["start"] - SPAN, WINDOW["end"])
    assert breaches(tmp_path / "case") == []
    assert rows(tmp_path / "case").filter(near).height
    assert rows(tmp_path / "case").filter(near).equals(rows(tmp_path / "whole").filter(near))


def test_span_without_a_window_is_refused(tmp_path: Path) -> None:
    evidence = write(tmp_path / "evidence", {"a.log": access()})
    with pytest.raises(CaseError, match="no window"):
        ingest(tmp_path / "case", Settings(evidence=(str(evidence),)), only_near=SPAN)
    told = ["ingest", str(evidence), "--case", str(tmp_path / "other"), "--only-near", "10m"]
    result = CliRunner().invoke(cli, told)
    assert result.exit_code == 2
    assert "needs a window" in result.stderr

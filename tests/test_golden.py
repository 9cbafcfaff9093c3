"""What the sample logs of the formats give, rejects included: compare with `tests/golden`, read in review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import pirtimeline_parsers
from pirtimeline.case import Case
from pirtimeline.ingest import ingest
from pirtimeline.settings import Settings

LOGS = Path(__file__).parents[1] / "sample_logs" / "formats"
GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.name for path in LOGS.iterdir())

UNSTABLE = ("source_id", "event_id", "timestamp_text", "resolution_us")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("golden") / "case"
    ingest(folder, Settings(evidence=(str(LOGS),), zones=(("*", "Europe/Berlin"),), years=(("*", "2031"),)))
    return Case(folder)


def _rows(case: Case, name: str) -> list[dict[str, Any]]:
    """Give the rows of a format's sample logs with the own columns of their parsers, in order."""
    sources = [one for one in case.sources if one["paths"][0].split("/")[0] == name]
    paths = {one["source_id"]: one["paths"][0] for one in sources}
    parsers = {part.split("parser=")[1].split("/")[0] for one in sources for part in one["parts"]}
    tables = [case.rows(parser).filter(pl.col("source_id").is_in(list(paths))).collect() for parser in sorted(parsers)]
    rows = [{**row, "path": paths[row["source_id"]]} for table in tables for row in table.to_dicts()]
    return [_plain(row) for row in sorted(rows, key=lambda row: (row["path"], row["byte_offset"]))]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in row.items() if value is not None and key not in UNSTABLE}
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in told.items()}


@pytest.mark.parametrize("name", NAMES)
def test_sample_log_gives_what_it_gave(case: Case, name: str, update_golden: bool) -> None:
    told = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(case, name))
    path = GOLDEN / f"{name}.ndjson"
    if update_golden:
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8"), "if this is meant: pytest tests/test_golden.py --update-golden"


@pytest.mark.parametrize("name", NAMES)
def test_sample_log_is_read_by_its_format(case: Case, name: str) -> None:
    assert name in {row["parser"] for row in _rows(case, name)} | {row.get("envelope") for row in _rows(case, name)}


@pytest.mark.parametrize("name", NAMES)
def test_no_byte_of_a_sample_log_is_lost(case: Case, name: str) -> None:
    sources = [one for one in case.sources if one["paths"][0].split("/")[0] == name]
    assert sum(row["byte_length"] for row in _rows(case, name)) == sum(one["size_bytes"] for one in sources)


def test_every_format_has_a_sample_log() -> None:
    formats = {path.stem for path in Path(pirtimeline_parsers.__file__).parent.glob("*.toml")}
    assert formats <= set(NAMES)

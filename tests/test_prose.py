"""Prose with dates in it, and a log whose events hold it: no event where none starts, each at its instant."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pirtimeline.case import Case
from pirtimeline.ingest import ingest
from pirtimeline.parsing import shapes
from pirtimeline.schema import UNRECOGNISED
from pirtimeline.settings import Settings

LONG = 200_000 if os.environ.get("HYPOTHESIS_PROFILE") == "search" else 2_000
"""Lines of prose: `make laws` reads a large file, of several blocks."""

EXAMPLES = [one.examples[0] for one in shapes.shapes() if not one.whole]
WORDS = (
    "the",
    "cache",
    "was",
    "warmed",
    "again",
    "by",
    "our",
    "team",
    "after",
    "node",
    "restart",
    "and",
    "then",
    "ticket",
)
START = datetime(2024, 4, 21, 12, tzinfo=UTC)
EVERY = 50


def prose(lines: int) -> list[str]:
    """Write sentences with a date of any shape in the middle; no two of them alike in their first words."""
    chance = random.Random(7)  # the same prose each time, no secret
    found = []
    for _ in range(lines):
        before, after = (" ".join(chance.choices(WORDS, k=chance.randint(2, 9))) for _ in range(2))
        found.append(f"{before} {chance.choice(EXAMPLES)} {after}")
    return found


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, int, int]:
    """Ingest the prose alone, and in the bodies of events, under a zone that nobody declares."""
    folder = tmp_path_factory.mktemp("prose")
    (folder / "logs").mkdir()
    sentences = prose(LONG)
    (folder / "logs" / "letters.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    body = []
    for number, sentence in enumerate(sentences):
        if number % EVERY == 0:
            at = START + timedelta(seconds=number)
            body.append(f"{at:%Y-%m-%d %H:%M:%S},123 ERROR [main] org.example.Mail - letter {number}")
        body.append(sentence)
    (folder / "logs" / "mail.log").write_text("\n".join(body) + "\n", encoding="utf-8")
    ingest(folder / "case", Settings(evidence=(str(folder / "logs"),), collected_at=datetime(2024, 12, 31, tzinfo=UTC)))
    sizes = [Path(folder / "logs" / name).stat().st_size for name in ("letters.txt", "mail.log")]
    return Case(folder / "case"), sizes[0], sizes[1]


def _of(case: Case, name: str) -> pl.DataFrame:
    source = next(one for one in case.sources if one["paths"][0].endswith(name))
    return case.rows().filter(pl.col("source_id") == source["source_id"]).sort("byte_offset").collect()


def test_prose_alone_is_kept_and_gives_no_time(case: tuple[Case, int, int]) -> None:
    rows = _of(case[0], "letters.txt")
    assert rows["byte_length"].sum() == case[1]
    assert rows["parser"].unique().to_list() == [UNRECOGNISED]
    assert rows["time_basis"].cast(pl.String).unique().to_list() == ["undated"]
    assert rows["timestamp"].null_count() == rows.height


def test_prose_in_bodies_opens_no_event_and_moves_no_time(case: tuple[Case, int, int]) -> None:
    rows = _of(case[0], "mail.log")
    events = rows.filter(pl.col("continues").is_null())
    wanted = [START + timedelta(seconds=number, milliseconds=123) for number in range(0, LONG, EVERY)]
    assert rows["byte_length"].sum() == case[2]
    assert events["timestamp"].to_list() == wanted
    assert events["time_basis"].cast(pl.String).unique().to_list() == ["zone_assumed"]
    assert events["line_count"].to_list() == [EVERY + 1] * len(wanted)
    assert events["severity"].cast(pl.String).unique().to_list() == ["ERROR"]

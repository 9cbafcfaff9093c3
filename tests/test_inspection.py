"""What `inspect` tells without building anything is what ingest then finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pirtimeline.case import Case
from pirtimeline.ingest import ingest
from pirtimeline.ingest.inspection import inspect
from pirtimeline.settings import Settings

START = datetime(2024, 4, 21, 12)
STEPS = [timedelta(seconds=5 * at + (4000 if at > 30 else 0)) for at in range(60)]
FILES = {
    "app1/app.log": "".join(f"{START + step} INFO  [main] o.e.App - turn\n" for step in STEPS),
    "app2/zoned.log": "".join(f"{START + step}+02:00 WARN slow\n" for step in STEPS[:9]),
    "web1/messages": "".join(f"{START + step:%b %d %H:%M:%S} web1 app[7]: x\n" for step in STEPS[:9]),
    "web1/clock.log": "12:00:01 INFO up\n12:00:02 INFO down\n12:00:03 ERROR gone\n",
    "web1/array.json": '[{"time": "2024-04-21T12:00:00Z", "level": "error"},\n {"time": "2024-04-21T12:00:01Z"}]\n',
    "web1/levels.txt": "WARNING:root:slow\nINFO:root:up\n",
    "web1/notes.txt": "nothing here\nhas a time\nor a level\n",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], list[str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("inspection")
    for name, text in FILES.items():
        path = folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    settings = Settings(evidence=(str(folder / "logs"),), collected_at=datetime(2024, 5, 1, tzinfo=UTC))
    rows, advice = inspect(settings)
    ingest(folder / "case", settings)
    sources = {one["paths"][0]: one for one in Case(folder / "case").sources}
    return {row["path"]: row for row in rows}, advice, sources


@pytest.mark.parametrize("path", FILES)
def test_inspect_tells_what_ingest_finds(path: str, told: Any) -> None:
    row, source = told[0][path], told[2][path]
    assert (row["first"], row["last"]) == (source["first_timestamp"], source["last_timestamp"])
    assert [*row["formats"]] == [*source["parsers"]]
    assert row["rejects"] == source["rejects"]


def test_a_long_quiet_stretch_is_shown(told: Any) -> None:
    gaps = told[0]["app1/app.log"]["gaps"]
    assert [(gap["from"], gap["seconds"]) for gap in gaps] == [("2024-04-21T12:02:30.000000Z", 4005.0)]
    assert all(not row["gaps"] for path, row in told[0].items() if path != "app1/app.log")


def test_advice_names_zones_and_rejects_and_stands_beside_each_source(told: Any) -> None:
    rows, advice, _ = told
    assert "add --zone '*app1*=ZONE': 1 of its sources has no zone and is read as UTC" in advice
    assert advice[0] in rows["app1/app.log"]["advice"]
    assert rows["app2/zoned.log"]["advice"] == []
    assert rows["web1/notes.txt"]["rejects"] and "nothing here" in rows["web1/notes.txt"]["advice"][-1]
    assert rows["web1/notes.txt"]["examples"] == ["nothing here", "has a time", "or a level"]


def test_frames_at_which_the_end_of_a_large_source_begins_are_no_rejects(tmp_path: Path) -> None:
    frames = "".join(f"   at Shop.Store.Insert(Order o) in /src/Store.cs:line {number}\n" for number in range(400))
    line = "2024-04-21 12:00:{:02}.000 +00:00 [ERR] An unhandled exception has occurred\n" + frames
    (tmp_path / "shop.log").write_text("".join(line.format(number % 60) for number in range(200)), "utf-8")
    (row,), _ = inspect(Settings(evidence=(str(tmp_path),)))
    assert row["size_bytes"] > 4 << 20
    assert (row["rejects"], row["examples"]) == (0, [])

"""Years that stamps do not tell are taken from the evidence beside, where a file's last change is that of a copy."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pirtimeline import evidence
from pirtimeline.case import Case
from pirtimeline.ingest.run import ingest
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.survey import survey
from pirtimeline.settings import Settings

COPIED = datetime(2026, 11, 24, 10, tzinfo=UTC)


def app(first: datetime, count: int = 30, step: timedelta = timedelta(minutes=1)) -> str:
    times = (first + number * step for number in range(count))
    return "".join(f"{at:%Y-%m-%dT%H:%M:%S}Z INFO [main] org.example.Shop - order {at:%H%M} placed\n" for at in times)


def syslog(first: datetime, count: int = 30, step: timedelta = timedelta(minutes=1)) -> str:
    times = (first + number * step for number in range(count))
    return "".join(f"{at:%b %d %H:%M:%S} web1 sshd[{number}]: session opened\n" for number, at in enumerate(times))


def years_of(tmp_path: Path, files: dict[str, str], written: datetime | dict[str, datetime] = COPIED) -> list[int]:
    """Ingest files and give the years of the events of `syslog`, each once."""
    for name, text in files.items():
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        at = (written[name] if isinstance(written, dict) else written).timestamp()
        os.utime(path, (at, at))
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "logs"),)))
    rows = Case(tmp_path / "case").events().filter(pl.col("host_name") == "web1").collect()
    return sorted(rows["timestamp"].dt.year().unique())


DAY = datetime(2024, 3, 18, 9)


def test_a_copy_s_year_is_that_of_the_sources_beside_it(tmp_path: Path) -> None:
    assert years_of(tmp_path, {"app.log": app(DAY), "syslog": syslog(DAY)}) == [2024]
    plan = json.loads((tmp_path / "case/plan.json").read_text("utf-8"))
    told = next(one for one in plan.values() if one["path"].endswith("syslog"))
    (because,) = [one for one in told["because"] if one["field"] == "year"]
    assert because["value"] == 2024 and len(because["event_ids"]) == 1
    assert "app.log dates events on days on which this source has stamps" in because["text"]
    assert "2026-11-24, is that of a copy" in because["text"]


def test_a_last_change_near_the_last_stamp_makes_the_year_whatever_lies_beside(tmp_path: Path) -> None:
    written = {"app.log": COPIED, "syslog": datetime(2026, 3, 18, 10, tzinfo=UTC)}
    assert years_of(tmp_path, {"app.log": app(DAY), "syslog": syslog(DAY)}, written) == [2026]


def test_sources_that_share_no_day_tell_nothing(tmp_path: Path) -> None:
    assert years_of(tmp_path, {"app.log": app(DAY), "syslog": syslog(DAY - timedelta(days=9))}) == [2026]


def test_two_years_with_the_same_days_tell_nothing(tmp_path: Path) -> None:
    files = {"app.log": app(DAY), "old.log": app(DAY.replace(year=2023)), "syslog": syslog(DAY)}
    assert years_of(tmp_path, files) == [2026]


def test_a_few_sources_among_many_tell_nothing(tmp_path: Path) -> None:
    others = {f"{number}.log": app(DAY + timedelta(days=40 * number)) for number in (1, 2)}
    assert years_of(tmp_path, {"app.log": app(DAY), "syslog": syslog(DAY)} | others) == [2026]


def test_no_year_lies_behind_the_last_change(tmp_path: Path) -> None:
    files = {"app.log": app(DAY.replace(year=2028)), "syslog": syslog(DAY)}
    assert years_of(tmp_path, files) == [2026]


def test_a_source_across_new_year_has_both_years(tmp_path: Path) -> None:
    first = datetime(2024, 12, 31, 12)
    files = {"app.log": app(first, 48, timedelta(hours=1)), "syslog": syslog(first, 48, timedelta(hours=1))}
    assert years_of(tmp_path, files) == [2024, 2025]


@pytest.mark.parametrize("name", ["syslog-20220318", "2022/syslog.2022-03-18"])
def test_the_name_says_more_than_the_neighbours(tmp_path: Path, name: str) -> None:
    assert years_of(tmp_path, {"app.log": app(DAY), name: syslog(DAY)}) == [2022]


def test_a_declared_year_stands(tmp_path: Path) -> None:
    years_of(tmp_path, {"app.log": app(DAY), "syslog": syslog(DAY)})
    ingest(tmp_path / "case", Settings(years=(("*syslog", "2019"),)))
    rows = Case(tmp_path / "case").events().filter(pl.col("host_name") == "web1").collect()
    assert rows["timestamp"].dt.year().unique().to_list() == [2019]


def test_a_host_s_folder_shows_the_zone_of_a_syslog_that_names_the_host(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    access = "".join(
        f'192.0.2.9 - - [18/Mar/2024:05:{number:02}:00 -0400] "GET / HTTP/1.1" 200 1\n' for number in range(30)
    )
    files = {
        "web1/httpd/access.log": access,
        "web1/syslog": syslog(DAY, step=timedelta(hours=3)),
        "db1/x.log": app(DAY),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    plans = survey(evidence.walk([folder]), installed()).plans
    (mine,) = [one for one in plans.values() if one.path.endswith("web1/syslog")]
    assert (mine.rule.zone, mine.rule.zone_basis) == ("-04:00", "zone_inferred")

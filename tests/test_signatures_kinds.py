"""Rules in the public style for every kind of log: through ingest and field maps they find the lines they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pirtimeline import Case, Settings, signatures
from pirtimeline.ingest import ingest
from pirtimeline.investigation import own_events, parser_columns

KINDS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "signatures" / "kinds.yaml").read_text("utf-8"))


def names(file: str) -> list[str]:
    return [f"{file}.{number}" for number in range(len(KINDS[file]["rules"]))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("kinds")
    (made / "evidence").mkdir()
    for file, kind in KINDS.items():
        (made / "evidence" / file).write_text("".join(f"{line}\n" for line in kind["lines"]), "utf-8")
    documents = [
        {"title": name, "name": name, **{k: v for k, v in rule.items() if k != "finds"}, "level": "low"}
        for file, kind in KINDS.items()
        for name, rule in zip(names(file), kind["rules"], strict=True)
    ]
    (made / "rules.yml").write_text(yaml.safe_dump_all(documents), "utf-8")
    ingest(made / "case", Settings(evidence=(str(made / "evidence"),), years=(("*", "2024"),)), workers=1)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[tuple[str, str], list[int]]:
    """Give for each rule and file the lines that it matches."""
    case = Case(folder / "case")
    rules = signatures.load([folder / "rules.yml"], builtin=False)
    hits = signatures.match(case.events(), rules, own=own_events(case)).hits
    paths = {one["source_id"]: Path(one["paths"][0]).name for one in case.sources}
    placed = hits.join(case.events().select("event_id", "line").collect(), on="event_id").sort("line")
    out: dict[tuple[str, str], list[int]] = {}
    for rule, event, line in placed.select("signature_id", "event_id", "line").iter_rows():
        out.setdefault((rule, paths[event.split(":")[0]]), []).append(line - 1)
    return out


@pytest.mark.parametrize("file", KINDS)
def test_rules_find_their_lines_and_no_others_of_the_file(file: str, found: dict[tuple[str, str], list[int]]) -> None:
    expected = {name: rule["finds"] for name, rule in zip(names(file), KINDS[file]["rules"], strict=True)}
    assert {name: found.get((name, file), []) for name in expected} == expected


def test_every_rule_of_these_kinds_is_said_to_apply(folder: Path) -> None:
    rules = signatures.load([folder / "rules.yml"], builtin=False)
    told = rules.table(parser_columns())
    assert told.filter(pl.col("applicable") != "yes").rows() == []


NOT_HERE = [
    ({"product": "qualys"}, {"s": {"event.category": "x"}}, "no field map knows the logsource product qualys"),
    (
        {"product": "macos", "category": "process_creation"},
        {"s": {"Image|endswith": "/osascript"}},
        "no parser of product macos, category process_creation yields Image",
    ),
    (
        {"product": "linux", "service": "cron"},
        {"k": ["x"], "s": {"nonsense": 1}},
        "yes",
    ),
    (
        {"product": "aws", "service": "cloudtrail"},
        {"s": {"eventName": "x"}},
        "yes",
    ),
    (
        {"product": "linux", "category": "network_connection"},
        {"s": {"Initiated": "true"}},
        "no parser of product linux, category network_connection yields Initiated",
    ),
]


@pytest.mark.parametrize(("logsource", "detection", "told"), NOT_HERE)
def test_rule_that_cannot_fire_says_why(
    tmp_path: Path, logsource: dict[str, str], detection: dict[str, Any], told: str
) -> None:
    rule = {"title": "Rule", "name": "rule", "logsource": logsource, "level": "low"}
    file = tmp_path / "rule.yml"
    file.write_text(yaml.safe_dump({**rule, "detection": {**detection, "condition": "1 of them"}}), "utf-8")
    shown = signatures.load([file], builtin=False).table(parser_columns())["applicable"].item()
    assert shown == (told if told == "yes" else f"no, because {told}")

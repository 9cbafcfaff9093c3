"""The sample incident from end to end: what `make demo` shows, held against what happened."""

import json
import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from contracts import breaches

from pirtimeline import Case, faults
from pirtimeline.cli import cli

ROOT = Path(__file__).parents[1]
TRUTH = json.loads((ROOT / "sample_logs" / "inc-2024-00123.truth.json").read_text())
README = (ROOT / "README.md").read_text("utf-8")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False, catch_exceptions=False)
    assert not result.return_value, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The case that `make demo` builds, by the options that the Makefile gives."""
    zones = re.search(r"^ZONES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert zones
    path = tmp_path_factory.mktemp("demo") / "demo-case"
    sample = ROOT / "sample_logs" / "inc-2024-00123.tar.gz"
    run("build", str(sample), "--case", str(path), "--incident", "INC-2024-00123", *shlex.split(zones[1]), "--quiet")
    return Case(path)


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("oom", "cause"),
        ("alert", "detection"),
        ("page", "communication"),
        ("ack", "response"),
        ("containment", "containment"),
        ("mail", "communication"),
        ("restart", "response"),
        ("rollback", "response"),
        ("rollback-end", "response"),
        ("statuspage", "communication"),
        ("deploy", "change"),
        ("deploy-end", "change"),
    ],
)
def test_what_happened_has_an_entry_at_its_second(case: Case, kind: str, role: str) -> None:
    at = datetime.fromisoformat(next(event["time"] for event in TRUTH["events"] if event["kind"] == kind))
    entries = case.timeline().filter(role=role).collect()
    found = entries.filter((pl.col("timestamp") - at).abs() < timedelta(seconds=1))
    assert found.height >= 1, entries.select("timestamp", "title")


def test_calm_days_have_one_finding_above_low_which_is_the_one_request_that_failed(case: Case) -> None:
    """A deployment that leaks ends the calm; what came before is days of traffic, scans, mails and scheduled tasks."""
    leak = datetime.fromisoformat(next(one["time"] for one in TRUTH["events"] if one["kind"] == "deploy"))
    grave = pl.col("severity").is_in(["medium", "high", "critical"]) & (pl.col("first_timestamp") < leak)
    assert case.findings().filter(grave).select("signature_id", "count").collect().rows() == [("nginx.upstream", 1)]


def test_failures_and_clients_are_counted_as_they_were(case: Case) -> None:
    impact = case.report["impact"]
    assert impact["failed_requests"]["value"] == TRUTH["failed_5xx"]
    assert impact["clients_affected"]["value"] == TRUTH["clients"]
    assert case.report["moments"]["impact_start"]["timestamp"] == TRUTH["first_5xx"].replace("+00:00", "Z")


def test_first_hypothesis_is_the_release_that_leaked_and_not_the_nearer_one(case: Case) -> None:
    first = case.report["hypotheses"][0]
    assert re.search(r"memory|heap", first["title"], re.IGNORECASE)
    assert "5.3.0" in first["root"]["title"] and first["root"]["host_name"] == "app1"
    assert "catalog" not in first["title"]


def test_zones_are_those_of_the_hosts(case: Case) -> None:
    for source in case.sources:
        if source["zone"] and "/" in source["zone"]:
            host = source["paths"][0].split("/")[1]
            assert source["zone"] == TRUTH["zones"][host], source["paths"]


def test_case_keeps_its_contracts_and_holds_against_the_evidence(case: Case) -> None:
    assert breaches(case.path) == []
    assert list(faults(case)) == []


def test_nothing_but_an_unfinished_line_is_rejected(case: Case) -> None:
    rejected = sum(source["rejected_bytes"] for source in case.sources)
    assert rejected < 0.001 * sum(source["size_bytes"] for source in case.sources)
    events = case.events().filter(pl.col("parser") != "unrecognised")
    dated = events.select(pl.col("timestamp").is_not_null() | pl.col("timestamp_text").is_null()).collect().to_series()
    assert dated.mean() >= 0.999


def test_report_and_page_are_written_and_tell_no_password(case: Case) -> None:
    report, page = ((case.path / name).read_text("utf-8") for name in ("report.md", "timeline.html"))
    words = [line for line in report.splitlines() if re.match(r"## \d+", line)]
    assert len(words) == 10
    for source in case.events().filter(pl.col("message").str.contains(r"-D\S*password=")).collect()["message"]:
        secret = re.search(r"password=(\S+)", source)
        assert secret and secret[1] not in report and secret[1] not in page


COMMANDS = [
    command
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for command in block.replace("\\\n", " ").splitlines()
    if re.match(r"pirtimeline (show|query|verify|timeline) demo-case", command)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme_run(case: Case, command: str) -> None:
    words = [str(case.path) if word == "demo-case" else word for word in shlex.split(command, comments=True)[1:]]
    out = run(*words)
    assert out or words[0] == "verify"


def test_python_of_the_readme_runs(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case.path.parent)
    snippets: list[Any] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})

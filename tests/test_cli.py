import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from contracts import breaches
from evidence_scenes import access, console, incident, write

from pirtimeline import Case, PirTimelineError
from pirtimeline.cli import cli

COMMANDS = (
    *("build", "ingest", "analyse", "report", "timeline", "inspect", "show", "query", "note", "verify"),
    *("parsers list", "parsers new", "parsers check"),
    *("signatures list", "signatures check", "signatures run", "signatures explain"),
)
NAME = "pirtimeline"
ZONE = ("--zone", "ops1/*=Europe/Berlin")


def run(*arguments: object) -> Result:
    """Run a command in this process, as far as `main` is not needed."""
    result = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False, prog_name=NAME)
    if result.exception and not isinstance(result.exception, (PirTimelineError, SystemExit)):
        result.exit_code = getattr(result.exception, "exit_code", 1)
    elif result.exception is None and isinstance(result.return_value, int):
        result.exit_code = result.return_value
    return result


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command as people do: in a process of its own."""
    command = [sys.executable, "-c", "from pirtimeline.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def said(result: subprocess.CompletedProcess[str], *words: str, status: int = 1) -> None:
    """Demand a sentence on standard error, nothing on standard output, no traceback, and an exit code."""
    assert "Traceback" not in result.stderr, result.stderr
    assert result.stdout == ""
    assert result.returncode == status, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cli")
    incident(made / "evidence")
    built = process("build", made / "evidence", "--case", made / "case", "--incident", "INC-2024-00123", *ZONE)
    assert built.returncode == 0, built.stderr
    (made / "built.stdout").write_text(built.stdout)
    (made / "built.stderr").write_text(built.stderr)
    return made


@pytest.fixture(scope="module")
def case(folder: Path) -> Path:
    return folder / "case"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_helps(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {NAME} {command}".strip())
    assert len(result.stdout.splitlines()) > 3


def test_help_names_every_command() -> None:
    told = run("--help").stdout
    assert all(f"  {command.split()[0]} " in told for command in COMMANDS)


def test_help_and_version_come_without_heavy_imports() -> None:
    script = (
        "import sys\nfrom pirtimeline.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'polars', 'pyarrow', 'plotly', 'sigma', 'scipy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert process("--version").stdout.startswith("pirtimeline")


def test_build_talks_on_standard_error_and_leaves_standard_output_to_data(folder: Path) -> None:
    assert (folder / "built.stdout").read_text() == ""
    told = (folder / "built.stderr").read_text()
    assert "7 sources, 251 events" in told
    assert "2 rejects" in told and "parser = 'unrecognised'" in told
    assert "first hypothesis: " in told
    assert f"report: {folder / 'case' / 'report.md'}" in told
    assert f"page: {folder / 'case' / 'timeline.html'}" in told
    assert "\x1b" not in told
    assert breaches(folder / "case") == []


def test_build_again_needs_no_evidence_and_says_that_nothing_changed(case: Path) -> None:
    result = run("build", "--case", case)
    assert result.exit_code == 0
    assert "nothing changed" in result.stderr


def test_build_prints_json_where_asked(folder: Path, tmp_path: Path) -> None:
    result = run("build", folder / "evidence", "--case", tmp_path / "case", "--json", *ZONE)
    told = json.loads(result.stdout)
    assert (told["sources"], told["events"], told["rejects"]) == (7, 251, 2)
    assert {"moments", "impact", "findings", "files"} <= set(told)
    lines = [json.loads(line) for line in filter(None, result.stderr.splitlines())]
    assert [line["sources_done"] for line in lines] == [*range(1, 8)]
    assert all(line["done"] and line["sources"] == 7 for line in lines)
    assert lines[-1]["bytes_done"] == lines[-1]["bytes_total"] == told["size_bytes"]


def test_quiet_build_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": access()})
    result = run("build", tmp_path / "evidence", "--case", tmp_path / "case", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_ingest_names_what_was_skipped_and_what_has_no_zone(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": console(), "empty.log": ""})
    (tmp_path / "evidence" / "link").symlink_to("a.log")
    result = run("ingest", tmp_path / "evidence", "--case", tmp_path / "case")
    assert result.exit_code == 0
    assert "link: a symbolic link is not followed" in result.stderr
    assert "empty.log: empty" in result.stderr
    assert "a.log: add --zone 'a.log=ZONE'" in result.stderr
    assert not (tmp_path / "case" / "report.json").exists()


def test_more_rejects_than_allowed_end_with_three(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": "\n".join(f"no format knows this {chr(97 + i)}" for i in range(20))})
    arguments = ("ingest", tmp_path / "evidence", "--case", tmp_path / "case")
    assert run(*arguments).exit_code == 3
    assert run(*arguments, "--max-rejects", "1").exit_code == 0


def test_analyse_prints_its_facts(case: Path) -> None:
    told = json.loads(run("analyse", case, "--json").stdout)
    assert told == Case(case).report
    result = run("analyse", case)
    assert result.stdout == "" and "findings" in result.stderr


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_report_is_written_where_asked(case: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"report.{form}"
    result = run("report", case, "-o", path)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"report: {path}" in result.stderr
    assert "INC-2024-00123" in path.read_text()


def test_report_of_an_unknown_kind_is_an_error(case: Path, tmp_path: Path) -> None:
    said(process("report", case, "-o", tmp_path / "report.xyz"), "report.xyz", "Hint")


@pytest.mark.parametrize("form", ["table", "md", "csv", "jsonl", "timesketch", "html"])
def test_timeline_is_printed_in_every_form(case: Path, form: str) -> None:
    result = run("timeline", case, "--format", form)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "INC-2024-00123" in result.stdout


def test_inspect_prints_a_row_a_source_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    result = run("inspect", folder / "evidence")
    assert result.exit_code == 0
    assert "app1/catalina.out" in result.stdout and "tomcat_juli" in result.stdout and "zone_inferred" in result.stdout
    assert "--zone" in result.stderr
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    rows = [json.loads(line) for line in run("inspect", folder / "evidence", "--json").stdout.splitlines()]
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert len(rows) == 7


def first_error(case: Path) -> dict[str, object]:
    return Case(case).events("tomcat_juli").filter(severity="ERROR").sort("timestamp").collect().row(0, named=True)


def test_show_prints_the_bytes_behind_a_citation_among_its_neighbours(case: Path) -> None:
    event = first_error(case)
    result = run("show", case, event["event_id"])
    head, dated, *lines = result.stdout.splitlines()
    assert head == f"{event['event_id']}  app1/catalina.out, line {event['line']}, byte {event['byte_offset']}"
    assert dated.startswith("2024-03-04 01:40:00.040000 UTC (zone_inferred)")
    marked = [line for line in lines if line.startswith("> ")]
    assert "rq-0040" in marked[0] and "OutOfMemoryError" in marked[1] and len(marked) == event["line_count"]
    assert any("rq-0039" in line for line in lines)


def test_show_writes_bytes_as_they_are_and_as_json(case: Path) -> None:
    event = str(first_error(case)["event_id"])
    data = Case(case).raw([event])[event]
    assert run("show", case, event, "--raw").stdout_bytes == data
    told = json.loads(run("show", case, event, "--json").stdout)
    assert told["text"].encode() == data
    assert told["timestamp"] == "2024-03-04T01:40:00.040000Z"


def test_show_does_not_obey_the_log(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": "2024-03-04 02:58:03,004 WARN [main] org.example.A - \x1b[2Jgone\n" * 3})
    run("ingest", tmp_path / "evidence", "--case", tmp_path / "case")
    event = Case(tmp_path / "case").events().collect()["event_id"][0]
    shown = run("show", tmp_path / "case", event).stdout
    assert "\x1b" not in shown and r"\x1b[2Jgone" in shown
    told = run("query", tmp_path / "case", "SELECT message FROM events").stdout
    assert "\x1b" not in told


def test_show_finds_evidence_that_moved(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": access()})
    run("ingest", tmp_path / "evidence", "--case", tmp_path / "case")
    event = Case(tmp_path / "case").events().collect()["event_id"][0]
    (tmp_path / "evidence").rename(tmp_path / "moved")
    said(process("show", tmp_path / "case", event), "no such file", "--evidence")
    assert "n=0" in run("show", tmp_path / "case", event, "--evidence", tmp_path / "moved").stdout


def test_query_answers_in_every_form(case: Path) -> None:
    sql = "SELECT http_status_code, count(*) AS n FROM events WHERE parser = 'tomcat_access' GROUP BY 1 ORDER BY 1"
    assert run("query", case, sql, "--format", "csv").stdout == "http_status_code,n\n200,40\n500,20\n"
    assert [json.loads(line)["n"] for line in run("query", case, sql, "--json").stdout.splitlines()] == [40, 20]
    assert "http_status_code" in run("query", case, sql).stdout


def test_query_that_cannot_be_answered_names_the_tables(case: Path) -> None:
    said(process("query", case, "SELECT 1 FROM nowhere"), "cannot answer the query", "Hint: tables: events, rows")


def test_note_becomes_an_entry_of_the_timeline(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": console(0)})
    run("build", tmp_path / "evidence", "--case", tmp_path / "case", "--quiet")
    result = run("note", tmp_path / "case", "--at", "2024-03-04 03:40", "The team agreed to roll back.")
    assert result.exit_code == 0
    (entry,) = Case(tmp_path / "case").timeline().filter(origin="note").collect().iter_rows(named=True)
    assert (str(entry["timestamp"]), entry["claim"]) == ("2024-03-04 03:40:00+00:00", "human")
    assert "agreed to roll back" in run("timeline", tmp_path / "case").stdout


def test_verify_ends_with_one_and_names_what_does_not_hold(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": access(), "b.log": console()})
    run("build", tmp_path / "evidence", "--case", tmp_path / "case", "--quiet")
    held = run("verify", tmp_path / "case")
    assert (held.exit_code, held.stdout) == (0, "")
    assert "2 sources hold" in held.stderr
    write(tmp_path / "evidence", {"a.log": access().replace("512", "513", 1)})
    failed = run("verify", tmp_path / "case")
    assert failed.exit_code == 1
    assert "a.log" in failed.stdout and "b.log" not in failed.stdout
    told = json.loads(run("verify", tmp_path / "case", "--json").stdout)
    assert told["sources"] == 2 and len(told["faults"]) >= 1


def test_parsers_are_listed_begun_and_checked(tmp_path: Path) -> None:
    names = [json.loads(line)["name"] for line in run("parsers", "list", "--json").stdout.splitlines()]
    assert names == sorted(names) and "tomcat_juli" in names
    assert run("parsers", "check").exit_code == 0
    log = tmp_path / "gateway.log"
    log.write_text("".join(f"2031-03-14 08:15:{i:02d}.377 INFO [worker-{i}] answered 200\n" for i in range(20)))
    begun = run("parsers", "new", "acme_gateway", log, "--into", tmp_path)
    assert begun.stdout == f"{tmp_path / 'acme_gateway.toml'}\n"
    checked = run("parsers", "check", tmp_path / "acme_gateway.toml", "--log", log)
    assert (checked.exit_code, checked.stdout.split(",")[0]) == (0, f"acme_gateway: reads 100.0% of {log}")


def test_format_of_ones_own_reads_what_no_other_knows(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": "".join(f"<<{i}>> @1709521083{i:03d} gone wrong\n" for i in range(50))})
    write(
        tmp_path / "formats",
        {
            "acme_odd.toml": """
title = "Acme's odd log"
[[pattern]]
regex = '^<<(?P<event_code>\\d+)>> @(?P<timestamp_text>\\d{13}) (?P<message>.*)$'
time = "epoch_ms"
[[sample]]
text = '<<7>> @1709521083004 gone wrong'
expect = { event_code = "7", message = "gone wrong" }
"""
        },
    )
    result = run("ingest", tmp_path / "evidence", "--case", tmp_path / "case", "--parsers", tmp_path / "formats")
    assert result.exit_code == 0
    assert Case(tmp_path / "case").sources[0]["parsers"] == {"acme_odd": 50}


RULE = """
title: A word of ours
id: 0d7d2a52-3f4c-4a6e-8b9a-0c9d4d1f0a11
status: test
logsource:
  category: application
detection:
  word:
    {condition}
  condition: word
level: high
"""


def test_rules_of_ones_own_are_checked_and_run(case: Path, tmp_path: Path) -> None:
    rule = tmp_path / "word.yml"
    rule.write_text(RULE.format(condition="message|contains: rq-0041"))
    assert run("signatures", "check", rule).exit_code == 0
    assert "jvm.oom.heap" in run("signatures", "list").stdout
    found = [json.loads(line) for line in run("signatures", "run", case, "--json").stdout.splitlines()]
    assert "jvm.oom.heap" in {one["signature_id"] for one in found}
    assert "matches" in run("signatures", "explain", "jvm.oom.heap", case).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "a.log"], "--case"),
        (["build", "a.log", "--case", "c", "--around", "2024-03-04T03:00Z"], "--within"),
        (["build", "a.log", "--case", "c", "--end", "2024-03-04T03:00Z"], "--start"),
        (["build", "a.log", "--case", "c", "--start", "yesterday-ish"], "is no time"),
        (["build", "a.log", "--case", "c", "--start", "2024-03-05", "--end", "2024-03-04"], "ends before it begins"),
        (["build", "a.log", "--case", "c", "--around", "2024-03-04", "--within", "5 parsecs"], "is no span"),
        (["build", "a.log", "--case", "c", "--zone", "UTC"], "GLOB=VALUE"),
        (["build", "a.log", "--case", "c", "--max-rejects", "7"], "--max-rejects"),
        (["build", "a.log", "--case", "c", "--workers", "0"], "--workers"),
        (["build", "a.log", "--case", "c", "--parsers", "not-there"], "not-there"),
        (["inspect"], "EVIDENCE"),
        (["timeline", "c", "--format", "papyrus"], "papyrus"),
        (["dance"], "dance"),
        (["parsers"], "Usage"),
        (["note", "c", "text"], "--at"),
    ],
)
def test_wrong_use_ends_with_two(arguments: list[str], words: str) -> None:
    said(process(*arguments), words, status=2)


def test_no_such_file(tmp_path: Path) -> None:
    said(process("build", tmp_path / "none.tar.gz", "--case", tmp_path / "c"), "none.tar.gz", "no such file", "Hint")


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    said(process("build", tmp_path / "evidence", "--case", tmp_path / "c"), "not one byte", "Hint")


def test_file_of_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    said(process("build", tmp_path / "a.log", "--case", tmp_path / "c"), "not one byte", "a.log: empty")


def test_broken_zip(tmp_path: Path) -> None:
    (tmp_path / "logs.zip").write_bytes(b"PK\x03\x04" + b"\x00" * 60)
    said(process("build", tmp_path / "logs.zip", "--case", tmp_path / "c"), "logs.zip")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
def test_folder_without_permission(tmp_path: Path) -> None:
    locked = Path(write(tmp_path / "evidence", {"a.log": access()}))
    script = (
        "import os, sys\nfrom pirtimeline import SourceError, evidence\nfrom pirtimeline.cli import main\n"
        "import pirtimeline.cli.ingesting, pirtimeline.building, pirtimeline.parsing.registry\n"
        "pirtimeline.parsing.registry.installed()\n"
        "import pirtimeline.signatures\nb''.decode('utf-8-sig')\npirtimeline.signatures.load([])\n"
        "os.setgid(65534)\nos.setuid(65534)\nmain()\n"
    )
    locked.chmod(0)
    command = [sys.executable, "-c", script, "build", str(locked), "--case", str(tmp_path / "c")]
    for path in (tmp_path, *tmp_path.parents):
        if Path(tempfile.gettempdir()) in path.parents:
            path.chmod(0o755)
    (tmp_path / "c").mkdir()
    (tmp_path / "c").chmod(0o777)
    try:
        uncached = {**os.environ, "XDG_CACHE_HOME": os.devnull}  # so that all that reads rules is imported before
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=uncached)
        said(done, "evidence", "permission denied")
    finally:
        locked.chmod(0o755)


@pytest.mark.parametrize("zone", ["Atlantis/Sunken", "+25:00", "EST5", "Europe/../../etc/passwd"])
def test_zone_that_does_not_exist(tmp_path: Path, zone: str) -> None:
    write(tmp_path, {"a.log": console()})
    result = process("build", tmp_path / "a.log", "--case", tmp_path / "c", "--zone", f"*={zone}")
    said(result, zone, "Hint")


def test_bad_regex_in_a_format_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": console()})
    bad = (
        'title = "bad"\n[[pattern]]\nregex = \'^(?P<timestamp_text>\\d+(\'\ntime = "epoch_s"\n[[sample]]\ntext = "1"\n'
    )
    write(tmp_path / "formats", {"bad_one.toml": bad})
    result = process("build", tmp_path / "a.log", "--case", tmp_path / "c", "--parsers", tmp_path / "formats")
    said(result, "bad_one.toml:3", "regex", "Hint")


def test_rule_with_an_unsupported_part(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": console()})
    write(tmp_path / "rules", {"bad.yml": RULE.format(condition="message|nonsense: x")})
    result = process("build", tmp_path / "a.log", "--case", tmp_path / "c", "--signatures", tmp_path / "rules")
    said(result, "bad.yml", "nonsense")
    assert not (tmp_path / "c").exists(), "no evidence is read for rules that cannot run"


def test_case_folder_that_is_something_else(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": console(), "photos/holiday.jpg": "x"})
    said(process("build", tmp_path / "a.log", "--case", tmp_path / "photos"), "photos", "not a case", "Hint")
    said(process("build", tmp_path / "a.log", "--case", tmp_path / "a.log"), "file, not a case")
    said(process("timeline", tmp_path / "photos"), "this is not a case", "pirtimeline build")
    assert [one.name for one in (tmp_path / "photos").iterdir()] == ["holiday.jpg"]


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from pirtimeline.cli import main
main()
"""


@pytest.mark.parametrize("limit", [100, 20_000, 60_000])
def test_full_disk_is_a_sentence_and_leaves_nothing_half_written(folder: Path, tmp_path: Path, limit: int) -> None:
    arguments = ["build", str(folder / "evidence"), "--case", str(tmp_path / "case"), *ZONE]
    command = [sys.executable, "-c", FULL, str(limit), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said(done, "cannot write: file too large", "Hint: free some space")
    assert [*tmp_path.rglob("*.tmp")] == []
    assert process(*arguments).returncode == 0
    assert breaches(tmp_path / "case") == []


def waited(running: subprocess.Popen[str], until: Path) -> Iterator[None]:
    for _ in range(1200):
        if until.exists() or running.poll() is not None:
            return
        time.sleep(0.05)
        yield


def test_interruption_ends_with_130_and_the_next_run_goes_on(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": access(0, 5000) * 40})
    arguments = ["ingest", str(tmp_path / "a.log"), "--case", str(tmp_path / "case")]
    command = [sys.executable, "-c", "from pirtimeline.cli import main; main()", *arguments]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for _ in waited(running, tmp_path / "case" / "plan.json"):
        pass
    running.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, told = running.communicate(timeout=120)
    assert time.monotonic() - began < 10  # a second, and what a busy machine adds
    assert running.returncode == 130, told
    assert "Interrupted" in told and "Traceback" not in told
    assert process(*arguments).returncode == 0
    assert breaches(tmp_path / "case") == []


def test_reader_that_goes_away_is_no_traceback(case: Path) -> None:
    script = "from pirtimeline.cli import main; main()"
    command = f"{sys.executable} -c '{script}' query {case} 'SELECT message FROM rows' --format csv | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "message\n"
    assert "Traceback" not in done.stderr

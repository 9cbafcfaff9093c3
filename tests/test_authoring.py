"""Help for who writes a format: drafts, shares, and the documentation of what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pirtimeline.errors import FormatError, SourceError
from pirtimeline.parsing.authoring import documentation, draft, new, share
from pirtimeline.parsing.formats import parse, whole
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.registry import installed
from pirtimeline.parsing.samples import faults_of, file_errors
from pirtimeline.testing import problems


def _format(name: str) -> Format:
    one = installed()[name]
    assert isinstance(one, Format)
    return one


LOGS = {
    "level_thread_logger": "2031-03-14 08:15:{n:02d},377 INFO  [worker-{n}] org.example.Gate - answered {n}\n",
    "slashes": "[14/03/2031 08:15:{n:02d}] WARN queue is long: {n}\n",
    "epoch": "19313289{n:02d}.377 gate up {n}\n",
    "quotes": "2031-03-14T08:15:{n:02d}Z it's 'odd' and \"quoted\" \\ {n}\n",
    "syslog_like": "Mar 14 08:15:{n:02d} gate1 gate[471{n}]: answered {n}\n",
    "json": '{{"time":"2031-03-14T08:15:{n:02d}Z","level":"info","msg":"answered {n}"}}\n',
}


@pytest.mark.parametrize("line", LOGS.values(), ids=LOGS)
def test_draft_keeps_the_rules_and_reads_its_log(line: str) -> None:
    log = "".join(line.format(n=n) for n in range(10, 40)).encode()
    one = parse(draft("acme_gate", log), name="acme_gate")
    assert [fault.what for fault in faults_of(one)] == []
    assert len(one.samples) == 3
    assert share(one, log).bytes_read == len(log)


def test_draft_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "gate.log"
    log.write_text("".join(LOGS["slashes"].format(n=n) for n in range(10, 20)), encoding="utf-8")
    path = new("acme_gate", log, tmp_path / "formats")
    assert path == tmp_path / "formats" / "acme_gate.toml"
    assert file_errors(path) == []
    with pytest.raises(FormatError, match="there already"):
        new("acme_gate", log, tmp_path / "formats")


def test_log_without_times_gives_no_draft(tmp_path: Path) -> None:
    log = tmp_path / "poem.txt"
    log.write_text("the fog comes\non little cat feet\n", encoding="utf-8")
    with pytest.raises(SourceError, match="looks like a time"):
        new("acme_gate", log, tmp_path)


def test_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        new("acme_gate", tmp_path / "nowhere.log", tmp_path)


def test_share_counts_what_a_format_does_not_read() -> None:
    one = _format("tomcat_juli")
    log = b"14-Mar-2031 08:15:42.377 INFO [main] org.example.Gate.open up\n\tat x\nsomething else\n"
    told = share(one, log)
    assert (told.events, told.bytes_read, told.size_bytes, told.unread) == (1, 68, 83, ("something else",))


def test_installed_format_is_tried_with_its_samples() -> None:
    assert list(problems(installed()["tomcat_juli"])) == []


def test_documentation_has_a_section_a_format_with_a_sample() -> None:
    found = installed()
    text = documentation(found)
    for name in found:
        assert f"### {name}\n" in text
    assert whole(_format("tomcat_juli")).samples[0].text[:40] in text


def test_page_lists_what_is_installed() -> None:
    page = Path(__file__).parents[1] / "docs" / "formats.md"
    assert documentation(installed()) in page.read_text(encoding="utf-8"), "run: cog -r docs/formats.md"

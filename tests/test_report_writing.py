"""Files of the report: written whole, merged, left alone where nothing changed; exports and documents beside them."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from report_inputs import hostile

from pirtimeline import report
from pirtimeline.errors import CaseError
from pirtimeline.report import blocks
from pirtimeline.report.document import document
from pirtimeline.report.example import example_inputs
from pirtimeline.report.inputs import ReportInputs


def later() -> ReportInputs:
    inputs = example_inputs()
    return replace(inputs, timeline=inputs.timeline.with_columns(pl.col("timestamp") + timedelta(seconds=1)))


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_second_write_touches_no_file(tmp_path: Path) -> None:
    report.write(example_inputs(), tmp_path)
    before = snapshot(tmp_path)
    assert report.write(example_inputs(), tmp_path).conflicts == ()
    assert snapshot(tmp_path) == before


def test_write_keeps_the_base_of_the_next_merge(tmp_path: Path) -> None:
    report.write(example_inputs(), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert (tmp_path / ".pir" / "base" / f"{blocks.base_of(text)}.md").read_text() == text


def test_unedited_report_is_the_same_as_one_made_at_once(tmp_path: Path) -> None:
    for inputs, folder in ((example_inputs(), "one"), (later(), "one"), (later(), "two")):
        report.write(inputs, tmp_path / folder)
    assert (tmp_path / "one" / "report.md").read_bytes() == (tmp_path / "two" / "report.md").read_bytes()


def test_edits_stay_and_conflicts_are_told(tmp_path: Path) -> None:
    report.write(example_inputs(), tmp_path)
    file = tmp_path / "report.md"
    file.write_bytes(file.read_bytes().replace(b"Tomcat restarted", b"Kim restarted Tomcat").replace(b"\n", b"\r\n"))
    inputs = later()
    titles = inputs.timeline.with_columns(title=pl.col("title").str.replace("Tomcat restarted", "Tomcat was restarted"))
    done = report.write(replace(inputs, timeline=titles), tmp_path)
    text = file.read_bytes().decode()
    assert "Kim restarted Tomcat" in text
    assert "Tomcat was restarted" in text
    assert "\n" not in text.replace("\r\n", "")
    assert done.conflicts


def test_report_can_be_written_and_merged_elsewhere(tmp_path: Path) -> None:
    case, file = tmp_path / "case", tmp_path / "out.md"
    report.write_file(example_inputs(), case, file)
    file.write_text(file.read_text().replace("> TODO(reviewers): Where were we lucky?", "It was night."))
    assert report.write_file(later(), case, file).conflicts == ()
    assert "It was night." in file.read_text()
    assert "02:40:01" in file.read_text()
    assert not (case / "report.md").exists()


def test_file_that_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("# Mine\n")
    with pytest.raises(CaseError, match="not written by pirtimeline"):
        report.write_file(example_inputs(), tmp_path, file)
    assert file.read_text() == "# Mine\n"


def test_report_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_bytes("# B\u00e4r".encode("latin-1"))
    with pytest.raises(CaseError, match="not UTF-8"):
        report.write(example_inputs(), tmp_path)


@pytest.mark.parametrize("name", ["report.xyz", "report"])
def test_unknown_suffix_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaseError, match="cannot be written"):
        report.write_file(example_inputs(), tmp_path, tmp_path / name)


@pytest.mark.parametrize("form", ["html", "pdf", "docx"])
def test_document_holds_what_people_wrote(tmp_path: Path, form: str) -> None:
    report.write(example_inputs(), tmp_path)
    file = tmp_path / "report.md"
    file.write_text(file.read_text().replace("> TODO(reviewers): Where were we lucky?", "It was night."))
    report.write_file(example_inputs(), tmp_path, tmp_path / f"out.{form}")
    made = (tmp_path / f"out.{form}").read_bytes()
    if form == "docx":
        with zipfile.ZipFile(io.BytesIO(made)) as archive:
            assert b"It was night." in archive.read("word/document.xml")
    elif form == "html":
        assert b"It was night." in made
        assert b"pir:" not in made
    else:
        assert made.startswith(b"%PDF")


def test_html_draws_the_diagrams_and_shows_boxes() -> None:
    made = document(report.markdown(example_inputs()), "html").decode()
    assert made.count("<svg") == 2
    assert "mindmap" not in made
    assert "☐ confirm ☐ reject" in made


def test_documents_obey_no_markup_of_a_log() -> None:
    made = document(report.markdown(hostile()), "html").decode()
    assert "<script" not in made
    assert "hunter2" not in made
    with zipfile.ZipFile(io.BytesIO(document(report.markdown(hostile()), "docx"))) as archive:
        assert b"hunter2" not in archive.read("word/document.xml")


def test_html_that_a_person_wrote_is_shown_not_run() -> None:
    text = report.markdown(example_inputs()) + "\n<script>alert(1)</script> [x](javascript:alert(1))\n"
    made = document(text, "html").decode()
    assert "<script>" not in made
    assert 'href="javascript' not in made


@pytest.mark.parametrize("form", ["docx", "html", "pdf"])
def test_document_is_a_function_of_its_text(form: str) -> None:
    text = report.markdown(example_inputs())
    assert document(text, form) == document(text, form)


def test_facts_are_written_masked() -> None:
    inputs = replace(example_inputs(), facts={"environment": [{"value": "-Ddb.password=hunter2"}], "x": float("nan")})
    from pirtimeline.report.writing import facts_json

    assert json.loads(facts_json(inputs)) == {"environment": [{"value": "-Ddb.password=(masked)"}], "x": None}


@pytest.mark.parametrize("form", ["table", "md", "csv", "jsonl", "timesketch", "html"])
def test_exports_hold_every_entry_and_no_secret(form: str) -> None:
    made = report.export(example_inputs(), form)
    assert all(title in made for title in ("Deploy of shop 1.4.2", "Impact starts", "Tomcat restarted"))
    assert "hunter2" not in report.export(hostile(), form)


def test_unknown_form_is_refused_in_words() -> None:
    with pytest.raises(CaseError, match="no timeline format is called xml"):
        report.export(example_inputs(), "xml")


def test_csv_runs_nothing_and_keeps_its_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(report.export(hostile("=cmd()\nnext\u202e"), "csv"))))
    assert len(rows) == 4
    assert {row["title"] for row in rows} == {"'=cmd()\nnext⟨U+202E⟩"}


def test_timesketch_has_the_fields_that_it_demands() -> None:
    rows = [json.loads(line) for line in report.export(example_inputs(), "timesketch").splitlines()]
    assert all({"message", "datetime", "timestamp", "timestamp_desc"} <= set(row) for row in rows)
    assert rows[0]["datetime"] == "2024-03-04T02:40:00.000000+00:00"
    assert rows[0]["timestamp"] == 1_709_520_000_000_000
    assert [row["timestamp_desc"] for row in rows[1:3]] == ["impact", "impact (end)"]

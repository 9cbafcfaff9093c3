"""Merging: a person's words survive any update, and an update that brings nothing new changes nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.errors import CaseError
from pirtimeline.report import blocks, tables
from pirtimeline.report.blocks import Block, head, write
from pirtimeline.report.escaping import markdown
from pirtimeline.report.merge import merge

HEADER = ["Time", "What", "Confirmed", "Note"]


def report(rows: list[tuple[str, str, str]], prose: str = "It failed.", prompt: str = "> TODO(lead): why?") -> str:
    body = tables.table(HEADER, [(key, [time, what, "[ ]", ""]) for key, time, what in rows])
    zones = [Block("t.rows", body), Block("t.prose", prose), Block("t.why", prompt, "human")]
    headings = ["# Report\n\n## Rows\n\n", "\n## Prose\n\n", "\n## Why\n\n"]
    return head("".join(text + write(zone) for text, zone in zip(headings, zones, strict=True)))


ROWS = [("0a", "02:58", "OOM"), ("0b", "03:00", "alert"), ("0c", "03:30", "restart")]
OLD = report(ROWS)


def body_of(text: str, name: str) -> str:
    return next(piece.body for piece in blocks.read(text) if piece.id == name)


def test_unedited_report_becomes_the_new_one() -> None:
    new = report([("0a", "02:59", "OOM"), ("0d", "03:10", "page")], "It failed twice.", "> TODO(lead): how?")
    assert merge(OLD, new, base=OLD) == (new, ())
    assert merge(OLD, new) == (new, ())


def test_same_draft_changes_no_byte_of_an_edited_report() -> None:
    edited = OLD.replace("alert", "first alert").replace("# Report", "# Ours") + "\nby hand"
    assert merge(edited, OLD, base=OLD) == (edited, ())


def test_note_beside_a_row_survives_a_row_inserted_next_to_it() -> None:
    edited = OLD.replace("| [ ] | <!--row:0a-->", "| [x] | seen by Kim <!--row:0a-->")
    new = report([ROWS[0], ("0d", "02:59", "second OOM"), *ROWS[1:]])
    merged = merge(edited, new, base=OLD)
    assert merged.conflicts == ()
    assert (
        "| 02:58 | OOM | [x] | seen by Kim <!--row:0a--> |\n| 02:59 | second OOM | [ ] | <!--row:0d--> |" in merged.text
    )


def test_cell_that_both_changed_stays_the_persons_and_is_proposed() -> None:
    edited = OLD.replace("| alert |", "| alert by phone |")
    merged = merge(edited, report([ROWS[0], ("0b", "03:01", "alert (critical)"), ROWS[2]]), base=OLD)
    assert "| 03:01 | alert by phone | [ ] |" in merged.text
    assert (
        body_of(merged.text, "t.rows.proposed")
        == "- What of the row “03:01 · alert by phone · [ ]”: alert (critical)\n"
    )
    assert len(merged.conflicts) == 1


def test_row_deleted_by_a_person_does_not_come_back() -> None:
    edited = "".join(line for line in OLD.splitlines(keepends=True) if "row:0b" not in line)
    new = report([*ROWS, ("0d", "04:00", "done")])
    merged = merge(edited, new, base=OLD).text
    assert "alert" not in merged
    assert "04:00" in merged
    assert "alert" not in merge(merged, report([*ROWS, ("0d", "04:01", "done")]), base=new).text


def test_row_added_by_a_person_stays_behind_its_row() -> None:
    edited = OLD.replace("<!--row:0b--> |\n", "<!--row:0b--> |\n| 03:05 | Kim called | | |\n")
    merged = merge(edited, report([("0d", "01:00", "deploy"), *ROWS]), base=OLD).text
    assert "<!--row:0b--> |\n| 03:05 | Kim called | | |\n| 03:30" in merged


def test_edited_prose_is_kept_and_the_new_text_stands_beside_it() -> None:
    edited = OLD.replace("It failed.", "It failed, says Kim.")
    first = merge(edited, report(ROWS, "It failed twice."), base=OLD)
    assert body_of(first.text, "t.prose") == "It failed, says Kim.\n"
    assert body_of(first.text, "t.prose.proposed") == "It failed twice.\n"
    second = merge(first.text, report(ROWS, "It failed thrice."), base=report(ROWS, "It failed twice."))
    assert body_of(second.text, "t.prose.proposed") == "It failed thrice.\n"


def test_proposed_zone_goes_when_its_text_was_taken_over() -> None:
    new = report(ROWS, "It failed twice.")
    merged = merge(OLD.replace("It failed.", "It failed, says Kim."), new, base=OLD).text
    taken = merged.replace("It failed, says Kim.", "It failed twice.")
    assert merge(taken, new, base=new) == (new, ())


def test_prompt_that_was_answered_is_the_persons() -> None:
    edited = OLD.replace("> TODO(lead): why?", "Because of the release.")
    merged = merge(edited, report(ROWS, prompt="> TODO(lead): how?"), base=OLD)
    assert body_of(merged.text, "t.why") == "Because of the release.\n"
    assert merged.conflicts == ()


def test_zone_deleted_by_a_person_stays_away() -> None:
    edited = re.sub(r"<!-- pir:begin id=t.prose .*?id=t.prose -->\n", "", OLD, flags=re.DOTALL)
    assert "t.prose" not in merge(edited, report(ROWS, "More."), base=OLD).text


def test_zone_that_is_new_comes_with_its_heading_behind_its_neighbour() -> None:
    zone = "\n### Extra\n\n" + write(Block("t.extra", "more"))
    plain = OLD.split("\n", 1)[1]
    new = head(plain.replace("\n## Why", zone + "\n## Why"))
    assert merge(OLD, new, base=OLD).text == new
    assert "### Extra" in merge(OLD.rstrip("\n"), new, base=OLD).text


def test_edited_zone_that_is_no_longer_written_is_left_as_the_persons_text() -> None:
    new = head(re.sub(r"<!-- pir:begin id=t.prose .*?id=t.prose -->\n", "", OLD.split("\n", 1)[1], flags=re.DOTALL))
    assert "It failed, says Kim.\n" in merge(OLD.replace("It failed.", "It failed, says Kim."), new, base=OLD).text
    assert "It failed" not in merge(OLD, new, base=OLD).text


def test_windows_line_ends_stay() -> None:
    edited = OLD.replace("\n", "\r\n").replace("OOM", "OOM (heap)")
    merged = merge(edited, report(ROWS, "It failed twice."), base=OLD).text
    assert "\n" not in merged.replace("\r\n", "")
    assert "OOM (heap)" in merged
    assert "It failed twice." in merged


@pytest.mark.parametrize(
    ("broken", "where", "what"),
    [
        (lambda text: text.replace("<!-- pir:end id=t.rows -->\n", ""), "report.md:", "inside the zone t.rows"),
        (lambda text: text.replace("<!-- pir:end id=t.why -->\n", ""), "report.md:", "has no end"),
        (lambda text: re.sub("<!-- pir:begin id=t.prose .*\n", "", text), "report.md:", "end without a beginning"),
        (lambda text: text + write(Block("t.prose", "x")), "report.md:", "stands twice"),
        (lambda text: text + "<!-- pir:magic id=x -->\n", "report.md:", "does not know"),
        (lambda text: text.split("\n", 1)[1], "report.md", "not written by pirtimeline"),
        (lambda text: "# Mine\n", "report.md", "not written by pirtimeline"),
    ],
)
def test_broken_markers_are_refused_with_their_line(broken, where: str, what: str) -> None:
    with pytest.raises(CaseError) as caught:
        merge(broken(OLD), OLD, base=OLD)
    assert str(caught.value).startswith(where)
    assert what in str(caught.value)
    assert caught.value.hint


WORDS = st.text(alphabet="abc |\\`*<>-#\u202e\u00e9", max_size=8).map(markdown)
KEYS = st.sampled_from(["0a", "0b", "0c", "0d", "0e"])
TABLES = st.lists(st.tuples(KEYS, WORDS, WORDS), max_size=5, unique_by=lambda row: row[0])
REPORTS = st.builds(report, TABLES, st.sampled_from(["one", "two\n\nthree", "- four"]), st.sampled_from(["> A", "> B"]))
EDITS = st.lists(
    st.tuples(st.sampled_from(["line", "cell", "delete", "copy", "swap", "crlf", "move"]), st.integers(0, 99)),
    max_size=6,
)


def edited_by_hand(text: str, edits: list[tuple[str, int]]) -> tuple[str, list[str]]:
    """Do to a report what people do; tell which words they wrote."""
    lines, words = text.split("\n"), []
    for number, (kind, at) in enumerate(edits):
        at, word = at % len(lines), f"HUMAN{number}"
        is_marker = "<!-- pir:" in lines[at]
        if kind == "line":
            lines.insert(at + 1, word if at % 2 else f"| {word} | x | | |")
            words.append(word)
        elif kind == "cell" and lines[at].startswith("| "):
            lines[at] = lines[at].replace("| ", f"| {word} ", 1)
            words.append(word)
        elif kind == "delete" and not is_marker:
            words = [word for word in words if word not in lines[at]]
            del lines[at]
        elif kind == "copy" and not is_marker:
            lines.insert(at, lines[at])
        elif kind == "swap" and not is_marker and at + 1 < len(lines) and "<!-- pir:" not in lines[at + 1]:
            lines[at : at + 2] = reversed(lines[at : at + 2])
        elif kind == "crlf":
            lines = [line if line.endswith("\r") else line + "\r" for line in lines[:-1]] + lines[-1:]
        elif kind == "move":
            lines = moved(lines)
    return "\n".join(lines), words


def moved(lines: list[str]) -> list[str]:
    """Take the first zone to the end of the report."""
    start = next((at for at, line in enumerate(lines) if "<!-- pir:begin" in line), None)
    if start is None:
        return lines
    end = next(at for at, line in enumerate(lines) if at > start and "<!-- pir:end" in line)
    return lines[:start] + lines[end + 1 :] + lines[start : end + 1] + [""]


@settings(deadline=None)
@given(REPORTS, REPORTS, REPORTS, EDITS, EDITS, st.booleans())
def test_no_word_of_a_person_is_lost_and_a_second_update_changes_nothing(
    first: str, second: str, third: str, edits: list[tuple[str, int]], more: list[tuple[str, int]], kept: bool
) -> None:
    text, words = edited_by_hand(first, edits)
    once = merge(text, second, base=first if kept else None)
    assert all(word in once.text for word in words)
    assert merge(once.text, second, base=second if kept else None) == once
    again, others = edited_by_hand(once.text, more)
    theirs = "".join(piece.raw for piece in blocks.read(again) if piece.kind != "proposed")
    others = [word for word in (*others, *words) if word in theirs]
    twice = merge(again, third, base=second if kept else None)
    assert all(word in twice.text for word in others)
    assert merge(twice.text, third, base=third if kept else None) == twice


@settings(deadline=None)
@given(REPORTS, REPORTS)
def test_a_report_that_nobody_edited_is_always_the_latest_draft(first: str, second: str) -> None:
    assert merge(first, second, base=first) == (second, ())


@settings(deadline=None)
@given(st.text(alphabet="ab\r\n|<!->"))
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.raw for piece in blocks.read(text)) == text

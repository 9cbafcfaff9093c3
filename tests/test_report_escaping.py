"""Escaping: whatever a log says stays text in the place it goes to."""

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pirtimeline.report import escaping

NASTY = [
    "<script>alert(1)</script>",
    "a|b\\|c",
    "`code` ``two`` ```three",
    "]]> --> <!-- pir:end id=x -->",
    "line\nnext\r\nmore\rend",
    "abc\u202egnp.exe",
    "\x1b[31mred\x00",
    "=cmd()|' /C calc'!A0",
    "[x](javascript:alert(1)) ![i](https://example.org/i.png)",
    "https://example.org/ www.example.org a@example.org",
    "&lt;b&gt; &amp; &#x41;",
    "_under_ snake_case __dunder__ *star* ~~gone~~ $x$",
    "# heading",
    "1. item",
    "- item",
    "> quote",
    "---",
    "\\",
    'end"];\nclick A "javascript:alert(1)"',
]
TEXTS = st.one_of(
    st.sampled_from(NASTY), st.lists(st.one_of(st.sampled_from(NASTY), st.text()), max_size=3).map("".join)
)


def words(text: str) -> str:
    """What a reader sees of a text: its shown form, runs of blanks as one."""
    return re.sub(r"\s+", " ", escaping.one_line(text)).strip()


def inline_of(source: str) -> list[tuple[str, str]]:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(source)
    return [(child.type, child.content) for token in tokens for child in token.children or []]


@settings(deadline=None)
@given(TEXTS)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    parts = inline_of("see " + escaping.markdown(text))
    assert {kind for kind, _ in parts} <= {"text"}
    assert re.sub(r"\s+", " ", "".join(content for _, content in parts)).strip() == f"see {words(text)}".strip()


@settings(deadline=None)
@given(TEXTS)
def test_a_text_at_the_start_of_a_paragraph_stays_a_paragraph(text: str) -> None:
    tokens = [token.type for token in MarkdownIt("gfm-like", {"linkify": False}).parse(escaping.markdown(text))]
    assert tokens in ([], ["paragraph_open", "inline", "paragraph_close"])


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_a_table_keeps_its_columns(left: str, right: str) -> None:
    source = f"| a | b |\n|---|---|\n| {escaping.markdown(left)} | {escaping.markdown(right)} |\n"
    kinds = [token.type for token in MarkdownIt("gfm-like", {"linkify": False}).parse(source)]
    assert kinds.count("td_open") == 2
    assert kinds.count("tr_open") == 2


@settings(deadline=None)
@given(TEXTS)
def test_a_fence_ends_where_we_end_it(text: str) -> None:
    tokens = MarkdownIt().parse(escaping.fence(text) + "\n\nafter")
    assert [token.type for token in tokens][:1] == ["fence"]
    assert tokens[-2].content == "after"
    assert not re.search(r"<!--\s*pir:", escaping.fence(text), re.IGNORECASE)


@settings(deadline=None)
@given(TEXTS)
def test_html_has_no_tag_and_no_quote(text: str) -> None:
    escaped = escaping.html(text)
    assert not re.search("[<>\"']", escaped)


@settings(deadline=None)
@given(TEXTS)
def test_a_mermaid_label_has_no_sign_of_mermaid(text: str) -> None:
    label = escaping.mermaid(text)
    assert not re.search('["<>`\\[\\](){}|\n\r]', label)
    assert all(re.match(r"#(?:\d+|quot|lt|gt|amp);", label[found.start() :]) for found in re.finditer("#", label))


@settings(deadline=None)
@given(TEXTS)
def test_a_csv_cell_is_no_formula_and_survives_the_round_trip(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([escaping.csv_text(text), "next"])
    (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert row == [escaping.csv_text(text), "next"]
    assert not re.match(r"\s*[=@]|\s*[+-](?!\d+(?:\.\d+)?$)", row[0])


@settings(deadline=None)
@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", escaping.visible(text))


@pytest.mark.parametrize("text", ["-1", "+4.5", "12", "abc", ""])
def test_a_plain_number_stays_a_number_in_csv(text: str) -> None:
    assert escaping.csv_text(text) == text

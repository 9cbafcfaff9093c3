"""The drafted report: the guide's headings, four classes of claim, citations that exist, nothing a log can break."""

import re
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_inputs import NASTY, hostile

from pirtimeline.report import blocks, citations, tables
from pirtimeline.report.claims import Claim, write
from pirtimeline.report.document import readable
from pirtimeline.report.draft import IN_BODY, Draft, Section, draft, entry_id
from pirtimeline.report.example import example_draft, example_inputs
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.merge import merge
from pirtimeline.report.render import markdown
from pirtimeline.report.sections import SECTIONS

GUIDE = [
    "Introduction",
    "Incident Overview",
    "Initial Response and Containment",
    "Root Cause Analysis",
    "Technical Details",
    "Corrective Actions Taken",
    "Preventative Measures",
    "Communication and Notifications",
    "Lessons Learned",
    "Appendices",
]
TEXT = markdown(example_inputs())


def body(text: str, name: str) -> str:
    return next(piece.body for piece in blocks.read(text) if piece.id == name)


def empty() -> ReportInputs:
    inputs = example_inputs()
    return ReportInputs(
        facts={}, timeline=pl.DataFrame(), findings=pl.DataFrame(), events=inputs.events.filter(pl.lit(value=False))
    )


def test_headings_are_the_guides_in_its_order() -> None:
    assert re.findall(r"^## \d+ (.*)$", TEXT, re.MULTILINE) == GUIDE


def test_everything_but_headings_stands_in_a_zone() -> None:
    outside = "".join(piece.raw for piece in blocks.read(TEXT) if piece.kind == "text")
    assert all(not line or line.startswith("#") for line in outside.splitlines())


def test_twice_the_same_bytes_whatever_the_order_of_sources_and_rows() -> None:
    inputs = example_inputs()
    shuffled = replace(
        inputs, sources=inputs.sources[::-1], timeline=inputs.timeline[::-1], events=inputs.events.reverse()
    )
    assert markdown(inputs) == markdown(shuffled) == TEXT


def test_every_citation_is_an_event_and_leads_to_the_page() -> None:
    known = set(example_inputs().events.select("event_id").collect().to_series())
    cited = citations.found_in(TEXT)
    assert cited
    assert set(cited) <= known
    assert all(f"[ev:{name}]: timeline.html#ev-{name.replace(':', '-')} " in TEXT for name in cited)


def test_excerpt_has_both_times_host_place_and_the_lines_around() -> None:
    said = body(TEXT, "technical.excerpts")
    assert "2024-03-04 02:58:03 UTC (zone inferred) on app1" in said
    assert "app1/catalina.out, line 2 [ev:0a1b2c3d4e5f:40]" in said
    assert "  deploy finished: shop 1.4.2 on app1\n> java.lang.OutOfMemoryError: Java heap space\n  alert" in said


def test_inferred_zone_stands_with_its_evidence() -> None:
    assert (
        "Inferred as **-05:00**, because gc.log of the same folder writes -0500 [ev:0a1b2c3d4e5f:0]: app1/catalina.out"
        in TEXT
    )


def test_assumed_zone_is_named() -> None:
    inputs = example_inputs()
    sources = [{**source, "zone": "UTC", "zone_basis": "assumed"} for source in inputs.sources]
    assert "**Assumed** as **UTC**" in markdown(replace(inputs, sources=sources))


def test_moments_stand_out_and_durations_show_their_formula() -> None:
    row = next(line for line in body(TEXT, "cause.timeline").splitlines() if "Impact start" in line)
    assert row.startswith("| **02:58:03")
    assert "| Time to detect (TTD) | 1 min 57 s | detected - impact start |" in TEXT


def test_alert_before_the_impact_is_said_in_words() -> None:
    inputs = example_inputs()
    early = {"time_to_detect": {"seconds": -40.0, "formula": "detected - impact_start", "claim": "derived"}}
    assert "the alert preceded the impact by 40 s" in markdown(
        replace(inputs, facts={**inputs.facts, "durations": early})
    )


def test_what_was_not_found_says_where_was_searched() -> None:
    absent = re.findall(r"\*\*Not in evidence:\*\* .*", TEXT)
    assert absent
    assert all("Searched: " in line for line in absent)


def test_report_without_anything_found_still_has_all_sections() -> None:
    text = markdown(empty())
    assert re.findall(r"^## \d+ (.*)$", text, re.MULTILINE) == GUIDE
    assert "not determined from the supplied logs" in text


def test_proposal_that_a_person_rejected_does_not_come_back() -> None:
    name = re.search(r"<!--claim:([0-9a-f]{8})-->", body(TEXT, "cause.hypotheses"))
    assert name
    rejected = replace(example_inputs(), decisions={name.group(1): {"decision": "reject"}})
    assert "Memory ran out after the release — " not in body(markdown(rejected), "cause.hypotheses")
    confirmed = replace(example_inputs(), decisions={name.group(1): {"decision": "confirm", "note": "seen in *dump*"}})
    assert "[x] confirm [ ] reject Note: seen in \\*dump\\*." in markdown(confirmed)


def test_entry_that_a_person_hid_is_gone_and_one_renamed_has_its_name() -> None:
    first, second = (entry_id(entry) for entry in example_draft().timeline.head(2).iter_rows(named=True))
    made = draft(
        replace(example_inputs(), decisions={first: {"decision": "hide"}, second: {"title": "Cart fails"}, "notes": {}})
    )
    assert made.timeline["title"].to_list()[0] == "Cart fails"
    assert made.timeline.height == 3


def test_body_shows_forty_rows_and_says_how_many_more_entries_there_are() -> None:
    inputs = example_inputs()
    rows = [
        inputs.timeline.with_columns(
            pl.col("timestamp") + timedelta(minutes=n), event_ids=pl.concat_list(pl.lit(f"0a1b2c3d4e5f:{n}"))
        )
        for n in range(15)
    ]
    text = markdown(replace(inputs, timeline=pl.concat([inputs.timeline, *rows])))
    parsed = tables.parse(body(text, "cause.timeline"))
    assert parsed
    assert len(parsed.rows) == IN_BODY
    assert "25 further entries" in text
    assert "**Impact start" in body(text, "cause.timeline")


def test_evidence_that_was_moved_away_is_quoted_from_the_columns_and_says_so() -> None:
    text = markdown(replace(example_inputs(), raw=lambda _: {}))
    assert "quoted from the case's columns" in text
    assert "> java.lang.OutOfMemoryError: Java heap space" in text


def test_section_of_ones_own_is_written_like_ours() -> None:
    def own(made: Draft) -> Section:
        return Section("Costs", (blocks.Block("costs.all", f"{made.timeline.height} entries."),))

    text = markdown(example_inputs(), sections=[*SECTIONS, own])
    assert "## 11 Costs" in text
    assert "4 entries." in text


def test_edits_survive_a_new_draft() -> None:
    edited = TEXT.replace("> TODO(reviewers): Where were we lucky?", "It was night.")
    inputs = example_inputs()
    later = markdown(replace(inputs, timeline=inputs.timeline.with_columns(pl.col("timestamp") + timedelta(seconds=1))))
    merged = merge(edited, later, base=TEXT)
    assert "It was night." in merged.text
    assert "02:40:01" in merged.text
    assert merged.conflicts == ()


HOSTILE = markdown(hostile())


def test_hostile_log_breaks_no_zone_and_reveals_no_secret() -> None:
    assert {piece.id for piece in blocks.read(HOSTILE) if piece.id} == {
        piece.id for piece in blocks.read(TEXT) if piece.id
    }
    assert "hunter2" not in HOSTILE
    assert "\u202e" not in HOSTILE
    assert "\x1b" not in HOSTILE


def test_hostile_log_makes_no_markup() -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(readable(HOSTILE))
    kinds = {child.type for token in tokens for child in token.children or []}
    assert "html_inline" not in kinds
    images = [child.attrs["src"] for token in tokens for child in token.children or [] if child.type == "image"]
    assert images == ["figures/timeline.svg"]
    assert all(token.type != "html_block" for token in tokens)
    links = {
        str(child.attrs["href"]) for token in tokens for child in token.children or [] if child.type == "link_open"
    }
    assert all(link.startswith("timeline.html#ev-") for link in links)


def test_hostile_log_keeps_tables_whole() -> None:
    for piece in blocks.read(HOSTILE):
        if piece.id and (parsed := tables.parse(piece.body)):
            assert {len(row.cells) for row in parsed.rows} <= {len(parsed.header)}, piece.id


def test_hostile_labels_keep_the_diagrams_whole() -> None:
    diagram = body(HOSTILE, "technical.traffic")
    assert all(line.count('"') in (0, 2) for line in diagram.splitlines() if line.startswith("    "))


@settings(max_examples=15, deadline=None)
@given(st.one_of(st.text(max_size=60), st.sampled_from([NASTY[:n] for n in range(0, len(NASTY), 9)])))
def test_any_text_makes_a_report_whose_second_update_changes_nothing(text: str) -> None:
    made = markdown(hostile(text))
    assert merge(made, made, base=made) == (made, ())
    assert re.findall(r"^## \d+ (.*)$", made, re.MULTILINE) == GUIDE


@pytest.mark.parametrize(
    ("kind", "start"),
    [("proposed", "Candidate (low): "), ("not_in_evidence", "**Not in evidence:** "), ("derived", "x")],
)
def test_each_class_of_claim_is_told_from_the_others(kind: str, start: str) -> None:
    assert write(Claim(text="x", kind=kind, confidence=0.1)).startswith(start)  # type: ignore[arg-type]


def test_security_findings_stand_by_tactic_in_the_order_of_attack() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from pirtimeline.report.example import example_draft
    from pirtimeline.report.sections.tactics import security
    from pirtimeline.schema import FINDING_COLUMNS

    at = datetime(2024, 3, 4, tzinfo=UTC)
    told = [("sec.b", "low", 2), ("sec.a", "high", 3), ("sec.quiet", "informational", 9), ("sec.a", "high", 4)]
    rows = [
        (f"{n:012x}", name, f"Title | of {name}", level, "security", at, at, count, ["web1"], [], ["0a1b2c3d4e5f:0"])
        for n, (name, level, count) in enumerate(told)
    ]
    findings = pl.DataFrame(rows, schema=FINDING_COLUMNS, orient="row")
    draft = example_draft()
    facts = {**draft.facts, "tactics": {"sec.a": ["impact", "initial-access"], "sec.b": []}}
    text = security(replace(draft, findings=findings, facts=facts))
    cells = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert [(c[0].strip("| "), c[6]) for c in cells] == [("initial-access", "7"), ("impact", "7"), ("none named", "2")]
    assert "Title \\| of sec.a" in text and "1 informational finding of this kind left out here." in text

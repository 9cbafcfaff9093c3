"""Pictures without a script: the overview as SVG, and the diagrams as documents show them."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_inputs import hostile

from pirtimeline.analysis.facts import Interval
from pirtimeline.report import diagrams, drawing, effects, extent, figures, pictures
from pirtimeline.report.draft import draft
from pirtimeline.report.escaping import mermaid, one_line, shorten
from pirtimeline.report.example import WEB, example_draft, example_inputs
from pirtimeline.report.page import overview
from pirtimeline.report.series import POINTS, Spans, request_bins, spans

AT = datetime(2024, 3, 4, 2, 58, 3, tzinfo=UTC)


def picture(made) -> ET.Element:
    found = spans(made.facts, made.timeline)
    assert found
    return ET.fromstring(drawing.svg(overview(made, found)))


def texts(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]


def test_picture_shows_strips_lanes_times_and_numbered_moments() -> None:
    said = texts(picture(example_draft()))
    assert any(text == "Requests a minute: all, failed (5xx)" for text in said)
    assert {"change", "impact", "detection", "response", "1", "2", "3", "2024-03-04 UTC"} <= set(said)


def test_picture_of_a_hostile_log_is_well_formed_and_runs_nothing() -> None:
    root = picture(draft(hostile()))
    assert {node.tag.rpartition("}")[2] for node in root.iter()} <= {
        "svg",
        "rect",
        "line",
        "text",
        "tspan",
        "path",
        "circle",
        "g",
        "title",
    }


def test_numbers_of_moments_at_one_instant_stand_above_each_other() -> None:
    inputs = example_inputs()
    moments = {**inputs.facts["moments"], "mitigated": inputs.facts["moments"]["recovered"]}
    root = picture(draft(replace(inputs, facts={**inputs.facts, "moments": moments})))
    boxes = [node.find("{*}rect") for node in root.iter() if node.tag.endswith("}g")]
    places = [(box.get("x"), box.get("y")) for box in boxes if box is not None]
    assert len(places) == len(set(places)) == 4


@pytest.mark.parametrize("span", [timedelta(seconds=5), timedelta(hours=7), timedelta(days=90), timedelta(days=2000)])
def test_time_ticks_are_few_whatever_the_span(span: timedelta) -> None:
    rows = example_inputs().timeline.with_columns(timestamp=pl.lit(AT) + pl.int_range(pl.len()) * span / 3)
    said = texts(ET.fromstring(drawing.svg(figures.entries(rows))))
    assert 2 <= sum(1 for text in said if text.count(":") in (1, 2) and text[:2].isdigit()) <= 11


@settings(deadline=None)
@given(st.text(max_size=50))
def test_label_is_read_back_from_the_diagram_as_it_was(text: str) -> None:
    found = pictures.flow(f'flowchart LR\n    n0["{mermaid(text)}"]\n    n1["b"]\n    n0 -.->|"{mermaid(text)}"| n1')
    assert found
    assert found.nodes["n0"] == found.edges[0].label == shorten(one_line(text), 60)
    ET.fromstring(pictures.svg(f'mindmap\n  root(("{mermaid(text)}"))\n    b["{mermaid(text)}"]'))


def test_ring_of_hosts_is_drawn() -> None:
    ring = 'flowchart LR\n    n0["a"]\n    n1["b"]\n    n0 -->|"1"| n1\n    n1 -->|"1"| n0\n    n0 -->|"1"| n0'
    ET.fromstring(pictures.svg(ring))


def test_diagram_that_a_person_rewrote_is_left_as_its_source() -> None:
    assert pictures.svg("flowchart LR\n  a --> b") == ""
    assert pictures.svg("sequenceDiagram\n a->>b: x") == ""


def test_all_failed_traffic_is_dashed_and_the_roots_host_is_framed() -> None:
    drawn = diagrams.traffic(example_draft())
    assert '-.->|"upstream: 9, 9 failed"|' in drawn
    assert '-->|"requests: 240, 66 failed"|' in drawn
    assert "style n0 stroke:#b42318" in drawn


def test_traffic_of_very_many_hosts_keeps_the_busiest() -> None:
    inputs = example_inputs()
    edges = [
        {"origin": f"h{n}", "target": "db", "kind": "x", "count": n, "failed": 0, "event_ids": []} for n in range(99)
    ]
    drawn = diagrams.traffic(draft(replace(inputs, facts={**inputs.facts, "topology": edges})))
    assert drawn.count('["h') == diagrams.NODES - 1
    assert '["h98"]' in drawn


def test_effect_counts_the_minute_on_either_side() -> None:
    rows = pl.DataFrame(
        {
            "timestamp": [AT + timedelta(seconds=s) for s in (-61, -60, -1, 0, 59, 60)],
            "failed": [True] * 3 + [False] * 3,
        }
    )
    found = effects.effects(rows.lazy(), [AT])[AT]
    assert tuple(found) == (2, 2, 0, 2)
    assert found.sentence == "2 of 2 (100 %) failed in the 1 min before, 0 of 2 (0 %) after"


def test_rejects_are_counted_by_reason_with_the_first_of_each() -> None:
    events = example_inputs().events.with_columns(
        parser=pl.when(pl.col("source_id") == WEB).then(pl.lit("unrecognised")).otherwise("parser"),
        reject_reason=pl.when(pl.col("byte_offset") > 4000).then(pl.lit("binary")).otherwise(pl.lit("no format")),
    )
    assert extent.rejects(events).rows() == [("binary", 139, f"{WEB}:4040"), ("no format", 101, f"{WEB}:0")]


@given(st.integers(60, 9_000), st.integers(0, 40_000_000), st.integers(0, 40_000_000))
@settings(max_examples=15)
def test_years_around_an_incident_cost_few_bins_which_meet_and_count_each_request_once(
    lasted: int, before: int, after: int
) -> None:
    incident = Interval(AT, AT + timedelta(seconds=lasted))
    whole = Interval(AT - timedelta(seconds=before), incident.end + timedelta(seconds=after))
    asked = [whole.start, AT, AT + timedelta(seconds=lasted // 2), whole.end]
    requests = pl.LazyFrame({"timestamp": asked, "failed": [True, False, False, False]})
    bins = request_bins(requests, Spans(incident, incident, whole))
    ends = bins.select(pl.col("bin") + pl.duration(seconds="seconds")).to_series()
    assert (ends.head(-1) == bins["bin"].tail(-1)).all()
    assert (bins["total"].sum(), bins["failed"].sum()) == (4, 1)
    assert bins.height <= 5 * POINTS

"""The page: self-contained, the same bytes each time, and no text of a log ever markup or script."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from report_inputs import hostile

from pirtimeline.report import figures, series
from pirtimeline.report.example import APP, example_inputs
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.page import page


class Outline(HTMLParser):
    """Collect the tags, attributes and JSON of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self.inside = ""
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = str(dict(attrs).get("id") or "script") if tag == "script" else "style" if tag == "style" else ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.data[self.inside] = self.data.get(self.inside, "") + data
        else:
            self.text += data


def outline(text: str) -> Outline:
    parser = Outline()
    parser.feed(text)
    return parser


TEXT = page(example_inputs())
PLAIN, HOSTILE = outline(TEXT), outline(page(hostile()))


def test_page_is_the_same_each_time() -> None:
    inputs = example_inputs()
    assert page(inputs) == TEXT
    assert page(replace(inputs, sources=inputs.sources[::-1], events=inputs.events.reverse())) == TEXT


def test_page_loads_nothing() -> None:
    assert not [attrs for _, attrs in PLAIN.tags if "src" in attrs or str(attrs.get("href", "")).startswith("http")]
    assert not any(tag == "link" for tag, _ in PLAIN.tags)
    policy = next(attrs["content"] for tag, attrs in PLAIN.tags if attrs.get("http-equiv"))
    assert str(policy).startswith("default-src 'none'")


def test_page_begins_with_the_incident_and_the_answer() -> None:
    said = re.sub(r"\s+", " ", PLAIN.text)
    assert "INC-2024-00123 90 of 1,200 requests failed (7.5 %), 2024-03-04 02:58:03 to 03:31:00 UTC" in said
    assert "First hypothesis candidate, strong Memory ran out after the release" in said


def test_each_entry_has_the_bytes_of_its_citations_with_the_lines_around() -> None:
    events, entries = json.loads(PLAIN.data["data-events"]), json.loads(PLAIN.data["data-entries"])
    assert entries[0]["ids"] == [f"{APP}:0"]
    first = events[f"{APP}:0"]
    assert first["text"] == "deploy finished: shop 1.4.2 on app1"
    assert (first["path"], first["line"], first["offset"]) == ("app1/catalina.out", 1, 0)
    assert first["after"] == [f"{APP}:40", f"{APP}:90"]
    assert all(name in events for entry in entries for name in entry["ids"])


def test_events_that_the_report_cites_can_be_followed_into_the_page() -> None:
    events = json.loads(outline(page(example_inputs(), cited=["5f4e3d2c1b0a:40"])).data["data-events"])
    assert events["5f4e3d2c1b0a:40"]["path"] == "web1/access.log"


def test_chart_shares_one_axis_and_marks_window_and_moments() -> None:
    chart = json.loads(PLAIN.data["data-chart"])
    assert {trace["xaxis"] for trace in chart["data"]} == {"x"}
    assert [shape["type"] for shape in chart["layout"]["shapes"]] == ["rect", "line", "line", "line"]
    points = next(trace for trace in chart["data"] if trace["name"] == "entries")
    assert points["customdata"] == [0, 1, 2, 3]


def test_hostile_log_adds_no_tag_and_ends_no_script() -> None:
    kinds = [tag for tag, _ in HOSTILE.tags]
    assert kinds.count("script") == [tag for tag, _ in PLAIN.tags].count("script")
    assert "img" not in kinds
    assert json.loads(HOSTILE.data["data-events"])
    allowed = {attr for _, attrs in PLAIN.tags for attr in attrs} | {"disabled"}
    assert {attr for _, attrs in HOSTILE.tags for attr in attrs} <= allowed


def test_hostile_log_reveals_no_secret_and_hides_nothing() -> None:
    own = HOSTILE.text + HOSTILE.data["data-events"] + HOSTILE.data["data-chart"] + HOSTILE.data["data-entries"]
    assert "hunter2" not in own
    assert not re.search("[\u202a-\u202e\x1b]", own)


def test_page_without_anything_dated_has_no_chart() -> None:
    events = example_inputs().events.filter(pl.lit(value=False))
    made = outline(page(ReportInputs(facts={}, timeline=pl.DataFrame(), findings=pl.DataFrame(), events=events)))
    assert "data-chart" not in made.data
    assert "No start of an impact" in made.text


def test_figures_pass_lists() -> None:
    inputs = example_inputs()
    found = series.spans(inputs.facts, inputs.timeline)
    assert found
    figure = figures.error_rate(series.request_bins(series.facing(inputs.events), found))
    assert all(isinstance(trace.to_plotly_json()["y"], (list, tuple)) for trace in figure.data)


def test_bins_are_fine_over_the_incident_coarse_around_it_and_count_each_request_once() -> None:
    inputs = example_inputs()
    found = series.spans(inputs.facts, inputs.timeline, reach=series.reach(inputs.events))
    assert found
    bins = series.request_bins(series.facing(inputs.events), found)
    ends = bins.select(pl.col("bin") + pl.duration(seconds=pl.col("seconds")))["bin"]
    assert (ends[:-1] == bins["bin"][1:]).all()
    assert bins["total"].sum() == 240
    assert bins.filter(pl.col("bin").is_between(found.incident.start, found.incident.end))["seconds"].max() == 14


def test_early_trigger_is_left_to_the_lead_up() -> None:
    inputs = example_inputs()
    trigger = {"timestamp": "2024-03-03T17:10:00Z", "claim": "proposed", "event_ids": [], "reason": ""}
    facts = {**inputs.facts, "moments": {**inputs.facts["moments"], "trigger": trigger}}
    found = series.spans(facts, inputs.timeline)
    assert found
    assert f"{found.incident.start:%d %H:%M}" == "04 02:49"
    assert f"{found.lead.start:%d %H}" == "03 16"


def test_heap_of_many_collections_keeps_the_highest_of_each_bin() -> None:
    inputs = example_inputs()
    found = series.spans(inputs.facts, inputs.timeline)
    assert found
    times = pl.datetime_range(found.whole.start, found.whole.end, "500ms", eager=True, time_zone="UTC", time_unit="us")
    number = pl.int_range(pl.len())
    rows = pl.DataFrame({"timestamp": times}).with_columns(
        jvm_heap_after_bytes=number * 1024,
        jvm_heap_capacity_bytes=pl.lit(1 << 30, pl.Int64),
        jvm_gc_action=pl.when(number % 1000 == 7).then(pl.lit("Pause Full")).otherwise(pl.lit("Pause Young")),
        host_name=pl.lit("app1"),
    )
    points = series.heap_points(rows.lazy(), found)
    assert points.height < 2.2 * series.POINTS
    assert points["full"].sum() == len(range(7, rows.height, 1000))
    assert points["after"].max() == pytest.approx((rows.height - 1) / 1024)

"""`timeline.html`: one self-contained page with the chart, the entries, and the bytes behind each citation.

Nothing is loaded from anywhere: plotly.js stands in the page, and a content security policy forbids the rest. What
comes from a log is put into the page by Jinja's escaping, or as JSON that the script sets as text, never as markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pirtimeline.analysis.facts import Interval
from pirtimeline.report import citations, figures, series, words
from pirtimeline.report.citations import Cited
from pirtimeline.report.draft import Draft, draft, entry_id
from pirtimeline.report.entries import moments_of, time_cell, told
from pirtimeline.report.escaping import one_line, visible
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.series import Spans
from pirtimeline.schema import EVENT_COLUMNS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHOWN = 8
"""So many of an entry's citations can be read in the page: the first ones and the last; `show` prints all."""

MOST = 600
"""So many events' texts stand in the page at most."""


def page(inputs: ReportInputs, *, cited: Iterable[str] = ()) -> str:
    """Write the page; `cited` names further events whose text it shall hold, such as those of the report.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> text = page(example_inputs())
        >>> text.startswith("<!DOCTYPE html>"), "hunter2" in text
        (True, False)
    """
    return page_of(draft(inputs), cited=cited)


def page_of(made: Draft, *, cited: Iterable[str] = ()) -> str:
    """Write the page of a draft.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> "INC-2024-00123" in page_of(example_draft())
        True
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    rows = made.timeline.to_dicts()
    events, context = _events(made, rows, cited)
    figure = _figure(made)
    site = Environment(
        loader=PackageLoader("pirtimeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return site.get_template("page.html").render(
        incident=made.facts.get("incident"),
        answer=_answer(made),
        hypothesis=made.best.get("title"),
        strength=made.strength,
        tiles=_tiles(made),
        moments=_moments(made),
        rows=[_row(made, row, number, events) for number, row in enumerate(rows)],
        roles=sorted({str(row["role"]) for row in rows}),
        hosts=sorted({str(row["host_name"]) for row in rows if row["host_name"]}),
        colours=figures.COLOURS,
        plotly=get_plotlyjs(),
        chart=_json(figure) if figure else "",
        panels=len([axis for axis in figure["layout"] if axis.startswith("yaxis")]) if figure else 0,
        events=_json({name: _event(event, context.get(name)) for name, event in sorted(events.items())}),
        entries=_json([_citations(row, events) for row in rows]),
        versions=", ".join(f"{name} {version}" for name, version in made.versions.items()),
        sources=len(made.sources),
    )


def _shown(value: Any) -> Any:
    """Show texts on one line, without signs that hide or turn; what is markup already stays as it is."""
    return one_line(value) if type(value) is str else value


def overview(made: Draft, found: Spans) -> Figure:
    """Draw requests, heap and entries of a draft, zoomed to the incident.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> made = example_draft()
        >>> overview(made, series.spans(made.facts, made.timeline)).layout.xaxis.range[0]
        '2024-03-04T02:49:48.750000'
    """
    bins, points = series.request_bins(made.requests, found), series.heap_points(made.events, found)
    figure = figures.overview(made.facts, made.timeline, bins=bins, points=points)
    figure.update_xaxes(range=_range(found.incident))
    return figure


def _figure(made: Draft) -> dict[str, Any] | None:
    """Draw the overview; None where nothing is dated."""
    found = series.spans(made.facts, made.timeline, reach=series.reach(made.events))
    if found is None:
        return None
    drawn: dict[str, Any] = overview(made, found).to_plotly_json()
    ranges = {name: _range(span) for name, span in found._asdict().items()}
    return {"data": [dict(trace) for trace in drawn["data"]], "layout": drawn["layout"], "ranges": ranges}


def _range(span: Interval) -> list[str]:
    return [figures.stamp(span.start), figures.stamp(span.end)]


def _events(
    made: Draft, rows: Sequence[Mapping[str, Any]], cited: Iterable[str]
) -> tuple[dict[str, Cited], Mapping[str, tuple[list[str], list[str]]]]:
    """Look up the events that the page can show, and the neighbours of each entry's first."""
    firsts = [row["event_ids"][0] for row in rows if row["event_ids"]]
    wanted = [name for row in rows for name in _some(row["event_ids"] or [])]
    wanted = list(dict.fromkeys([*firsts, *wanted, *cited]))[:MOST]
    if not wanted or set(EVENT_COLUMNS) - set(made.events.collect_schema().names()):
        return {}, {}
    context = {**citations.around(made.events, firsts), **made.context}
    near = {name for before, after in context.values() for name in (*before, *after)}
    return made.look_up({*wanted, *near}), context


def _some(ids: Sequence[str]) -> list[str]:
    return list(ids) if len(ids) <= SHOWN else [*ids[: SHOWN - 2], *ids[-2:]]


def _answer(made: Draft) -> str:
    start, end = made.at("impact_start"), made.at("recovered") or made.at("mitigated")
    if start is None:
        return "No start of an impact on users was found in the evidence."
    failed, total, ratio = (made.figure(n).get("value") for n in ("failed_requests", "requests", "failed_ratio"))
    when = (
        f"{start:%Y-%m-%d} {words.clock(start)} to {words.clock(end)} UTC"
        if end and end.date() == start.date()
        else f"{words.moment(start)} to {words.moment(end)}"
        if end
        else f"from {words.moment(start)}, ongoing at the end of the evidence"
    )
    of = f" of {words.number(total)}" if total else ""
    share = f" ({words.share(ratio)})" if ratio is not None else ""
    much = f"{words.number(failed)}{of} requests failed{share}" if failed else "Impact"
    return f"{much}, {when}"


def _tiles(made: Draft) -> list[tuple[str, str, str]]:
    """Give the figures under the title: name, value, and how it is known."""
    start, end = made.at("impact_start"), made.at("recovered") or made.at("mitigated")
    tiles = []
    if start and end:
        tiles.append(
            (
                "Impact lasted",
                words.span((end - start).total_seconds()),
                "impact start to recovery" if made.at("recovered") else "impact start to mitigation",
            )
        )
    for name, title in (("failed_requests", "Failed requests"), ("clients_affected", "Clients affected")):
        if made.figure(name).get("value") is not None:
            tiles.append(
                (title, words.number(made.figure(name)["value"]), one_line(str(made.figure(name).get("reason") or "")))
            )
    for name, title in (
        ("time_to_detect", "Time to detect"),
        ("time_to_mitigate", "Time to mitigate"),
        ("time_to_recover", "Time to recover"),
    ):
        span = (made.facts.get("durations") or {}).get(name) or {}
        if span.get("seconds") is not None:
            tiles.append((title, words.span(span["seconds"]), str(span.get("formula") or "").replace("_", " ")))
    return tiles[:6]


def _moments(made: Draft) -> list[dict[str, Any]]:
    start = made.at("impact_start")
    return [
        {
            "number": number,
            "name": words.MOMENTS[name],
            "time": words.clock(at),
            "day": "" if start and at.date() == start.date() else f"{at:%Y-%m-%d}",
            "offset": _offset((at - start).total_seconds()) if start and name != "impact_start" else "",
            "event": next(iter(made.moment(name).get("event_ids") or []), ""),
            "proposed": made.moment(name).get("claim") == "proposed",
        }
        for number, (name, at) in enumerate(series.moments(made.facts), 1)
    ]


def _offset(seconds: float) -> str:
    return f"{'−' if seconds < 0 else '+'}{words.span(abs(seconds))}"


def _row(made: Draft, row: Mapping[str, Any], number: int, events: Mapping[str, Cited]) -> dict[str, Any]:
    at = words.instant(row["timestamp"])
    ids = row["event_ids"] or []
    first = events.get(ids[0]) if ids else None
    begins, _, until = time_cell(made, row).split(" (")[0].partition(" – ")
    return {
        "number": number,
        "id": entry_id(row),
        "day": f"{at:%Y-%m-%d}" if at else "undated",
        "iso": at.isoformat() if at else "",
        "time": begins,
        "until": until,
        "basis": words.BASIS.get(first.time_basis, "") if first else "",
        "role": str(row["role"]),
        "title": one_line(str(row["title"] or "")),
        "detail": one_line(told(row)),
        "host": row["host_name"] or "",
        "service": row["service_name"] or "",
        "count": len(ids),
        "proposed": words.confidence(row["confidence"]) if row["claim"] == "proposed" else "",
        "note": row["origin"] == "note",
        "moments": [words.MOMENTS[name] for name in moments_of(made, row)],
        "place": first.place if first else "",
    }


def _citations(row: Mapping[str, Any], events: Mapping[str, Cited]) -> dict[str, Any]:
    ids = row["event_ids"] or []
    return {"ids": [name for name in _some(ids) if name in events], "all": len(ids)}


def _event(event: Cited, context: tuple[list[str], list[str]] | None) -> dict[str, Any]:
    """Write one event for the script: all of it text, shown as text."""
    before, after = context or ([], [])
    when = words.moment(event.timestamp, resolution_us=event.resolution_us) if event.timestamp else ""
    bounds = f"undated, between {words.moment(event.not_before)} and {words.moment(event.not_after)}"
    return {
        "path": visible(event.path),
        "line": event.line,
        "offset": event.byte_offset,
        "length": event.byte_length,
        "time": when or bounds,
        "written": visible(event.timestamp_text or ""),
        "basis": words.BASIS.get(event.time_basis, "as the text says"),
        "host": visible(event.host_name or ""),
        "parser": event.parser,
        "text": visible(event.text),
        "bytes": event.from_bytes,
        "before": before,
        "after": after,
    }


def _json(value: Any) -> Any:
    """Write JSON that may stand in a script element: no `<`, no line separators of JavaScript's."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)

"""Figures of an incident as plotly `Figure`s, and the tables that they draw.

A figure is a function of tables; it neither shows nor writes anything, and passes lists, so that what it draws does not
depend on how plotly packs arrays. All times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from pirtimeline.report import words
from pirtimeline.report.escaping import html, shorten
from pirtimeline.report.series import moments
from pirtimeline.schema import ROLES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {
    "change": "#6938ef",
    "lead": "#93370d",
    "cause": "#b42318",
    "symptom": "#dc6803",
    "impact": "#d92d20",
    "detection": "#155eef",
    "response": "#0e7090",
    "containment": "#107569",
    "recovery": "#067647",
    "communication": "#0065a8",
    "security": "#c11574",
    "data_quality": "#475467",
}
"""One colour a role, each dark enough to be read on white."""

INK, FAINT, GRID, FAILED, ALL = "#1d2939", "#667085", "#eaecf0", "#d92d20", "#98a2b3"


class Panel(NamedTuple):
    """One strip of the overview: its title, its traces, the share of the height it takes, and its y axis."""

    title: str
    traces: list[Any]
    height: float
    axis: dict[str, Any]


def error_rate(bins: pl.DataFrame) -> Figure:
    """Draw requests a minute, the failed ones in front.

    Example:
        >>> bins = pl.DataFrame({"bin": [datetime(2024, 3, 4)], "seconds": [10], "total": [9], "failed": [2]})
        >>> [(trace.name, trace.y) for trace in error_rate(bins).data]
        [('all requests', (54.0,)), ('failed (5xx)', (12.0,))]
    """
    return assemble([request_panel(bins)])


def heap(points: pl.DataFrame) -> Figure:
    """Draw the heap after collections, host by host, with its capacity.

    Example:
        >>> point = {"host_name": ["app1"], "timestamp": [datetime(2024, 3, 4)], "after": [9.0], "capacity": [32.0]}
        >>> point["full"] = [False]
        >>> [trace.name for trace in heap(pl.DataFrame(point)).data]
        ['app1', 'app1 capacity']
    """
    return assemble([heap_panel(points)])


def entries(timeline: pl.DataFrame) -> Figure:
    """Draw the entries of a timeline, a lane for each role.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> entries(example_inputs().timeline).data[0].y
        ('change', 'impact', 'detection', 'response')
    """
    return assemble([entry_panel(timeline)])


def overview(facts: Mapping[str, Any], timeline: pl.DataFrame, *, bins: pl.DataFrame, points: pl.DataFrame) -> Figure:
    """Draw requests, heap and entries above each other on one time axis, with the window and the moments.

    Example:
        >>> from pirtimeline.report import series
        >>> from pirtimeline.report.example import example_inputs
        >>> inputs = example_inputs()
        >>> spans = series.spans(inputs.facts, inputs.timeline)
        >>> bins = series.request_bins(series.facing(inputs.events), spans)
        >>> figure = overview(inputs.facts, inputs.timeline, bins=bins, points=series.heap_points(inputs.events, spans))
        >>> len(figure.data), len(figure.layout.shapes)
        (4, 4)
    """
    panels = [
        *([request_panel(bins)] if bins.height else []),
        *([heap_panel(points)] if points.height else []),
        entry_panel(timeline),
    ]
    figure = assemble(panels)
    figure.update_layout(shapes=_marks(facts), annotations=[*figure.layout.annotations, *_numbers(facts)])
    return figure


def request_panel(bins: pl.DataFrame) -> Panel:
    """Make the strip of requests: as a rate, since bins are finer over the incident than around it."""
    import plotly.graph_objects as go

    x = [stamp(at) for at in bins["bin"]]
    rate = bins.select((pl.col("total", "failed") * 60 / pl.col("seconds")).round(2))
    near = pl.col("failed").rolling_max(3, min_samples=1, center=True) > 0
    total, failed = rate["total"].to_list(), rate.select(pl.when(near).then("failed")).to_series().to_list()
    told = [
        f"{at[11:19]} UTC<br>{bad:,} of {count:,} requests failed in {wide} s"
        for at, (count, bad, wide) in zip(x, bins.select("total", "failed", "seconds").iter_rows(), strict=True)
    ]
    shared: dict[str, Any] = {"x": x, "text": told, "hoverinfo": "text", "mode": "lines", "showlegend": False}
    traces = [
        go.Scatter(
            name="all requests",
            y=total,
            line={"color": ALL, "width": 1.2, "shape": "hv"},
            fill="tozeroy",
            fillcolor="rgba(152,162,179,.22)",
            **shared,
        ),
        go.Scatter(
            name="failed (5xx)",
            y=failed,
            line={"color": FAILED, "width": 1.4, "shape": "hv"},
            fill="tozeroy",
            fillcolor="rgba(217,45,32,.28)",
            **{**shared, "hoverinfo": "skip"},
        ),
    ]
    bad = f"<span style='color:{FAILED}'><b>failed (5xx)</b></span>"
    title = f"Requests a minute: <span style='color:{FAINT}'>all</span>, {bad}"
    return Panel(title, traces, 0.3, {"rangemode": "tozero", "nticks": 4})


def heap_panel(points: pl.DataFrame) -> Panel:
    """Make the strip of the heap."""
    import plotly.graph_objects as go

    traces = []
    for number, (name,) in enumerate(points.select("host_name").unique(maintain_order=True).iter_rows()):
        rows = points.filter(pl.col("host_name") == name)
        x, after = [stamp(at) for at in rows["timestamp"]], [round(v, 1) for v in rows["after"]]
        colour = ("#155eef", "#6938ef", "#0e7090", "#93370d")[number % 4]
        told = [
            f"{at[11:19]} UTC, {html(name)}<br>{mib:,.0f} MiB after {'full ' if full else ''}collection"
            for at, mib, full in zip(x, after, rows["full"], strict=True)
        ]
        sizes = [6 if full else 3 for full in rows["full"]]
        traces.append(
            go.Scatter(
                name=name,
                x=x,
                y=after,
                mode="lines+markers",
                line={"color": colour, "width": 1},
                marker={"size": sizes, "color": colour},
                text=told,
                hoverinfo="text",
                showlegend=False,
            )
        )
        limits = rows.filter(pl.col("capacity").is_not_null())
        if limits.height:
            traces.append(
                go.Scatter(
                    name=f"{name} capacity",
                    x=[stamp(at) for at in limits["timestamp"]],
                    y=[round(v, 1) for v in limits["capacity"]],
                    mode="lines",
                    line={"color": FAINT, "width": 1, "dash": "dot", "shape": "hv"},
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
    hosts = ", ".join(html(name) for name in points["host_name"].unique(maintain_order=True))
    title = f"Heap after collection, MiB ({hosts}); <span style='color:{FAINT}'>dotted: capacity</span>"
    return Panel(title, traces, 0.26, {"rangemode": "tozero", "nticks": 4})


def entry_panel(timeline: pl.DataFrame) -> Panel:
    """Make the strip of entries; `customdata` is the entry's number in the table."""
    import plotly.graph_objects as go

    rows = timeline.with_row_index("number").filter(pl.col("timestamp").is_not_null())
    lanes = [role for role in ROLES if role in set(rows["role"])]
    told = [
        f"{words.clock(words.instant(at))} UTC, {role}<br>{_wrapped(title)}"
        for at, role, title in rows.select("timestamp", "role", "title").iter_rows()
    ]
    spans = _lasting(rows)
    marker = {
        "size": 13,
        "color": [COLOURS.get(role, INK) for role in rows["role"]],
        "symbol": ["diamond" if origin == "moment" else "circle" for origin in rows["origin"]],
        "line": {"color": "#ffffff", "width": 1.5},
    }
    points = go.Scatter(
        name="entries",
        x=[stamp(at) for at in rows["timestamp"]],
        y=rows["role"].to_list(),
        customdata=rows["number"].to_list(),
        mode="markers",
        marker=marker,
        text=told,
        hoverinfo="text",
        showlegend=False,
        selected={"marker": {"size": 19}},
        unselected={"marker": {"opacity": 0.75}},
    )
    axis = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": lanes[::-1],
        "range": [-0.6, len(lanes) - 0.4],
        "tickvals": lanes,
        "ticktext": [lane.replace("_", " ") for lane in lanes],
    }
    return Panel("Timeline", [points, *spans], 0.44, axis)


def assemble(panels: Sequence[Panel]) -> Figure:
    """Put strips above each other on one time axis, the first on top.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> assemble([entry_panel(example_inputs().timeline)]).layout.xaxis.title.text
        'UTC'
    """
    import plotly.graph_objects as go

    layout, traces, titles = _layout(), list[Any](), list[dict[str, Any]]()  # plotly checks a figure once: not by parts
    whole, gap = sum(panel.height for panel in panels), 0.075
    top = 1.0
    for number, panel in enumerate(panels, 1):
        low = max(0.0, top - panel.height / whole * (1 - gap * (len(panels) - 1)))
        suffix = "" if number == 1 else str(number)
        traces += [trace.update(xaxis="x", yaxis=f"y{suffix}") for trace in panel.traces]
        style = {
            "gridcolor": GRID,
            "zeroline": False,
            "tickfont": {"size": 11},
            "fixedrange": True,
            "automargin": False,
        }
        layout[f"yaxis{suffix}"] = {
            **style,
            **panel.axis,
            "domain": [round(low, 4), round(top, 4)],
            "anchor": "x",
        }
        layout["annotations"] = titles
        title = {
            "text": panel.title,
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": round(top, 4),
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 3,
            "showarrow": False,
            "font": {"size": 12, "color": INK},
            "align": "left",
            "name": "title",
        }
        titles.append(title)
        top = low - gap
    last = "" if len(panels) == 1 else str(len(panels))
    layout["xaxis"] = {
        "anchor": f"y{last}",
        "title": {"text": "UTC", "standoff": 14},
        "gridcolor": GRID,
        "zeroline": False,
        "tickfont": {"size": 11},
    }
    return go.Figure(data=traces, layout=layout)


def stamp(at: datetime) -> str:
    """Write a time as plotly reads it: ISO 8601 without an offset, in UTC.

    Example:
        >>> from datetime import UTC
        >>> stamp(datetime(2024, 3, 4, 2, 58, 3, 120_000, tzinfo=UTC))
        '2024-03-04T02:58:03.120000'
    """
    return at.replace(tzinfo=None).isoformat()


def _layout() -> dict[str, Any]:
    return {
        "template": "none",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 100, "r": 16, "t": 58, "b": 56},
        "hovermode": "closest",
        "dragmode": "zoom",
        "showlegend": False,
        "hoverlabel": {"align": "left", "bgcolor": "#ffffff", "bordercolor": "#d0d5dd", "font": {"color": INK}},
    }


def _lasting(rows: pl.DataFrame) -> list[Any]:
    """Draw how long entries last as bars under their markers, in one trace a role."""
    import plotly.graph_objects as go

    traces = []
    long = rows.filter(pl.col("end_timestamp") > pl.col("timestamp"))
    for (role,), group in long.group_by("role", maintain_order=True):
        x: list[str | None] = []
        for start, end in group.select("timestamp", "end_timestamp").iter_rows():
            x += [stamp(start), stamp(end), None]
        y = [role if at else None for at in x]
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                mode="lines",
                line={"color": COLOURS.get(str(role), INK), "width": 5},
                opacity=0.3,
                hoverinfo="skip",
                showlegend=False,
            )
        )
    return traces


def _marks(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shade the window, and draw a line at each moment."""
    shapes = []
    window = facts.get("window") or {}
    start, end = words.instant(window.get("start")), words.instant(window.get("end"))
    if start and end:
        shapes.append(
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": stamp(start),
                "x1": stamp(end),
                "y0": 0,
                "y1": 1,
                "fillcolor": "rgba(217,45,32,.06)",
                "line": {"width": 0},
                "layer": "below",
            }
        )
    for _, at in moments(facts):
        shapes.append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": stamp(at),
                "x1": stamp(at),
                "y0": 0,
                "y1": 1,
                "line": {"color": "#475467", "width": 1, "dash": "dot"},
            }
        )
    return shapes


def _numbers(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Number the moments above the chart; the page moves numbers apart that would overlap."""
    return [
        {
            "x": stamp(at),
            "xref": "x",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 20,
            "text": f"<b>{number}</b>",
            "showarrow": False,
            "font": {"size": 11, "color": "#ffffff"},
            "bgcolor": "#344054",
            "borderpad": 3,
            "width": 12,
            "name": "moment",
            "hovertext": f"{words.MOMENTS[name]}, {words.clock(at)} UTC",
        }
        for number, (name, at) in enumerate(moments(facts), 1)
    ]


def _wrapped(title: str) -> str:
    """Break a title for a hover label, escaped: plotly reads a little HTML in labels."""
    import textwrap

    return "<br>".join(html(line) for line in textwrap.wrap(shorten(title, 160), 48))

"""A figure as a still picture: SVG for print, for GitHub and for documents, in which no script runs.

It draws what `figures` makes: lines with steps and fills, markers, shaded spans, and the numbers of the moments. No
browser and no further package is needed for it, and the same figure gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pirtimeline.report.escaping import html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SPAN = re.compile(r"<span style='color:(#\w+)'>")
_BOLD = re.compile(r"</?b>")

LEFT, RIGHT, BOTTOM = 104, 14, 34
"""Room around the plot, in pixels."""

STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Distances between time ticks in seconds; beyond the last, whole days."""

INK, FAINT, GRID = "#1d2939", "#667085", "#eaecf0"


class Frame(NamedTuple):
    """Where times and shares of the height fall in the picture."""

    start: float
    end: float
    width: int
    height: int
    top: int

    def x(self, at: float) -> float:
        """Give the place of a time (seconds since 1970) across the picture."""
        return LEFT + (at - self.start) / max(self.end - self.start, 1e-6) * (self.width - LEFT - RIGHT)

    def y(self, share: float) -> float:
        """Give the place of a share of the plot's height, 0 at its foot."""
        return self.height - BOTTOM - share * (self.height - self.top - BOTTOM)


class Axis(NamedTuple):
    """A strip's axis: its place in shares of the height, and its numbers or lanes."""

    low: float
    high: float
    top: float
    lanes: tuple[str, ...]

    def share(self, value: Any) -> float:
        """Give the share of the plot's height at which a value stands."""
        lane = (self.lanes.index(str(value)) + 0.6) / (len(self.lanes) + 0.2) if self.lanes else None
        at = float(value) / self.top if lane is None else lane
        return self.low + at * (self.high - self.low)


def svg(figure: Figure, *, width: int = 1080, height: int = 560) -> str:
    """Draw a figure of `figures.overview` as SVG.

    Example:
        >>> from pirtimeline.report import figures
        >>> from pirtimeline.report.example import example_inputs
        >>> svg(figures.entries(example_inputs().timeline))[:4]
        '<svg'
    """
    drawn: dict[str, Any] = figure.to_plotly_json()
    layout, traces = drawn["layout"], [dict(trace) for trace in drawn["data"]]
    frame = _frame(layout, traces, width, height)
    axes = {name.replace("axis", ""): _axis(layout[name], name, traces) for name in sorted(layout) if "yaxis" in name}
    parts = [*_spans(layout, frame), *_time_ticks(frame)]
    for axis in axes.values():
        parts += _axis_ticks(axis, frame)
    for trace in traces:
        parts += _trace(trace, axes[trace.get("yaxis", "y")], frame)
    parts += [*_titles(layout, frame), *_numbers(layout, frame)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="Requests, heap and timeline entries on one time axis, UTC" '
        'font-family="system-ui, sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _frame(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], width: int, height: int) -> Frame:
    given = layout.get("xaxis", {}).get("range")
    ends = given or [x for trace in traces for x in trace.get("x") or () if x]
    at = [_seconds(str(x)) for x in ends] or [0.0, 1.0]
    bare = Frame(min(at), max(at), width, height, 0)
    return bare._replace(top=49 + 17 * max((level for *_, level in _placed(layout, bare)), default=0))


def _axis(style: Mapping[str, Any], name: str, traces: Sequence[Mapping[str, Any]]) -> Axis:
    low, high = style.get("domain") or (0.0, 1.0)
    lanes = tuple(str(lane) for lane in style.get("categoryarray") or ())
    mine = [trace for trace in traces if trace.get("yaxis", "y") == name.replace("axis", "")]
    numbers = [] if lanes else [float(y) for trace in mine for y in trace.get("y") or () if y is not None]
    return Axis(low, high, max(numbers, default=1.0) * 1.06 or 1.0, lanes)


def _spans(layout: Mapping[str, Any], frame: Frame) -> Iterator[str]:
    """Draw the window and the lines of the moments, as far as they lie in the picture."""
    for shape in layout.get("shapes") or ():
        x0, x1 = (min(max(frame.x(_seconds(shape[k])), LEFT), frame.width - RIGHT) for k in ("x0", "x1"))
        if shape["type"] == "rect":
            size = f'width="{x1 - x0:.1f}" height="{frame.y(0) - frame.y(1):.1f}"'
            yield f'<rect x="{x0:.1f}" y="{frame.y(1):.1f}" {size} fill="#d92d20" fill-opacity=".06"/>'
        elif frame.start <= _seconds(shape["x0"]) <= frame.end:
            yield _line(x0, frame.y(0), x0, frame.y(1), '#475467" stroke-dasharray="2 3')


def _time_ticks(frame: Frame) -> Iterator[str]:
    span = frame.end - frame.start
    step = next((s for s in STEPS if span / s <= 9), -(-span // (9 * 86_400)) * 86_400)
    at = -(-frame.start // step) * step
    day = ""
    while at <= frame.end:
        x = frame.x(at)
        yield _line(x, frame.y(0), x, frame.y(1), GRID)
        moment = datetime.fromtimestamp(at, UTC)
        yield _text(x, frame.y(0) + 14, f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}", anchor="middle")
        if f"{moment:%Y-%m-%d}" != day:
            day = f"{moment:%Y-%m-%d}"
            yield _text(x, frame.y(0) + 27, f"{day} UTC", anchor="middle", colour=FAINT)
        at += step


def _axis_ticks(axis: Axis, frame: Frame) -> Iterator[str]:
    right = frame.width - RIGHT
    if axis.lanes:
        for lane in axis.lanes:
            y = frame.y(axis.share(lane))
            yield _line(LEFT, y, right, y, GRID) + _text(LEFT - 6, y + 4, lane.replace("_", " "), anchor="end")
        return
    step = _nice(axis.top / 3)
    value = 0.0
    while value <= axis.top:
        y = frame.y(axis.share(value))
        yield _line(LEFT, y, right, y, GRID) + _text(LEFT - 6, y + 4, f"{value:,g}", anchor="end")
        value += step


def _nice(step: float) -> float:
    """Round a step up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** (len(f"{step:.0f}") - 1) if step >= 1 else 1.0
    return next((n * power for n in (1, 2, 5) if n * power >= step), 10 * power)


def _trace(trace: Mapping[str, Any], axis: Axis, frame: Frame) -> Iterator[str]:
    points = [
        (frame.x(_seconds(str(x))), frame.y(axis.share(y))) if x is not None and y is not None else None
        for x, y in zip(trace.get("x") or (), trace.get("y") or (), strict=True)
    ]
    style = trace.get("line") or {}
    if "lines" in str(trace.get("mode")):
        for run in _runs(points, frame):
            yield from _stroke(run, style, trace, foot=frame.y(axis.low))
    if "markers" in str(trace.get("mode")):
        yield from _markers(points, trace.get("marker") or {}, frame)


def _runs(points: Sequence[tuple[float, float] | None], frame: Frame) -> Iterator[list[tuple[float, float]]]:
    """Cut a line where it has gaps; what lies outside of the picture is left away."""
    run: list[tuple[float, float]] = []
    for point in [*points, None]:
        if point and LEFT - 1 <= point[0] <= frame.width - RIGHT + 1:
            run.append(point)
        elif run:
            yield run
            run = []


def _stroke(
    run: Sequence[tuple[float, float]], style: Mapping[str, Any], trace: Mapping[str, Any], *, foot: float
) -> Iterator[str]:
    steps = style.get("shape") == "hv"
    path = f"M{run[0][0]:.1f} {run[0][1]:.1f}"
    for x, y in run[1:]:
        path += f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}"
    colour, wide = style.get("color", INK), style.get("width", 1)
    dash = ' stroke-dasharray="2 3"' if style.get("dash") else ""
    if trace.get("fill") == "tozeroy":
        yield f'<path d="{path}V{foot:.1f}H{run[0][0]:.1f}Z" fill="{colour}" fill-opacity=".22"/>'
    opacity = f' stroke-opacity="{trace["opacity"]}"' if trace.get("opacity") else ""
    yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{wide}"{dash}{opacity}/>'


def _markers(points: Sequence[tuple[float, float] | None], style: Mapping[str, Any], frame: Frame) -> Iterator[str]:
    for number, point in enumerate(points):
        if point is None or not LEFT - 6 <= point[0] <= frame.width - RIGHT + 6:
            continue
        half = float(_nth(style.get("size", 6), number)) / 2
        fill = f'fill="{_nth(style.get("color", INK), number)}"' + (' stroke="#ffffff"' if half > 3 else "")
        yield _marker(*point, half, fill, diamond=_nth(style.get("symbol"), number) == "diamond")


def _marker(x: float, y: float, half: float, fill: str, *, diamond: bool) -> str:
    if not diamond:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{half:.1f}" {fill}/>'
    way = f"{half + 1:.1f}"
    return f'<path d="M{x:.1f} {y - half - 1:.1f}l{way} {way}l-{way} {way}l-{way} -{way}z" {fill}/>'


def _nth(value: Any, number: int) -> Any:
    return value[number] if isinstance(value, (list, tuple)) else value


def _titles(layout: Mapping[str, Any], frame: Frame) -> Iterator[str]:
    """Write the strips' titles; plotly's markup in them becomes SVG's."""
    for note in layout.get("annotations") or ():
        if note.get("name") == "title":
            spans = _SPAN.sub(r'<tspan fill="\1">', note["text"]).replace("</span>", "</tspan>")
            at = f'x="{LEFT}" y="{frame.y(note["y"]) - 6:.1f}"'
            yield f'<text {at} font-size="12" fill="{INK}">{_BOLD.sub("", spans)}</text>'


def _numbers(layout: Mapping[str, Any], frame: Frame) -> Iterator[str]:
    """Write the moments' numbers above the plot."""
    for note, x, level in _placed(layout, frame):
        y = frame.y(1) - 38 - 17 * level
        box = f'<rect x="{x - 8:.1f}" y="{y:.1f}" width="16" height="15" rx="3" fill="#344054"/>'
        style = 'font-weight="bold" text-anchor="middle" fill="#ffffff"'
        label = f'<text x="{x:.1f}" y="{y + 11:.1f}" {style}>{html(_BOLD.sub("", note["text"]))}</text>'
        yield f"<g><title>{html(str(note.get('hovertext') or ''))}</title>{box}{label}</g>"


def _placed(layout: Mapping[str, Any], frame: Frame) -> Iterator[tuple[Mapping[str, Any], float, int]]:
    """Give each moment's number its place across, and a level above those that it would overlap."""
    levels: list[float] = []
    for note in layout.get("annotations") or ():
        if note.get("name") == "moment" and frame.start <= _seconds(note["x"]) <= frame.end:
            x = frame.x(_seconds(note["x"]))
            level = next((n for n, last in enumerate(levels) if x - last >= 20), len(levels))
            levels[level : level + 1] = [x]
            yield note, x, level


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html(text)}</text>'

"""Pictures of the diagrams that the report draws as Mermaid, for documents in which no Mermaid runs.

Only what `diagrams` writes is read: a `flowchart` of quoted nodes and labelled arrows, and a `mindmap` of one trunk.
What a person made of it otherwise stays as its source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pirtimeline.report.escaping import html

_NODE = re.compile(r'^\s*(\w+)\["(.*)"\]$')
_ROOT = re.compile(r'^\s*root\(\("(.*)"\)\)$')
_EDGE = re.compile(r'^\s*(\w+) (-->|-\.->)\|"(.*)"\| (\w+)$')
_STYLE = re.compile(r"^\s*style (\w+) stroke:#b42318.*$")
_ENTITY = re.compile(r"#(\d+|quot|lt|gt|amp);")
_NAMED = {"quot": '"', "lt": "<", "gt": ">", "amp": "&"}

WIDE, HIGH, ACROSS, DOWN = 150, 40, 250, 74
"""A box, and how far one is from the next."""


class Edge(NamedTuple):
    """An arrow: from, to, what it says, and whether it is dashed."""

    origin: str
    target: str
    label: str
    dashed: bool


class Flow(NamedTuple):
    """A flowchart: its nodes by id, its edges, and the ids in red."""

    nodes: dict[str, str]
    edges: list[Edge]
    marked: set[str]


class Branch(NamedTuple):
    """A branch of a mind map, and what stands on it."""

    name: str
    items: list[str]


def flow(source: str) -> Flow | None:
    """Read a flowchart; None where it is something else.

    Example:
        >>> flow('flowchart LR\\n n0["a"]\\n n1["b"]\\n n0 -->|"9"| n1').edges
        [Edge(origin='n0', target='n1', label='9', dashed=False)]
    """
    lines = source.strip("\n").split("\n")
    if lines[0].strip() != "flowchart LR":
        return None
    nodes: dict[str, str] = {}
    edges: list[Edge] = []
    marked: set[str] = set()
    for line in lines[1:]:
        if found := _NODE.match(line):
            nodes[found[1]] = plain(found[2])
        elif found := _EDGE.match(line):
            edges.append(Edge(found[1], found[4], plain(found[3]), found[2] != "-->"))
        elif found := _STYLE.match(line):
            marked.add(found[1])
        else:
            return None
    known = all(edge.origin in nodes and edge.target in nodes for edge in edges)
    return Flow(nodes, edges, marked) if known else None


def mindmap(source: str) -> tuple[str, list[Branch]] | None:
    """Read a mind map of a root, branches and their items; None where it is something else.

    Example:
        >>> mindmap('mindmap\\n  root(("why?"))\\n    b["Change"]\\n      i["deploy"]')
        ('why?', [Branch(name='Change', items=['deploy'])])
    """
    lines = source.strip("\n").split("\n")
    root = _ROOT.match(lines[1]) if len(lines) > 1 and lines[0].strip() == "mindmap" else None
    if root is None:
        return None
    branches: list[Branch] = []
    for line in lines[2:]:
        found = _NODE.match(line)
        if found is None:
            return None
        if len(line) - len(line.lstrip()) <= 4:
            branches.append(Branch(plain(found[2]), []))
        elif branches:
            branches[-1].items.append(plain(found[2]))
    return plain(root[1]), branches


def svg(source: str) -> str:
    """Draw a diagram as SVG; empty where it is none of ours.

    Example:
        >>> svg("pie")
        ''
    """
    if found := flow(source):
        return _flow_svg(found)
    if told := mindmap(source):
        return _mindmap_svg(*told)
    return ""


def plain(label: str) -> str:
    """Give a label as it was before it was escaped for Mermaid.

    Example:
        >>> plain("a #quot;b#quot; #35;")
        'a "b" #'
    """
    return _ENTITY.sub(lambda found: _NAMED.get(found[1]) or chr(int(found[1])), label)


def _columns(found: Flow) -> dict[str, int]:
    """Put each node one column right of those that lead to it; a ring does not push its members on for ever."""
    column = dict.fromkeys(found.nodes, 0)
    for _ in range(len(found.nodes)):
        moved = {
            edge.target: column[edge.origin] + 1
            for edge in found.edges
            if edge.target != edge.origin and column[edge.target] <= column[edge.origin] < len(found.nodes)
        }
        if not moved or max(moved.values()) > len(found.nodes):
            break
        column.update(moved)
    ranks = sorted(set(column.values()))
    return {name: ranks.index(at) for name, at in column.items()}


def _flow_svg(found: Flow) -> str:
    column = _columns(found)
    seen: dict[int, int] = {}
    place = {}
    for name in found.nodes:
        row = seen.get(column[name], 0)
        seen[column[name]] = row + 1
        place[name] = (20 + column[name] * ACROSS, 20 + row * DOWN)
    width = 40 + WIDE + max(column.values(), default=0) * ACROSS
    height = 30 + max(seen.values(), default=1) * DOWN
    parts = [_edge_svg(edge, place, number) for number, edge in enumerate(found.edges)]
    parts += [_box(*place[name], label, red=name in found.marked) for name, label in found.nodes.items()]
    return _picture(width, height, parts, "Observed traffic")


def _edge_svg(edge: Edge, place: dict[str, tuple[int, int]], number: int) -> str:
    (x1, y1), (x2, y2) = place[edge.origin], place[edge.target]
    forward = x2 > x1
    ax, ay = (x1 + WIDE, y1 + HIGH / 2) if forward else (x1 + WIDE / 2, float(y1 + HIGH))
    bx, by = (float(x2), y2 + HIGH / 2) if forward else (x2 + WIDE / 2, float(y2 + (HIGH if y2 <= y1 else 0)))
    dash = ' stroke-dasharray="5 4"' if edge.dashed else ""
    bend = (bx - ax) / 2 if forward else 0
    path = f"M{ax:g} {ay:g} C{ax + bend:g} {ay:g} {bx - bend:g} {by:g} {bx:g} {by:g}"
    x, y = (ax + bx) / 2, (ay + by) / 2 - 4 - 11 * (number % 2)
    label = f'<text x="{x:g}" y="{y:g}" font-size="9" text-anchor="middle" fill="#475467">{html(edge.label)}</text>'
    return f'<path d="{path}" fill="none" stroke="#667085"{dash} marker-end="url(#tip)"/>{label}'


def _box(x: float, y: float, label: str, *, red: bool = False, width: int = WIDE) -> str:
    stroke = 'stroke="#b42318" stroke-width="2"' if red else 'stroke="#98a2b3"'
    rect = f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{HIGH}" rx="5" fill="#f8f9fb" {stroke}/>'
    text = f'<text x="{x + width / 2:g}" y="{y + HIGH / 2 + 4:g}" font-size="11" text-anchor="middle" fill="#1d2939">'
    return f"{rect}{text}{html(_fitting(label, width))}</text>"


def _fitting(label: str, width: int) -> str:
    most = max(8, int(width / 6.2))
    return label if len(label) <= most else label[: most - 1] + "…"


def _mindmap_svg(root: str, branches: Sequence[Branch]) -> str:
    height = 20 + sum(max(1, len(branch.items)) * 22 + 14 for branch in branches)
    middle = height / 2
    parts, y = [], 14.0
    for branch in branches:
        tall = max(1, len(branch.items)) * 22
        at = y + tall / 2
        parts.append(f'<path d="M190 {middle:g} C225 {middle:g} 215 {at:g} 250 {at:g}" fill="none" stroke="#98a2b3"/>')
        style = 'font-size="11" font-weight="bold" fill="#1d2939"'
        parts.append(f'<text x="256" y="{at + 4:g}" {style}>{html(branch.name)}</text>')
        for number, item in enumerate(branch.items):
            low = y + 22 * number + 11
            parts.append(f'<path d="M400 {at:g} C425 {at:g} 415 {low:g} 440 {low:g}" fill="none" stroke="#d0d5dd"/>')
            parts.append(f'<text x="446" y="{low + 4:g}" font-size="10.5" fill="#344054">{html(item)}</text>')
        y += tall + 14
    parts.append(_box(10, middle - HIGH / 2, root, width=180))
    return _picture(740, height, parts, "Fishbone")


def _picture(width: float, height: float, parts: Sequence[str], title: str) -> str:
    shape = '<path d="M0 0L8 4L0 8z" fill="#667085"/>'
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    tip = f'<marker id="tip" {size}>{shape}</marker>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
        f'aria-label="{title}" font-family="system-ui, sans-serif"><defs>{tip}</defs>{"".join(parts)}</svg>'
    )

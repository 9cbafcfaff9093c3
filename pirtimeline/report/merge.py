"""Bring a new draft into a report that people have edited, losing none of their words.

Text outside of markers is never touched. A generated zone that nobody edited is replaced; an edited table is
merged cell by cell against the text that was generated before; edited prose is kept, and the new text is put in a
`pir:proposed` zone beside it. A `pir:human` zone is the person's as soon as they have written in it.

The text generated before (the base) is looked up by the hash in the report's head line. Without it, whatever differs
from the new text counts as a person's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pirtimeline.errors import CaseError
from pirtimeline.report import blocks, tables
from pirtimeline.report.blocks import Block, Piece
from pirtimeline.report.tables import Row


class Merged(NamedTuple):
    """A merged report, and where a person's text and the new text disagree: one sentence each."""

    text: str
    conflicts: tuple[str, ...]


class _Cells(NamedTuple):
    """The cells of a merged row, and the new texts that gave way to a person's: (column, text)."""

    cells: tuple[str, ...]
    lost: tuple[tuple[str, str], ...]


def merge(existing: str, new: str, *, base: str | None = None, name: str = "report.md") -> Merged:
    """Merge a newly generated report into an existing one.

    Args:
        existing: the report as it stands, edited or not, with any line ends.
        new: the report as `report.markdown` writes it now.
        base: what `report.markdown` had written when `existing` was made or last merged; None where it is not kept.
        name: what to call `existing` in an error.

    Raises:
        CaseError: where `existing` was not written by this program, or its markers are broken.

    Example:
        >>> from pirtimeline.report.blocks import Block, head, write
        >>> old = head("# Report\\n" + write(Block("a", "one")))
        >>> merged = merge(old.replace("# Report", "# Ours"), head("# Report\\n" + write(Block("a", "two"))), base=old)
        >>> [line for line in merged.text.splitlines() if not line.startswith("<!--")]
        ['# Ours', 'two']
    """
    old_pieces, new_pieces = blocks.read(existing, name=name), blocks.read(new, name="the new report")
    if not any(piece.kind == "report" for piece in old_pieces):
        raise CaseError(
            "this file was not written by pirtimeline, or its line `<!-- pir:report ... -->` is gone",
            at=name,
            hint="name another file with -o, or put the line back",
        )
    ending = "\r\n" if existing.count("\r\n") * 2 > existing.count("\n") else "\n"
    old = {piece.id: piece for piece in old_pieces if piece.id}
    before = {piece.id: piece for piece in blocks.read(base, name="the base")} if base else {}
    fresh = {piece.id or piece.kind: piece for piece in new_pieces}
    merged = [(piece.id, _merge_piece(piece, fresh, before, old, ending)) for piece in old_pieces]
    text = _insert(merged, new_pieces, known={*old, *before}, ending=ending)
    return Merged(text, tuple(_conflicts(text)))


def _merge_piece(
    piece: Piece, fresh: dict[str, Piece], before: dict[str, Piece], old: dict[str, Piece], ending: str
) -> str:
    """Give what stands in a piece's place now."""
    if piece.kind == "report":
        same = blocks.base_of(piece.raw) == blocks.base_of(fresh["report"].raw)
        return piece.raw if same else _with_ending(fresh["report"].raw, ending)
    if piece.kind == "text":
        return piece.raw
    if piece.kind == "proposed":
        return "" if _settled(piece, old, fresh) else piece.raw
    now = fresh.get(piece.id)
    if now is None:
        return piece.body if piece.edited else ""
    if now.attributes.get("out") == piece.attributes.get("out"):
        return piece.raw
    if _agrees(piece, now):
        return _with_ending(now.raw, ending)
    if piece.kind == "human":
        return piece.raw
    return _merge_edited(piece, now, before.get(piece.id), old.get(piece.id + ".proposed"), ending)


def _settled(piece: Piece, old: dict[str, Piece], fresh: dict[str, Piece]) -> bool:
    """Say whether a proposed zone is written anew beside its zone, or taken over, and so leaves its place."""
    owner, now = old.get(piece.id.removesuffix(".proposed")), fresh.get(piece.id.removesuffix(".proposed"))
    if owner is None or now is None:
        return False
    if _agrees(owner, now):
        return not piece.edited
    return now.attributes.get("out") != owner.attributes.get("out")


def _agrees(piece: Piece, now: Piece) -> bool:
    """Say whether the new text may stand in a zone's place: nobody edited it, or they wrote the very same."""
    return not piece.edited or blocks.stamp(piece.body) == now.attributes.get("out")


def _merge_edited(piece: Piece, now: Piece, was: Piece | None, pending: Piece | None, ending: str) -> str:
    """Merge a zone that a person edited and that is generated otherwise now."""
    tried = _merge_tables(piece.body, now.body, was.body if was else None)
    body, proposed = tried or (piece.body, now.body.strip("\n"))
    # What was proposed for a table before still holds, unless the table says now what is generated.
    holds = pending and (pending.edited or (tried and blocks.stamp(body) != now.attributes["out"]))
    kept = pending.body if pending and holds else ""
    written = bool(pending and pending.edited)
    marked = piece.raw[: piece.raw.index(piece.body)] if piece.body else piece.raw.splitlines(keepends=True)[0]
    begin = re.sub(r"out=\S+", f"out={now.attributes['out']}", marked)
    end = piece.raw[len(marked) + len(piece.body) :]
    zone = _joined([begin + _with_ending(body, ending) + end, ""], ending)
    return zone + _proposed(piece.id, kept, proposed, ending, written=written)


def _proposed(name: str, kept: str, proposed: str, ending: str, *, written: bool) -> str:
    """Write the proposed zone of a zone: what stands there and still holds, then the lines that are not there yet.

    Where a person has `written` in it, its `out` is that of our lines alone, so that it stays known as edited.
    """
    had = blocks.lines(kept.strip("\r\n")) if kept.strip() else []
    lines = [line for line in blocks.lines(proposed) if line not in had or not line]
    body = "\n".join([*had, *lines]).strip("\n")
    zone = blocks.write(Block(name + ".proposed", body, "proposed")) if body else ""
    ours = blocks.stamp("\n".join(lines))
    return _with_ending(zone.replace(blocks.stamp(body), ours, 1) if written else zone, ending)


def _merge_tables(old: str, new: str, base: str | None) -> tuple[str, str] | None:
    """Merge two states of a table; None where one is not a table, or the columns are not the same."""
    ours, theirs = tables.parse(old), tables.parse(new)
    was = tables.parse(base) if base is not None else None
    if ours is None or theirs is None or ours.header != theirs.header or (was and was.header != ours.header):
        return None
    cited = [row for row in (*ours.rows, *theirs.rows) if row.id]
    if any(len(row.cells) != len(ours.header) for row in cited) or "<!--row:" in "".join(ours.after):
        return None
    around = was or ours
    if (around.before, around.after) != (theirs.before, theirs.after):
        return None
    rows, notes = _merge_rows(ours.rows, theirs.rows, {row.id: row for row in was.rows} if was else None, ours.header)
    text = "\n".join([*ours.before, *ours.head, *(row.raw for row in rows), *ours.after])
    return text + "\n", "\n".join(notes)


def _merge_rows(
    ours: Sequence[Row], theirs: Sequence[Row], was: dict[str, Row] | None, header: tuple[str, ...]
) -> tuple[list[Row], list[str]]:
    """Merge rows by id, in the new order; a person's own rows stay behind the row that they stood behind."""
    first = {row.id: row for row in reversed(ours) if row.id}
    new = {row.id: row for row in theirs}
    result: list[Row] = []
    notes: list[str] = []
    for row in theirs:
        if row.id not in first:
            if was is None or row.id not in was:
                result.append(row)
            continue
        merged = _merge_cells(first[row.id].cells, row.cells, was.get(row.id) if was is not None else None, header)
        same = merged.cells == first[row.id].cells
        result.append(first[row.id] if same else Row(row.id, merged.cells, tables.row_line(Row(row.id, merged.cells))))
        notes += [_note(merged.cells, column, text) for column, text in merged.lost]
    for at, row in enumerate(ours):
        if row is first.get(row.id) and row.id in new:
            continue
        dropped = was is not None and row is first.get(row.id) and row.id in was and was[row.id].cells == row.cells
        if not dropped:
            result.insert(_place(result, ours[:at]), row)
    return result, notes


def _place(result: Sequence[Row], before: Sequence[Row]) -> int:
    """Find the place behind the nearest row above that is still there."""
    for row in reversed(before):
        for at, other in enumerate(result):
            if other is row or (row.id and other.id == row.id):
                return at + 1
    return 0


def _merge_cells(ours: tuple[str, ...], theirs: tuple[str, ...], was: Row | None, header: tuple[str, ...]) -> _Cells:
    """Merge cell by cell: what only one side changed is taken; what both changed stays the person's."""
    before = was.cells if was and len(was.cells) == len(ours) else (None,) * len(ours)
    cells, lost = [], []
    for mine, new, old, column in zip(ours, theirs, before, header, strict=True):
        cells.append(new if mine == old else mine)
        if mine not in (old, new) and new != old and column not in tables.HUMAN_COLUMNS:
            lost.append((column, new))
    return _Cells(tuple(cells), tuple(lost))


def _note(cells: tuple[str, ...], column: str, text: str) -> str:
    row = " · ".join(cell for cell in cells[:3] if cell)
    return f"- {column} of the row “{row}”: {text}"


def _insert(merged: Sequence[tuple[str, str]], new_pieces: Sequence[Piece], *, known: set[str], ending: str) -> str:
    """Join the merged pieces, putting zones that are new behind the zone that they follow in the new report."""
    parts = list(merged)
    anchor, gap = "", ""
    for piece in new_pieces:
        if not piece.id:
            gap = piece.raw if piece.kind == "text" else ""
            continue
        if piece.id not in known:
            at = next((i for i, (name, _) in enumerate(parts) if name == anchor and anchor), len(parts) - 1)
            parts.insert(at + 1, (piece.id, _with_ending(gap + piece.raw, ending)))
        if any(name == piece.id for name, _ in parts):
            anchor = piece.id
        gap = ""
    return _joined([text for _, text in parts if text], ending)


def _joined(parts: Sequence[str], ending: str) -> str:
    """Join texts; one that lacks its last line end, as a file's last line may, gets it where more follows."""
    closed = [part if part.endswith(("\n", "\r")) else part + ending for part in parts[:-1]]
    return "".join([*closed, *parts[-1:]])


def _conflicts(text: str) -> list[str]:
    """List the proposed zones that stand in a report: each waits for a person."""
    return [
        f"{piece.id.removesuffix('.proposed')} (line {piece.line}): the text was edited and is generated otherwise now;"
        " take over what is right from the pir:proposed zone, then delete that zone"
        for piece in blocks.read(text)
        if piece.kind == "proposed"
    ]


def _with_ending(text: str, ending: str) -> str:
    return re.sub(r"\r\n|\r|\n", ending, text)

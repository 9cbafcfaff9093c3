"""Markdown's tokens as a Word document, through python-docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from pirtimeline.report import pictures

if TYPE_CHECKING:
    from markdown_it.token import Token

EPOCH = datetime(1980, 1, 1)
"""The date in the document's properties: the file is a function of the text, so it has none of its own."""


def write(tokens: Sequence[Token], out: IO[bytes]) -> None:
    """Write tokens of markdown-it as a .docx.

    Example:
        >>> import io
        >>> from pirtimeline.report.document import tokens
        >>> out = io.BytesIO()
        >>> write(tokens("# A"), out)
        >>> out.getvalue()[:2]
        b'PK'
    """
    import docx
    from docx.shared import Cm, Pt

    document = docx.Document()
    document.styles["Normal"].font.size = Pt(10)
    for section in document.sections:
        section.left_margin = section.right_margin = Cm(2)
    document.core_properties.created = document.core_properties.modified = EPOCH
    document.core_properties.author = "pirtimeline"
    stream = iter(tokens)
    for token in stream:
        _block(document, token, stream, lists=[])
    drawn = io.BytesIO()
    document.save(drawn)
    _undated(drawn, out)


def _undated(drawn: IO[bytes], out: IO[bytes]) -> None:
    """Copy a zip file with one date for all its members: the library takes the time of day."""
    with zipfile.ZipFile(drawn) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            member = zipfile.ZipInfo(name, EPOCH.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(member, source.read(name))


def _block(document: Any, token: Token, stream: Iterator[Token], lists: list[str]) -> None:
    """Write one block, taking what belongs to it from the stream."""
    if token.type == "heading_open":
        _inline(document.add_heading(level=min(int(token.tag[1]), 9)), next(stream))
    elif token.type in ("bullet_list_open", "ordered_list_open"):
        lists.append("List Bullet" if token.type.startswith("bullet") else "List Number")
        _until(document, token.type.replace("open", "close"), stream, lists)
        lists.pop()
    elif token.type == "paragraph_open":
        _inline(document.add_paragraph(style=lists[-1] if lists else None), next(stream))
    elif token.type == "blockquote_open":
        lists.append("Intense Quote")
        _until(document, "blockquote_close", stream, lists)
        lists.pop()
    elif token.type == "table_open":
        _table(document, stream)
    elif token.type in ("fence", "code_block"):
        _fence(document, token)


def _until(document: Any, end: str, stream: Iterator[Token], lists: list[str]) -> None:
    for token in stream:
        if token.type == end:
            return
        _block(document, token, stream, lists)


def _inline(paragraph: Any, token: Token) -> None:
    """Write the runs of a paragraph: bold, italic, code, citations small."""
    from docx.shared import Pt, RGBColor

    bold = italic = cited = 0
    for child in token.children or []:
        if child.type in ("strong_open", "strong_close"):
            bold += 1 if child.type.endswith("open") else -1
        elif child.type in ("em_open", "em_close"):
            italic += 1 if child.type.endswith("open") else -1
        elif child.type in ("link_open", "link_close"):
            cited += 1 if child.type.endswith("open") else -1
        elif child.type in ("softbreak", "hardbreak"):
            paragraph.add_run(" " if child.type == "softbreak" else "\n")
        elif child.content:
            run = paragraph.add_run(_writable(child.content))
            run.bold, run.italic = bool(bold) or None, bool(italic) or None
            if child.type == "code_inline":
                run.font.name = "Consolas"
            if cited:
                run.font.size, run.font.color.rgb = Pt(7), RGBColor(0x47, 0x54, 0x67)


def _table(document: Any, stream: Iterator[Token]) -> None:
    from docx.shared import Pt

    rows: list[list[Token]] = []
    for token in stream:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token)
    if not rows:
        return
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Light Grid Accent 1")
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, token in zip(row.cells, cells, strict=False):
            _inline(cell.paragraphs[0], token)
            for run in cell.paragraphs[0].runs:
                run.font.size = run.font.size or Pt(8)
    document.add_paragraph()


def _fence(document: Any, token: Token) -> None:
    """Write a fence line by line in a fixed font; a diagram of ours as a list."""
    from docx.shared import Pt

    if token.info.strip() == "mermaid" and (lines := _as_list(token.content)):
        for line in lines:
            document.add_paragraph(_writable(line), style="List Bullet")
        return
    run = document.add_paragraph().add_run(_writable(token.content.rstrip("\n")))
    run.font.name, run.font.size = "Consolas", Pt(7.5)


def _as_list(source: str) -> list[str]:
    if found := pictures.flow(source):
        return [f"{found.nodes[edge.origin]} → {found.nodes[edge.target]}: {edge.label}" for edge in found.edges]
    if told := pictures.mindmap(source):
        return [f"{branch.name}: {'; '.join(branch.items) or '—'}" for branch in told[1]]
    return []


def _writable(text: str) -> str:
    """Leave out what XML cannot hold; control characters were made visible before."""
    return "".join(sign for sign in text if sign in "\t\n" or (ord(sign) >= 0x20 and not 0xFFFE <= ord(sign) <= 0xFFFF))

"""The zones of a report: what the program writes stands between markers, what people write is theirs.

A generated zone looks like this. A `pir:human` zone is a prompt, written once, then a person's; a `pir:proposed` zone
holds what the program would write where a person has edited.

    <!-- pir:begin id=overview.times out=sha256:0a1b2c3d4e5f6071 -->
    ...
    <!-- pir:end id=overview.times -->

`out` is the first 16 hex digits of the SHA-256 of the text between the markers (line ends as LF, blanks at the ends of
lines and of the text left away), so that an edit is seen without the text it was made to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pirtimeline.errors import CaseError

KINDS = ("begin", "human", "proposed")
"""The zones that have an end."""

_MARKER = re.compile(r"[ \t]*<!--[ \t]*pir:(\S*)(.*?)-->[ \t]*")
_LOOKS_LIKE = re.compile(r"[ \t]*<!--[ \t]*pir:")
_ATTRIBUTE = re.compile(r"([a-z]+)=(\S+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One marked zone of a report: its kind (`begin`, `human`, `proposed`), id and the text between its markers."""

    id: str
    body: str
    kind: str = "begin"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a report's lines: `text` outside of markers, `report` (the head line), or a zone with its markers."""

    kind: str
    raw: str
    id: str = ""
    body: str = ""
    line: int = 0
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def edited(self) -> bool:
        """Say whether the text differs from what was generated."""
        return self.attributes.get("out") != stamp(self.body)


def stamp(body: str) -> str:
    """Name a text by its hash, as `out=` in a marker has it.

    Example:
        >>> stamp("a  \\r\\nb\\n") == stamp("a\\nb")
        True
        >>> stamp("")
        'sha256:e3b0c44298fc1c14'
    """
    text = "\n".join(line.rstrip() for line in lines(body))
    return "sha256:" + hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def lines(text: str) -> list[str]:
    """Split a text at CRLF, CR or LF, and at nothing else that Python takes for a line's end.

    Example:
        >>> lines("a\\r\\nb\\x0cc")
        ['a', 'b\\x0cc']
    """
    return re.split(r"\r\n|\r|\n", text)


def write(block: Block) -> str:
    """Write a zone with its markers, ending in a line end.

    Example:
        >>> print(write(Block("a.b", "text")), end="")
        <!-- pir:begin id=a.b out=sha256:982d9e3eb996f559 -->
        text
        <!-- pir:end id=a.b -->
    """
    body = block.body.strip("\n")
    return f"<!-- pir:{block.kind} id={block.id} out={stamp(body)} -->\n{body}\n<!-- pir:end id={block.id} -->\n"


def head(text: str) -> str:
    """Put the line that names the generated text by its hash in front of it.

    Example:
        >>> head("x").splitlines()[1]
        'x'
    """
    return f"<!-- pir:report base=sha256:{hashlib.sha256(text.encode()).hexdigest()} -->\n{text}"


def base_of(text: str) -> str:
    """Give the hash by which a report names the generated text that it was made from; empty where it has none.

    Example:
        >>> len(base_of(head("x"))), base_of("x")
        (64, '')
    """
    found = re.search(r"^[ \t]*<!--[ \t]*pir:report[^\n]*\bbase=sha256:([0-9a-f]{64})", text, re.MULTILINE)
    return found.group(1) if found else ""


def read(text: str, *, name: str = "report.md") -> list[Piece]:
    """Split a report into its pieces; the `raw` texts of all of them, joined, are the text.

    Raises:
        CaseError: where a marker is unknown, nested, has no end or no beginning, or an id stands twice.

    Example:
        >>> [(piece.kind, piece.id) for piece in read("a\\n" + write(Block("b", "x")) + "c")]
        [('text', ''), ('begin', 'b'), ('text', '')]
    """
    pieces = list(_pieces(text, name))
    seen: dict[str, int] = {}
    for piece in pieces:
        if piece.id and piece.id in seen:
            raise _broken(f"the zone {piece.id} stands twice, first on line {seen[piece.id]}", name, piece.line)
        seen[piece.id] = piece.line
    return pieces


def _pieces(text: str, name: str) -> Iterator[Piece]:
    outside: list[str] = []
    rest = iter(enumerate(_with_ends(text), start=1))
    for number, line in rest:
        marker = _marker(line, name, number)
        if marker is None:
            outside.append(line)
            continue
        if outside:
            yield Piece("text", "".join(outside))
            outside = []
        kind, attributes = marker
        yield (
            Piece(kind, line, attributes=attributes, line=number)
            if kind == "report"
            else _zone(kind, attributes, line, number, rest, name)
        )
    if outside:
        yield Piece("text", "".join(outside))


def _zone(
    kind: str, attributes: dict[str, str], first: str, at: int, rest: Iterator[tuple[int, str]], name: str
) -> Piece:
    """Read on to the end marker of a zone that begins on line `at`."""
    zone = attributes.get("id", "")
    if kind == "end" or not zone:
        what = f"an end without a beginning ({zone})" if kind == "end" else "a marker without an id"
        raise _broken(what, name, at)
    body: list[str] = []
    for number, line in rest:
        marker = _marker(line, name, number)
        if marker is None:
            body.append(line)
        elif marker[0] == "end" and marker[1].get("id") == zone:
            return Piece(kind, first + "".join(body) + line, zone, "".join(body), at, attributes)
        else:
            raise _broken(f"a marker inside the zone {zone}, which began on line {at}", name, number)
    raise _broken(f"the zone {zone} has no end", name, at)


def _marker(line: str, name: str, number: int) -> tuple[str, dict[str, str]] | None:
    if not _LOOKS_LIKE.match(line):
        return None
    found = _MARKER.fullmatch(line.rstrip("\r\n"))
    if not found or found.group(1) not in ("report", "end", *KINDS):
        raise _broken("a marker that this version does not know", name, number)
    return found.group(1), dict(_ATTRIBUTE.findall(found.group(2)))


def _with_ends(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)


def _broken(what: str, name: str, line: int) -> CaseError:
    return CaseError(
        what,
        at=f"{name}:{line}",
        hint="put the `<!-- pir:... -->` lines back as they were (a fresh copy: `pirtimeline report CASE -o FILE`)",
    )

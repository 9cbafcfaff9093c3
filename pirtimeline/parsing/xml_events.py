"""Events of kind `xml`: one element each, its attributes and children as dotted keys.

Windows events (`<Event>`, where `<Data Name="X">` is the key `Event.EventData.X`), log4j's and log4j2's XML layouts,
`java.util.logging`'s XMLFormatter (`<record>`), and any other element that holds its event's fields.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import polars as pl

from pirtimeline.parsing.extras import objects
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import TEXT

_PREFIX = re.compile(r"</?([A-Za-z_][\w.-]*):[A-Za-z_]")
_DECLARATION = re.compile(r"^<\?xml.*?\?>\s*", re.DOTALL)
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def looks_like(text: pl.Expr) -> pl.Expr:
    """Test whether a line may open an element of this kind.

    Example:
        >>> lines = ['<Event xmlns="x"><System/></Event>', '<?xml version="1.0"?>', "<34>Nov 23 08:00:00 h", "a < b"]
        >>> pl.DataFrame({"t": lines}).select(looks_like(pl.col("t"))).to_series().to_list()
        [True, True, False, False]
    """
    return text.str.contains(r"^[\x{FEFF}\s]*<(?:\?xml\b|!--|/?[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?(?:[\s/>]|$))")


def read(texts: pl.Series, one: Format) -> pl.DataFrame:
    """Read one element a text; see `json_lines.read` for the result.

    Example:
        >>> mine = Format(name="mine", title="", kind="xml")
        >>> text = '<record><millis>1700758468384</millis><level>SEVERE</level><message>a &lt; b</message></record>'
        >>> read(pl.Series([text]), mine).row(0)
        ('1700758468384', 'SEVERE', 'a < b', 'epoch_ms', None, None)
    """
    rows: list[int] = []
    keys: list[int] = []
    values: list[str] = []
    places: dict[str, int] = {}
    reasons: list[str | None] = []
    for row, text in enumerate(texts.to_list()):
        root, reason = element(text)
        reasons.append(reason)
        for name, value in leaves(root) if root is not None else ():
            rows.append(row)
            keys.append(places.setdefault(name, len(places)))
            values.append(value)
    pairs = pl.DataFrame({"row": rows, "key": keys, "value": values}, schema=_PAIRS).with_columns(
        form=pl.lit(TEXT, pl.UInt8)
    )
    columns, used = assign(pairs, [*places], len(texts), one)
    return columns.with_columns(
        objects(pairs, [*places], ~used, len(texts)), pl.Series("_reject", reasons, dtype=pl.String)
    )


_PAIRS = {"row": pl.Int64, "key": pl.Int64, "value": pl.String}


def element(text: str) -> tuple[ET.Element | None, str | None]:
    """Parse a text that is one element; else say why it is none.

    Prefixes that the text does not declare are no fault, nor are control characters that XML forbids. A document type
    is refused: entities that it could declare can grow without bounds.

    Example:
        >>> element("<a:b>x</a:b>")[0].text, element("<a>")[1]
        ('x', 'not an XML element: mismatched tag at byte 3')
    """
    text = _UNSAFE.sub("\ufffd", text.strip(" \t\r\n\ufeff\x00"))
    text = _DECLARATION.sub("", text)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None, "not an XML element: it has a document type, which is not read"
    prefixes = "".join(f' xmlns:{prefix}="{prefix}"' for prefix in sorted({*_PREFIX.findall(text)} - {"xml", "xmlns"}))
    try:
        within = ET.fromstring(f"<events{prefixes}>\n{text}</events>")
    except ET.ParseError as error:
        return None, f"not an XML element: {str(error).split(':')[0]} at byte {_byte(text, *error.position)}"
    alone = len(within) == 1 and not (within.text or "").strip() and not (within[0].tail or "").strip()
    return (within[0], None) if alone else (None, "not an XML element, but text or several")


def _byte(text: str, line: int, column: int) -> int:
    """Count the bytes before a place; the first line is ours."""
    above = text.encode().split(b"\n")[: line - 2]
    return min(sum(map(len, above)) + len(above) + column, len(text.encode()))


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def leaves(root: ET.Element) -> Iterator[tuple[str, str]]:
    """Give the dotted keys of an element with their texts; a key that comes again is numbered.

    Example:
        >>> event = ET.fromstring('<e id="1"><Data Name="user">ann</Data><Data>x</Data><Data>y</Data></e>')
        >>> list(leaves(event))
        [('e.id', '1'), ('e.user', 'ann'), ('e.Data', 'x'), ('e.Data 2', 'y')]
    """
    seen: dict[str, int] = {}
    for key, value in _leaves(root, _name(root.tag)):
        seen[key] = seen.get(key, 0) + 1
        yield (key if seen[key] == 1 else f"{key} {seen[key]}"), value


def _leaves(one: ET.Element, path: str) -> Iterator[tuple[str, str]]:
    text = (one.text or "").strip()
    if text:
        yield path, text
    for name, value in one.attrib.items():
        yield f"{path}.{_name(name)}", value
    for child in one:
        name = _name(child.tag)
        named = child.attrib.get("Name", child.attrib.get("name"))
        if named and not len(child) and len(child.attrib) == 1 and name.lower() in ("data", "property", "param"):
            yield f"{path}.{named}", (child.text or child.attrib.get("value", "")).strip()
        elif name == "exception" and child.find("{*}frame") is not None:
            yield f"{path}.exception.stack_trace", _trace(child)
        else:
            yield from _leaves(child, f"{path}.{name}")


def _trace(exception: ET.Element) -> str:
    """Write the frames of `java.util.logging`'s XMLFormatter as the JDK prints a stack trace."""
    frames = [
        f"\tat {frame.findtext('{*}class', '')}.{frame.findtext('{*}method', '')}({frame.findtext('{*}line', '')})"
        for frame in exception.findall("{*}frame")
    ]
    return "\n".join([(exception.findtext("{*}message") or "").strip(), *frames])

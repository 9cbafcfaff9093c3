"""Bytes of a whole source to events where lines do not tell them: JSON documents, quoted CSV, XML.

Each function partitions the bytes: every event owns what separates it from the next (commas, blanks, line ends), and
what stands outside of events (brackets of an array, an XML declaration, a root element) is structure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


class Elements(NamedTuple):
    """A partition of a source's bytes: `offsets` and `lengths` in order, and which of them are `structure`."""

    offsets: Ints
    lengths: Ints
    structure: Flags


class Run(NamedTuple):
    """What a scan of JSON knows at a place: how deep in brackets, whether in a string, whether behind a backslash."""

    depth: int = 0
    string: bool = False
    escaped: bool = False


_WINDOW = 4 << 20
"""Bytes that are scanned at a time: scratch memory stays at some ten times this, whatever the size of a source."""


def json_elements(data: bytes | memoryview, *, depth: int | None = None, window: int = _WINDOW) -> Elements:
    r"""Find the objects of JSON documents: elements of an array, or objects one after the other, on any lines.

    Args:
        data: a source, UTF-8.
        depth: how many brackets are open where an element begins: 0 for objects one after the other, 1 for those of an
            array, 2 for `{"Records": [...]}`; None finds it by `element_depth`.
        window: bytes to scan at a time; it changes nothing but memory.

    Returns:
        A partition. Objects that are no element's are part of structure; text between elements, other than blanks,
        commas and brackets, is an event of its own (a reject, when it is read).

    Example:
        >>> found = json_elements(b'[{"a": 1},\n {"b": "]"}]\n')
        >>> found.offsets.tolist(), found.lengths.tolist(), found.structure.tolist()
        ([0, 1, 12, 22], [1, 11, 10, 2], [True, False, False, True])
    """
    array = np.frombuffer(data, np.uint8)
    depth = element_depth(bytes(data[:65536])) if depth is None else depth
    starts, ends = _objects(array, depth, window)
    return partition(array, starts, ends, _brackets_at(depth))


def element_depth(head: bytes) -> int:
    """Tell from a document's first bytes how many brackets are open where its elements begin.

    An object whose first list of objects opens before any scalar but a few is taken for their wrapper.

    Example:
        >>> [element_depth(head) for head in (b'{"a": 1}', b' [{"a": 1}]', b'{"Records": [{"a": 1}, {"a": 2}]}')]
        [0, 1, 2]
    """
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n\x1e")
    opening = re.match(r"[\[\s]*", text)
    arrays = opening.group().count("[") if opening else 0
    if arrays:
        return arrays
    wrapper = re.match(_WRAPPER + r"\{", text)
    if not wrapper:
        return 0
    return 3 if wrapper["nested"] else 2


def is_document(line: str) -> bool:
    """Tell whether a source that begins with this line is one document: an array, or an object with a list of objects.

    Example:
        >>> [is_document(line) for line in ('{"Records":[', '[{"a":1},', '{"a":1}', '{"page":{},"items":[{"a":1}]}')]
        [True, True, False, True]
    """
    text = line.lstrip("\ufeff \t\r\n\x1e")
    return re.match(rf"\[\s*(?:\{{|$)|{_WRAPPER}(?:\{{|$)", text) is not None


_STRING = r'"(?:[^"\\]|\\.)*"'
_SCALAR = rf'{_STRING}\s*:\s*(?:{_STRING}|[^\s"\[\]{{}},]+|\{{[^\[\]{{}}]*\}}|\[\s*\])'
_LISTS = (
    "Records|records|events|Events|logEvents|value|values|items|entries|logs|data|results|rows|hits|incidents"
    "|log_entries|alerts|messages"
)
_WRAPPER = (
    rf'\{{\s*(?:{_SCALAR}\s*,\s*){{0,8}}"(?:{_LISTS})"\s*:\s*'
    rf'(?P<nested>\{{\s*(?:{_SCALAR}\s*,\s*){{0,4}}"hits"\s*:\s*)?\[\s*'
)


def _objects(data: Bytes, depth: int, size: int) -> tuple[Ints, Ints]:
    """Find where objects begin that open at a depth, and where they end."""
    starts, ends, run = [], [], Run()
    for at in range(0, len(data), size):
        window = data[at : at + size]
        brackets, after, run = _brackets(window, run)
        kind = window[brackets]
        starts.append(brackets[(kind == 0x7B) & (after == depth + 1)] + at)
        ends.append(brackets[(kind == 0x7D) & (after == depth)] + at + 1)
    first = np.concatenate(starts) if starts else np.zeros(0, np.int64)
    last = np.concatenate(ends) if ends else np.zeros(0, np.int64)
    return _paired(first, last)


def _paired(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Keep starts that have an end before the next start; the last object of a cut document has none."""
    at = np.searchsorted(ends, starts, "right")
    following = np.append(starts[1:], np.iinfo(np.int64).max)
    found = at < len(ends)
    found[found] = ends[at[found]] <= following[found]
    return starts[found], ends[at[found]]


def _brackets(window: Bytes, run: Run) -> tuple[Ints, Ints, Run]:
    """Find brackets outside strings, the depth after each, and what the next window has to know."""
    quote = window == 34
    slashes = np.flatnonzero(window == 92)
    escaped = False
    if slashes.size or run.escaped:
        taken = _escaped(slashes, run.escaped)
        quote[taken[taken < len(window)]] = False
        escaped = bool(taken.size and taken[-1] == len(window))
    marks = np.flatnonzero(quote)
    folded = window & 0xDF
    found = np.flatnonzero((folded == 0x5B) | (folded == 0x5D))
    found = found[np.searchsorted(marks, found) % 2 == int(run.string)]
    depth = run.depth + np.cumsum(np.where(window[found] & 2, 1, -1))
    last = int(depth[-1]) if depth.size else run.depth
    return found, depth, Run(last, bool((len(marks) + run.string) % 2), escaped)


def _escaped(slashes: Ints, before: bool) -> Ints:
    """Find the places that stand behind an odd run of backslashes; `before`: the first byte does."""
    if before:
        slashes = np.concatenate(([-1], slashes))
    first = np.flatnonzero(np.diff(slashes, prepend=-3) != 1)
    length = np.diff(first, append=slashes.size)
    behind: Ints = (slashes[first] + length)[length % 2 == 1]
    return behind


_SEPARATORS = b" \t\r\n,\x1e\x00\xef\xbb\xbf"
_SEPARATES = np.zeros(256, np.bool_)
_SEPARATES[list(_SEPARATORS)] = True
_LEAD = re.compile(rb"[ \t,\x1e\x00]*(?:\r?\n[\s,\x1e\x00]*)?")


def partition(data: Bytes, starts: Ints, ends: Ints, is_structure: Callable[[bytes], bool]) -> Elements:
    """Give each event what separates it from the next, and make a row of any other text between events.

    Args:
        data: the source.
        starts: where events begin, in order.
        ends: where they end.
        is_structure: tells what between events says nothing; any other text there is an event of its own.
    """
    gap_starts, gap_ends = np.append(0, ends), np.append(starts, len(data))
    plain = _all_separate(data, gap_starts, gap_ends)
    reach = gap_ends.copy()
    rows = []
    for place in np.flatnonzero(~plain).tolist():
        begin, end = int(gap_starts[place]), int(gap_ends[place])
        gap = data[begin:end].tobytes()
        lead = _LEAD.match(gap)
        reach[place] = begin + (lead.end() if lead and place else 0)
        rows.append((int(reach[place]), end, is_structure(gap)))
    if not len(starts) and len(data) and plain[0]:
        rows.append((0, len(data), True))
    first = starts.copy()
    first[:1] = 0 if plain[0] else starts[:1]
    return _ordered(first, reach[1:], rows)


def _ordered(starts: Ints, ends: Ints, rows: list[tuple[int, int, bool]]) -> Elements:
    between = np.array(rows, np.int64).reshape(-1, 3)
    offsets = np.concatenate([starts, between[:, 0]])
    lengths = np.concatenate([ends, between[:, 1]]) - offsets
    structure = np.concatenate([np.zeros(len(starts), np.bool_), between[:, 2].astype(np.bool_)])
    order = np.argsort(offsets, kind="stable")
    return Elements(offsets[order], lengths[order], structure[order])


def _brackets_at(depth: int) -> Callable[[bytes], bool]:
    """Tell structure from text: brackets where elements stand in a list, anything where they stand in an object's."""
    if depth > 1:
        return lambda gap: True
    return lambda gap: depth > 0 and not gap.strip(_SEPARATORS + b"[]{}")


def _tags(gap: bytes) -> bool:
    """Tell whether there is nothing but tags, comments and declarations."""
    return not re.sub(rb"<!--.*?-->|<[^<>]*>", b"", gap, flags=re.DOTALL).strip(_SEPARATORS)


def _all_separate(data: Bytes, starts: Ints, ends: Ints) -> Flags:
    """Tell which ranges hold nothing but separators."""
    lengths = ends - starts
    filled = np.flatnonzero(lengths)
    plain = np.ones(len(starts), np.bool_)
    if filled.size:
        sizes = lengths[filled]
        begins = np.cumsum(sizes) - sizes
        places = np.repeat(starts[filled] - begins, sizes) + np.arange(int(sizes.sum()))
        plain[filled] = np.logical_and.reduceat(_SEPARATES[data[places]], begins)
    return plain


def csv_elements(data: bytes | memoryview, *, header: bool = True) -> Elements:
    r"""Find the records of CSV whose quoted cells may hold line ends.

    A quote that is never closed does not swallow the file: a record that would have more than 1,000 lines, or more than
    1 MiB, ends with its first line.

    Example:
        >>> found = csv_elements(b'a,b\n1,"x\ny"\n2,z\n')
        >>> found.offsets.tolist(), found.structure.tolist()
        ([0, 4, 12], [True, False, False])
    """
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == 10) + 1
    ends = ends if ends.size and ends[-1] == len(array) else np.append(ends, len(array))
    starts = np.append(0, ends[:-1]) if len(array) else np.zeros(0, np.int64)
    opening = _opening_quotes(array, starts)
    keep = np.ones(len(starts), np.bool_)
    for first, last in _multi_line(opening, starts):
        keep[first + 1 : last + 1] = False
    starts = starts[keep]
    lengths = np.diff(starts, append=len(array))
    structure = np.zeros(len(starts), np.bool_)
    structure[:1] = header
    return Elements(starts, lengths, structure)


def _opening_quotes(data: Bytes, starts: Ints) -> Ints:
    """Find the lines with an odd number of quotes: each opens or closes a cell of several lines."""
    quotes = np.flatnonzero(data == 34)
    if not quotes.size:
        return quotes
    lines = np.searchsorted(starts, quotes, "right") - 1
    return np.flatnonzero(np.bincount(lines, minlength=len(starts)) % 2)


def _multi_line(odd: Ints, starts: Ints) -> Iterator[tuple[int, int]]:
    """Pair lines that open and close a cell; one whose cell would be too large stands alone."""
    opened = -1
    for line in odd.tolist():
        if opened >= 0 and (line - opened > 1000 or starts[line] - starts[opened] > 1 << 20):
            opened = line
        elif opened >= 0:
            yield opened, line
            opened = -1
        else:
            opened = line


_ELEMENT = re.compile(rb"<([A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)[\s/>]")
_NOT_EVENTS = (b"events", b"log", b"logs", b"entries", b"records", b"root", b"log4j:eventset", b"eventset")


def xml_elements(data: bytes | memoryview, *, name: str = "") -> Elements:
    """Find the elements of a name, on one line or many, or several on one line.

    Args:
        data: a source, UTF-8.
        name: as the text writes it, with its prefix; empty takes the first element that is no mere container.

    Example:
        >>> found = xml_elements(b'<Events><Event a="1"><x/></Event><Event a="2"/></Events>')
        >>> found.offsets.tolist(), found.structure.tolist()
        ([0, 8, 33, 47], [True, False, False, True])
    """
    wanted = name.encode() or event_name(bytes(data[:65536])).encode()
    array = np.frombuffer(data, np.uint8)
    if not wanted:
        return partition(array, np.zeros(0, np.int64), np.zeros(0, np.int64), _tags)
    starts, ends = _xml_places(data, re.escape(wanted))
    return partition(array, np.array(starts, np.int64), np.array(ends, np.int64), _tags)


def _xml_places(data: bytes | memoryview, tag: bytes) -> tuple[list[int], list[int]]:
    """Find where elements of a name begin and end; one that never ends is none."""
    opening = rb"<" + tag + rb"(?=[\s/>])(?:[^>\"']|\"[^\"]*\"|'[^']*')*>"
    pieces = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|" + opening + rb"|</" + tag + rb"\s*>", re.DOTALL)
    starts: list[int] = []
    ends: list[int] = []
    for piece in pieces.finditer(data):
        text = piece.group()
        opened = len(starts) > len(ends)
        if text.startswith(b"<!"):
            continue
        if text.startswith(b"</"):
            ends += [piece.end()] if opened else []
            continue
        starts[len(ends) :] = [piece.start()]
        ends += [piece.end()] if text.endswith(b"/>") else []
    return starts[: len(ends)], ends


def event_name(head: bytes) -> str:
    """Find the name of the elements that are events: the first that is no mere container.

    Example:
        >>> event_name(b'<?xml version="1.0"?><log><record><level>INFO</level></record></log>')
        'record'
    """
    names = [found.group(1) for found in _ELEMENT.finditer(head)]
    return next((one.decode() for one in names if one.lower() not in _NOT_EVENTS), "")

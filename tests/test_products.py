"""Lines of some two hundred products as their documentation shows them: each event framed, dated and levelled.

`products/*.txt`: `## product` begins a file, `## product @ file` one whose name matters, `» INSTANT LEVEL` an event
whose lines follow. One without an offset is of the declared zone, UTC-5; `-` stands for none, `?` for a level that is
not looked at. Besides, lines may be `structure`, a `reject`, or go on with the event above as a row of their own
(`continues`); `tail` is not looked at.
`␛` stands for an escape.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from pirtimeline.case import Case
from pirtimeline.ingest import ingest
from pirtimeline.schema import STRUCTURE, UNRECOGNISED
from pirtimeline.settings import Settings

HERE = timezone(timedelta(hours=-5))
MADE_BY_MARKS = ("structure", "reject", "continues", "tail")


class Expected(NamedTuple):
    """What stands at a place of a file: the words behind the mark, the first byte, the bytes."""

    told: tuple[str, ...]
    at: int
    text: bytes


def _products() -> dict[str, tuple[str, list[Expected]]]:
    found: dict[str, tuple[str, list[Expected]]] = {}
    for path in sorted((Path(__file__).parent / "products").glob("*.txt")):
        for part in re.split(r"(?m)^## ", path.read_text(encoding="utf-8"))[1:]:
            head, _, body = part.partition("\n")
            title, _, file = head.partition(" @ ")
            name = re.sub(r"\W+", "_", title)
            found[name] = file or f"{name}.log", _expected(body)
    return found


def _expected(body: str) -> list[Expected]:
    found, at = [], 0
    for piece in re.split(r"(?m)^» ", body)[1:]:
        told, _, text = piece.partition("\n")
        data = text.replace("␛", "\x1b").encode()
        found.append(Expected(tuple(told.split(" ")), at, data))
        at += len(data)
    return found


FILES = _products()
PRODUCTS = {name: events for name, (_, events) in FILES.items()}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Ingest all products in one go, and give each product's rows in order."""
    folder = tmp_path_factory.mktemp("products")
    for name, (file, events) in FILES.items():
        (folder / "logs" / name).mkdir(parents=True)
        (folder / "logs" / name / file).write_bytes(b"".join(event.text for event in events))
    settings = Settings(
        evidence=(str(folder / "logs"),), zones=(("*", "-05:00"),), collected_at=datetime(2024, 12, 31, tzinfo=UTC)
    )
    ingest(folder / "case", settings)
    case = Case(folder / "case")
    names = {one["source_id"]: Path(one["paths"][0]).parent.name for one in case.sources}
    table = case.rows().select(
        "source_id", "byte_offset", "byte_length", "timestamp", "severity", "parser", "continues"
    )
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in PRODUCTS}
    for row in table.sort("source_id", "byte_offset").collect().iter_rows(named=True):
        found[names[row["source_id"]]].append(row)
    return found


@pytest.mark.parametrize("name", PRODUCTS)
def test_events_of_a_product_are_framed_dated_and_levelled(name: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    data = b"".join(event.text for event in PRODUCTS[name])
    faults = [fault for event in PRODUCTS[name] for fault in _faults(event, rows[name], data)]
    assert faults == []


@pytest.mark.parametrize("name", PRODUCTS)
def test_no_byte_of_a_product_is_lost(name: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    assert sum(row["byte_length"] for row in rows[name]) == sum(len(event.text) for event in PRODUCTS[name])


def _bare(data: bytes) -> bytes:
    """Leave out what may stand around an element of a document: it belongs to the event before or after."""
    return data.strip(b" \t\r\n,")


def _faults(event: Expected, rows: list[dict[str, Any]], data: bytes) -> list[str]:
    inside = [row for row in rows if event.at <= row["byte_offset"] < event.at + len(event.text)]
    first = next((row for row in inside if _bare(_text(row, data)) == _bare(event.text)), None)
    shown = event.text[:80].decode()
    if event.told[0] in MADE_BY_MARKS:
        return [] if _is_marked(event.told[0], inside) else [f"no {event.told[0]}: {shown}"]
    if first is None:
        return [f"not one event, but {[_text(row, data)[:40] for row in inside]}: {shown}"]
    instant, level = event.told
    told = [f"{first['timestamp']} instead of {instant}: {shown}"] * (not _same_instant(instant, first["timestamp"]))
    told += [f"{first['severity']} instead of {level}: {shown}"] * (level not in ("?", str(first["severity"] or "-")))
    return told + [f"a reject: {shown}"] * (first["parser"] == UNRECOGNISED)


def _text(row: dict[str, Any], data: bytes) -> bytes:
    return data[row["byte_offset"] : row["byte_offset"] + row["byte_length"]]


def _is_marked(mark: str, inside: list[dict[str, Any]]) -> bool:
    if mark == "continues":
        return bool(inside) and all(row["continues"] for row in inside)
    wanted = {"structure": STRUCTURE, "reject": UNRECOGNISED}.get(mark)
    return wanted is None or (bool(inside) and all(row["parser"] == wanted for row in inside))


def _same_instant(text: str, got: datetime | None) -> bool:
    if text == "-" or got is None:
        return (text == "-") == (got is None)
    wanted = datetime.fromisoformat(text)
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=HERE)
    return abs(got - wanted) < timedelta(milliseconds=1)


def test_the_table_is_read_as_it_is_meant() -> None:
    assert len(PRODUCTS) > 150
    assert _expected("» 2024-01-01T00:00:00 INFO\na\nb\n» - -\nc\n")[1] == Expected(("-", "-"), 4, b"c\n")
    assert pl.Series([len(event.told) for events in PRODUCTS.values() for event in events]).is_in([1, 2]).all()

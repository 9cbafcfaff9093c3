"""Events that a report cites: where they stand, what they say, and the lines around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from pirtimeline.errors import PirTimelineError
from pirtimeline.masking import mask

LONGEST = 4_000
"""So many characters of one event are quoted; the rest is counted."""

REACH = 65_536
"""Neighbours of an event are looked for so many bytes before and after it."""

_CITATION = re.compile(r"\[ev:([0-9a-f]{12}:\d+)\]")
_COLUMNS = (
    "source_id",
    "byte_offset",
    "byte_length",
    "line",
    "line_count",
    "timestamp",
    "not_before",
    "not_after",
    "timestamp_text",
    "resolution_us",
    "time_basis",
    "host_name",
    "service_name",
    "severity_text",
    "message",
    "stack_trace",
    "parser",
)


@dataclass(frozen=True, slots=True)
class Cited:
    """One event as a report quotes it; `text` is masked, and `whole` says whether it is the bytes or the columns."""

    event_id: str
    path: str
    line: int | None
    byte_offset: int
    byte_length: int
    timestamp: datetime | None
    not_before: datetime | None
    not_after: datetime | None
    timestamp_text: str | None
    resolution_us: int | None
    time_basis: str
    host_name: str | None
    parser: str
    text: str
    from_bytes: bool

    @property
    def anchor(self) -> str:
        """Name it in the page: `ev-0a1b2c3d4e5f-17`."""
        return "ev-" + self.event_id.replace(":", "-")

    @property
    def place(self) -> str:
        """Say where it stands, in words: path and line, or path and byte."""
        return f"{self.path}, line {self.line}" if self.line else f"{self.path}, byte {self.byte_offset}"


def found_in(text: str) -> list[str]:
    """List the events that a Markdown text cites, each once, in their order.

    Example:
        >>> found_in("a [ev:0a1b2c3d4e5f:17] b [ev:0a1b2c3d4e5f:17]")
        ['0a1b2c3d4e5f:17']
    """
    return list(dict.fromkeys(_CITATION.findall(text)))


def cite(event_ids: Iterable[str] | None, *, at_most: int = 3) -> str:
    """Write citations as Markdown; of many the first ones, and how many more there are.

    Example:
        >>> cite(["0a1b2c3d4e5f:17", "0a1b2c3d4e5f:99"], at_most=1)
        '[ev:0a1b2c3d4e5f:17] (+1)'
    """
    ids = list(dict.fromkeys(event_ids or ()))
    more = f" (+{len(ids) - at_most})" if len(ids) > at_most else ""
    return " ".join(f"[ev:{name}]" for name in ids[:at_most]) + more


def look_up(
    event_ids: Iterable[str],
    *,
    events: pl.LazyFrame,
    sources: Sequence[Mapping[str, Any]],
    raw: Callable[[Sequence[str]], Mapping[str, bytes]] = lambda _: {},
) -> dict[str, Cited]:
    """Find events by their ids, with their bytes where `raw` gives them; unknown ids are left out.

    Example:
        >>> look_up([], events=pl.LazyFrame(), sources=[])
        {}
    """
    ids = sorted(set(event_ids))
    if not ids:
        return {}
    rows = _rows(events, ids)
    found = _raw(raw, [str(row["event_id"]) for row in rows])
    paths = {str(source["source_id"]): str((source.get("paths") or ["?"])[0]) for source in sources}
    encodings = {str(source["source_id"]): str(source.get("encoding") or "utf-8") for source in sources}
    return {
        str(row["event_id"]): _cited(
            row, found.get(str(row["event_id"])), paths, encodings.get(row["source_id"], "utf-8")
        )
        for row in rows
    }


def around(events: pl.LazyFrame, event_ids: Iterable[str], *, lines: int = 2) -> dict[str, tuple[list[str], list[str]]]:
    """Give for each event the ids of the events before and after it in its source, at most `lines` on either side.

    Example:
        >>> events = pl.LazyFrame({"source_id": ["s"] * 3, "byte_offset": [0, 5, 9]})
        >>> around(events, ["s:5"])
        {'s:5': (['s:0'], ['s:9'])}
    """
    wanted = _places(event_ids)
    if wanted.is_empty():
        return {}
    offset = pl.col("byte_offset").cast(pl.Int64)
    near = [
        (pl.col("source_id") == source) & offset.is_between(at - REACH, at + REACH) for source, at in wanted.iter_rows()
    ]
    rows = (
        events.filter(pl.col("source_id").is_in(wanted["source_id"].unique().to_list()) & pl.any_horizontal(near))
        .select("source_id", offset)
        .unique()
        .sort("source_id", "byte_offset")
        .collect()
    )
    offsets = {
        str(name): group["byte_offset"] for (name,), group in rows.partition_by("source_id", as_dict=True).items()
    }
    return {f"{source}:{at}": _beside(offsets, source, at, lines) for source, at in wanted.iter_rows()}


def _beside(offsets: Mapping[str, pl.Series], source: str, at: int, lines: int) -> tuple[list[str], list[str]]:
    series = offsets.get(source)
    if series is None:
        return [], []
    before, after = series.filter(series < at).tail(lines), series.filter(series > at).head(lines)
    return [f"{source}:{o}" for o in before], [f"{source}:{o}" for o in after]


def _places(event_ids: Iterable[str]) -> pl.DataFrame:
    parts = [name.rsplit(":", 1) for name in dict.fromkeys(event_ids)]
    columns = {"source_id": [source for source, _ in parts], "byte_offset": [int(at) for _, at in parts]}
    return pl.DataFrame(columns, schema={"source_id": pl.String, "byte_offset": pl.Int64})


def _rows(events: pl.LazyFrame, ids: Sequence[str]) -> list[dict[str, Any]]:
    wanted = _places(ids)
    found = (
        events.filter(pl.col("source_id").is_in(wanted["source_id"].unique().to_list()))
        .with_columns(pl.col("byte_offset").cast(pl.Int64))
        .join(wanted.lazy(), on=["source_id", "byte_offset"], how="semi")
        .select(*_COLUMNS, pl.format("{}:{}", "source_id", "byte_offset").alias("event_id"))
        .sort("source_id", "byte_offset", "parser")
        .unique("event_id", keep="first", maintain_order=True)
        .collect()
    )
    return found.to_dicts()


def _raw(raw: Callable[[Sequence[str]], Mapping[str, bytes]], ids: Sequence[str]) -> Mapping[str, bytes]:
    """Read bytes; evidence that was moved away is no reason for having no report."""
    try:
        return raw(ids)
    except (PirTimelineError, OSError):
        return {}


def _cited(row: Mapping[str, Any], raw: bytes | None, paths: Mapping[str, str], encoding: str) -> Cited:
    columns = "\n".join(str(row[name]) for name in ("message", "stack_trace") if row[name])
    text = _decode(raw, encoding) if raw is not None else columns
    return Cited(
        event_id=row["event_id"],
        path=mask(paths.get(row["source_id"], row["source_id"])),
        line=row["line"],
        byte_offset=row["byte_offset"],
        byte_length=row["byte_length"],
        timestamp=row["timestamp"],
        not_before=row["not_before"],
        not_after=row["not_after"],
        timestamp_text=row["timestamp_text"] and mask(row["timestamp_text"]),
        resolution_us=row["resolution_us"],
        time_basis=str(row["time_basis"]),
        host_name=row["host_name"] and mask(row["host_name"]),
        parser=row["parser"],
        text=_bounded(mask(text.rstrip("\r\n"))),
        from_bytes=raw is not None,
    )


def _decode(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _bounded(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters"

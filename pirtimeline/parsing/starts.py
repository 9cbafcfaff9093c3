"""When a program started whose log counts seconds from its start: JVMs' GC logs up to JDK 8, kernels.

A start is known where a dated line tells its uptime as well, where a file's name holds the instant of its JVM's start
(`-Xloggc:gc-%t.log`), or where uptimes stand between dated lines so closely that one start alone fits all of them.
Without one such times stay undated, between their neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

UPTIME_SAID = r"\((?:JVM|process) running for (\d+(?:\.\d+)?)\)"
"""How Spring Boot says it: <https://docs.spring.io/spring-boot/reference/features/spring-application.html>."""

_SECOND = 1_000_000
_NEAR = 2 * _SECOND
_FITS = _SECOND
_EPOCH = datetime(1970, 1, 1)
_NAMED = re.compile(r"(?<!\d)((?:19|20)\d\d-[01]\d-[0-3]\d)[_T]([0-2]\d)[-_.:]?([0-5]\d)[-_.:]?([0-5]\d)(?!\d)")


@dataclass(frozen=True, slots=True)
class Start:
    """When a source's program started: UTC where its texts tell it, else local time without a zone; and why."""

    at: datetime
    because: Mapping[str, object]


def starts(paths: Mapping[str, str], events: pl.DataFrame) -> dict[str, Start]:
    """Find the starts of the sources whose events count from one.

    Args:
        paths: source id -> path.
        events: samples of their events in order: `source_id`, `byte_offset`, `local`, `offset_s`, `lacks`, and
            `uptime_us`, the uptime that a dated event tells.

    Returns:
        source id -> start, for those of which one is known.
    """
    needy = events.filter(pl.col("lacks") == "start")["source_id"].unique(maintain_order=True)
    if not len(needy):
        return {}
    rows = events.filter(pl.col("local").is_not_null()).with_columns(
        at=pl.col("local").dt.epoch("us") - pl.col("offset_s").fill_null(0).cast(pl.Int64) * _SECOND,
        zoned=pl.col("offset_s").is_not_null(),
        full=pl.col("lacks").is_null(),
    )
    told = rows.filter(pl.col("full") & pl.col("uptime_us").is_not_null())
    found = {key: next(_tries(key, paths, rows, told), None) for key in needy}
    return {key: start for key, start in found.items() if start is not None}


def _tries(key: str, paths: Mapping[str, str], rows: pl.DataFrame, told: pl.DataFrame) -> Iterator[Start]:
    """List what is known of a source's start, the surest first."""
    mine = rows.filter(pl.col("source_id") == key)
    own = told.filter(pl.col("source_id") == key)
    yield from _told(own, "its own lines tell date and uptime")
    yield from _named(paths[key])
    yield from _between(mine)
    folder = paths[key].rpartition("/")[0]
    beside = [one for one in told["source_id"].unique(maintain_order=True) if paths[one].rpartition("/")[0] == folder]
    others = told.filter(pl.col("source_id").is_in(beside))
    yield from _told(others, "another log of its folder tells when its JVM started")


def _told(told: pl.DataFrame, text: str) -> Iterator[Start]:
    """Take the start that dated lines with an uptime agree on, if they do."""
    if not told.height or told["zoned"].n_unique() > 1:
        return
    found = told.select("source_id", "byte_offset", "zoned", at=pl.col("at") - pl.col("uptime_us"))
    low, high = found["at"].min(), found["at"].max()
    if isinstance(low, int) and isinstance(high, int) and high - low <= _NEAR:
        ids = [f"{key}:{offset}" for key, offset in found.head(3).select("source_id", "byte_offset").iter_rows()]
        yield _start(sorted(found["at"])[found.height // 2], bool(found["zoned"][0]), text, ids)


def _named(path: str) -> Iterator[Start]:
    """Take the instant in a GC log's name, which the JVM writes there at its start."""
    found = _NAMED.search(path.rpartition("/")[2])
    if found and "gc" in path.rpartition("/")[2].lower():
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}:{found[3]}:{found[4]}")
        yield Start(at, _because(at, "the file's name tells when its JVM started", []))


def _between(mine: pl.DataFrame) -> Iterator[Start]:
    """Find the one start that puts all uptimes between the dated lines around them."""
    dated = mine.filter("full")
    if dated["zoned"].n_unique() != 1 or not (~mine["full"]).any():
        return
    at = pl.when("full").then("at")
    around = mine.select("full", "at", before=at.forward_fill(), after=at.backward_fill()).filter(~pl.col("full"))
    low = (around["before"] - around["at"]).max()
    high = (around["after"] - around["at"]).min()
    if isinstance(low, int) and isinstance(high, int) and -_FITS <= high - low <= _FITS:
        ids = [f"{key}:{offset}" for key, offset in dated.head(3).select("source_id", "byte_offset").iter_rows()]
        text = "only one start puts all its uptimes between the dated lines around them"
        yield _start((low + high) // 2, bool(dated["zoned"][0]), text, ids)


def _start(micros: int, zoned: bool, text: str, ids: Sequence[str]) -> Start:
    at = _EPOCH + timedelta(microseconds=micros)
    at = at.replace(tzinfo=UTC) if zoned else at
    return Start(at, _because(at, text, ids))


def _because(at: datetime, text: str, ids: Sequence[str]) -> Mapping[str, object]:
    return {"field": "start", "value": at.isoformat(), "event_ids": list(ids), "text": text}

"""A case on disk, opened to be read: its tables as lazy frames, its sources, the bytes behind an event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from pirtimeline.errors import CaseError
from pirtimeline.objects import Location, ObjectPath, located, require_bucket
from pirtimeline.reading import Excerpt, excerpts
from pirtimeline.schema import (
    DUPLICATE_COLUMNS,
    EVENT_COLUMNS,
    FINDING_COLUMNS,
    STRUCTURE,
    TIMELINE_COLUMNS,
    event_id,
)
from pirtimeline.settings import Settings, read_settings
from pirtimeline.store import CONTENTS, absent, read_json, read_sources, scan

_SCHEMA = pl.Schema({**EVENT_COLUMNS, "parser": pl.String()})


class Case:
    """A case: `Case("incident.case").events()` is its event table.

    Frames are plain Polars frames; times are UTC.
    """

    def __init__(self, path: str | Location) -> None:
        self.path = located(path)
        if not any((self.path / name).exists() for name in CONTENTS):
            if isinstance(self.path, ObjectPath):
                require_bucket(self.path)
            raise CaseError(
                "this is not a case", at=self.path, hint="make one with: pirtimeline build EVIDENCE --case CASE"
            )

    def __repr__(self) -> str:
        return f"Case({str(self.path)!r})"

    @cached_property
    def settings(self) -> Settings:
        """What the analyst declared: `case.toml`."""
        return read_settings(self.path)

    @cached_property
    def sources(self) -> list[dict[str, Any]]:
        """Every source with what `sources/*.jsonl` says of it, in the order of their first path."""
        return read_sources(self.path)

    @cached_property
    def plan(self) -> dict[str, Any]:
        """What the survey settled: source id -> formats, zone, year, host, and because of what."""
        return read_json(self.path / "plan.json")

    @cached_property
    def custody(self) -> dict[str, Any]:
        """What was handed over and what was skipped: `evidence.json`."""
        return read_json(self.path / "evidence.json")

    @property
    def report(self) -> dict[str, Any]:
        """The machine-readable result, `report.json`; empty before the analysis."""
        return read_json(self.path / "report.json")

    def rows(self, parser: str | Sequence[str] | None = None) -> pl.LazyFrame:
        """Scan every row: events, rejects, pieces of long events and structure.

        Args:
            parser: read the parts of these parsers alone; for one parser its own further columns come too.

        Returns:
            The columns of the event table, then `parser` and `event_id`.

        Raises:
            CaseError: a part is missing.
        """
        wanted = None if parser is None else {parser} if isinstance(parser, str) else set(parser)
        parts = [part for part in self._parts if wanted is None or _parser_of(part) in wanted]
        if not parts:
            return pl.LazyFrame(schema=_SCHEMA).with_columns(event_id())
        if missing := absent(self.path, parts):
            raise CaseError("a part of the case is missing", at=self.path / missing[0], hint="build the case anew")
        found = scan(
            [self.path / part for part in parts],
            hive_partitioning=True,
            hive_schema={"parser": pl.String()},
            schema=None if wanted is not None and len(wanted) == 1 else _SCHEMA,
            extra_columns="raise" if wanted is not None and len(wanted) == 1 else "ignore",
        )
        return found.with_columns(event_id())

    def events(self, parser: str | Sequence[str] | None = None) -> pl.LazyFrame:
        """Scan the events: an event that was cut into pieces is its first one, structure is left out."""
        structure = pl.col("parser") == STRUCTURE
        return self.rows(parser).filter(pl.col("continues").is_null() & ~structure)

    def findings(self) -> pl.LazyFrame:
        """Scan the findings; empty before the analysis."""
        return self._table("findings.parquet", FINDING_COLUMNS)

    def timeline(self) -> pl.LazyFrame:
        """Scan the curated timeline; empty before the analysis."""
        return self._table("timeline.parquet", TIMELINE_COLUMNS)

    def duplicates(self) -> pl.LazyFrame:
        """Scan which events are copies of which; empty before the analysis."""
        return self._table("duplicates.parquet", DUPLICATE_COLUMNS)

    def raw(self, event_ids: Sequence[str], *, moved: str | Location | None = None) -> dict[str, bytes]:
        """Give the bytes of events as they are in the evidence: event id -> bytes, in the order asked.

        Args:
            event_ids: `<source_id>:<byte_offset>`, each; an event that was cut into pieces gives all of them.
            moved: where the evidence lies now, if not where it was.

        Raises:
            CaseError: an event is not in the case.
            SourceError: its evidence cannot be opened, or has changed.
        """
        return {one.event_id: one.data for one in self.excerpts(event_ids, moved=moved, around=0)}

    def excerpts(
        self, event_ids: Sequence[str], *, moved: str | Location | None = None, around: int = 1024
    ) -> list[Excerpt]:
        """Give events with `around` bytes of what stands around them; see `raw`."""
        return excerpts(self, event_ids, moved=moved, around=around)

    def query(self, sql: str) -> pl.DataFrame:
        """Answer Polars SQL over `events`, `rows`, `findings`, `timeline`, `duplicates` and `sources`.

        Raises:
            CaseError: the query cannot be answered, with what Polars says of it.
        """
        tables = {
            "events": self.events(),
            "rows": self.rows(),
            "findings": self.findings(),
            "timeline": self.timeline(),
            "duplicates": self.duplicates(),
            "sources": source_table(self.sources).lazy(),
        }
        try:
            return pl.SQLContext(tables).execute(sql, eager=True)
        except pl.exceptions.PolarsError as error:
            raise CaseError(f"cannot answer the query: {error}", hint=f"tables: {', '.join(tables)}") from error

    @property
    def _parts(self) -> list[str]:
        return sorted({part for one in self.sources for part in one["parts"]})

    def _table(self, name: str, columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        path = self.path / name
        return scan([path]) if path.is_file() else pl.LazyFrame(schema=dict(columns))


def source_table(sources: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Lay the sources' JSON out as a table, a row a source; `parsers` and `skipped` stay JSON."""
    rows = [
        {
            key: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) or key == "skipped" else value
            for key, value in one.items()
        }
        for one in sources
    ]
    times = pl.col("first_timestamp", "last_timestamp", "mtime").str.to_datetime(
        time_unit="us", time_zone="UTC", strict=False
    )
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(times) if rows else pl.DataFrame()


def _parser_of(part: str) -> str:
    return part.split("/")[1].removeprefix("parser=")

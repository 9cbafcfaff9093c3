"""Rows to parts: one file for each parser, every one with the columns its parser declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pirtimeline.ingest.finish import join_objects
from pirtimeline.objects import Location
from pirtimeline.parsing.columns import OWN_TYPES
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.schema import EVENT_COLUMNS
from pirtimeline.store import Part


def write_parts(
    case: Location, rows: pl.DataFrame, name: str, stamp: str, installed: Mapping[str, Format | Parser]
) -> list[dict[str, Any]]:
    """Write rows, a part for each parser among them.

    Args:
        case: the case's folder.
        rows: rows of the event table with `parser`, in order.
        name: what the parts' names begin with: first source and first byte.
        stamp: what tells the plan they were written by.
        installed: formats and parsers by name, for the columns they declare.

    Returns:
        For each part its `path`, `sha256` and the `sources` that have rows in it.
    """
    parts = Parts(case, name, stamp, installed)
    parts.add(rows)
    return parts.write()


class Parts:
    """The parts of a run of rows, one for each parser, that grow by a row group for each table of rows."""

    def __init__(self, case: Location, name: str, stamp: str, installed: Mapping[str, Format | Parser]) -> None:
        """Begin parts; see `write_parts`."""
        self._case, self._name, self._installed = case, f"{name}-{stamp}", installed
        self._parts: dict[str, Part] = {}
        self._sources: dict[str, set[str]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows of the event table with `parser`, in order."""
        for (parser,), table in rows.partition_by("parser", as_dict=True, maintain_order=True).items():
            name, own = str(parser), own_columns(self._installed.get(str(parser)))
            if name not in self._parts:
                self._parts[name] = Part(self._case, self._name, name, own)
            self._parts[name].add(with_own_columns(table, own))
            self._sources.setdefault(name, set()).update(table["source_id"].unique())

    def write(self) -> list[dict[str, Any]]:
        """Write the parts; see `write_parts`."""
        return [
            {"path": part.path, "sha256": part.write(), "sources": self._sources[name]}
            for name, part in sorted(self._parts.items())
        ]


def own_columns(parser: Format | Parser | None) -> dict[str, pl.DataType]:
    """Give the columns that a parser declares beyond the event table."""
    if parser is None:
        return {}
    if isinstance(parser, Format):
        return {name: OWN_TYPES[kind] for name, kind in parser.columns.items()}
    return dict(parser.columns)


def with_own_columns(table: pl.DataFrame, own: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Give a table the columns its parser declares; what an envelope around it declares goes to `extra`."""
    strange = [name for name in table.columns if name not in EVENT_COLUMNS and name != "parser" and name not in own]
    told = [name for name in strange if table[name].null_count() < table.height]
    if told:
        joined = join_objects(_outer_object(table, told), _extra(table))
        table = table.with_columns(pl.when(joined != "{}").then(joined).alias("extra"))
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in own.items() if name not in table.columns]
    return table.drop(strange).with_columns(
        *missing, *[pl.col(n).cast(t, strict=False) for n, t in own.items() if n in table.columns]
    )


def _outer_object(table: pl.DataFrame, names: list[str]) -> pl.Expr:
    """Write columns as a JSON object, without those that are null."""
    pairs = [
        pl.concat_str(
            pl.lit(f'"{name}":'), pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1)
        )
        for name in names
    ]
    set_pairs = [pl.when(pl.col(name).is_not_null()).then(pair) for name, pair in zip(names, pairs, strict=True)]
    return pl.concat_str(pl.lit("{"), pl.concat_str(set_pairs, separator=",", ignore_nulls=True), pl.lit("}"))


def _extra(table: pl.DataFrame) -> pl.Expr:
    return pl.col("extra") if "extra" in table.columns else pl.lit(None, pl.String)

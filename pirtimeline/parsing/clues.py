"""Events of the samples as evidence for zones, hosts and years: what each source says of its own time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter

import polars as pl

from pirtimeline.flight import in_flight
from pirtimeline.parsing import starts
from pirtimeline.parsing.blocks import parse_many
from pirtimeline.parsing.lines import lines_of
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.schema import STRUCTURE, UNRECOGNISED

TOGETHER = 16 << 20
"""Bytes of samples that are read together."""

COLUMNS: Mapping[str, pl.DataType] = {
    "source_id": pl.String(),
    "byte_offset": pl.UInt64(),
    "timestamp_text": pl.String(),
    "local": pl.Datetime("us"),
    "offset_s": pl.Int32(),
    "zone_word": pl.String(),
    "lacks": pl.String(),
    "ambiguous": pl.Boolean(),
    "trace_id": pl.String(),
    "host_name": pl.String(),
    "epoch_us": pl.Int64(),
    "uptime_us": pl.Int64(),
}

Piece = tuple[SourcePlan, int, bytes]


def read_pieces(pieces: Sequence[Piece]) -> Iterator[pl.DataFrame]:
    """Read pieces of sources, those of the same formats together.

    Args:
        pieces: plan, offset and bytes of each piece; one from further in begins in the middle of a line.

    Returns:
        Tables as `blocks.parse_many` gives them, with `source_id`, and offsets that count from the source's first byte.
        They are read side by side and come in order.
    """
    groups = _groups([_from_line(*piece) for piece in pieces])
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        for _, table in in_flight(pool, _read, groups, workers):
            yield table


def clue_events(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Tell what events of sources say of time and host.

    Args:
        tables: what `read_pieces` gave.

    Returns:
        A row an event in the order of sources and offsets, with `COLUMNS`. `epoch_us` is an instant (microseconds
        since 1970) that stands inside an event beside the local time of the envelope around it; `local` is that of
        the envelope then.
    """
    told = [_of_events(table) for table in tables]
    table = pl.concat(told, how="diagonal_relaxed") if told else pl.DataFrame(schema=COLUMNS)
    return table.select(_or_null(table, name, dtype) for name, dtype in COLUMNS.items()).sort(
        "source_id", "byte_offset"
    )


def _of_events(table: pl.DataFrame) -> pl.DataFrame:
    events = table.filter(~pl.col("parser").is_in([UNRECOGNISED, STRUCTURE]) & pl.col("_piece_of").is_null())
    events = events.with_columns(_uptime(events))
    return _clues(events) if "timestamp_text" in events.columns else events.select("source_id", "byte_offset")


def _uptime(table: pl.DataFrame) -> pl.Expr:
    """Give how long the program of an event had run by then, where the event tells it."""
    told = [pl.col("jvm_uptime_ms").cast(pl.Float64) / 1000] if "jvm_uptime_ms" in table.columns else []
    if "message" in table.columns:
        told.append(pl.col("message").str.extract(starts.UPTIME_SAID).cast(pl.Float64))
    seconds = pl.coalesce(told) if told else pl.lit(None, pl.Float64)
    return (seconds * 1_000_000).round().cast(pl.Int64).alias("uptime_us")


def _from_line(plan: SourcePlan, offset: int, data: bytes) -> Piece:
    """Begin a piece from further in at its first whole line."""
    if not offset:
        return plan, 0, data
    lines = lines_of(data, plan.encoding, plan.newline)
    begin = int(lines.offsets[1]) if len(lines.offsets) > 2 else len(data)
    return plan, offset + begin, data[begin:]


def _groups(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Put pieces of the same formats together, as far as they are not too much at once."""
    keyed = [(alike(one[0]), one) for one in pieces if one[2] and one[0].formats]
    for _, group in groupby(sorted(keyed, key=itemgetter(0)), key=itemgetter(0)):
        held: list[Piece] = []
        size = 0
        for _, one in group:
            held.append(one)
            size += len(one[2])
            if size >= TOGETHER:
                yield held
                held, size = [], 0
        if held:
            yield held


def alike(plan: SourcePlan) -> str:
    """Give a text that is the same for plans whose sources are read alike, and so together."""
    return repr([plan.formats_json(), plan.encoding, plan.newline])


def _read(group: Sequence[Piece]) -> pl.DataFrame:
    plan = group[0][0]
    table = parse_many([data for _, _, data in group], plan.formats, encoding=plan.encoding, newline=plan.newline)
    places = pl.DataFrame(
        {
            "_block": pl.Series(range(len(group)), dtype=pl.UInt32),
            "source_id": [plan.source_id for plan, _, _ in group],
            "_base": pl.Series([offset for _, offset, _ in group], dtype=pl.UInt64),
        }
    )
    placed = table.join(places, on="_block", how="left", maintain_order="left")
    return placed.with_columns(pl.col("byte_offset") + pl.col("_base"))


def _clues(table: pl.DataFrame) -> pl.DataFrame:
    """Name what the clock is told, and set the instant inside an envelope beside the envelope's own time."""
    names = {f"_{name}": name for name in ("local", "offset_s", "zone_word", "lacks", "ambiguous")}
    if "_observed_local" not in table.columns:
        return table.rename(names).select(name for name in COLUMNS if name in [*names.values(), *table.columns])
    beside = pl.col("_observed_local").is_not_null() & pl.col("_offset_s").is_not_null()
    epoch = pl.when(beside).then(pl.col("_local").dt.epoch("us") - pl.col("_offset_s").cast(pl.Int64) * 1_000_000)
    shown = [
        pl.when(beside).then(pl.col(f"_observed{theirs}")).otherwise(pl.col(theirs)).alias(ours)
        for theirs, ours in names.items()
    ]
    kept = [
        name
        for name in ("source_id", "byte_offset", "timestamp_text", "trace_id", "host_name", "uptime_us")
        if name in table.columns
    ]
    return table.select(*kept, *shown, epoch.alias("epoch_us"))


def _or_null(table: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).cast(dtype) if name in table.columns else pl.lit(None, dtype).alias(name)

"""What a commit mark says of a source: the JSON of `sources/*.jsonl`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from pirtimeline.ingest import backsteps
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.parsing.told import to_json as turns_json
from pirtimeline.parsing.turns import Turns
from pirtimeline.schema import STRUCTURE, UNRECOGNISED

KEPT = frozenset({"place", "parts", "part_sha256", "read_as", "timed_as", "dated_with", "told"})
"""What a commit mark says of how rows are kept: equal rows may lie in parts of other names, and give equal results."""

_KIND = ("source_id", "parser", "time_basis", "piece")


def digest(value: object) -> str:
    """Give twelve hex digits that stand for a JSON value.

    Example:
        >>> digest({"zone": "UTC"}) == digest({"zone": "UTC"})
        True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[
        :12
    ]


def read_as(plan: SourcePlan) -> str:
    """Digest what decides how a source is read: a change means that its evidence is read again."""
    told = plan.to_json()
    return digest({key: told[key] for key in ("formats", "parser", "encoding", "newline", "host", "service")})


def timed_as(plan: SourcePlan) -> str:
    """Digest what decides how a source is dated: a change means that its parts are written anew from the old ones."""
    return digest(plan.rule.to_dict())


def told(plan: SourcePlan, turns: Turns) -> dict[str, Any]:
    """Keep of a source of a rotated set what it tells of its times, by which the others are dated."""
    return {} if plan.place is None else {"told": turns_json(turns)}


def tallies(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Count what commit marks say of the sources of a table of rows.

    Returns:
        Source id -> `parsers`, `events`, `rejects`, `rejected_bytes`, `first_timestamp`, `last_timestamp`, `lines`,
        `time_bases` (of the dated events), `falls` and `steps_back` (see `backsteps`).
    """
    ordered = _kinds(rows).with_columns(pl.col("time_basis").cast(pl.String)).sort(_KIND)
    fallen = backsteps.falls(rows)
    none = {"falls": 0, "steps_back": []}
    return {
        str(key): {**_tally([*mine]), **fallen.get(str(key), none)}
        for key, mine in groupby(ordered.iter_rows(), key=itemgetter(0))
    }


def _kinds(rows: pl.DataFrame) -> pl.DataFrame:
    """Count rows by kind: first the runs of rows that are alike, which are few, so that fewer texts are hashed."""
    kept = rows.select(
        "source_id",
        "parser",
        "time_basis",
        "timestamp",
        piece=pl.col("continues").is_not_null(),
        bytes=pl.col("byte_length").cast(pl.Int64),
        lines=pl.col("line_count").cast(pl.Int64),
    )
    sums = pl.col("bytes", "lines").sum()
    bounds = pl.col("timestamp").min().alias("first"), pl.col("timestamp").max().alias("last")
    runs = kept.group_by(pl.struct(_KIND).rle_id().alias("run")).agg(
        pl.col(_KIND).first(), pl.len().cast(pl.Int64).alias("count"), sums, *bounds
    )
    return runs.group_by(_KIND).agg(
        pl.col("count", "bytes", "lines").sum(), pl.col("first").min(), pl.col("last").max()
    )


def _tally(kinds: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Add up the kinds of rows of one source: parser, time basis, piece, count, bytes, lines, first, last of each."""
    events = [kind for kind in kinds if not kind[3] and kind[1] != STRUCTURE]
    rejects = [kind for kind in kinds if kind[1] == UNRECOGNISED]
    return {
        "parsers": _counts((parser, count) for _, parser, _, _, count, *_ in events),
        "events": sum(kind[4] for kind in events),
        "rejects": sum(kind[4] for kind in rejects if not kind[3]),
        "rejected_bytes": sum(kind[5] for kind in rejects),
        "lines": sum(kind[6] for kind in kinds),
        "first_timestamp": stamp(min((kind[7] for kind in events if kind[7]), default=None)),
        "last_timestamp": stamp(max((kind[8] for kind in events if kind[8]), default=None)),
        "time_bases": _counts((basis, count) for _, _, basis, _, count, _, _, first, _ in events if first),
    }


def _counts(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for name, count in pairs:
        counted[name] = counted.get(name, 0) + count
    return dict(sorted(counted.items()))


def added(one: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Add the tallies of two runs of one source."""
    firsts = [stamp for stamp in (one["first_timestamp"], more["first_timestamp"]) if stamp]
    lasts = [stamp for stamp in (one["last_timestamp"], more["last_timestamp"]) if stamp]
    return {
        **{key: _summed(one[key], more[key]) for key in ("parsers", "time_bases")},
        **{
            key: one[key] + more[key] for key in ("events", "rejects", "rejected_bytes", "lines", "falls", "steps_back")
        },
        "first_timestamp": min(firsts, default=None),
        "last_timestamp": max(lasts, default=None),
    }


NOTHING: Mapping[str, Any] = {
    "parsers": {},
    "events": 0,
    "rejects": 0,
    "rejected_bytes": 0,
    "lines": 0,
    "first_timestamp": None,
    "last_timestamp": None,
    "time_bases": {},
    "falls": 0,
    "steps_back": [],
}
"""The tallies of no rows."""


def _summed(one: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + more.get(name, 0) for name in sorted({*one, *more})}


def stamp(time: datetime | None) -> str | None:
    """Write a UTC time as ISO 8601 to the microsecond."""
    return None if time is None else time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def zone_of(plan: SourcePlan, bases: Mapping[str, int]) -> tuple[str | None, str | None]:
    """Say which zone a source was read in, and how that is known; none where the text carries it."""
    told = plan.rule.to_dict()
    if not bases:
        return None, None
    if set(bases) == {"explicit"}:
        return None, "explicit"
    return told.get("zone") or "UTC", told.get("zone_basis") or "zone_assumed"

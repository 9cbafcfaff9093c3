"""Formats for text that nobody has declared: composed from sample lines, then read by the one engine like any other.

The shape of the stamp, its place in the line and the header around it are found once, over the samples of all sources
in one frame; what comes out is data that stands in the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from pirtimeline.parsing import headers, moulds, shapes, times
from pirtimeline.parsing.headers import Header
from pirtimeline.parsing.plugin import Format, Pattern
from pirtimeline.parsing.skeletons import KINDS, first_parts, mark, skeleton
from pirtimeline.parsing.stamps import find_stamps
from pirtimeline.parsing.writers import Ground, Group, writers

NAME = "generic_text"
EVERYTHING = ".*"

_PARTS = 9
_LINES_A_GROUP = 120
_VARYING = "".join(mark(kind) for kind in KINDS if kind not in "LMTVIKQGRXl")
_GROUP = ("source_id", "shape", "mould", "prefix")
_CERTAIN = "".join(mark(kind) for kind in "LMTPV")


def synthesise(samples: pl.DataFrame) -> dict[str, tuple[Format, ...]]:
    """Compose for each source the formats that read those of its lines which no named format claims.

    Args:
        samples: `source_id`, `piece` (which sample piece of the source), `line` (number in the piece), `text` (one
            line without its end), `claimed` (a named format opens an event with it, or continues one), in order.

    Returns:
        For each source its formats, the weightiest writer's first; none where no stamp opens its lines.

    Example:
        >>> text = ["2024-04-21 12:00:00,123 INFO  [main] up", "2024-04-21 12:00:01,007 ERROR [pool-1] down", " at x"]
        >>> columns = {"source_id": "a", "piece": 0, "line": [0, 1, 2], "text": text, "claimed": False}
        >>> [one.name for one in synthesise(pl.DataFrame(columns))["a"]]
        ['generic_text']
    """
    lines = samples.select("source_id", "piece", "text", "claimed").with_row_index("at")
    stamps = _described(find_stamps(lines.select("at", "source_id", "text")).join(lines.select("at", "claimed"), on="at"))
    grounds = _grounds(lines, stamps)
    groups = _groups(stamps.filter(~pl.col("claimed")))
    chosen = {source_id: writers(groups.get(source_id, ()), ground) for source_id, ground in grounds.items()}
    return _formats(chosen, stamps)


def _described(stamps: pl.DataFrame) -> pl.DataFrame:
    """Add to each stamp what stands around it as skeletons, and the instant it tells in seconds."""
    before, after = skeleton(pl.col("before")), first_parts(skeleton(pl.col("after")), _PARTS)
    table = stamps.with_columns(before_parts=_dashes(before), after_parts=after)
    return table.with_columns(prefix=_prefix(pl.col("before_parts")), when=_when(table))


def _dashes(parts: pl.Expr) -> pl.Expr:
    """Take a dash that stands alone for a field that is empty."""
    field = f"${{1}}{mark('w')}${{2}}"
    return parts.str.replace_all(r"(^|\s)-(\s)", field).str.replace_all(r"(\s)-(\s)", field)


def _prefix(parts: pl.Expr) -> pl.Expr:
    """Write fields that vary, `-` among them, alike, so that the lines of one writer fall into one group."""
    field = mark("w")
    same = parts.str.replace_all(f"[{_VARYING}]", field).str.replace_all(f"{field},? ", f"{field} ")
    return same.str.replace_all(r"\s+", " ").str.replace_all(f"(?:{field} ){{3,}}", f"{field} {field} {field} ")


def _when(stamps: pl.DataFrame) -> pl.Series:
    """Read the stamps: seconds since 1970 as the text says, less its offset; null where a year or date lacks."""
    parts = []
    for (shape,), table in stamps.select("shape", "stamp").with_row_index("row").group_by("shape", maintain_order=True):
        said = times.convert(pl.col("stamp"), str(shape))
        local = said.local.cast(pl.Int64) / 1e6 - said.offset_s.fill_null(0)
        parts.append(table.select("row", when=pl.when(said.lacks.is_null()).then(local)))
    if not parts:
        return pl.Series("when", [], pl.Float64)
    return pl.concat(parts).sort("row")["when"]


def _grounds(lines: pl.DataFrame, stamps: pl.DataFrame) -> dict[str, Ground]:
    """Describe for each source what stands beside its stamps."""
    text = pl.col("text")
    first_stamp = stamps.group_by("at", maintain_order=True).agg(pl.col("when").first())
    table = lines.join(first_stamp.with_columns(stamped=pl.lit(True)), on="at", how="left", maintain_order="left")
    blank = ~text.str.contains(r"\S")
    starts = pl.col("at").filter(pl.col("piece") != pl.col("piece").shift()) if lines.height else pl.col("at")
    owning = pl.col("claimed") & ~text.str.contains(r"^[{}\[\]]")  # an object in JSON has no lines of text below it
    described = table.group_by("source_id", maintain_order=True).agg(
        first=pl.col("at").filter(~blank).first(),
        eligible=(~text.str.contains(r"^(?:\s|$)") & ~pl.col("claimed")).sum(),
        stamped=pl.col("stamped").is_not_null().sum(),
        begins=starts,
        plain=pl.col("at").filter(pl.col("stamped").is_null() & ~blank & ~pl.col("claimed")),
        claimed=pl.col("at").filter(owning),
        claimed_when=pl.col("when").filter(owning),
    )
    return {row["source_id"]: _ground(row) for row in described.iter_rows(named=True)}


def _ground(row: dict[str, object]) -> Ground:
    return Ground(
        first=int(str(row["first"])) if row["first"] is not None else -1,
        eligible=int(str(row["eligible"])),
        stamped=int(str(row["stamped"])),
        begins=np.asarray(row["begins"], np.int64),
        plain=np.asarray(row["plain"], np.int64),
        claimed=np.asarray(row["claimed"], np.int64),
        claimed_when=np.asarray(row["claimed_when"], np.float64),
    )


def _groups(stamps: pl.DataFrame) -> dict[str, list[Group]]:
    field = mark("w")
    letters = pl.col("before").str.extract_all(r"\pL{2,}").list.join(" ")
    address = pl.col("before_parts").str.contains(f"^{mark('A')}|^\\S+,? {mark('A')}")
    address |= pl.col("after_parts").str.contains(f"^\\]\\s(?:\\S+\\s)?{mark('A')}")
    grouped = stamps.group_by(*_GROUP, maintain_order=True).agg(
        pl.col("full").all(),
        pl.col("at"),
        pl.col("when"),
        fields=pl.col("prefix").first().str.count_matches(field, literal=True),
        words=letters.n_unique(),
        marked=(_marked(pl.col("after_parts")) | pl.col("before_parts").str.contains(f"[{_CERTAIN}]")).mean(),
        bare=(~pl.col("after").str.contains(r"[\pL\d]")).mean(),
        enclosed=(address & pl.col("before").str.ends_with("[") & pl.col("after").str.starts_with("]")).mean() >= 0.9,
        keyed=pl.col("before").str.contains(r"[:=]\s*[\[\"']?$").all(),
    )
    found: dict[str, list[Group]] = {}
    for row in grouped.iter_rows(named=True):
        source_id = row.pop("source_id")
        row["at"], row["when"] = np.asarray(row["at"], np.int64), np.asarray(row["when"], np.float64)
        found.setdefault(source_id, []).append(Group(**row))
    return found


def _marked(after: pl.Expr) -> pl.Expr:
    """Tell whether a certain header part stands among the first few after a stamp."""
    other = f"[^{mark('w')}{mark('l')}{_CERTAIN}]"
    return after.str.contains(f"^{other}{{0,12}}(?:{mark('w')}{other}{{1,3}})?(?:[{_CERTAIN}]|\\[{mark('l')}|{mark('l')}[:|])")


def _formats(chosen: dict[str, tuple[Group, ...]], stamps: pl.DataFrame) -> dict[str, tuple[Format, ...]]:
    """Compose the formats of the chosen groups, one for each shape of a source."""
    wanted = [
        (source_id, one.shape, one.mould, one.prefix, rank)
        for source_id, groups in chosen.items()
        for rank, one in enumerate(groups)
    ]
    schema = {name: pl.String() for name in _GROUP} | {"rank": pl.Int64()}
    ranked = stamps.join(pl.DataFrame(wanted, schema, orient="row"), on=list(_GROUP)).filter(~pl.col("claimed"))
    ranked = ranked.with_columns(rank=pl.col("rank").min().over("source_id", "shape", "prefix"))
    found: dict[str, list[tuple[int, str, list[Pattern], str]]] = {source_id: [] for source_id in chosen}
    for (source_id, rank, shape), lines in ranked.sort("rank", "at").group_by("source_id", "rank", "shape", maintain_order=True):
        patterns, starts = _patterns(lines, _stamp_regex(lines["mould"], str(shape)), str(shape))
        found[str(source_id)].append((int(str(rank)), str(shape), patterns, starts))
    return {source_id: tuple(_format(patterns, starts) for _, _, patterns, starts in made) for source_id, made in found.items()}


def _format(patterns: Sequence[Pattern], starts: str) -> Format:
    return Format(
        name=NAME,
        title="text with a timestamp, composed from its own lines",
        patterns=tuple(patterns),
        starts=starts,
        continues=EVERYTHING,
        generic=True,
    )


def _stamp_regex(written: pl.Series, shape: str) -> str:
    """Find stamps by their moulds, or, where one of these is too vague, by their shape."""
    regexes = [moulds.regex_of(one) for one in written.unique(maintain_order=True)]
    known = [one for one in regexes if one is not None]
    return "|".join(known) if len(known) == len(regexes) <= 4 else shapes.shape(shape).regex


def _patterns(lines: pl.DataFrame, stamp: str, shape: str) -> tuple[list[Pattern], str]:
    """Compose the patterns of one writer: one for each usual header, and one for all else its stamps open."""
    before = headers.before_stamp(lines["before_parts"].unique().sort().to_list())
    sampled = lines.head(_LINES_A_GROUP)
    counts = dict(sampled.group_by("after_parts").len().sort("after_parts").iter_rows())
    firsts = sampled["after"].str.extract(r"^[\s\]:,]*(\S+)").drop_nulls()
    few = len(firsts) < 3 or firsts.n_unique() <= max(2, len(firsts) * 0.2)
    found = headers.headers(counts, few_firsts=few, taken=before.columns)
    usual = max(counts, key=lambda one: counts[one])
    every = [*found, Header((), headers.closing(usual))]
    patterns = [Pattern(regex=headers.pattern(before, stamp, one), time=shape) for one in every]
    return patterns, headers.opening(before, stamp)

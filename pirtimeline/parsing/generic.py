"""Formats for text that nobody has declared: composed from sample lines, then read by the one engine like any other.

The shape of the stamp, its place in the line and the header around it are found once, over the samples of all sources
in one frame; what comes out is data that stands in the plan.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from pirtimeline.parsing import headers, moulds, onepass, patterns, shapes, times
from pirtimeline.parsing.headers import Header
from pirtimeline.parsing.paragraphs import Paragraphs, led, paragraphs
from pirtimeline.parsing.plugin import CONTINUES, Format, Pattern
from pirtimeline.parsing.skeletons import KINDS, first_parts, mark, skeleton
from pirtimeline.parsing.stamps import find_stamps
from pirtimeline.parsing.writers import Ground, Group, writers

NAME = "generic_text"
EVERYTHING = ".*"

_PARTS = 9
_MOULDS = 4
_USUAL = 0.2
_ENOUGH = 100
"""Lines of a group whose headers are looked at."""

_VARYING = "".join(mark(kind) for kind in KINDS if kind not in "LMTVIKQGRX")
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
    lines = samples.select("source_id", "piece", "text", "claimed").rechunk()  # Polars compiles a regex once a chunk
    lines = lines.with_row_index("at")
    stamps = _described(
        find_stamps(lines.select("at", "source_id", "text")).join(lines.select("at", "claimed"), on="at")
    )
    grounds = _grounds(lines, stamps)
    groups = _groups(stamps.filter(~pl.col("claimed")))
    found = paragraphs(lines, stamps)
    chosen = {
        source_id: _openers(groups.get(source_id, ()), found[source_id])
        if source_id in found
        else writers(groups.get(source_id, ()), ground)
        for source_id, ground in grounds.items()
    }
    return _formats(chosen, stamps, found)


def _openers(groups: Sequence[Group], found: Paragraphs) -> tuple[Group, ...]:
    """Keep the groups of stamps that could stand first in the paragraphs of a source."""
    return tuple(one for one in groups if one.shape in found.shapes)


def _described(stamps: pl.DataFrame) -> pl.DataFrame:
    """Add to each stamp what stands around it as skeletons, and the instant it tells in seconds."""
    table = stamps.with_columns(before_parts=_dashes(skeleton(pl.col("before"))))
    table = table.with_columns(prefix=_prefix(pl.col("before_parts")))
    enough = pl.int_range(pl.len()).over(*_GROUP, "claimed") < _ENOUGH
    shown = pl.when(enough & ~pl.col("claimed")).then("after")
    return table.with_columns(after_parts=first_parts(skeleton(shown), _PARTS), when=_when(table))


def _dashes(parts: pl.Expr) -> pl.Expr:
    """Take a dash that stands alone for a field that is empty."""
    field = f"${{1}}{mark('w')}${{2}}"
    return parts.str.replace_all(r"(^|\s)-(\s)", field).str.replace_all(r"(\s)-(\s)", field)


def _prefix(parts: pl.Expr) -> pl.Expr:
    """Write fields that vary, `-` among them, alike, so that the lines of one writer fall into one group."""
    field = mark("w")
    same = parts.str.replace_all(rf"([\[<(]){mark('l')}([\])>])", f"${{1}}{mark('L')}${{2}}")
    same = same.str.replace_all(f"[{_VARYING}]", field).str.replace_all(f"{field},? ", f"{field} ")
    return same.str.replace_all(r"\s+", " ").str.replace_all(f"(?:{field} ){{3,}}", f"{field} {field} {field} ")


def _at_head() -> pl.Expr:
    """Tell whether a stamp stands where a header begins: nothing before it that varies, or an access log's fields."""
    return ~pl.col("prefix").str.contains(mark("w")) | pl.col("before").str.ends_with("[")


def _when(stamps: pl.DataFrame) -> pl.Series:
    """Read the stamps of sources that have several kinds: seconds since 1970 as the text says, less its offset.

    In the year 2000 where a year lacks; null where a date lacks, and where there is nothing to compare.
    """
    parts = []
    heads = stamps.select(
        "source_id", group=pl.struct(*_GROUP[1:]), head=_at_head() | pl.col("claimed"), claimed="claimed"
    )
    several = pl.col("group").filter("head").n_unique().over("source_id") > 1
    asked = heads.select(pl.col("head") & (several | pl.col("claimed").any().over("source_id"))).to_series()
    rows = stamps.select("shape", asked.alias("asked"), timestamp_text="stamp").with_row_index("at")
    unasked = rows.filter(~pl.col("asked")).select("at", pl.lit(None, pl.Float64).alias("when"))
    for (shape,), table in rows.filter("asked").group_by("shape", maintain_order=True):
        said = times.read(table, str(shape))
        local = pl.col("_local").cast(pl.Int64) / 1e6 - pl.col("_offset_s").fill_null(0)
        parts.append(
            said.select("at", when=pl.when(pl.col("_lacks").is_null() | (pl.col("_lacks") == "year")).then(local))
        )
    return pl.concat([unasked, *parts]).sort("at")["when"]


def _grounds(lines: pl.DataFrame, stamps: pl.DataFrame) -> dict[str, Ground]:
    """Describe for each source what stands beside its stamps."""
    text = pl.col("text")
    first_stamp = stamps.group_by("at", maintain_order=True).agg(pl.col("when").first(), stamped=_at_head().any())
    table = lines.join(first_stamp, on="at", how="left", maintain_order="left")
    table = table.with_columns(pl.col("stamped").fill_null(False))
    blank = ~text.str.contains(r"\S")
    plain = ~pl.col("stamped") & ~blank & ~pl.col("claimed")
    owning = pl.col("claimed") & ~text.str.contains(r"^[{}\[\]]")  # an object in JSON has no lines of text below it
    described = table.group_by("source_id", maintain_order=True).agg(
        first=pl.col("at").filter(~blank).first(),
        eligible=(~text.str.contains(r"^(?:\s|$)") & ~pl.col("claimed")).sum(),
        stamped=pl.col("stamped").sum(),
        plain=pl.col("at").filter(plain),
        prose=pl.col("at").filter(plain & ~text.str.contains(CONTINUES) & text.str.contains(r"^\W{0,3}\pL+[ ,.:]")),
        claimed=pl.col("at").filter(owning),
        claimed_when=pl.col("when").filter(owning),
    )
    return {row["source_id"]: _ground(row) for row in described.iter_rows(named=True)}


def _ground(row: dict[str, object]) -> Ground:
    return Ground(
        first=int(str(row["first"])) if row["first"] is not None else -1,
        eligible=int(str(row["eligible"])),
        stamped=int(str(row["stamped"])),
        plain=np.asarray(row["plain"], np.int64),
        prose=np.asarray(row["prose"], np.int64),
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
        marked=(_marked(pl.col("after_parts")) | pl.col("before_parts").str.contains(f"[{_CERTAIN}]"))
        .mean()
        .fill_null(0),
        bare=(~pl.col("after").str.contains(r"[\pL\d]")).mean(),
        enclosed=(address & pl.col("before").str.ends_with("[") & pl.col("after").str.starts_with("]"))
        .mean()
        .fill_null(0)
        >= 0.9,
        zoned=pl.col("stamp").str.contains(r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d|^\d{10,}(?:[.,]\d+)?)$").mean() >= 0.5,
        keyed=pl.col("before").str.contains(r"(?i)(?:date|time|timestamp|\bts|\bt)[\"']?\s*[:=]\s*[\[\"']?$").all(),
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
    return after.str.contains(
        f"^{other}{{0,12}}(?:{mark('w')}{other}{{1,3}})?(?:[{_CERTAIN}]|\\[{mark('l')}|{mark('l')}[:|])"
    )


def _formats(
    chosen: Mapping[str, Sequence[Group]], stamps: pl.DataFrame, found: Mapping[str, Paragraphs]
) -> dict[str, tuple[Format, ...]]:
    """Compose the formats of the chosen groups, one for each shape and place of the stamp in a source."""
    wanted = [
        (source_id, one.shape, one.mould, one.prefix, 0 if source_id in found else rank)
        for source_id, groups in chosen.items()
        for rank, one in enumerate(groups)
    ]
    schema = {name: pl.String() for name in _GROUP} | {"rank": pl.Int64()}
    ranked = stamps.join(pl.DataFrame(wanted, schema, orient="row"), on=list(_GROUP)).filter(~pl.col("claimed"))
    ranked = ranked.with_columns(rank=pl.col("rank").min().over("source_id", "shape", "prefix")).sort("rank", "at")
    made: dict[str, list[Format]] = {source_id: [] for source_id in chosen}
    for row in _summed(ranked).iter_rows(named=True):
        stamp = _stamp_regex(dict(zip(row["mould"], row["stamp"], strict=True)), row["shape"])
        made[row["source_id"]].append(led(_format(row), stamp, found.get(row["source_id"])))
    return {source_id: tuple(formats) for source_id, formats in made.items()}


def _summed(ranked: pl.DataFrame) -> pl.DataFrame:
    """Sum up what stands around the stamps of each writer."""
    writer = ("source_id", "rank", "shape")
    first = pl.col("after").str.extract(r"^[\s\]:,]*(\S+)").drop_nulls()
    after = ranked.drop_nulls("after_parts").group_by(*writer, "after_parts").len().sort("after_parts")
    after = after.group_by(*writer).agg("after_parts", "len")
    return (
        ranked.group_by(*writer, maintain_order=True)
        .agg(
            pl.col("before_parts"),
            "mould",
            "stamp",
            firsts=first.len(),
            few=first.n_unique(),
        )
        .join(after, on=list(writer), maintain_order="left")
    )


def _format(row: Mapping[str, Any]) -> Format:
    """Compose a writer's format: a pattern for each usual header, and one for all else that its stamps open."""
    written = dict(zip(row["mould"], row["stamp"], strict=True))
    stamp = _stamp_regex(written, row["shape"])
    prefixes = headers.before_stamp(row["before_parts"])
    lettered = frozenset(["severity_text"]) if stamp.startswith(moulds.LETTER) else frozenset[str]()
    counts = dict(zip(row["after_parts"], row["len"], strict=True))
    few = row["firsts"] < 3 or row["few"] <= max(2, row["firsts"] * 0.2)
    found = headers.headers(counts, few_firsts=few, taken=prefixes[0].columns | lettered)
    usual = max(counts, key=lambda one: counts[one])
    told = sum(counts.values()) - sum(found.values())
    found[Header((), patterns.closing(usual))] = told
    strict = _usual_stamp(row["mould"], written)
    every = [
        regex
        for before in prefixes
        for after, count in found.items()
        for regex in _regexes(before, stamp, after, strict if count >= _USUAL * sum(counts.values()) else None)
    ]
    every = list(dict.fromkeys(every))
    return Format(
        name=NAME,
        title="text with a timestamp, composed from its own lines",
        patterns=tuple(Pattern(regex=regex, time=row["shape"]) for regex in every),
        starts=patterns.opening(prefixes[-1], stamp),
        continues=EVERYTHING,
        generic=True,
    )


def _regexes(before: Header, stamp: str, after: Header, strict: str | None) -> list[str]:
    """Compose the regexes of one header: for a usual one first the strict regex, which is fast."""
    fast = onepass.pattern(before, strict, after)
    return [*([fast] if fast else []), patterns.pattern(before, stamp, after)]


def _usual_stamp(written: Sequence[str], examples: Mapping[str, str]) -> str | None:
    """Find the stamps of the usual mould alone, in one pass."""
    usual = Counter(written).most_common(1)[0][0]
    regex = moulds.regex_of(usual, onepass=True)
    return regex if regex and re.fullmatch(regex, examples[usual]) else None


def _stamp_regex(written: Mapping[str, str], shape: str) -> str:
    """Find stamps by their moulds, of each of which one is given, or, where one is too vague, by their shape."""
    regexes = {moulds.regex_of(one): stamp for one, stamp in written.items()}
    sound = all(regex is not None and re.fullmatch(regex, stamp) for regex, stamp in regexes.items())
    return "|".join(map(str, regexes)) if sound and len(regexes) <= _MOULDS else shapes.shape(shape).regex

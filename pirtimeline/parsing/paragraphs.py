"""Sources of paragraphs: records whose time stands below their first line, behind a key such as `Start time:`.

Between blank lines, rulers or heads of indented blocks stands a paragraph. Where most of a source's paragraphs have a
stamp behind a key, and no line of the source begins with one, an event begins where the paragraph does: with the lines
that lead to the first of its stamps. Where nothing parts them, it begins with the lines above its first key that have
the same sign each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import polars as pl

from pirtimeline.parsing.plugin import Format, Pattern

REACH = 6
"""Lines of a paragraph above its stamp at most."""

_MOST = 8
"""Ways in which the lines above a stamp begin, at most."""

_RULER = r"^[ \t]*(?:[-*=#_~+]{4,}|(?:[-*=] ){4,})[ \t]*$"
_KEY = r"^[^\pL\d]*\pL[\pL -]{0,38}(?:[:=][ \t]*[\[\"']?| \d?\s*)$"
_NOTHING = r"^[\s;,.\])\"']*$"
_HEAD = r"^(?:\W*[\pL_][\pL\w -]{0,40}?[:=]|\W*[\pL_]\w*|\W+)"
_SIGN = r"^\s*[^\w\s]+ *[\[({<]?"
"""A sign by which tools mark the lines of a record's head: `>>>  [`."""

_REPEATED = 2


@dataclass(frozen=True, slots=True)
class Paragraphs:
    """How a source's paragraphs begin: lines that `leads` matches, then a stamp of one of the `shapes` behind a key.

    `keys` is the regex of all that stands before the stamp.
    """

    leads: str
    keys: str
    shapes: frozenset[str]


def paragraphs(lines: pl.DataFrame, stamps: pl.DataFrame) -> dict[str, Paragraphs]:
    """Find the sources that consist of paragraphs, and how those begin.

    Args:
        lines: sample lines with `at`, `source_id`, `piece`, `text`, `claimed`, in order.
        stamps: stamps in them with `at`, `source_id`, `shape`, `before`, `after`, `full`.

    Example:
        >>> text = ["API: x", "Time: 2024-04-21 12:33:04", "", "API: y", "Time: 2024-04-21 12:33:05"]
        >>> lines = pl.DataFrame({"at": range(5), "source_id": "a", "piece": 0, "text": text, "claimed": False})
        >>> stamp = {"at": [1, 4], "source_id": "a", "shape": "iso", "before": "Time: ", "after": ""}
        >>> paragraphs(lines, pl.DataFrame(stamp).with_columns(full=True))["a"].leads
        '^(?:API:)'
    """
    lines, stamped = _candidates(lines, stamps)
    if stamped.is_empty():
        return {}
    table = _numbered(lines, stamped)
    first = table.filter(pl.col("opens").is_not_null()).group_by("source_id", "paragraph", maintain_order=True).first()
    first = first.filter("keyed")
    whole = table.filter(~pl.col("blank") & ~pl.col("ruler"))
    counts = whole.group_by("source_id", maintain_order=True).agg(count=pl.col("paragraph").n_unique())
    told = first.group_by("source_id", maintain_order=True).agg("at", "paragraph", "opens", stamped=pl.len())
    found: dict[str, Paragraphs] = {}
    for row in told.join(counts, on="source_id", maintain_order="left").iter_rows(named=True):
        mine = table.filter(pl.col("source_id") == row["source_id"])
        one = None
        if 2 * row["stamped"] >= row["count"]:
            one = _of_source(mine, first.filter(pl.col("source_id") == row["source_id"]))
        one = one or _run_on(mine)
        found |= {row["source_id"]: one} if one else {}
    return found


def _candidates(lines: pl.DataFrame, stamps: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Keep the sources that no format claims, in which a key stands before stamps and no line begins with one."""
    keyed = pl.col("before").str.contains(_KEY)
    keyed &= pl.col("before").str.contains(r"[:=][ \t]*[\[\"']?$") | pl.col("after").str.contains(_NOTHING)
    heads = ~pl.col("before").str.contains(r"[\pL\d]")
    full = stamps.filter("full").with_columns(keyed=keyed)
    asked = full.group_by("source_id").agg(asked=pl.col("keyed").any() & ~heads.any()).filter("asked")
    claimed = lines.group_by("source_id").agg(pl.col("claimed").any()).filter("claimed")
    ids = asked.join(claimed, on="source_id", how="anti")["source_id"].implode()
    return lines.filter(pl.col("source_id").is_in(ids)), full.filter(pl.col("source_id").is_in(ids))


def _numbered(lines: pl.DataFrame, stamped: pl.DataFrame) -> pl.DataFrame:
    """Number the paragraphs; the ruler above one is in it. `opens` is what stands before a line's stamp."""
    text, source = pl.col("text"), ("source_id", "piece")
    opens = stamped.select("at", "keyed", "shape", opens=pl.col("before").str.replace_all(r"\d+", "0"))
    table = lines.join(opens, on="at", how="left", maintain_order="left")
    table = table.with_columns(blank=~text.str.contains(r"\S"), ruler=text.str.contains(_RULER))
    indented = text.str.contains(r"^[ \t]+\S")
    within = (indented | pl.col("opens").is_null()).all().over("source_id")
    block = within & ~indented & ~pl.col("blank") & indented.shift(-1).over(source).fill_null(False)
    edge = pl.col("blank") | pl.col("ruler")
    after = edge.shift(1).over(source).fill_null(True)
    return table.with_columns(paragraph=(block | (after & ~edge)).cum_sum())


def _of_source(table: pl.DataFrame, first: pl.DataFrame) -> Paragraphs | None:
    """Compose what leads to the stamps of a source's paragraphs; None where it is not told by how its lines begin."""
    keys = first["opens"].unique(maintain_order=True)
    openers = table.filter(pl.col("opens").is_in(keys.implode()))
    if len(keys) > _MOST or openers.height != first.height:  # several in a paragraph: lines of a log
        return None
    above = table.join(first.select("paragraph", stamp="at"), on="paragraph", maintain_order="left")
    above = above.filter(pl.col("at") < pl.col("stamp"))
    heads = above["text"].str.extract(_HEAD, 0)
    distinct = heads.drop_nulls().unique(maintain_order=True).to_list()
    if _deep(above) or len(distinct) > _MOST or heads.null_count():
        return None
    begins = pl.concat([above["at"], first["at"]]) - 1
    ruled = table.filter(pl.col("ruler") & pl.col("at").is_in(begins.implode()))
    leads = _any_of([*([_RULER] if ruled.height else []), *map(_spaced, distinct)])
    return Paragraphs(leads, _any_of([_key(one) for one in keys]), frozenset(first["shape"]))


def _run_on(table: pl.DataFrame) -> Paragraphs | None:
    """Compose what leads to the stamps of records that nothing parts: lines that stand above each first key alike."""
    keyed = table.with_row_index("row").filter(pl.col("keyed") & pl.col("opens").is_not_null())
    key = keyed["opens"].first()
    mine = keyed.filter(pl.col("opens") == key)
    if mine.height < _REPEATED:
        return None
    text, stamped = table["text"].str.extract(_SIGN, 0), table["opens"].is_not_null()
    heads: list[str] = []
    for above in range(1, REACH + 1):
        rows = mine["row"].cast(pl.Int64) - above
        here = text.gather(rows.filter(rows >= 0)).unique()
        alike = len(here) == 1 and rows.min() == rows.clip(0).min() and here[0] is not None
        if not alike or stamped.gather(rows).any():
            break
        heads.append(here[0])
    distinct = list(dict.fromkeys(heads))
    leads = _any_of([_spaced(one) for one in distinct])
    return Paragraphs(leads, _any_of([_key(str(key))]), frozenset(mine["shape"])) if distinct else None


def _deep(above: pl.DataFrame) -> bool:
    """Tell whether a stamp stands too far below the begin of its paragraph."""
    return bool((above.group_by("paragraph").len()["len"] > REACH).any())


def _spaced(head: str) -> str:
    return re.escape(head) + (r"(?-u:\b)" if head[-1].isalnum() else "")


def _key(before: str) -> str:
    """Match what stands before a stamp, whatever its numbers."""
    return r"\d+".join(re.escape(part) for part in before.split("0"))


def _any_of(regexes: list[str]) -> str:
    return "^(?:" + "|".join(one.removeprefix("^") for one in regexes) + ")" if regexes else ""


def led(one: Format, stamp: str, found: Paragraphs | None) -> Format:
    """Let a composed format open paragraphs, where its source consists of them; their text is the message.

    Args:
        one: the format of a source's stamps.
        stamp: the regex of its stamps.
        found: how the paragraphs begin.
    """
    if found is None:
        return one
    regex = rf"^(?:[^\n]*\n){{0,{REACH + 1}}}?{found.keys.removeprefix('^')}(?P<timestamp_text>{stamp})"
    pattern = Pattern(regex=regex, time=one.patterns[0].time, header_lines=REACH + 2)
    return replace(one, patterns=(pattern,), starts=f"{found.keys}(?:{stamp})", leads=found.leads)

"""Many needles in many texts at once: which rules want which rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from pirtimeline.signatures.regex import escaped
from pirtimeline.signatures.text import folded

PROBE = 1000
"""Rows by which it is told whether texts recur."""

HEAD = 10
"""So much of a needle is looked for first, where that is not commoner: the fewer states, the quicker the search."""

COMMONER = 0.002
"""A head that so large a share of the rows holds beyond the needles themselves saves nothing."""

CACHED = 6000
"""Characters of all heads whose automaton stays in the two megabytes that Rust's engine keeps of one."""

PAIRS = {"rule": pl.UInt32(), "row": pl.UInt32()}


@dataclass(frozen=True, slots=True)
class Needles:
    """Folded literals, which rules want each (`pairs`: `needle`, `rule`), and `heads`, one of which begins each."""

    pairs: pl.DataFrame
    heads: tuple[str, ...]

    @classmethod
    def of(cls, wanted: Iterable[tuple[str, int]]) -> Needles:
        """Make an index of literals and the rules that want them."""
        pairs = pl.DataFrame(list(wanted), schema={"needle": pl.String(), "rule": pl.UInt32()}, orient="row")
        return cls(pairs, tuple(dict.fromkeys(pairs["needle"])))

    def shortened(self, sample: pl.Series) -> Needles:
        """Look for the heads of needles, but for those that are commoner in a sample of the texts."""
        words: dict[str, list[str]] = {}
        for needle in self.heads:
            words.setdefault(needle[:HEAD], []).append(needle)
        every = [*dict.fromkeys([*words, *self.heads])]
        texts = sample.to_frame("text").select(folded(pl.col("text")).str.extract_many(every, overlapping=True))
        seen: Mapping[str, int] = dict(texts.to_series().explode().drop_nulls().value_counts().iter_rows())
        spared = {
            head: seen.get(head, 0) - sum(seen.get(word, 0) for word in some if word != head)
            <= COMMONER * len(sample) + (seen.get(head, 0) if head in some else 0)
            for head, some in words.items()
        }
        return replace(self, heads=tuple(w for head, some in words.items() for w in ([head] if spared[head] else some)))


def searched(texts: pl.Series, needles: Needles) -> pl.DataFrame:
    """Pair rules with the rows of a text that hold one of their needles; where texts recur, each is searched once.

    Example:
        >>> searched(pl.Series(["a tool.EXE b", "c"]), Needles.of([("tool.exe", 3)])).rows()
        [(3, 0)]
    """
    if texts.head(PROBE).n_unique() > PROBE // 4:
        return _search(texts, needles)
    distinct = texts.unique(maintain_order=True)
    some = _search(distinct, needles)
    if not some.height or len(distinct) == len(texts):
        return some
    rows = pl.DataFrame({"text": texts}).with_row_index("row")
    named = some.with_columns(text=distinct.gather(some["row"])).drop("row")
    return rows.join(named, on="text").select("rule", "row")


def _search(texts: pl.Series, needles: Needles) -> pl.DataFrame:
    """Search texts for needles.

    Few rows hold any: they are found without folding case but that of ASCII, the only case that ASCII text has.
    """
    held = _holding(texts, needles.heads)
    rows = (held | (texts.str.len_bytes() > texts.str.len_chars())).fill_null(False).arg_true()
    wanted = needles.pairs["needle"].unique(maintain_order=True).to_list()
    some = texts.gather(rows).to_frame("text").select(folded(pl.col("text")).str.extract_many(wanted, overlapping=True))
    hits = pl.DataFrame({"needle": some.to_series(), "row": rows.cast(pl.UInt32)})
    listed = hits.filter(pl.col("needle").list.len() > 0).explode("needle")
    return listed.join(needles.pairs, on="needle").select("rule", "row")


def _holding(texts: pl.Series, heads: Sequence[str]) -> pl.Series:
    """Tell which texts hold a head.

    As long as they fit into its cache, the automaton that a pattern becomes is walked twice as fast as that of
    `contains_any`; what it takes for the same letter beyond ASCII only adds rows that are looked at again.
    """
    if sum(map(len, heads)) > CACHED:
        return texts.str.contains_any(list(heads), ascii_case_insensitive=True)
    return texts.str.contains("(?i)" + "|".join(map(escaped, heads)))

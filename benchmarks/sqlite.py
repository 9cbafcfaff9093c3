"""Compare with SQL: the queries that pySigma's SQLite backend makes of the same rules, over the same events.

    python -m benchmarks.sqlite speed RULES EVENTS --sample 150     a sample of RULES one by one, then all at once
    python -m benchmarks.sqlite agree FOLDER                       who finds what, in folders of rule.yml and events.*

Needs `pip install pysigma-backend-sqlite`. The table is made as Zircolite makes it: one column a field, text compared
without regard to case, `REGEXP` a function of Python's. A query knows no logsource; the rows that ours means by it are
asked for before it, so that both look at the same rows.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline import signatures
from pirtimeline.schema import STRUCTURE
from pirtimeline.signatures.condition import All, AnyOf, Condition, Not, Test
from pirtimeline.signatures.model import Rule

EVENTS = "events.evtx", "events.json"
NAMED = {"event_code": "EventID", "host_name": "Computer"}


def database(events: pl.DataFrame) -> sqlite3.Connection:
    """Put events into a table of text, in memory, with an index on the event's number."""
    columns = [name for name in events.columns if events[name].null_count() < events.height]
    shown = events.select(pl.col(name).cast(pl.String).alias(NAMED.get(name, name)) for name in columns)
    made = sqlite3.connect(":memory:")
    made.create_function("REGEXP", 2, _regexp, deterministic=True)
    made.execute("CREATE TABLE logs (" + ", ".join(f'"{name}" TEXT COLLATE NOCASE' for name in shown.columns) + ")")
    holes = ", ".join("?" * shown.width)
    for batch in shown.iter_slices(50_000):
        made.executemany(f"INSERT INTO logs VALUES ({holes})", batch.iter_rows())
    made.execute('CREATE INDEX by_number ON logs ("EventID")')
    return made


def _regexp(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(pattern, str(text)) is not None


def queries(files: Iterable[Path]) -> Iterator[tuple[Path, str, str]]:
    """Convert rules: their file, the condition of each query, and why there is none."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    backend = sqliteBackend()
    for file in files:
        try:
            made = backend.convert(SigmaCollection.from_yaml(file.read_text("utf-8")))
        except Exception as error:  # noqa: BLE001, a stranger's converter
            yield file, "", str(error) or type(error).__name__
            continue
        for query in made:
            yield file, str(query).partition(" WHERE ")[2], ""


def meant(condition: Condition) -> str:
    """Say in SQL which rows a logsource means."""
    if isinstance(condition, Not):
        return f"NOT COALESCE({meant(condition.item)}, 0)"
    if isinstance(condition, Test):
        column = f'"{NAMED.get(condition.field or "", condition.field)}"'
        if condition.operator == "startswith":
            return "(" + " OR ".join(f"{column} GLOB '{value}*'" for value in condition.values) + ")"
        return f"{column} IN (" + ", ".join(f"'{value}'" for value in condition.values) + ")"
    joint = " AND " if isinstance(condition, All) else " OR "
    assert isinstance(condition, All | AnyOf)
    return "(" + joint.join(meant(item) for item in condition.items) + ")" if condition.items else "1"


def asked(rule: Rule, maps: Any, query: str, known: Sequence[str]) -> str:
    """Put the rows of the logsource before a query; fields that no event has are null."""
    wheres = [meant(binding.where) for binding in maps.bindings(rule.logsource)]
    whole = f"SELECT rowid FROM logs WHERE ({' OR '.join(wheres)}) AND ({query})"
    for name in {name for name in _names(whole) if name not in known}:
        whole = re.sub(rf'"{re.escape(name)}"|(?<![\w\'"%.\\-]){re.escape(name)}(?![\w\'"%.\\-])', "NULL", whole)
    return whole


def _names(query: str) -> list[str]:
    """List the columns of a query: identifiers outside of its texts."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", query)
    words = re.findall(r'"([^"]+)"|\b([A-Za-z_][\w]*)\b(?!\()', bare)
    return [a or b for a, b in words if (a or b) not in WORDS.split()]


WORDS = "SELECT FROM WHERE AND OR NOT LIKE GLOB IN IS NULL ESCAPE REGEXP COALESCE REPLACE CAST AS INTEGER rowid logs"


def speed(folder: Path, file: Path, sample: int) -> None:
    """Time a sample of rules one query after another, and all rules together by our engine."""
    rules = signatures.load([folder], builtin=False)
    by_file = {rule.header.origin: rule for rule in rules.rules}
    chosen = random.Random(5).sample(sorted(folder.glob("*.yml")), sample)
    frame = pl.read_parquet(file)
    began = time.perf_counter()
    made = database(frame.drop("parser", "timestamp"))
    print(f"SQLite: {frame.height} events in a table after {time.perf_counter() - began:.1f} s")
    del frame
    known = [row[1] for row in made.execute("PRAGMA table_info(logs)")]
    texts = [(by_file[str(path)], query) for path, query, _ in queries(chosen) if query]
    began, found, worked = time.perf_counter(), 0, time.process_time()
    ids: dict[str, int] = {}
    for rule, query in texts:
        count = len(made.execute(asked(rule, rules.maps, query, known)).fetchall())
        ids[rule.header.signature_id] = count
        found += count
    wall, work = time.perf_counter() - began, time.process_time() - worked
    each, whole = wall / len(texts), len(rules.rules)
    made.close()
    print(f"SQLite: {len(texts)} rules in {wall:.1f} s ({work:.1f} s of processor), {each:.3f} s each, {found} matches")
    began = time.perf_counter()
    hits = signatures.match(pl.scan_parquet(file), rules).hits
    ours = time.perf_counter() - began
    counts = dict(hits.group_by("signature_id").len().iter_rows())
    differing = [name for name, count in ids.items() if counts.get(name, 0) != count]
    times = each * whole / ours
    print(f"here: {whole} rules in {ours:.1f} s; SQLite needs {each * whole:.0f} s, {times:.0f} times as long")
    print(f"rules of the sample that differ in their number of matches: {len(differing)} {differing}")


def gathered(folder: Path, name: str) -> pl.DataFrame:
    """Read the events beside each rule, under the rule's folder's name."""
    from pirtimeline_parsers.windows_evtx import WindowsEvtx
    from pirtimeline_parsers.windows_exports import WindowsJson

    parser = WindowsEvtx() if name.endswith(".evtx") else WindowsJson()
    parts = []
    for path in sorted(folder.glob(f"*/{name}")):
        rows = pl.concat(list(parser.read(io.BytesIO(path.read_bytes()))))
        parts.append(rows.with_columns(event_id=pl.format("{}:{}", pl.lit(path.parent.name), "byte_offset")))
    return pl.concat(parts, how="diagonal").filter(pl.col("parser") != STRUCTURE)


def spread(events: pl.DataFrame) -> pl.DataFrame:
    """Give each key of `extra` a column, as the flattening of a converter does."""
    parsed = [json.loads(text) if text else {} for text in events["extra"]]
    names = sorted({key for each in parsed for key in each} - set(events.columns))
    own = {name: [None if (v := each.get(name)) is None else str(v) for each in parsed] for name in names}
    return events.drop("extra").with_columns(pl.Series(name, texts, dtype=pl.String) for name, texts in own.items())


def agree(folder: Path) -> None:
    """Print for each kind of events what both find, and each difference."""
    rules = signatures.load([folder], builtin=False)
    by_file = {rule.header.origin: rule for rule in rules.rules}
    for name in EVENTS:
        events = gathered(folder, name)
        hits = signatures.match(events.lazy(), rules).hits
        ours = set(hits.select("signature_id", "event_id").iter_rows())
        theirs, refused = by_sql(spread(events), by_file, rules.maps, sorted(folder.glob("*/rule.yml")))
        print(f"{name}: {events.height} events, {len(rules.rules)} rules; here {len(ours)} matches, SQL {len(theirs)}")
        for path, why in refused:
            print(f"  not converted: {path.parent.name}: {why}")
        for word, some in (("here alone", ours - theirs), ("SQL alone", theirs - ours)):
            for rule, event in sorted(some):
                print(f"  {word}: rule {rule} on {event}")
        crossings = sorted((rule, event) for rule, event in ours if not event.startswith(rule))
        print(f"  matches on another rule's event: {len(crossings)}")
        for rule, event in crossings:
            print(f"    {rule} on {event}")


def by_sql(
    events: pl.DataFrame, by_file: Mapping[str, Rule], maps: Any, files: Sequence[Path]
) -> tuple[set[tuple[str, str]], list[tuple[Path, str]]]:
    """Give what the queries find, and the rules of which there is no query."""
    made = database(events)
    known = [row[1] for row in made.execute("PRAGMA table_info(logs)")]
    found: set[tuple[str, str]] = set()
    refused: list[tuple[Path, str]] = []
    for path, query, why in queries(files):
        if why:
            refused.append((path, why))
            continue
        rule = by_file[str(path)]
        for (row,) in made.execute(asked(rule, maps, query, known)):
            found.add((rule.header.signature_id, events["event_id"][row - 1]))
    return found, refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "agree"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=150)
    options = parser.parse_args()
    doing: dict[str, Callable[[], None]] = {
        "speed": lambda: speed(options.paths[0], options.paths[1], options.sample),
        "agree": lambda: agree(options.paths[0]),
    }
    try:
        doing[options.what]()
    except ImportError as error:
        sys.exit(f"{error}: pip install pysigma-backend-sqlite")


if __name__ == "__main__":
    main()

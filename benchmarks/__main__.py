"""Measure ingest against Polars' own copy of the same lines into Parquet, as whole processes in turn.

Run with: python -m benchmarks [--size MB] [--files N] [--huge MB] [--runs N] [--peers] [--folder DIR] [KIND ...]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import data

COPY = "import sys, polars as pl; pl.scan_lines(sys.argv[1]).sink_parquet(sys.argv[2])"
"""The floor: Polars' copy of the lines into Parquet, with nothing parsed."""

UNPACKED = (
    "import shutil, sys, polars as pl; from isal import igzip; plain = sys.argv[2] + '.log'\n"
    "with igzip.open(sys.argv[1]) as packed, open(plain, 'wb') as out: shutil.copyfileobj(packed, out, 1 << 20)\n"
    "pl.scan_lines(plain).sink_parquet(sys.argv[2])"
)
"""The floor of a gzip: its decompression by isal, then the copy."""

INGEST = "from pirtimeline.cli import main; main()"
WINDOW = ("--start", "2024-03-03T06:00Z", "--end", "2024-03-03T06:10Z", "--only-near", "10m")
COUNT = (
    "SELECT date_trunc('minute', strptime(regexp_extract(l, '\\[([^ ]+)', 1), '%d/%b/%Y:%H:%M:%S')) AS m, count(*) "
    "FROM read_csv('{}', columns={{'l': 'VARCHAR'}}, delim='\\x01', quote='', escape='', header=false) "
    "WHERE regexp_matches(l, '\" 5\\d\\d ') GROUP BY 1"
)
"""What one would ask DuckDB by hand of an access log: its 5xx by minute."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured: evidence, its bytes, the floor's script where there is one, and options of the ingest."""

    kind: str
    path: Path
    size: int
    floor: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of seconds and of their ratio pair by pair, the highest peak, bytes of Parquet, and the share read."""

    floor: float
    ingest: float
    ratio: float
    peak: float
    parquet: int
    read: float


def run(arguments: Sequence[str]) -> tuple[float, float]:
    """Run a process: wall seconds, and its peak resident memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{arguments}: {process.stderr.read().decode() if process.stderr else ''}")
    return took, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def measured(one: Measure, runs: int) -> Figures:
    """Run floor and ingest in turn."""
    floors, ingests, peaks, parquet, read = [], [], [], 0, 1.0
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            if one.floor:
                floors.append(run([sys.executable, "-c", one.floor, str(one.path), f"{folder}/copy.parquet"])[0])
            case = Path(folder, "case")
            command = [sys.executable, "-c", INGEST, "ingest", str(one.path), "--case", str(case), "--quiet"]
            took, peak = run([*command, *one.options])
            parquet = sum(part.stat().st_size for part in case.glob("events/*/*"))
            read = 1 - skipped(case) / one.size
            shutil.rmtree(case)
        ingests.append(took)
        peaks.append(peak)
    ratio = median(b / a for a, b in zip(floors, ingests, strict=True)) if floors else float("nan")
    return Figures(median(floors) if floors else float("nan"), median(ingests), ratio, max(peaks), parquet, read)


def skipped(case: Path) -> int:
    """Count the bytes that a window left unread."""
    rows = [json.loads(line) for mark in case.glob("sources/*") for line in mark.read_text().splitlines()]
    return sum(length for row in rows for _, length in row.get("skipped") or ())


def measures(given: argparse.Namespace) -> Iterator[Measure]:
    """Write the data of each kind that was asked for."""
    for kind in given.kinds:
        if kind in data.KINDS:
            path = data.write(kind, given.folder, given.size << 20)
            yield Measure(kind, path, path.stat().st_size, COPY)
        elif kind == "gzip":
            plain = data.write("catalina", given.folder, given.size << 20)
            yield Measure(kind, data.compressed(plain), plain.stat().st_size, UNPACKED)
        elif kind == "small":
            folder = data.small_files(given.folder, given.files)
            yield Measure(kind, folder, sum(path.stat().st_size for path in folder.iterdir()))
        elif kind in ("huge", "window"):
            path = data.huge(given.folder, given.huge << 20)
            yield Measure(
                kind, path, path.stat().st_size, "" if kind == "window" else COPY, WINDOW * (kind == "window")
            )
        else:
            sys.exit(f"no kind is called {kind}: {', '.join(ALL)}, huge")


def peers(path: Path) -> Iterator[tuple[str, float]]:
    """Let others answer how many 5xx an access log has by minute, where they are installed."""
    if shutil.which("lnav"):
        yield "lnav", run(["lnav", "-n", "-q", "-c", LNAV, str(path)])[0]
    try:
        import duckdb  # noqa: F401
    except ImportError:
        return
    script = f"import duckdb; duckdb.sql({COUNT.format(path)!r}).fetchall()"
    yield "duckdb", run([sys.executable, "-c", script])[0]


def answered(path: Path) -> tuple[float, float]:
    """Answer the same from a case: seconds with the ingest, and from the case that is there."""
    with tempfile.TemporaryDirectory() as folder:
        case = f"{folder}/case"
        took, _ = run([sys.executable, "-c", INGEST, "ingest", str(path), "--case", case, "--quiet"])
        warm, _ = run([sys.executable, "-c", INGEST, "query", case, ASKED])
    return took + warm, warm


ASKED = (
    "SELECT strftime(timestamp, '%Y-%m-%dT%H:%M') AS m, count(*) FROM events WHERE http_status_code >= 500 GROUP BY m"
)
LNAV = ";SELECT strftime('%Y-%m-%dT%H:%M', log_time) AS m, count(*) FROM access_log WHERE sc_status >= 500 GROUP BY m"
ALL = (*data.KINDS, "gzip", "small", "window")


def main() -> None:
    """Print one table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kinds", nargs="*", default=[*ALL], help="also: huge, all of the file that `window` enters")
    options.add_argument("--size", type=int, default=50, help="MB of each kind")
    options.add_argument("--files", type=int, default=2000, help="how many small files")
    options.add_argument(
        "--huge", type=int, default=300, help="MB of the file that is entered at a window; 10000 is 10 GB"
    )
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--peers", action="store_true", help="let lnav and DuckDB count 5xx by minute, and so do we")
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "pirtimeline-benchmarks"))
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    head = ("kind", "MB", "floor s", "ingest s", "MB/s", "ratio", "peak MB", "parquet", "read")
    print("{:10} {:>6} {:>8} {:>9} {:>6} {:>6} {:>8} {:>8} {:>7}".format(*head))
    for one in measures(given):
        got, size = measured(one, given.runs), one.size / 1e6
        rate, packed = size * got.read / got.ingest, got.parquet / (one.size * got.read)
        print(
            f"{one.kind:10} {size:6.0f} {got.floor:8.2f} {got.ingest:9.2f} {rate:6.0f} {got.ratio:6.2f} {got.peak:8.0f}"
            f" {packed:8.3f} {got.read:7.2%}",
            flush=True,
        )
    if given.peers:
        path = data.write("access", given.folder, given.size << 20)
        cold, warm = answered(path)
        told = [("pirtimeline, ingest counted", cold), ("pirtimeline, again", warm), *peers(path)]
        print("\n5xx by minute of the access log:", *(f"  {name}: {seconds:.2f} s" for name, seconds in told), sep="\n")


if __name__ == "__main__":
    main()

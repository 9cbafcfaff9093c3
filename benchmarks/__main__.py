"""Measure ingest against Polars' own copy of the same lines into Parquet, as whole processes in turn.

Run with: python -m benchmarks [--size MB] [--runs N] [--folder DIR] [KIND ...]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import data

COPY = "import sys, polars as pl; pl.scan_lines(sys.argv[1]).sink_parquet(sys.argv[2])"
"""The floor: Polars' copy of the lines into Parquet, with nothing parsed."""

INGEST = "from pirtimeline.cli import main; main()"


def run(arguments: list[str]) -> tuple[float, float]:
    """Run a process: wall seconds, and its peak resident memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{arguments}: {process.stderr.read().decode() if process.stderr else ''}")
    return took, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def measure(path: Path, runs: int) -> tuple[float, float, float, float]:
    """Give the median seconds of copy and ingest, the median of their ratios pair by pair, and the ingest's peak MB."""
    copies, ingests, ratios, peaks = [], [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            copied, _ = run([sys.executable, "-c", COPY, str(path), f"{folder}/copy.parquet"])
            case = f"{folder}/case"
            took, peak = run([sys.executable, "-c", INGEST, "ingest", str(path), "--case", case, "--quiet"])
            shutil.rmtree(case)
        copies.append(copied)
        ingests.append(took)
        ratios.append(took / copied)
        peaks.append(peak)
    return median(copies), median(ingests), median(ratios), max(peaks)


def main() -> None:
    """Print one table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kinds", nargs="*", default=[*data.KINDS])
    options.add_argument("--size", type=int, default=50, help="MB of each kind")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "pirtimeline-benchmarks"))
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{'kind':10} {'MB':>6} {'copy s':>8} {'ingest s':>9} {'MB/s':>7} {'ratio':>6} {'peak MB':>8}")
    for kind in given.kinds:
        path = data.write(kind, given.folder, given.size << 20)
        copy, ingest, ratio, peak = measure(path, given.runs)
        size = path.stat().st_size / 1e6
        print(f"{kind:10} {size:6.0f} {copy:8.2f} {ingest:9.2f} {size / ingest:7.0f} {ratio:6.2f} {peak:8.0f}")


if __name__ == "__main__":
    main()

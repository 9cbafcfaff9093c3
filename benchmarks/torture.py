"""Kill runs at random instants, then let one come to its end: the case must be that of a run that was never killed.

Run with: python -m benchmarks.torture [--kills 10] [--size MB] [--cluster]; the last needs pirtimeline[cluster]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import data

INGEST = [sys.executable, "-c", "from pirtimeline.cli import main; main()", "ingest", "--quiet"]


def evidence(folder: Path, size: int) -> Path:
    """Gather sources of every kind in a folder: large ones, a gzip, many small ones."""
    into = folder / "evidence"
    if not into.is_dir():
        into.mkdir(parents=True)
        for kind in ("catalina", "access", "syslog"):
            shutil.copy2(data.write(kind, folder, size << 20), into / f"{kind}.log")
        shutil.copy2(data.compressed(data.write("generic", folder, size << 20)), into / "generic.log.gz")
        shutil.copytree(data.small_files(folder, 300), into / "small")
    return into


def hashes(case: Path) -> dict[str, str]:
    """Hash every file of a case but `case.toml`."""
    files = sorted(path for path in case.rglob("*") if path.is_file() and path.name != "case.toml")
    return {path.relative_to(case).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def finished(source: Path, case: Path, *options: str) -> float:
    """Run to the end: seconds."""
    began = time.perf_counter()
    status = subprocess.run([*INGEST, str(source), "--case", str(case), *options], check=False).returncode
    if status not in (0, 3):
        sys.exit(f"the run ended with {status}")
    return time.perf_counter() - began


def killed(source: Path, case: Path, after: float) -> None:
    """Begin a run and kill it."""
    running = subprocess.Popen([*INGEST, str(source), "--case", str(case)])
    try:
        running.wait(after)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        running.wait()


def on_cluster(source: Path, case: Path, workers: int) -> None:
    """Run on workers of this machine, one of which is killed on the way where there are several."""
    dask = [sys.executable, "-m"]
    address = "tcp://127.0.0.1:18787"
    with tempfile.TemporaryDirectory() as scratch:
        started = [subprocess.Popen([*dask, "distributed.cli.dask_scheduler", "--port", "18787", "--no-dashboard"])]
        time.sleep(4)
        options = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", scratch]
        started += [
            subprocess.Popen([*dask, "distributed.cli.dask_worker", *options], stderr=subprocess.DEVNULL)
            for _ in range(workers)
        ]
        try:
            time.sleep(4)
            command = [*INGEST, str(source), "--case", str(case), "--scheduler", address]
            running = subprocess.Popen(command)
            if workers > 1:
                time.sleep(6)
                started[1].kill()
            if running.wait() not in (0, 3):
                sys.exit(f"the run on {workers} workers ended with {running.returncode}")
        finally:
            for one in started:
                one.kill()
                one.wait()


def main() -> None:
    """Kill, finish, compare."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--size", type=int, default=40, help="MB of each large source")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cluster", action="store_true", help="also run on 1, 2 and 4 workers of a Dask cluster")
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "pirtimeline-torture"))
    given = options.parse_args()
    source, seed = evidence(given.folder, given.size), random.Random(given.seed)
    for name in given.folder.glob("case-*"):
        shutil.rmtree(name)
    took = finished(source, given.folder / "case-whole")
    expected = hashes(given.folder / "case-whole")
    for _ in range(given.kills):
        after = seed.uniform(0.2, took)
        killed(source, given.folder / "case-killed", after)
        print(f"killed after {after:.1f} s")
    finished(source, given.folder / "case-killed")
    cases = {"killed": given.folder / "case-killed"}
    for workers in (1, 2, 4) if given.cluster else ():
        cases[f"{workers} workers"] = given.folder / f"case-{workers}"
        on_cluster(source, cases[f"{workers} workers"], workers)
    wrong = [name for name, case in cases.items() if hashes(case) != expected]
    print(f"{len(expected)} files; " + (f"other files: {', '.join(wrong)}" if wrong else "the same in every case"))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

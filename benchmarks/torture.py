"""Kill runs at random instants, then let one come to its end: the case must be that of a run that was never killed.

Run with: python -m benchmarks.torture [--kills 10] [--size MB] [--cluster] [--bucket]; --cluster needs
pirtimeline[cluster], and --bucket moto besides: the cluster's evidence and cases then lie on a server that speaks S3.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import data
from pirtimeline.objects import ObjectPath

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


def hashes(case: Path | ObjectPath) -> dict[str, str]:
    """Hash every file of a case but `case.toml`."""
    if isinstance(case, ObjectPath):
        names = [name for name in case.below() if name != "case.toml"]
        return {name: hashlib.sha256((case / name).read_bytes()).hexdigest() for name in names}
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


@contextmanager
def bucket(source: Path) -> Iterator[ObjectPath]:
    """Serve a bucket with the evidence in it, whose files are as old on the disk as they are there."""
    port = 18788
    serving = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    )
    said = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    os.environ.update(said, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    from botocore.session import Session

    try:
        time.sleep(6)
        Session().create_client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
        there = ObjectPath("s3://bucket")
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            (there / "evidence" / path.relative_to(source).as_posix()).write_bytes(path.read_bytes())
        for name, told in (there / "evidence").below().items():
            os.utime(source / name, ns=(told.mtime_ns, told.mtime_ns))
        yield there
    finally:
        serving.kill()
        serving.wait()


def on_cluster(source: Path | ObjectPath, case: Path | ObjectPath, workers: int) -> None:
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
    options.add_argument("--bucket", action="store_true", help="with --cluster: evidence and cases in a bucket")
    given = options.parse_args()
    with ExitStack() as stack:
        tortured(given, stack)


def tortured(given: argparse.Namespace, stack: ExitStack) -> None:
    """Do what was asked for."""
    source, seed = evidence(given.folder, given.size), random.Random(given.seed)
    for name in given.folder.glob("case-*"):
        shutil.rmtree(name)
    there = stack.enter_context(bucket(source)) if given.bucket else None
    took = finished(source, given.folder / "case-whole")
    expected = hashes(given.folder / "case-whole")
    for _ in range(given.kills):
        after = seed.uniform(0.2, took)
        killed(source, given.folder / "case-killed", after)
        print(f"killed after {after:.1f} s")
    finished(source, given.folder / "case-killed")
    cases: dict[str, Path | ObjectPath] = {"killed": given.folder / "case-killed"}
    for workers in (1, 2, 4) if given.cluster else ():
        cases[f"{workers} workers"] = (there or given.folder) / f"case-{workers}"
        on_cluster(there / "evidence" if there else source, cases[f"{workers} workers"], workers)
    wrong = [name for name, case in cases.items() if hashes(case) != expected]
    print(f"{len(expected)} files; " + (f"other files: {', '.join(wrong)}" if wrong else "the same in every case"))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

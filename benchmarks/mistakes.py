"""More than fifty mistakes that one could make in the engine of signatures, each of which some test must catch.

    python benchmarks/mistakes.py [--only N] [--first N]

Each is made in a copy of the package, against which the tests of signatures run; what no test catches is printed, and
the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TESTS = ["regex", "search", "semantics", "correlation", "findings", "slow", "check", "catalogue"]

MISTAKES: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))


def caught(number: int, folder: Path) -> str:
    """Make one mistake in a copy of the package and name the first test that fails; nothing where none does."""
    name, old, new = (MISTAKES[number][key] for key in ("file", "says", "becomes"))
    copy = folder / "pirtimeline"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "pirtimeline", copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "signatures" / name
    text = file.read_text("utf-8")
    if old not in text:
        sys.exit(f"mistake {number}: {name} does not hold {old!r} any more")
    file.write_text(text.replace(old, new, 1), "utf-8")
    tests = [str(ROOT / "tests" / f"test_signatures_{each}.py") for each in TESTS]
    found = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-c", str(ROOT / "pyproject.toml")]
    command += ["-p", "no:cacheprovider", "--hypothesis-seed=1", *tests]
    done = subprocess.run(command, cwd=folder, env=found, capture_output=True, text=True, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0].removeprefix("FAILED ") if failed else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    chosen = range(options.first, len(MISTAKES)) if options.only is None else [options.only]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in chosen:
            test = caught(number, Path(folder))
            missed += not test
            print(f"{number:2} {MISTAKES[number]['mistake']}: {test or 'NOT CAUGHT'}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Fifty mistakes that one could make in the engine of signatures, each of which some test must catch.

    python benchmarks/mistakes.py [--only N]

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

ROOT = Path(__file__).parents[1]
TESTS = ["semantics", "correlation", "findings", "slow", "check", "catalogue"]

MISTAKES = [
    ("a negation lost", "compile.py", "return ~compiled(condition.item, columns)", "return compiled(condition.item, columns)"),
    ("all taken for any", "compile.py", "join = and_ if isinstance(condition, All) else or_", "join = or_"),
    ("nothing at all taken to hold", "compile.py", "return pl.lit(isinstance(condition, All))", "return pl.lit(True)"),
    ("null not taken for false", "compile.py", "else made.fill_null(False)", "else made"),
    ("null taken for true", "compile.py", "else made.fill_null(False)", "else made.fill_null(True)"),
    ("an absent field taken to hold", "compile.py", 'return pl.lit(test.operator == "null" or', 'return pl.lit(test.operator != "null" or'),
    ("exists: false lost on absent fields", "compile.py", "and False in test.values))", "and True in test.values))"),
    ("only the first of several values", "compile.py", "return text == values[0] if len(values) == 1 else text.is_in(values)", "return text == values[0]"),
    ("contains taken for equals", "compile.py", "return text.str.contains(values[0], literal=True) if len(values) == 1", "return (text == values[0]) if len(values) == 1"),
    ("contains read as a pattern", "compile.py", "text.str.contains(values[0], literal=True) if", "text.str.contains(values[0], strict=False) if"),
    ("startswith taken for contains", "compile.py", "text.str.starts_with(value) for value", "text.str.contains(value, literal=True) for value"),
    ("endswith taken for startswith", "compile.py", "text.str.ends_with(value) for value", "text.str.starts_with(value) for value"),
    ("an empty literal found in null", "compile.py", "return text.is_not_null()", "return pl.lit(True)"),
    ("cased ignored", "compile.py", "if test.cased:\n        return columns.text", "if False:\n        return columns.text"),
    ("case of the literal not folded", "compile.py", "[fold(str(value)) for value in test.values]", "[str(value) for value in test.values]"),
    ("a wildcard that stops at a line end", "compile.py", r'frame = r"(?s){}" if test.field is None else r"(?s)\A(?:{})\z"', r'frame = r"{}" if test.field is None else r"\A(?:{})\z"'),
    ("a wildcard not anchored", "compile.py", r'else r"(?s)\A(?:{})\z"', r'else r"(?s)(?:{})"'),
    ("one wildcard taken for many", "compile.py", 'spelled = {MANY: ".*", ONE: "."}', 'spelled = {MANY: ".*", ONE: ".*"}'),
    ("gt taken for gte", "compile.py", '"gt": lambda a, b: a > b', '"gt": lambda a, b: a >= b'),
    ("lte taken for lt", "compile.py", '"lte": lambda a, b: a <= b', '"lte": lambda a, b: a < b'),
    ("nan greater than any number", "compile.py", "return pl.when(number.is_finite()).then(number)", "return number"),
    ("a number compared with text only", "compile.py", "return reduce(or_, tests, texts.fill_null(False))", "return texts.fill_null(False)"),
    ("the ISO week one off", "compile.py", "strict=False).dt.week()", "strict=False).dt.week() + 1"),
    ("the hour read for the minute", "compile.py", 'TIME_PARTS = {"minute": 5, "hour": 4', 'TIME_PARTS = {"minute": 4, "hour": 4'),
    ("fieldref turned round", "compile.py", '"startswith": lambda a, b: a.str.starts_with(b)', '"startswith": lambda a, b: b.str.starts_with(a)'),
    ("null and not null mistaken", "compile.py", "return columns.plain(test.field).is_null()", "return columns.plain(test.field).is_not_null()"),
    ("a network's last address left out", "addresses.py", "int(network.broadcast_address))", "int(network.broadcast_address) - 1)"),
    ("an octet of 256 read", "addresses.py", "25[0-5]|2[0-4][0-9]", "25[0-9]|2[0-4][0-9]"),
    ("version 4 in version 6 not read", "addresses.py", '(?i:::ffff:)?', ""),
    ("the final sigma kept apart", "text.py", 'return text.str.to_lowercase().str.replace_all("ς", "σ", literal=True)', "return text.str.to_lowercase()"),
    ("case folded in ASCII alone", "scan.py", "| (texts.str.len_bytes() > texts.str.len_chars())", "| pl.lit(False).alias('x') if False else texts.str.contains_any(wanted, ascii_case_insensitive=True)"),
    ("a needle of a branch lost", "needles.py", "return frozenset().union(*known) if len(known) == len(parts) else None", "return frozenset().union(*known) if known else None"),
    ("a needle taken from a negation", "needles.py", "    if isinstance(condition, AnyOf) and condition.items:", "    if isinstance(condition, Not):\n        return needles(condition.item, weights)\n    if isinstance(condition, AnyOf) and condition.items:"),
    ("an empty needle", "needles.py", 'return None if "" in found or not found else', "return None if not found else"),
    ("an optional literal taken for a needle", "regex.py", 'least, once, at = char == "+", False, at + 1', 'least, once, at = True, False, at + 1'),
    ("a branch of a pattern forgotten", "regex.py", "return (frozenset().union(*known) if len(known) == len(branches) else None), at", "return (frozenset().union(*known) if known else None), at"),
    ("look-around taken for text", "regex.py", "demands = False", "demands = True"),
    ("the flag i lost", "regex.py", 'rust = (f"(?{flags})" if flags else "")', 'rust = (f"(?{flags})" if flags and "i" not in flags else "")'),
    ("a class of brackets misread", "regex.py", 'for mark in ("^]", "]", "^"):', 'for mark in ("^",):'),
    ("the end of a text misread", "regex.py", r'else r"(?:\n?\z)"', 'else "$"'),
    ("values merged across case", "condition.py", "key = (item.field, item.operator, item.cased, item.flags)", "key = (item.field, item.operator)"),
    ("all of a list read as any", "sigma.py", "linked = both(parts) if item.value_linking is ConditionAND else either(parts)", "linked = either(parts)"),
    ("neq holds for absent fields", "sigma.py", 'return All((Test(item.field, "exists", (True,)), Not(linked))) if item.field else Not(linked)', "return Not(linked)"),
    ("a list of maps read as all", "sigma.py", "return both(parts) if detection.item_linking in (None, ConditionAND) else either(parts)", "return both(parts)"),
    ("all of them read as one of them", "sigma.py", "return both(parts) if issubclass(node.cond_class, ConditionAND) else either(parts)", "return either(parts)"),
    ("several wildcards taken for one", "sigma.py", 'shapes = {(MANY, str, MANY): "contains"', 'shapes = {(MANY, str, MANY): "endswith"'),
    ("a placeholder's wildcard taken literally", "sigma.py", "for each in _filled(SigmaString(text), placeholders)", "for each in [(text,)]"),
    ("a window without its first event", "correlate.py", 'closed="both"', 'closed="right"'),
    ("a window one second long too many", "correlate.py", "period=correlation.timespan, closed", "period=correlation.timespan + __import__('datetime').timedelta(seconds=1), closed"),
    ("groups mixed", "correlate.py", 'closed="both", group_by="key"', 'closed="both"'),
    ("order of a chain ignored", "correlate.py", 'reached = before.with_columns(begin=pl.when(pl.col("rule") == rule).then("begin"))', 'reached = before.with_columns(begin=pl.when(pl.col("rule") == rule).then("at"))'),
    ("an alias forgotten", "correlate.py", "if alias == name and of == rule), name)", "if alias == name and of == rule and False), name)"),
    ("distinct values counted with null", "correlate.py", "return together.drop_nulls().n_unique()", "return together.n_unique()"),
    ("a pause of thirty-one minutes", "findings.py", "PAUSE = timedelta(minutes=30)", "PAUSE = timedelta(minutes=31)"),
    ("the peak's last event cited", "findings.py", 'pl.col("event_id").first().alias("peak")', 'pl.col("event_id").last().alias("peak")'),
    ("a generic signature kept beside its specific one", "match.py", "    if not pairs:\n        return hits", "    return hits"),
    ("copies counted", "match.py", "yield frame if copies is None else", "yield frame if True else"),
    ("slow patterns taken to hold", "slow.py", "return (All(()) if most else AnyOf(()))", "return All(())"),
]  # fmt: skip


def caught(number: int, folder: Path) -> str:
    """Make one mistake in a copy of the package and name the first test that fails; nothing where none does."""
    _, name, old, new = MISTAKES[number]
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
    options = parser.parse_args()
    chosen = range(len(MISTAKES)) if options.only is None else [options.only]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in chosen:
            test = caught(number, Path(folder))
            missed += not test
            print(f"{number:2} {MISTAKES[number][0]}: {test or 'NOT CAUGHT'}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

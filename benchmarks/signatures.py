"""Measure signatures: thousands of rules over a million Windows events, loading them, and the catalogue over catalina.

    python -m benchmarks.signatures rules FOLDER --rules 3000          write rules of realistic shape
    python -m benchmarks.signatures events FILE --events 1000000       write Windows events as a part
    python -m benchmarks.signatures run FOLDER FILE                  load and match; prints seconds and peak memory
    python -m benchmarks.signatures catalogue FOLDER --size 200        our catalogue over a catalina.out, and its ingest

The rules have the proportions of the public collections: process creation 43 %, mostly `endswith` and `contains`,
a third with `all`, a quarter with a filter, a few regular expressions. Everything is invented and seeded.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import polars as pl
import yaml

from benchmarks import data
from pirtimeline import signatures
from pirtimeline.schema import EVENT_COLUMNS

SYSMON = "Microsoft-Windows-Sysmon/Operational"
KINDS = {
    ("process_creation", ""): (43, 1, SYSMON),
    ("registry_set", ""): (8, 13, SYSMON),
    ("file_event", ""): (7, 11, SYSMON),
    ("ps_script", ""): (7, 4104, "Microsoft-Windows-PowerShell/Operational"),
    ("image_load", ""): (5, 7, SYSMON),
    ("network_connection", ""): (3, 3, SYSMON),
    ("dns_query", ""): (2, 22, SYSMON),
    ("process_access", ""): (2, 10, SYSMON),
    ("pipe_created", ""): (2, 17, SYSMON),
    ("", "security"): (12, 4624, "Security"),
    ("", "system"): (9, 7045, "System"),
}
"""Category and service -> share of rules (%), event number, channel."""

TOOLS = (
    "cmd powershell pwsh rundll32 regsvr32 mshta certutil wmic net net1 reg sc schtasks cscript wscript msbuild curl"
)
TOOLS += (
    " bitsadmin nltest whoami svchost explorer chrome msedge winword excel outlook java node python notepad git ssh"
)
SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "ki",
    "lo",
    "mu",
    "ne",
    "pa",
    "ri",
    "so",
    "tu",
    "ve",
    "wa",
    "xi",
    "yo",
    "ze",
    "dra",
    "kel",
    "min",
    "sor",
    "tan",
    "vex",
    "lum",
]


def word(rng: random.Random, least: int = 2, most: int = 4) -> str:
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(least, most)))


def literal(rng: random.Random) -> str:
    shape = rng.random()
    if shape < 0.3:
        return f" -{word(rng)} "
    if shape < 0.5:
        return f"\\{word(rng).capitalize()}\\{word(rng).capitalize()}\\"
    if shape < 0.7:
        return f"{word(rng).capitalize()}-{word(rng).capitalize()}"
    return f"{word(rng, 2, 3)}.{word(rng, 1, 2)}" if shape < 0.85 else word(rng, 3, 5)


def selection(rng: random.Random, field: str) -> dict[str, object]:
    shape = rng.random()
    if shape < 0.5:
        return {f"{field}|contains": [literal(rng) for _ in range(rng.randint(1, 12))]}
    if shape < 0.8:
        return {f"{field}|contains|all": [literal(rng) for _ in range(rng.randint(2, 4))]}
    if shape < 0.9:
        return {f"{field}|endswith": [f"\\{word(rng)}.exe" for _ in range(rng.randint(1, 5))]}
    if shape < 0.95:
        return {f"{field}|re": rf"{word(rng)}\s+[^\"]{{0,40}}{word(rng)}\d{{2,6}}"}
    return {f"{field}|contains|windash": f" -{word(rng)} "}


FIELDS = {
    "process_creation": "CommandLine",
    "registry_set": "TargetObject",
    "file_event": "TargetFilename",
    "ps_script": "ScriptBlockText",
    "image_load": "ImageLoaded",
    "network_connection": "DestinationHostname",
    "dns_query": "QueryName",
    "process_access": "CallTrace",
    "pipe_created": "PipeName",
    "security": "ObjectName",
    "system": "ImagePath",
}


def rule(rng: random.Random, category: str, service: str, number: int) -> dict[str, object]:
    field = FIELDS[category or service]
    detection: dict[str, object] = {"selection_cli": selection(rng, field)}
    condition = "all of selection_*"
    if category == "process_creation":
        tools = rng.sample(TOOLS.split(), rng.randint(1, 3))
        image = [{"Image|endswith": [f"\\{t}.exe" for t in tools]}, {"OriginalFileName": [f"{t}.exe" for t in tools]}]
        if rng.random() < 0.8:
            detection["selection_img"] = image
        if rng.random() < 0.15:
            detection["selection_parent"] = {"ParentImage|endswith": f"\\{rng.choice(TOOLS.split())}.exe"}
    elif category in ("registry_set", "file_event", "image_load", "process_access") and rng.random() < 0.4:
        detection["selection_img"] = {"Image|endswith": f"\\{rng.choice(TOOLS.split())}.exe"}
    elif service:
        detection["selection_id"] = {"EventID": rng.choice([[4624], [4625, 4624], [7045], [7036, 7045], [4663]])}
    if rng.random() < 0.25:
        detection["filter_main"] = {f"{field}|startswith": f"C:\\Program Files\\{word(rng).capitalize()}\\"}
        condition += " and not 1 of filter_*"
    logsource = {"product": "windows", **({"category": category} if category else {"service": service})}
    return {
        "title": f"Generated rule {number}",
        "id": str(UUID(int=rng.getrandbits(128), version=4)),
        "status": "test",
        "description": "Written by a generator, to measure.",
        "author": "benchmarks/signatures.py",
        "date": "2024-01-01",
        "tags": ["attack.execution", "attack.t1059.001"],
        "logsource": logsource,
        "detection": {**detection, "condition": condition},
        "falsepositives": ["Unknown"],
        "level": rng.choice(["low", "medium", "high"]),
    }


def write_rules(folder: Path, count: int) -> None:
    rng = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    kinds, shares = list(KINDS), [share for share, _, _ in KINDS.values()]
    for number in range(count):
        category, service = rng.choices(kinds, shares)[0]
        text = yaml.safe_dump(rule(rng, category, service, number), sort_keys=False)
        (folder / f"rule_{number:05d}.yml").write_text(text)


def write_events(file: Path, count: int) -> None:
    """Write events whose texts are of the length that real ones have, a few of them holding a rule's literals."""
    rng = random.Random(11)
    kinds = list(KINDS.items())
    chosen = rng.choices(range(len(kinds)), [k[1][0] for k in kinds], k=count)
    tools = [f"C:\\Windows\\System32\\{t}.exe" for t in TOOLS.split()]
    texts = [" ".join(literal(rng) for _ in range(rng.randint(4, 14))) for _ in range(20_000)]
    picked = rng.choices(range(len(texts)), k=count)
    image, parent = (rng.choices(tools, k=count) for _ in range(2))
    text = [f"{texts[p]} /id:{n:x} {image[n]}" for n, p in enumerate(picked)]
    names = [FIELDS[c or s] for (c, s), _ in kinds]
    columns: dict[str, pl.Series] = {}
    kind = pl.Series("kind", chosen, dtype=pl.UInt8)
    body = pl.Series(text)
    for number, name in enumerate(names):
        columns[name] = pl.select(pl.when(pl.lit(kind) == number).then(pl.lit(body))).to_series()
    frame = pl.DataFrame(columns).with_columns(
        event_id=pl.format("0123456789ab:{}", pl.int_range(pl.len()) * 900),
        parser=pl.lit("windows_evtx"),
        timestamp=pl.datetime(2024, 1, 1, time_zone="UTC") + pl.duration(milliseconds=pl.int_range(pl.len()) * 80),
        host_name=pl.format("host{}", pl.int_range(pl.len()) % 40),
        event_code=kind.replace_strict(range(len(kinds)), [str(k[1][1]) for k in kinds], return_dtype=pl.String),
        Channel=kind.replace_strict(range(len(kinds)), [k[1][2] for k in kinds], return_dtype=pl.String),
        Image=pl.Series(image),
        ParentImage=pl.Series(parent),
        OriginalFileName=pl.Series(image).str.split("\\").list.last(),
    )
    missing = [pl.lit(None, dtype=t).alias(n) for n, t in EVENT_COLUMNS.items() if n not in frame.columns]
    frame.with_columns(missing).write_parquet(file)


def run(folder: Path, file: Path) -> None:
    started = time.perf_counter()
    rules = signatures.load([folder], builtin=False)
    loaded = time.perf_counter()
    found = signatures.match(pl.scan_parquet(file), rules)
    ended = time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"rules {len(rules.rules)}  load {loaded - started:.2f} s  match {ended - loaded:.2f} s")
    print(f"processor time {used.ru_utime + used.ru_stime:.1f} s in all")
    print(f"hits {found.hits.height}  findings {found.findings.height}  peak {peak:.0f} MB")


PASS = """
import os, sys, time
os.environ["_RJEM_MALLOC_CONF"] = "dirty_decay_ms:5000,muzzy_decay_ms:-1"
from pirtimeline import Case, signatures
rules = signatures.load()
began, worked = time.perf_counter(), time.process_time()
found = signatures.match(Case(sys.argv[1]).events(), rules)
wall, matched = time.perf_counter() - began, time.process_time() - worked
print(len(rules.signatures()), found.hits.height, wall, matched)
"""
"""The pass in a process that keeps memory as the command line's own does."""


def catalogue(folder: Path, size: int) -> None:
    """Ingest a catalina.out, then match the built-in signatures against it, each in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path, case = data.write("catalina", folder, size << 20), folder / "catalogue-case"
    shutil.rmtree(case, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "pirtimeline", "ingest", str(path), "--case", str(case), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    ingested, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    work = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"ingest of {path.stat().st_size / 1e6:.0f} MB: {ingested:.2f} s, {work:.2f} s of processor")
    found = subprocess.run(
        [sys.executable, "-c", PASS, str(case)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    count, hits, wall, matched = (float(word) for word in found.split())
    print(f"{count:.0f} signatures: {wall:.2f} s, {matched:.2f} s of processor: ", end="")
    print(f"{wall / ingested:.0%} and {matched / work:.0%} of the ingest; {hits:.0f} hits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rules", "events", "run", "catalogue"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--rules", type=int, default=3000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=200, help="MB")
    options = parser.parse_args()
    if options.what == "rules":
        write_rules(options.paths[0], options.rules)
    elif options.what == "events":
        write_events(options.paths[0], options.events)
    elif options.what == "catalogue":
        catalogue(options.paths[0], options.size)
    else:
        run(options.paths[0], options.paths[1])


if __name__ == "__main__":
    main()

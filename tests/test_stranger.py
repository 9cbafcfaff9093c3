"""A stranger's package: built, installed beside the program, and used by it without a word of configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the package is built with hatchling, which is not installed")

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-parsers"
version = "1.0"

[project.entry-points."pirtimeline.parsers"]
acme = "acme_parsers:parsers"

[tool.hatch.build.targets.wheel]
packages = ["acme_parsers"]
"""

FORMAT = r"""
title = "Acme Gate's log"

[[pattern]]
regex = '^gate<(?P<timestamp_text>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})> (?P<message>.*)$'
time  = "%Y-%m-%d %H:%M:%S"

[[sample]]
text   = 'gate<2031-03-14 08:15:42> open'
expect = { message = "open" }
"""

PROVIDER = """
from pathlib import Path
import struct

import polars as pl


class Dump:
    name, title, time, columns = "acme_dump", "Acme's dump", "epoch_s", {"cart": pl.Int64()}

    def sniff(self, head, path):
        return head.startswith(b"ACME")

    def read(self, stream):
        data = stream.read()
        rows = [{"byte_offset": 0, "byte_length": 4, "parser": "structure", "timestamp_text": None, "cart": None}]
        for at in range(4, len(data), 8):
            second, cart = struct.unpack_from("<II", data, at)
            place = {"byte_offset": at, "byte_length": 8, "parser": self.name}
            rows.append({**place, "timestamp_text": str(second), "cart": cart})
        types = {"byte_offset": pl.UInt64, "byte_length": pl.UInt32, "cart": pl.Int64}
        yield pl.DataFrame(rows, schema_overrides=types)


def parsers():
    yield Path(__file__).with_name("acme_gate.toml")
    yield Dump()
"""

USE = """
import json, sys
from pirtimeline.case import Case
from pirtimeline.ingest import ingest
from pirtimeline.parsing.registry import installed
from pirtimeline.settings import Settings
from pirtimeline.testing import problems

found = installed()
sample = open("evidence/carts.dump", "rb").read()
wrong = [*problems(found["acme_gate"]), *problems(found["acme_dump"], sample)]
ingest("case", Settings(evidence=("evidence",), zones=(("*", "UTC"),)))
events = Case("case").events().collect().sort("source_id", "byte_offset")
rows = [(row["parser"], row["timestamp"].isoformat()) for row in events.to_dicts()]
print(json.dumps({"problems": wrong, "rows": sorted(rows)}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package into a wheel and install that into a folder of its own."""
    folder = tmp_path_factory.mktemp("stranger")
    package = folder / "source" / "acme_parsers"
    package.mkdir(parents=True)
    (folder / "source" / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (package / "__init__.py").write_text(PROVIDER, encoding="utf-8")
    (package / "acme_gate.toml").write_text(FORMAT, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [
        *pip,
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "-w",
        str(folder),
        str(folder / "source"),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "site"


def test_installed_package_adds_a_format_and_a_parser(site: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "gate.log").write_text("gate<2031-03-14 08:15:42> open\ngate<2031-03-14 08:15:43> shut\n")
    carts = b"ACME" + (1931242544).to_bytes(4, "little") + (7).to_bytes(4, "little")
    (tmp_path / "evidence" / "carts.dump").write_bytes(carts)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert told["rows"] == [
        ["acme_dump", "2031-03-14T08:15:44+00:00"],
        ["acme_gate", "2031-03-14T08:15:42+00:00"],
        ["acme_gate", "2031-03-14T08:15:43+00:00"],
    ]

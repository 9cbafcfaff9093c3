"""Our own catalogue: every signature finds its samples and leaves alone what only resembles them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pirtimeline import signatures
from pirtimeline.schema import EVENT_COLUMNS, ROLES
from pirtimeline.signatures import Rules

SAMPLES: dict[str, dict[str, list[Any]]] = yaml.safe_load(
    (Path(__file__).parent / "signatures" / "samples.yaml").read_text("utf-8")
)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return signatures.load()


def table(samples: list[Any]) -> pl.LazyFrame:
    """Make an event table of samples: a text is the message of a log in words."""
    events = [{"message": s} if isinstance(s, str) else s for s in samples]
    rows = [{"parser": "generic_text", **e, "event_id": f"{n:012x}:0"} for n, e in enumerate(events)]
    schema = {**EVENT_COLUMNS, "parser": pl.String(), "event_id": pl.String()}
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema, orient="row").lazy()


def flat(kind: str) -> tuple[list[str], list[Any]]:
    pairs = [(name, sample) for name, each in SAMPLES.items() for sample in each[kind]]
    return [name for name, _ in pairs], [sample for _, sample in pairs]


def test_every_signature_of_events_has_a_sample(rules: Rules) -> None:
    assert {rule.header.signature_id for rule in rules.rules} == {name for name, each in SAMPLES.items() if each["hit"]}


def test_every_sample_is_found_by_its_signature(rules: Rules) -> None:
    names, samples = flat("hit")
    found = signatures.match(table(samples), rules).hits
    pairs = set(found.select("signature_id", "event_id").iter_rows())
    missed = [(name, samples[n]) for n, name in enumerate(names) if (name, f"{n:012x}:0") not in pairs]
    assert not missed


def test_what_only_resembles_a_sample_is_left_alone(rules: Rules) -> None:
    names, samples = flat("miss")
    found = signatures.match(table(samples), rules).hits
    pairs = set(found.select("signature_id", "event_id").iter_rows())
    wrong = [(name, samples[n]) for n, name in enumerate(names) if (name, f"{n:012x}:0") in pairs]
    assert not wrong


def test_every_signature_says_what_a_reader_needs(rules: Rules) -> None:
    for signature in rules.signatures():
        header = signature.header
        assert header.ours and header.role in ROLES and header.title, header.signature_id
        assert header.references or signature in rules.windowed, header.signature_id
        assert Path(header.origin).stem == header.signature_id.replace(".", "_") or "windowed" in header.origin
    assert not rules.problems

"""Our own catalogue: every signature finds its samples and leaves alone what only resembles them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from signatures import benign

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


ECHOES = [
    'comment of ann saved: "{}"',
    '{{"type":"review","body":"{}"}}',
    "user ann wrote: {}",
    "ticket 12 of bob: {}",
    "note of dave for order 7: {}",
    "search term: {}",
    "erin asked: '{}'",
    "statement: INSERT INTO reviews (text) VALUES ('{}')",
    "review text='{}' stars=1",
]
"""How programs pass on what people typed."""


def test_words_of_a_sample_in_peoples_texts_are_no_finding_above_low(rules: Rules) -> None:
    heads = [s if isinstance(s, str) else s["message"] for s in flat("hit")[1] if isinstance(s, str) or "message" in s]
    said = [head.split("\n")[0] for head in heads]
    echoed = [
        echo.format(words.replace('"', '\\"') if '"{}"' in echo else words)
        for words in said
        for echo in ECHOES
        if not ("'{}'" in echo and "'" in words)
    ]
    found = signatures.match(table(echoed), rules).findings
    assert found.filter(pl.col("severity").is_in(["medium", "high", "critical"]))["signature_id"].to_list() == []


def test_every_signature_says_what_a_reader_needs(rules: Rules) -> None:
    for signature in rules.signatures():
        header = signature.header
        assert header.ours and header.role in ROLES and header.title, header.signature_id
        assert header.references or signature in rules.windowed, header.signature_id
        assert Path(header.origin).stem == header.signature_id.replace(".", "_") or "windowed" in header.origin
    assert not rules.problems


KINDS = {
    "deploy": {"change"},
    "deploy-end": {"change"},
    "rollback": {"response", "recovery", "change", "containment"},
    "alert": {"detection"},
    "page": {"communication", "detection", "response"},
    "ack": {"response", "communication"},
    "containment": {"containment", "response"},
    "restart": {"response", "recovery", "containment"},
    "restarted": {"response", "recovery"},
    "resolved": {"recovery", "detection"},
    "statuspage": {"communication"},
    "migration": {"change", "cause"},
    "fix": {"response", "recovery", "containment", "change"},
    "none": set(),
}
"""The roles in which a reader would look for each kind of deed; a change after impact becomes a response later."""


def test_deeds_of_operations_are_found_in_their_role_however_they_are_worded(rules: Rules) -> None:
    lines = yaml.safe_load((Path(__file__).parent / "signatures" / "operations.yaml").read_text("utf-8"))
    events = [{"parser": "syslog_rfc3164", "process_name": line["by"], "message": line["says"]} for line in lines]
    headers = rules.headers()
    roles: dict[str, set[str]] = {}
    for signature, event in signatures.match(table(events), rules).hits.select("signature_id", "event_id").iter_rows():
        roles.setdefault(event, set()).add(headers[signature].role)
    found = [roles.get(f"{n:012x}:0", set()) for n in range(len(lines))]
    wrong = [
        (line, got)
        for line, got in zip(lines, found, strict=True)
        if (not got & KINDS[line["kind"]] if line["kind"] != "none" else got)
    ]
    assert not wrong


def test_quiet_days_give_no_finding_above_low(rules: Rules) -> None:
    findings = signatures.match(benign.table(30_000).lazy(), rules).findings
    loud = findings.filter(~pl.col("severity").is_in(["informational", "low"]))
    assert loud.is_empty(), loud
    assert findings.height <= 1


def test_specific_signature_replaces_its_generic_one_on_the_same_event(rules: Rules) -> None:
    trace = "java.lang.OutOfMemoryError: Java heap space\n\tat org.example.A.b(A.java:1)"
    pool = "java.sql.SQLTransientConnectionException: Connection is not available, request timed out after 1ms."
    events = [
        {
            "message": "Servlet.service() for servlet [api] in context with path [/] threw exception",
            "stack_trace": trace,
        },
        {
            "message": "order failed",
            "stack_trace": f"{pool}\nCaused by: java.net.SocketTimeoutException: Read timed out",
        },
    ]
    hits = signatures.match(table(events), rules).hits
    assert hits.sort("event_id")["signature_id"].to_list() == ["jvm.oom.heap", "db.pool.hikari"]


def test_copies_are_counted_once(rules: Rules) -> None:
    events = table(["java.lang.OutOfMemoryError: Java heap space"] * 3)
    copies = pl.LazyFrame({"event_id": ["000000000002:0"], "copy_of": ["000000000000:0"]})
    assert signatures.match(events, rules, copies=copies).findings["count"].to_list() == [2]


def test_correlations_of_the_catalogue_fire_on_what_they_are_about(rules: Rules) -> None:
    def login(second: int, user: str, ip: str, word: str = "Failed password") -> dict[str, Any]:
        said = f"{word} for {user} from {ip} port 50112 ssh2"
        at = datetime(2024, 3, 4, tzinfo=UTC) + timedelta(seconds=second)
        return {"parser": "sshd_session", "message": said, "source_ip": ip, "user_name": user, "timestamp": at}

    tries = [login(n * 10, "root", "203.0.113.7") for n in range(6)]
    within = login(100, "root", "203.0.113.7", "Accepted password")
    spray = [login(n * 40, f"user{n}", "203.0.113.8") for n in range(10)]
    quiet = [login(n * 600, "ann", "203.0.113.9") for n in range(8)]
    found = signatures.match(table([*tries, within, *spray, *quiet]), rules).findings
    seen = {(row["signature_id"], row["count"]) for row in found.to_dicts() if row["signature_id"] not in BASES}
    assert seen == {("sec.bruteforce", 6), ("sec.login_after_failures", 7), ("sec.password_spray", 10)}
    assert {"sec.ssh_failed", "sec.ssh_ok"} <= set(found["signature_id"])
    assert {each.header.signature_id for each in rules.correlations} >= {"sec.fw_deny_burst", "systemd.restart_loop"}


BASES = {"sec.ssh_failed", "sec.ssh_ok"}

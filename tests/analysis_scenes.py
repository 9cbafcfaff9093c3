"""Invented incidents as event tables: what ingest would have written, for the tests of what stands above it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline import signatures
from pirtimeline.analysis import Inputs
from pirtimeline.analysis.duplicates import duplicates
from pirtimeline.schema import EVENT_COLUMNS

SCHEMA = {**EVENT_COLUMNS, "parser": pl.String(), "event_id": pl.String()}
START = datetime(2024, 3, 4, 1, 0, tzinfo=UTC)
RULES = signatures.load()


def at(seconds: float) -> datetime:
    """Give the instant so many seconds after a scene's start."""
    return START + timedelta(seconds=seconds)


def source_id(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:12]


@dataclass
class Scene:
    """Collects lines, source by source."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def line(self, path: str, host: str, seconds: float, message: str | None, **columns: Any) -> None:
        when = at(seconds)
        unit = columns.get("resolution_us", 1000)
        when = when.replace(microsecond=0) if unit == 1_000_000 else when
        row = {
            "host_name": host,
            "timestamp": when,
            "message": message,
            "event_kind": "event",
            "parser": "generic_text",
        }
        row |= {"time_basis": "explicit", "resolution_us": 1000, "timestamp_text": when.isoformat()}
        self.rows.setdefault(path, []).append(row | columns)

    def ops(self, seconds: float, message: str, *, host: str = "ops1", process: str = "deploy") -> None:
        name = {"process_name": process, "parser": "syslog_rfc3164", "resolution_us": 1_000_000}
        self.line(f"{host}/syslog", host, seconds, message, **name)

    def alert(self, seconds: float, rule: str, action: str, *, host: str = "web1") -> None:
        self.line("ops1/alerts.ndjson", host, seconds, action, rule_name=rule, event_kind="alert", event_action=action)

    def traffic(
        self,
        seconds: float,
        *,
        rate: float,
        fails: Callable[[float], bool],
        path: str = "/shop/basket",
        web: str = "web1",
        app: str = "app1",
        seed: int = 1,
        ids: bool = True,
        app_answers: bool = True,
    ) -> None:
        """Log requests at a proxy and behind it, those for which `fails` holds with a 5xx."""
        dice, now = random.Random(seed), 0.0
        while (now := now + dice.expovariate(rate)) < seconds:
            bad = fails(now)
            request = {"http_method": "GET", "url_path": path, "resolution_us": 1_000_000}
            request |= {"trace_id": f"{dice.getrandbits(64):016x}"} if ids else {}
            client = f"198.51.100.{dice.randint(1, 200)}"
            outer = {"http_status_code": 503 if bad else 200, "duration_ms": 5000.0 if bad else 20.0}
            outer |= {"client_ip": client, "source_ip": "192.0.2.1", "user_agent": "example", "parser": "proxy"}
            self.line(f"{web}/access.log", web, now, None, **request, **outer)
            if app_answers or not bad:
                inner = {"http_status_code": 500 if bad else 200, "duration_ms": 4000.0 if bad else 15.0}
                self.line(f"{app}/access.log", app, now, None, **request, **inner, source_ip="192.0.2.2", parser="app")

    def table(self) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
        """Give the event table and the sources' JSON."""
        events, sources = [], []
        for path, rows in self.rows.items():
            name = source_id(path)
            for number, row in enumerate(sorted(rows, key=lambda r: r["timestamp"] or START)):
                offset = number * 100
                events.append(row | {"source_id": name, "byte_offset": offset, "event_id": f"{name}:{offset}"})
            parsers = {row["parser"]: 0 for row in rows}
            sources.append({"source_id": name, "paths": [path], "host_name": rows[0]["host_name"], "parsers": parsers})
        full = [{column: row.get(column) for column in SCHEMA} for row in events]
        return pl.DataFrame(full, schema=SCHEMA, orient="row"), sources

    def inputs(self) -> Inputs:
        events, sources = self.table()
        return inputs(events, sources)


def inputs(events: pl.DataFrame, sources: list[dict[str, Any]]) -> Inputs:
    """Match the signatures and give what `analyse` takes."""
    lazy = events.lazy()
    copies = duplicates(lazy, sources)
    found = signatures.match(lazy, RULES, copies=copies.lazy())
    names = ("signature_id", "title", "severity", "role", "asks")
    rows = [(key, h.title, h.level, h.role, h.asks) for key, h in RULES.headers().items()]
    rules = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return Inputs(
        events=lazy, findings=found.findings, hits=found.hits, rules=rules, sources=sources, duplicates=copies
    )


def responses(scene: Scene, begin: float, end: float) -> None:
    """Add what people do: alert, page, acknowledgement, resolution, status page."""
    scene.alert(begin + 40, "shop error rate high", "active")
    scene.ops(begin + 42, "page sent to on-call primary for shop", process="pager")
    scene.ops(begin + 60, "acknowledged by on-call engineer", process="pager")
    scene.alert(end + 40, "shop error rate high", "recovered")
    scene.ops(end + 90, "status page updated: shop resolved", process="statuspage")


def leak() -> Scene:
    """A release leaks heap: OutOfMemoryError, restart, roll-back; another service is deployed in between."""
    scene, begin, end = Scene(), 1500.0, 1800.0
    scene.traffic(3600, rate=1.0, fails=lambda t: begin <= t < end, app_answers=False)
    scene.ops(900, "deploy started: shop 1.0.0 -> 1.1.0 on app1 by bot")
    scene.ops(920, "deploy finished: shop 1.1.0 on app1")
    scene.ops(1400, "deploy started: mailer 7.0 -> 7.1 on mail1 by bot")
    scene.ops(1405, "deploy finished: mailer 7.1 on mail1")
    for n in range(120):
        after = int(1e8) if n < 60 else int(1e8 + (n - 60) * 6.5e6)
        heap = {
            "jvm_heap_before_bytes": after + 1000,
            "jvm_heap_after_bytes": after,
            "jvm_heap_capacity_bytes": 500_000_000,
        }
        gc = {"jvm_gc_action": "Pause Young", "duration_ms": 3.0}
        scene.line("app1/gc.log", "app1", 300 + n * 10, "GC Pause Young", **heap, **gc)
    for n in range(5):
        trace = {
            "exception_type": "java.lang.OutOfMemoryError",
            "stack_trace": "java.lang.OutOfMemoryError: Java heap space",
        }
        scene.line("app1/catalina.out", "app1", begin - 1 + n, "request failed", severity="ERROR", **trace)
    responses(scene, begin, end)
    scene.ops(end - 20, "shop.service: Stopping Shop...", host="app1", process="systemd")
    scene.ops(end - 2, "shop.service: Started Shop.", host="app1", process="systemd")
    scene.ops(end + 200, "rollback started: shop 1.1.0 -> 1.0.0 on app1")
    scene.ops(end + 220, "rollback finished: shop 1.0.0 on app1")
    return scene


def locked() -> Scene:
    """A migration locks a table: the pool runs out; it is cancelled."""
    scene, begin, end = Scene(), 1820.0, 2400.0
    scene.traffic(4000, rate=1.0, fails=lambda t: begin <= t < end)
    scene.ops(1200, "deploy started: search 3.1 on search1")
    scene.ops(1800, "migration 0042 started on shop database by dba", process="dbops")
    pool = "java.sql.SQLException: ShopPool - Connection is not available, request timed out after 5000ms."
    for n in range(100):
        scene.line("app1/app.log", "app1", begin + n * 5.7, "query failed", severity="ERROR", stack_trace=pool)
    responses(scene, begin, end)
    scene.ops(end - 5, "migration 0042 cancelled by dba", process="dbops")
    return scene


def lost() -> Scene:
    """The database's process dies and comes back; no change precedes it but one elsewhere."""
    scene, begin, end = Scene(), 1800.0, 2100.0
    scene.traffic(3600, rate=2.0, fails=lambda t: begin <= t < end)
    scene.ops(1000, "deploy started: docs 1.1 -> 1.2 on www2")
    log = ("db1/postgresql.log", "db1")
    scene.line(*log, begin - 1, "server process (PID 77) was terminated by signal 9: Killed", parser="postgresql")
    for n in range(40):
        scene.line(
            *log, begin + n * 7, "the database system is in recovery mode", parser="postgresql", severity="FATAL"
        )
        trace = "org.postgresql.util.PSQLException: FATAL: the database system is in recovery mode"
        scene.line("app1/app.log", "app1", begin + n * 7.1, "query failed", severity="ERROR", stack_trace=trace)
    scene.line(*log, end - 1, "database system is ready to accept connections", parser="postgresql")
    responses(scene, begin, end)
    return scene


def faulty() -> Scene:
    """A release throws at every request; it is rolled back."""
    scene, begin, end = Scene(), 1830.0, 2200.0
    scene.traffic(4000, rate=1.0, fails=lambda t: begin <= t < end)
    scene.ops(600, "deploy started: billing 9.9 on bill1")
    scene.ops(1800, "deploy started: shop 5.0.0 on app1")
    scene.ops(1825, "deploy finished: shop 5.0.0 on app1")
    for n in range(50):
        trace = {
            "exception_type": "java.lang.NullPointerException",
            "stack_trace": "java.lang.NullPointerException: null",
        }
        scene.line("app1/app.log", "app1", begin + n * 7, "Unhandled exception", severity="ERROR", **trace)
    responses(scene, begin, end)
    scene.ops(end - 30, "rollback started: shop 5.0.0 -> 4.9.2 on app1")
    scene.ops(end, "rollback finished: shop 4.9.2 on app1")
    return scene

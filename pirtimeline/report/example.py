"""A small invented incident, to try a section or a figure of one's own on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from pirtimeline.report.draft import Draft, draft
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.schema import EVENT_COLUMNS, FINDING_COLUMNS, TIMELINE_COLUMNS

APP, WEB = "0a1b2c3d4e5f", "5f4e3d2c1b0a"
"""The ids of the two sources: a Tomcat's console and a proxy's access log."""

_START = datetime(2024, 3, 4, 2, 58, 3, tzinfo=UTC)


def example_inputs() -> ReportInputs:
    """Make inputs of an incident with one deploy, one OutOfMemoryError, one alert and one restart.

    Example:
        >>> example_inputs().facts["incident"]
        'INC-2024-00123'
    """
    events = _events()
    texts = dict(events.select("event_id", "message").iter_rows())
    return ReportInputs(
        facts=_facts(),
        timeline=_timeline(),
        findings=_findings(),
        events=events.lazy(),
        sources=_sources(),
        plan={
            APP: {
                "because": [
                    {
                        "field": "zone",
                        "value": "-05:00",
                        "event_ids": [f"{APP}:0"],
                        "text": "gc.log of the same folder writes -0500",
                    }
                ]
            }
        },
        custody={
            "arguments": [
                {"path": "logs.tar.gz", "size_bytes": 4096, "sha256": "00" * 32, "mtime": None, "reason": None}
            ],
            "archives": [],
            "skipped": [],
        },
        raw=lambda ids: {name: f"{texts[name]}\n".encode() for name in ids if name in texts},
        versions={"pirtimeline": "0.1.0"},
    )


def example_draft() -> Draft:
    """Make a draft of the same incident.

    Example:
        >>> example_draft().timeline.height
        4
    """
    return draft(example_inputs())


def _at(seconds: float) -> datetime:
    return _START + timedelta(seconds=seconds)


def _iso(seconds: float) -> str:
    return _at(seconds).isoformat().replace("+00:00", "Z")


def _events() -> pl.DataFrame:
    told = [
        (APP, 0, -1083, "deploy finished: shop 1.4.2 on app1", None),
        (APP, 40, 0, "java.lang.OutOfMemoryError: Java heap space", "java.lang.OutOfMemoryError"),
        (APP, 90, 117, "alert: shop health check failing", None),
        (APP, 130, 1917, "tomcat restarted with -Ddb.password=hunter2", None),
    ]
    rows: list[dict[str, Any]] = [
        {
            "source_id": source,
            "byte_offset": offset,
            "timestamp": _at(s),
            "message": text,
            "exception_type": kind,
            "host_name": "app1",
            "parser": "tomcat_juli",
            "time_basis": "zone_inferred",
        }
        for source, offset, s, text, kind in told
    ]
    rows += [_request(number) for number in range(240)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in EVENT_COLUMNS.items() if name not in frame.columns]
    whole = frame.with_columns(missing).with_columns(
        byte_length=pl.lit(40, pl.UInt32),
        line=pl.col("byte_offset") // 40 + 1,
        resolution_us=pl.lit(1_000_000, pl.Int64),
    )
    typed = whole.select(*(pl.col(name).cast(dtype) for name, dtype in EVENT_COLUMNS.items()), "parser")
    return typed.with_columns(event_id=pl.format("{}:{}", "source_id", "byte_offset"))


def _request(number: int) -> dict[str, Any]:
    seconds = -1200 + number * 15.0
    failed = 0 <= seconds < 1977
    return {
        "source_id": WEB,
        "byte_offset": number * 40,
        "timestamp": _at(seconds),
        "message": f"GET /cart {500 if failed else 200}",
        "exception_type": None,
        "host_name": "web1",
        "parser": "nginx_access",
        "time_basis": "explicit",
        "http_method": "GET",
        "url_path": "/cart",
        "http_status_code": 500 if failed and number % 2 else 200,
        "client_ip": f"198.51.100.{number % 50}",
        "jvm_heap_after_bytes": None,
    }


def _timeline() -> pl.DataFrame:
    rows: Sequence[tuple[Any, ...]] = [
        (
            _at(-1083),
            None,
            "change",
            "Deploy of shop 1.4.2 finished on app1",
            "",
            "app1",
            "shop",
            "derived",
            None,
            [f"{APP}:0"],
            "signature",
        ),
        (
            _at(0),
            _at(1970),
            "impact",
            "Impact starts",
            "first failed request",
            "web1",
            "shop",
            "proposed",
            0.8,
            [f"{WEB}:{81 * 40}"],
            "moment",
        ),
        (
            _at(117),
            None,
            "detection",
            "Alert: shop health check failing",
            "",
            "app1",
            "shop",
            "derived",
            None,
            [f"{APP}:90"],
            "signature",
        ),
        (
            _at(1917),
            None,
            "response",
            "Tomcat restarted",
            "tomcat restarted with -Ddb.password=hunter2",
            "app1",
            None,
            "derived",
            None,
            [f"{APP}:130"],
            "signature",
        ),
    ]
    return pl.DataFrame(rows, schema=TIMELINE_COLUMNS, orient="row")


def _findings() -> pl.DataFrame:
    rows = [
        (
            "1f2e3d4c5b6a",
            "jvm.oom",
            "OutOfMemoryError",
            "critical",
            "cause",
            _at(0),
            _at(0),
            1,
            ["app1"],
            ["shop"],
            [f"{APP}:40"],
        )
    ]
    return pl.DataFrame(rows, schema=FINDING_COLUMNS, orient="row")


def _moment(seconds: float, event_id: str, reason: str) -> Mapping[str, Any]:
    return {
        "timestamp": _iso(seconds),
        "claim": "proposed",
        "event_ids": [event_id],
        "reason": reason,
        "confidence": 0.8,
    }


def _facts() -> Mapping[str, Any]:
    cited = [f"{WEB}:{81 * 40}"]
    step = {
        "role": "cause",
        "title": "OutOfMemoryError on app1",
        "timestamp": _iso(0),
        "host_name": "app1",
        "service_name": "shop",
        "event_ids": [f"{APP}:40"],
    }
    return {
        "incident": "INC-2024-00123",
        "window": {
            "start": _iso(0),
            "end": _iso(1977),
            "claim": "proposed",
            "event_ids": cited,
            "reason": "from impact start to recovery",
        },
        "baseline": {
            "start": _iso(-1200),
            "end": _iso(-300),
            "claim": "derived",
            "event_ids": [],
            "reason": "15 bins of 60 s",
        },
        "moments": {
            "impact_start": _moment(0, cited[0], "first failed request at the change point of failures"),
            "detected": _moment(117, f"{APP}:90", "first alert"),
            "recovered": _moment(1977, f"{WEB}:{212 * 40}", "first bin without failures"),
        },
        "durations": {
            "time_to_detect": {
                "seconds": 117.0,
                "formula": "detected - impact_start",
                "claim": "proposed",
                "event_ids": cited,
            }
        },
        "impact": {
            "failed_requests": {
                "value": 90,
                "claim": "derived",
                "event_ids": cited,
                "reason": "status 500 and above, each once",
            },
            "failed_ratio": {"value": 0.075, "claim": "derived", "event_ids": cited, "reason": "90 of 1200"},
            "requests": {"value": 1200, "claim": "derived", "event_ids": cited, "reason": "requests during impact"},
        },
        "environment": [
            {
                "name": "Apache Tomcat",
                "value": "9.0.46",
                "host_name": "app1",
                "as_of": _iso(-1083),
                "event_ids": [f"{APP}:0"],
            }
        ],
        "hypotheses": [
            {
                "chain": "C05",
                "title": "Memory ran out after the release",
                "score": 0.8,
                "strength": "strong",
                "root": step,
                "steps": [step],
                "missing": [],
                "against": [],
            }
        ],
        "not_in_evidence": [{"what": "an acknowledgement of the page", "searched": "2 sources"}],
        "sources": [],
        "coverage": {
            "events": 244,
            "hosts": ["app1", "web1"],
            "first": "2024-03-04T02:00:00Z",
            "last": "2024-03-04T04:00:00Z",
        },
        "topology": [
            {"origin": "clients", "target": "web1", "kind": "requests", "count": 240, "failed": 66, "event_ids": cited},
            {"origin": "web1", "target": "app1", "kind": "upstream", "count": 9, "failed": 9, "event_ids": cited},
        ],
        "excerpts": [
            {
                "signature_id": "jvm.oom",
                "title": "OutOfMemoryError",
                "place": "first",
                "timestamp": _iso(0),
                "host_name": "app1",
                "event_ids": [f"{APP}:40"],
            }
        ],
    }


def _sources() -> list[Mapping[str, Any]]:
    shared = {"encoding": "utf-8", "rejects": 0, "lines": 240, "mtime": "2024-03-04T05:00:00Z", "sha256": "11" * 32}
    return [
        {
            "source_id": APP,
            "paths": ["app1/catalina.out", "copy/catalina.out"],
            "host_name": "app1",
            "size_bytes": 160,
            "zone": "-05:00",
            "zone_basis": "inferred",
            "parsers": {"tomcat_juli": 4},
            "events": 4,
            "first_timestamp": _iso(-1083),
            "last_timestamp": _iso(1917),
            **shared,
        },
        {
            "source_id": WEB,
            "paths": ["web1/access.log"],
            "host_name": "web1",
            "size_bytes": 9600,
            "zone": None,
            "zone_basis": None,
            "parsers": {"nginx_access": 240},
            "events": 240,
            "first_timestamp": _iso(-1200),
            "last_timestamp": _iso(2385),
            **shared,
        },
    ]

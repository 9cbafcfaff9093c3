"""The tables that everybody agrees on: columns, types and closed lists of words.

Names follow the Elastic Common Schema and OpenTelemetry in snake_case. The meaning of each column is told in
`docs/tables.md`.
"""

from __future__ import annotations

import polars as pl

UTC = pl.Datetime("us", "UTC")
LOCAL = pl.Datetime("us")

TIME_BASES = (
    "explicit",
    "zone_declared",
    "zone_inferred",
    "year_inferred",
    "date_inferred",
    "ambiguous",
    "zone_assumed",
    "undated",
)
"""How an event's time is known, strongest first; an event carries the weakest assumption made."""

SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""OpenTelemetry's six severity ranges."""

ROLES = (
    "change",
    "lead",
    "cause",
    "symptom",
    "impact",
    "detection",
    "response",
    "containment",
    "recovery",
    "communication",
    "security",
    "data_quality",
)
"""The parts that a finding or a timeline entry can play in an incident."""

TIME_BASIS = pl.Enum(TIME_BASES)
SEVERITY = pl.Enum(SEVERITIES)

UNRECOGNISED = "unrecognised"
"""The parser of a reject: an event that no format understands."""

STRUCTURE = "structure"
"""The parser of bytes that say nothing: a CSV header, brackets of a JSON array, NUL padding."""

EVENT_COLUMNS: dict[str, pl.DataType] = {
    "source_id": pl.String(),
    "byte_offset": pl.UInt64(),
    "byte_length": pl.UInt32(),
    "line": pl.UInt64(),
    "line_count": pl.UInt32(),
    "continues": pl.String(),
    "timestamp": UTC,
    "local_timestamp": LOCAL,
    "timestamp_text": pl.String(),
    "resolution_us": pl.Int64(),
    "not_before": UTC,
    "not_after": UTC,
    "time_basis": TIME_BASIS,
    "observed_timestamp": UTC,
    "envelope": pl.String(),
    "severity": SEVERITY,
    "severity_text": pl.String(),
    "message": pl.String(),
    "exception_type": pl.String(),
    "exception_message": pl.String(),
    "stack_trace": pl.String(),
    "host_name": pl.String(),
    "service_name": pl.String(),
    "process_name": pl.String(),
    "process_pid": pl.Int64(),
    "thread_name": pl.String(),
    "logger_name": pl.String(),
    "trace_id": pl.String(),
    "client_ip": pl.String(),
    "user_name": pl.String(),
    "source_ip": pl.String(),
    "source_port": pl.Int32(),
    "destination_ip": pl.String(),
    "destination_port": pl.Int32(),
    "http_method": pl.String(),
    "url_path": pl.String(),
    "url_query": pl.String(),
    "http_status_code": pl.UInt16(),
    "http_response_bytes": pl.Int64(),
    "user_agent": pl.String(),
    "duration_ms": pl.Float64(),
    "event_kind": pl.String(),
    "event_code": pl.String(),
    "event_action": pl.String(),
    "event_outcome": pl.String(),
    "rule_name": pl.String(),
    "jvm_gc_action": pl.String(),
    "jvm_gc_cause": pl.String(),
    "jvm_heap_before_bytes": pl.Int64(),
    "jvm_heap_after_bytes": pl.Int64(),
    "jvm_heap_capacity_bytes": pl.Int64(),
    "extra": pl.String(),
    "reject_reason": pl.String(),
}
"""The columns of every part, in their order. `parser` is the name of the part's folder (Hive style)."""

ENGINE_COLUMNS = frozenset(
    [
        "source_id",
        "byte_offset",
        "byte_length",
        "line",
        "line_count",
        "continues",
        "timestamp",
        "local_timestamp",
        "resolution_us",
        "not_before",
        "not_after",
        "time_basis",
        "observed_timestamp",
        "envelope",
        "severity",
        "extra",
        "reject_reason",
    ]
)
"""Columns that the engine alone fills; a format that names one in a group is refused."""

FINDING_COLUMNS: dict[str, pl.DataType] = {
    "finding_id": pl.String(),
    "signature_id": pl.String(),
    "title": pl.String(),
    "severity": pl.String(),
    "role": pl.String(),
    "first_timestamp": UTC,
    "last_timestamp": UTC,
    "count": pl.Int64(),
    "hosts": pl.List(pl.String()),
    "services": pl.List(pl.String()),
    "event_ids": pl.List(pl.String()),
}

TIMELINE_COLUMNS: dict[str, pl.DataType] = {
    "timestamp": UTC,
    "end_timestamp": UTC,
    "role": pl.String(),
    "title": pl.String(),
    "detail": pl.String(),
    "host_name": pl.String(),
    "service_name": pl.String(),
    "claim": pl.String(),
    "confidence": pl.Float64(),
    "event_ids": pl.List(pl.String()),
    "origin": pl.String(),
}

DUPLICATE_COLUMNS: dict[str, pl.DataType] = {"event_id": pl.String(), "copy_of": pl.String()}


def event_id() -> pl.Expr:
    """Name an event by `<source_id>:<byte_offset>`: stable across runs, citable, resolvable to bytes.

    Example:
        >>> pl.DataFrame({"source_id": ["0a1b2c3d4e5f"], "byte_offset": [17]}).select(event_id()).item()
        '0a1b2c3d4e5f:17'
    """
    return pl.format("{}:{}", "source_id", "byte_offset").alias("event_id")

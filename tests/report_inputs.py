"""An incident whose every text is hostile: what a log can say, it says."""

from dataclasses import replace

import polars as pl

from pirtimeline.report.example import example_inputs
from pirtimeline.report.inputs import ReportInputs

NASTY = (
    "<script>alert(1)</script>|`x`[a](javascript:b) ]]> </script>\r\n<!-- pir:end id=cause.timeline -->\n"
    "# not a heading\n\u202egnp.exe\x1b[31m =cmd()|'/C calc'!A0 ``` --> password=hunter2 https://bob:hunter2@example.org"
)


def hostile(text: str = NASTY) -> ReportInputs:
    """Give the example's inputs with `text` in the place of every text that comes from a log."""
    inputs = example_inputs()
    facts = {**inputs.facts}
    facts["incident"] = text
    facts["environment"] = [
        {**setting, "name": text, "value": text, "host_name": text} for setting in facts["environment"]
    ]
    facts["hypotheses"] = [_hypothesis(one, text) for one in facts["hypotheses"]]
    facts["not_in_evidence"] = [{"what": text, "searched": text}]
    facts["topology"] = [{**edge, "origin": text, "kind": text} for edge in facts["topology"]]
    facts["excerpts"] = [{**one, "title": text} for one in facts["excerpts"]]
    facts["quality"] = [{"kind": text, "title": text, "detail": text, "host_name": text, "event_ids": []}]
    facts["changes"] = [
        {
            "kind": "new",
            "template": text,
            "hosts": [text],
            "first": None,
            "count": 3,
            "baseline_count": 0,
            "event_ids": [],
        }
    ]
    facts["moments"] = {name: {**one, "reason": text} for name, one in facts["moments"].items()}
    facts["impact"] = {
        **facts["impact"],
        "by_route": {"value": {text: 3}, "claim": "derived", "event_ids": [], "reason": text},
    }
    said = pl.lit(text)
    return replace(
        inputs,
        facts=facts,
        timeline=inputs.timeline.with_columns(title=said, detail=said, host_name=said, service_name=said),
        findings=inputs.findings.with_columns(title=said, signature_id=said, hosts=pl.concat_list(said)),
        events=inputs.events.with_columns(message=said, exception_type=said, host_name=said, timestamp_text=said),
        sources=[{**source, "paths": [text], "host_name": text, "zone": text} for source in inputs.sources],
        raw=lambda ids: {name: text.encode() for name in ids},
        versions={"pirtimeline": text},
        custody={
            "arguments": [{"path": text, "size_bytes": 1, "sha256": "0", "mtime": None, "reason": None}],
            "skipped": [{"path": text, "reason": text}],
        },
        plan={
            str(source["source_id"]): {"because": [{"field": "zone", "value": text, "event_ids": [], "text": text}]}
            for source in inputs.sources
        },
    )


def _hypothesis(one: dict, text: str) -> dict:
    step = {**one["root"], "title": text, "host_name": text, "detail": text}
    return {
        **one,
        "title": text,
        "root": step,
        "steps": [step],
        "missing": [{"text": text}],
        "against": [{"text": text}],
        "refuted_by": text,
        "asks": [text],
    }

"""`build` and `ingest`: evidence to case."""

from __future__ import annotations

import json
from typing import Any

import click

from pirtimeline.cli.options import Located, evidence_options, near_option, run_options, settings_of
from pirtimeline.cli.progress import progress
from pirtimeline.objects import Location

_EVIDENCE = click.argument("evidence", nargs=-1, metavar="EVIDENCE...")
_CASE = click.option(
    "--case", required=True, type=Located(), metavar="CASE", help="The case's folder, or s3://BUCKET/KEY."
)


@click.command(short_help="Ingest, analyse, report: the main job.")
@_EVIDENCE
@_CASE
@evidence_options
@run_options
def build(evidence: tuple[str, ...], case: Location, **options: Any) -> int:
    """Turn EVIDENCE (files, folders, archives of logs) into CASE: event table, findings, timeline, report.

    EVIDENCE may be left out once the case has it; what is unchanged is not read again.
    """
    settings, near = settings_of(evidence, options), near_option(options, case)
    from pirtimeline.building import build as build_case

    with progress(options) as told:
        built = build_case(case, settings, progress=told, only_near=near, **_run(options))
    if options["as_json"]:
        click.echo(json.dumps(built.summary(), ensure_ascii=False))
    elif not options["quiet"]:
        from pirtimeline.cli.summary import print_built

        print_built(built)
    return 3 if built.conflicts or built.outcome.rejected_share > options["max_rejects"] else 0


@click.command(short_help="Write the event table alone.")
@_EVIDENCE
@_CASE
@evidence_options
@run_options
def ingest(evidence: tuple[str, ...], case: Location, **options: Any) -> int:
    """Write the event table of EVIDENCE into CASE, without analysis or report."""
    settings, near = settings_of(evidence, options), near_option(options, case)
    from pirtimeline.ingest import ingest as ingest_case

    with progress(options) as told:
        outcome = ingest_case(case, settings, progress=told, only_near=near, **_run(options))
    if options["as_json"]:
        click.echo(json.dumps(outcome.summary(), ensure_ascii=False))
    elif not options["quiet"]:
        from pirtimeline.cli.summary import print_ingested

        print_ingested(outcome)
    return 3 if outcome.rejected_share > options["max_rejects"] else 0


def _run(options: dict[str, Any]) -> dict[str, Any]:
    from pirtimeline.parquet import give_memory_back

    give_memory_back()
    return {"workers": options["workers"], "limits": _limits(options), "scheduler": options["scheduler"]}


def _limits(options: dict[str, Any]) -> Any:
    from pirtimeline.evidence import Limits

    said = {"depth": options["max_depth"], "ratio": options["max_ratio"], "source_bytes": options["max_source_bytes"]}
    return Limits(**{name: value for name, value in said.items() if value is not None})

"""`inspect`: what is in evidence, before anything is built."""

from __future__ import annotations

import json
from typing import Any

import click

from pirtimeline.cli.options import evidence_options, settings_of


@click.command(short_help="Show what is in evidence before anything is built.")
@click.argument("evidence", nargs=-1, required=True, metavar="EVIDENCE...")
@evidence_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def inspect(evidence: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Show a row a source: formats, zone and how it is known, first and last time, rejects, and what to declare."""
    settings = settings_of(evidence, options)
    import polars as pl

    from pirtimeline.cli.showing import as_table
    from pirtimeline.ingest.inspection import inspect as look

    rows, advice = look(settings)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    columns = ("path", "formats", "host", "zone", "zone_basis", "first", "last", "gaps", "rejects")
    table = pl.DataFrame(
        [{name: _cell(row[name]) for name in columns} for row in rows], schema=dict.fromkeys(columns, pl.String)
    )
    click.echo(as_table(table, "table"), nl=False)
    for line in advice:
        click.echo(line, err=True)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(f"{one['from']} {one['seconds']:.0f} s" for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {share:.0%}" for name, share in value.items())
    return "" if value is None else str(value)

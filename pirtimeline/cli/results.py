"""Commands that read a case: `analyse`, `report`, `timeline`, `show`, `query`, `note`, `verify`."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from pirtimeline.cli.options import Located, Time
from pirtimeline.objects import Location

_CASE = click.argument("case", type=Located(), metavar="CASE")
_MOVED = click.option(
    "--evidence",
    "moved",
    type=Located(),
    metavar="PATH",
    help="Where the evidence lies now.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command(short_help="Find out what happened: findings, moments, hypotheses, timeline.")
@_CASE
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@_JSON
def analyse(case: Location, quiet: bool, as_json: bool) -> None:
    """Match the signatures over CASE's events, find moments and hypotheses, and curate the timeline."""
    from pirtimeline.building import headlines
    from pirtimeline.case import Case
    from pirtimeline.investigation import investigate

    found = investigate(Case(case))
    if as_json:
        click.echo(json.dumps(Case(case).report, ensure_ascii=False))
    elif not quiet:
        for line in headlines(found.facts.to_json(), found.findings.height, found.timeline.height):
            click.echo(line, err=True)


@click.command(short_help="Draft the report; an edited one is merged into.")
@_CASE
@click.option(
    "-o",
    "output",
    type=Located(),
    metavar="FILE",
    help=".md .html .docx .pdf .json; report.md in CASE by default.",
)
def report(case: Location, output: Path | None) -> int:
    """Draft the report of CASE; an existing Markdown file is merged into, never overwritten."""
    from pirtimeline.building import draft
    from pirtimeline.case import Case

    done = draft(Case(case), output)
    for conflict in done.conflicts:
        click.echo(f"conflict: {conflict}", err=True)
    click.echo(f"report: {done.path}", err=True)
    return 3 if done.conflicts else 0


@click.command(short_help="Print the curated timeline.")
@_CASE
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md", "csv", "jsonl", "timesketch", "html"]),
    default="table",
    show_default=True,
)
def timeline(case: Location, form: str) -> None:
    """Print the curated timeline of CASE."""
    from pirtimeline.building import exported
    from pirtimeline.case import Case

    click.echo(exported(Case(case), form), nl=False)


@click.command(short_help="Show the bytes behind a citation, with lines around them.")
@_CASE
@click.argument("event_ids", nargs=-1, required=True, metavar="EVENT_ID...")
@_MOVED
@click.option(
    "--around", type=click.IntRange(0), default=1024, show_default=True, metavar="BYTES", help="How much around it."
)
@click.option("--raw", "as_bytes", is_flag=True, help="Write the bytes alone, as they are.")
@_JSON
def show(
    case: Location, event_ids: tuple[str, ...], moved: Location | None, around: int, as_bytes: bool, as_json: bool
) -> None:
    """Show the bytes of events, `<source_id>:<byte_offset>`, with what stands around them."""
    from pirtimeline.case import Case
    from pirtimeline.cli.showing import as_object, as_text

    opened = Case(case)
    for one in opened.excerpts(event_ids, moved=moved, around=0 if as_bytes else around):
        if as_bytes:
            click.echo(one.data, nl=False)
        elif as_json:
            click.echo(json.dumps(as_object(opened, one), ensure_ascii=False))
        else:
            click.echo(as_text(opened, one))


@click.command(short_help="Answer Polars SQL over events, findings, timeline, sources.")
@_CASE
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(["table", "csv", "jsonl"]), default="table", show_default=True)
@_JSON
def query(case: Location, sql: str, form: str, as_json: bool) -> None:
    """Answer a query in Polars SQL over the tables events, rows, findings, timeline, duplicates and sources."""
    from pirtimeline.case import Case
    from pirtimeline.cli.showing import as_table

    click.echo(as_table(Case(case).query(sql), "jsonl" if as_json else form), nl=False)


@click.command(short_help="Add an entry that only a person knows.")
@_CASE
@click.option("--at", type=Time(), required=True, help="When it happened.")
@click.argument("text")
def note(case: Location, at: datetime, text: str) -> None:
    """Add TEXT as an entry of CASE's timeline."""
    from pirtimeline.case import Case
    from pirtimeline.investigation import add_note, investigate

    opened = Case(case)
    add_note(opened.path, at, text)
    if opened.report:
        investigate(opened)


@click.command(short_help="Hash the evidence again and read every cited byte.")
@_CASE
@_MOVED
@_JSON
def verify(case: Location, moved: Location | None, as_json: bool) -> int:
    """Hash the evidence and the parts again, add up the bytes, and read every cited event."""
    from pirtimeline.case import Case
    from pirtimeline.verify import faults

    opened = Case(case)
    found = list(faults(opened, moved=moved))
    if as_json:
        click.echo(json.dumps({"sources": len(opened.sources), "faults": found}, ensure_ascii=False))
        return 1 if found else 0
    for fault in found:
        click.echo(fault)
    if not found:
        click.echo(f"{len(opened.sources)} sources hold, every cited byte is there", err=True)
    return 1 if found else 0

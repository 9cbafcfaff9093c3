"""`signatures`: list, check, run and explain rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pirtimeline.cli.options import Located
from pirtimeline.objects import Location

if TYPE_CHECKING:
    import polars as pl

    from pirtimeline.case import Case
    from pirtimeline.signatures import Rules

_PATH = click.Path(exists=True, path_type=Path)
_RULES = click.option("--signatures", "paths", type=_PATH, multiple=True, metavar="PATH", help="Rules of yours.")
_FIELDS = click.option("--fields", "fields", type=_PATH, multiple=True, metavar="PATH", help="Field maps of yours.")
_PLACEHOLDERS = click.option("--placeholders", type=_PATH, metavar="FILE", help="Values for the modifier expand.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


@click.group(short_help="List, check, run and explain rules.")
def signatures() -> None:
    """List, check, run and explain rules: our own catalogue and any Sigma rule."""


@signatures.command("list")
@_RULES
@_FIELDS
@_PLACEHOLDERS
@_JSON
def list_(paths: tuple[Path, ...], fields: tuple[Path, ...], placeholders: Path | None, as_json: bool) -> None:
    """List signatures, and whether each applies to what the installed parsers give."""
    from pirtimeline.cli.showing import as_table
    from pirtimeline.investigation import parser_columns
    from pirtimeline.signatures import load

    rules = load(paths, fields=fields, placeholders=placeholders)
    table = rules.table(parser_columns())
    click.echo(as_table(table, "jsonl" if as_json else "table"), nl=False)


@signatures.command("check")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@_FIELDS
@_PLACEHOLDERS
@_JSON
def check(paths: tuple[Path, ...], fields: tuple[Path, ...], placeholders: Path | None, as_json: bool) -> int:
    """Name every problem of the rules in PATHS with file and line; end with 1 where a rule cannot run."""
    from pirtimeline.signatures.load import collect

    found = collect(paths, builtin=False, fields=fields, placeholders=placeholders)
    for one in found.problems:
        if as_json:
            told = {"rule": one.rule, "path": one.path, "line": one.line, "what": one.what, "hint": one.hint}
            click.echo(json.dumps(told | {"fatal": one.fatal}, ensure_ascii=False))
        else:
            click.echo(f"{'' if one.fatal else 'note: '}{one.error()}")
    fatal = sum(one.fatal for one in found.problems)
    click.echo(f"{len(found.signatures())} rules can run, {fatal} problems", err=True)
    return 1 if fatal else 0


@signatures.command("run")
@click.argument("case", type=Located(), metavar="CASE")
@_RULES
@_FIELDS
@_PLACEHOLDERS
@click.option("--only", "only", multiple=True, metavar="ID", help="Only this signature; may be given again.")
@click.option(
    "--level",
    type=click.Choice(["informational", "low", "medium", "high", "critical"]),
    help="Only from this level on.",
)
@_JSON
def run(
    case: Location,
    paths: tuple[Path, ...],
    fields: tuple[Path, ...],
    placeholders: Path | None,
    only: tuple[str, ...],
    level: str | None,
    as_json: bool,
) -> None:
    """Match rules against CASE's events and print the findings; with --signatures, those rules alone."""
    from pirtimeline.case import Case
    from pirtimeline.cli.showing import as_table
    from pirtimeline.signatures import load

    rules = load(paths, builtin=not paths, fields=fields, placeholders=placeholders)
    findings = _findings(Case(case), rules, only, level)
    if as_json:
        click.echo(as_table(findings, "jsonl"), nl=False)
    else:
        columns = ("signature_id", "severity", "role", "count", "first_timestamp", "last_timestamp", "hosts")
        click.echo(as_table(findings.select(columns), "table"), nl=False)


@signatures.command("explain")
@click.argument("signature_id", metavar="ID")
@click.argument("case", type=Located(), metavar="CASE")
@_RULES
@_FIELDS
@_PLACEHOLDERS
@_JSON
def explain(
    signature_id: str,
    case: Location,
    paths: tuple[Path, ...],
    fields: tuple[Path, ...],
    placeholders: Path | None,
    as_json: bool,
) -> None:
    """Say how ID was compiled, how many of CASE's rows each part of it matches, and what that cost."""
    from pirtimeline.case import Case
    from pirtimeline.investigation import own_events
    from pirtimeline.signatures import load
    from pirtimeline.signatures.explain import explain as explain_rule

    opened = Case(case)
    rules = load(paths, fields=fields, placeholders=placeholders)
    told = explain_rule(signature_id, opened.events(), rules, own=own_events(opened))
    click.echo(json.dumps(told.to_json(), ensure_ascii=False) if as_json else told.text(), nl=as_json)


def _findings(case: Case, rules: Rules, only: tuple[str, ...], level: str | None) -> pl.DataFrame:
    import polars as pl

    from pirtimeline.errors import SignatureError
    from pirtimeline.investigation import own_events
    from pirtimeline.signatures import match

    if missing := sorted(set(only) - set(rules.headers())):
        raise SignatureError(f"no signature is called {missing[0]!r}", hint="pirtimeline signatures list shows them")
    found = match(case.events(), rules, copies=case.duplicates(), own=own_events(case)).findings
    order = ["informational", "low", "medium", "high", "critical"]
    wanted = order[order.index(level) :] if level else order
    named = pl.col("signature_id").is_in(only) if only else pl.lit(True)
    return found.filter(named & pl.col("severity").is_in(wanted))

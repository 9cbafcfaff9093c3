"""`signatures`: list rules and whether they apply here, check them, run them on a case, explain one."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(exists=True, path_type=Path)
_FOLDERS = click.option(
    "--signatures", "folders", type=_PATH, multiple=True, metavar="DIR", help="A folder of Sigma rules."
)
_FIELDS = click.option("--fields", type=_PATH, multiple=True, metavar="DIR", help="A folder of field maps.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


@click.group(short_help="List, check, run and explain rules.")
def signatures() -> None:
    """List, check, run and explain rules: our own catalogue, and yours with --signatures."""


@signatures.command("list")
@_FOLDERS
@_FIELDS
@_JSON
def list_(folders: tuple[Path, ...], fields: tuple[Path, ...], as_json: bool) -> None:
    """List rules with level and role, and say of each whether an installed format can feed it."""
    from pirtimeline.cli.showing import as_table
    from pirtimeline.signatures import load

    table = load(folders, fields=fields).table(_own_columns())
    shown = table if as_json else table.select("id", "title", "level", "role", "applicable")
    click.echo(as_table(shown, "jsonl" if as_json else "table"), nl=False)


@signatures.command("check")
@click.argument("paths", nargs=-1, type=_PATH)
@_FIELDS
def check(paths: tuple[Path, ...], fields: tuple[Path, ...]) -> int:
    """Try to compile rule files; without PATHS, our own catalogue. Print what is wrong, and what is worth knowing."""
    from pirtimeline.signatures.load import collect

    found = collect(paths, builtin=not paths, fields=fields)
    fatal = [problem for problem in found.problems if problem.fatal]
    for problem in found.problems:
        click.echo(str(problem.error()), err=not problem.fatal)
    if not fatal:
        click.echo(f"{len(found.signatures())} rules hold", err=True)
    return 1 if fatal else 0


@signatures.command("run")
@click.argument("case", type=click.Path(path_type=Path), metavar="CASE")
@click.argument("paths", nargs=-1, type=_PATH)
@_FIELDS
@_JSON
def run(case: Path, paths: tuple[Path, ...], fields: tuple[Path, ...], as_json: bool) -> None:
    """Match rule files over CASE's events and print the findings; nothing is written. Without PATHS, the case's own."""
    import polars as pl

    from pirtimeline.case import Case
    from pirtimeline.cli.showing import as_table
    from pirtimeline.investigation import load_rules, matched
    from pirtimeline.signatures import load

    opened = Case(case)
    rules = load(paths, builtin=False, fields=fields) if paths else load_rules(opened.settings)
    findings = matched(opened, rules)[1].findings
    lists = pl.col("hosts", "services").list.join(" ")
    columns = ("signature_id", "title", "severity", "role", "first_timestamp", "last_timestamp", "count", "hosts")
    shown = findings if as_json else findings.with_columns(lists).select(columns)
    click.echo(as_table(shown, "jsonl" if as_json else "table"), nl=False)


@signatures.command("explain")
@click.argument("name", metavar="ID")
@_FOLDERS
@_FIELDS
def explain(name: str, folders: tuple[Path, ...], fields: tuple[Path, ...]) -> None:
    """Say what rule ID looks for: its events, its condition in words, the columns it reads, what it asks for."""
    from pirtimeline.cli.explaining import explained
    from pirtimeline.errors import SignatureError
    from pirtimeline.signatures import load

    rules = load(folders, fields=fields)
    found = next((one for one in rules.signatures() if name in (one.header.signature_id, *one.header.names)), None)
    if found is None:
        raise SignatureError(f"no rule is called {name}", hint="pirtimeline signatures list names them")
    click.echo(explained(found, rules, _own_columns()))


def _own_columns() -> dict[str, list[str]]:
    """Name installed parsers, and the columns that each declares beyond the event table."""
    from pirtimeline.parsing.registry import installed

    return {name: [*one.columns] for name, one in installed().items()}

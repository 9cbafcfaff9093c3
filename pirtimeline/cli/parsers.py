"""`parsers`: list what is installed, start a format from a log, check format files."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDERS = click.option(
    "--parsers",
    "folders",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="DIR",
    help="A folder of formats.",
)


@click.group(short_help="List, start and check formats.")
def parsers() -> None:
    """List, start and check formats. docs/formats.md walks through it."""


@parsers.command("list")
@_FOLDERS
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def list_(folders: tuple[Path, ...], as_json: bool) -> None:
    """List installed formats and parsers."""
    import polars as pl

    from pirtimeline.cli.showing import as_table
    from pirtimeline.parsing.plugin import Format
    from pirtimeline.parsing.registry import installed

    rows = [
        (name, one.kind if isinstance(one, Format) else "python", one.title, one.url if isinstance(one, Format) else "")
        for name, one in installed(folders).items()
    ]
    table = pl.DataFrame(rows, schema=dict.fromkeys(("name", "kind", "title", "url"), pl.String), orient="row")
    click.echo(as_table(table, "jsonl") if as_json else as_table(table.drop("url"), "table"), nl=False)


@parsers.command("new")
@click.argument("name")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--into",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    metavar="DIR",
    help="Where to write it; parsers/pirtimeline_parsers here, else this folder.",
)
def new(name: str, log: Path, folder: Path | None) -> None:
    """Write NAME.toml with three lines of LOG as samples and a first pattern that reads most of it."""
    from pirtimeline.parsing.authoring import new as new_format

    ours = Path("parsers", "pirtimeline_parsers")
    path = new_format(name, log, folder or (ours if ours.is_dir() else Path()))
    click.echo(str(path))
    click.echo(f"edit it until this is silent: pirtimeline parsers check {path} --log {log}", err=True)


@parsers.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A log: say how much of it each format reads.",
)
@_FOLDERS
def check(paths: tuple[Path, ...], log: Path | None, folders: tuple[Path, ...]) -> int:
    """Try format files on their samples; without PATHS, all that are installed."""
    from pirtimeline.parsing.samples import file_errors

    files = _files(paths, folders)
    errors = [error for file in files for error in file_errors(file)]
    for error in errors:
        click.echo(str(error))
    if log is not None and not errors:
        _shares(files, log)
    if not errors:
        click.echo(f"{len(files)} format files hold", err=True)
    return 1 if errors else 0


def _files(paths: tuple[Path, ...], folders: tuple[Path, ...]) -> list[Path]:
    from pirtimeline.parsing.plugin import Format
    from pirtimeline.parsing.registry import installed

    named = paths or folders
    if not named:
        return [Path(one.origin) for one in installed().values() if isinstance(one, Format) and one.origin]
    return [file for path in named for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]


def _shares(files: list[Path], log: Path) -> None:
    from pirtimeline.parsing.authoring import share
    from pirtimeline.parsing.samples import load_checked

    data = log.read_bytes()
    for file in files:
        read = share(load_checked(file), data)
        click.echo(
            f"{file.stem}: reads {read.bytes_read / max(read.size_bytes, 1):.1%} of {log}, {read.events:,} events"
        )
        for line in read.unread:
            click.echo(f"  not read: {line}")

"""How far a run is: on a terminal a line that moves, with `--json` lines of JSON on standard error, else nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

Told = Callable[[str, int], None]


@contextmanager
def progress(options: dict[str, Any]) -> Iterator[Told | None]:
    """Give what a run tells each source to, or None where nobody looks."""
    if options["as_json"] and not sys.stderr.isatty():
        yield _as_lines
    elif sys.stderr.isatty() and not options["quiet"]:
        with _moving() as told:
            yield told
    else:
        yield None


def _as_lines(path: str, size: int) -> None:
    click.echo(json.dumps({"path": path, "size_bytes": size}, ensure_ascii=False), err=True)


@contextmanager
def _moving() -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import (
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("reading", total=None)

        def told(path: str, size: int) -> None:
            shown.update(task, advance=size, description=path[-60:])

        yield told

"""How far a run is: on a terminal a line that moves, with `--json` lines of JSON on standard error, else nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pirtimeline.ingest.telling import Advance

Told = Callable[["Advance"], None]

APART = 0.5
"""Seconds between two lines of a source that is not done."""


@contextmanager
def progress(options: dict[str, Any]) -> Iterator[Told | None]:
    """Give what a run tells how far it is, or None where nobody looks."""
    if options["as_json"] and not sys.stderr.isatty():
        yield as_lines(time.monotonic)
    elif sys.stderr.isatty() and not options["quiet"]:
        with _moving() as told:
            yield told
    else:
        yield None


def as_lines(clock: Callable[[], float]) -> Told:
    """Write a line of JSON for each source that is done, and now and then for one that takes long."""
    last = clock()

    def told(advance: Advance) -> None:
        nonlocal last
        if advance.done or clock() - last >= APART:
            last = clock()
            click.echo(json.dumps(asdict(advance), ensure_ascii=False), err=True)

    return told


class Slowest:
    """Remember which source takes the longest.

    Example:
        >>> from pirtimeline.ingest.telling import Advance
        >>> ticks = iter((0.0, 7.0, 8.0))
        >>> slowest = Slowest(lambda: next(ticks))
        >>> for name, done in (("a.log", False), ("a.log", True), ("b.log", True)):
        ...     slowest.told(Advance(name, 9, done, 0, 2, 0, 18))
        >>> slowest.path, slowest.seconds
        ('a.log', 7.0)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, dict[str, float]()
        self.path, self.seconds = "", 0.0

    def told(self, advance: Advance) -> None:
        """Take note of how far a source is."""
        now = self._clock()
        took = now - self._began.setdefault(advance.path, now)
        if took > self.seconds:
            self.path, self.seconds = advance.path, took
        if advance.done:
            del self._began[advance.path]

    def __str__(self) -> str:
        return f"slowest: {self.path[-40:]} ({self.seconds:.0f} s)" if self.seconds >= 1 else ""


@contextmanager
def _moving() -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[slowest]}", markup=False),
    )
    slowest = Slowest(time.monotonic)
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("looking at the evidence", total=None, slowest="")

        def told(advance: Advance) -> None:
            slowest.told(advance)
            sources = f"{advance.sources_done:,} of {advance.sources:,} sources"
            shown.update(
                task,
                description=sources,
                completed=advance.bytes_done,
                total=advance.bytes_total,
                slowest=str(slowest),
            )

        yield told

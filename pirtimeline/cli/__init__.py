"""The command line: options, one call of the library, print. Standard output is data, standard error is talk."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import NoReturn

import click

_COMMANDS = {
    "build": "pirtimeline.cli.ingesting",
    "ingest": "pirtimeline.cli.ingesting",
    "analyse": "pirtimeline.cli.results",
    "report": "pirtimeline.cli.results",
    "timeline": "pirtimeline.cli.results",
    "inspect": "pirtimeline.cli.inspecting",
    "show": "pirtimeline.cli.results",
    "query": "pirtimeline.cli.results",
    "note": "pirtimeline.cli.results",
    "verify": "pirtimeline.cli.results",
    "parsers": "pirtimeline.cli.parsers",
    "signatures": "pirtimeline.cli.signatures",
}

_SAID = {
    "build": "Ingest, analyse, report: the main job.",
    "ingest": "Write the event table alone.",
    "analyse": "Find out what happened: findings, moments, hypotheses, timeline.",
    "report": "Draft the report; an edited one is merged into.",
    "timeline": "Print the curated timeline.",
    "inspect": "Show what is in evidence before anything is built.",
    "show": "Show the bytes behind a citation, with lines around them.",
    "query": "Answer Polars SQL over events, findings, timeline, sources.",
    "note": "Add an entry that only a person knows.",
    "verify": "Hash the evidence again and read every cited byte.",
    "parsers": "List, start and check formats.",
    "signatures": "List, check, run and explain rules.",
}


class _Lazy(click.Group):
    """A group that imports a command's module when the command is used, so that help and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        found = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_SAID.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="pirtimeline")
def cli() -> None:
    """Turn an archive of logs into one UTC event table, a timeline, and a report draft that cites its evidence."""


def main() -> None:
    """Run the command line; end with 0 done, 1 our error, 2 usage, 3 done but look, 130 interrupted."""
    from pirtimeline.cli.interrupting import SAID, STATUS, ends_at_once
    from pirtimeline.errors import PirTimelineError

    ends_at_once()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts 60 ms sooner; Polars has threads of its own
    os.environ.setdefault(
        "_RJEM_MALLOC_CONF", "dirty_decay_ms:1000,muzzy_decay_ms:0"
    )  # a block's memory serves the next, and what stays unused for a second is given back
    gc.set_threshold(100_000)  # what imports make stays, and rows are no Python objects: there is little to collect
    try:
        status = cli.main(prog_name="pirtimeline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo(SAID, err=True)
        status = STATUS
    except PirTimelineError as error:
        click.echo(f"Error: {error}", err=True)
        status = 1
    except BrokenPipeError:
        status = 1
    except OSError as error:
        click.echo(f"Error: {error.filename or 'the system'}: {(error.strerror or str(error)).lower()}", err=True)
        status = 1
    _leave(status if isinstance(status, int) else 0)


def _leave(status: int) -> NoReturn:
    """End the process at once: the system takes its memory back a tenth of a second sooner than Python does."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads on, or the disk is full
            status = status or 1
    os._exit(status)

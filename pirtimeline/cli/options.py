"""Options that several commands share, and what people type into them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from pirtimeline.objects import Location, located
from pirtimeline.settings import Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Time(click.ParamType[datetime]):
    """A time as a person types it, UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it with dateutil; a date alone is its midnight."""
        from dateutil import parser

        if isinstance(value, datetime):
            return value
        midnight = datetime(1900, 1, 1, tzinfo=UTC)
        try:
            found = parser.parse(value, default=midnight)
        except (parser.ParserError, OverflowError, ValueError):
            self.fail(f"{value!r} is no time; write it as 2024-03-04T02:58:03Z", param, ctx)
        if found.year == 1900:
            self.fail(f"{value!r} lacks a date; write it as 2024-03-04T02:58:03Z", param, ctx)
        return found.astimezone(UTC)


class Located(click.ParamType[Location]):
    """A path, or a place in a bucket: s3://BUCKET/KEY."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Location:
        """Take it for what it is."""
        return located(value)


class Span(click.ParamType[timedelta]):
    """A span of time: a number and s, m, h or d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
        if not found:
            self.fail(f"{value!r} is no span; write a number and s, m, h or d: 10m", param, ctx)
        return timedelta(**{_UNITS[found[2]]: float(found[1])})


class Glob(click.ParamType[tuple[str, str]]):
    """A glob over paths of the evidence, and what is declared for it: GLOB=VALUE."""

    name = "glob=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split it at the last equals sign."""
        if isinstance(value, tuple):
            return value
        glob, equals, said = str(value).rpartition("=")
        if not (glob and equals and said):
            self.fail(f"{value!r} declares nothing; write GLOB=VALUE: '*app1*=America/New_York'", param, ctx)
        return glob, said


def evidence_options(command: F) -> F:
    """Add what is declared of evidence: window, zones, years, hosts, services, parsers."""
    for option in reversed(_DECLARED):
        command = option(command)
    return command


_DECLARED = (
    click.option("--incident", default="", metavar="ID", help="The incident's id, for the report."),
    click.option("--start", type=Time(), help="Begin of the incident's window."),
    click.option("--end", type=Time(), help="End of the incident's window."),
    click.option("--around", type=Time(), help="The window is this time ..."),
    click.option("--within", type=Span(), help="... give or take this span (30m, 2h)."),
    click.option(
        "--zone",
        "zones",
        type=Glob(),
        multiple=True,
        metavar="GLOB=ZONE",
        help="The zone of sources' clocks: IANA name or +05:30.",
    ),
    click.option(
        "--year", "years", type=Glob(), multiple=True, metavar="GLOB=YYYY", help="The year of stamps without one."
    ),
    click.option(
        "--host", "hosts", type=Glob(), multiple=True, metavar="GLOB=NAME", help="The host of sources that name none."
    ),
    click.option(
        "--service",
        "services",
        type=Glob(),
        multiple=True,
        metavar="GLOB=NAME",
        help="The service of sources that name none.",
    ),
    click.option("--parser", "parsers", type=Glob(), multiple=True, metavar="GLOB=NAME", help="The format of sources."),
    click.option("--collected-at", type=Time(), help="When the evidence was collected."),
    click.option(
        "--parsers",
        "parser_folders",
        type=click.Path(exists=True, file_okay=False),
        multiple=True,
        metavar="DIR",
        help="A folder of formats.",
    ),
    click.option(
        "--signatures",
        "signature_folders",
        type=click.Path(exists=True),
        multiple=True,
        metavar="DIR",
        help="A folder of Sigma rules.",
    ),
    click.option(
        "--fields",
        "field_folders",
        type=click.Path(exists=True),
        multiple=True,
        metavar="DIR",
        help="A folder of field maps.",
    ),
)


def run_options(command: F) -> F:
    """Add how a run goes: workers, limits, and what it says."""
    for option in reversed(_RUN):
        command = option(command)
    return command


_RUN = (
    click.option(
        "--only-near",
        type=Span(),
        metavar="SPAN",
        help="Read of large sources only the window, SPAN before it, and the first MiB; a later run reads the rest.",
    ),
    click.option("--workers", type=click.IntRange(1), metavar="N", help="Blocks read at a time; all cores by default."),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Read on the workers of a Dask cluster, which see evidence and case at the same places: tcp://host:8786.",
    ),
    click.option(
        "--max-rejects",
        type=click.FloatRange(0, 1),
        default=0.05,
        show_default=True,
        metavar="SHARE",
        help="End with 3 where more of the bytes is unrecognised.",
    ),
    click.option(
        "--max-depth", type=click.IntRange(1), metavar="N", help="How deep archives may stand in one another."
    ),
    click.option(
        "--max-ratio", type=click.IntRange(1), metavar="N", help="How many times larger unpacked bytes may be."
    ),
    click.option("--max-source-bytes", type=click.IntRange(1), metavar="N", help="How large one unpacked file may be."),
    click.option("--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
)


def settings_of(evidence: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """Make settings of what was typed.

    Raises:
        click.UsageError: the options contradict each other.
    """
    start, end = _window(options)
    if end is not None and start is not None and end <= start:
        raise click.UsageError("the window ends before it begins")
    globs: dict[str, Any] = {name: tuple(options[name]) for name in ("zones", "years", "hosts", "services", "parsers")}
    named = ("parser_folders", "signature_folders", "field_folders")
    folders: dict[str, Any] = {name: tuple(options[name]) for name in named}
    return Settings(
        evidence=evidence,
        incident=options["incident"],
        start=start,
        end=end,
        collected_at=options["collected_at"],
        **globs,
        **folders,
    )


def near_option(options: dict[str, Any], case: Location) -> timedelta | None:
    """Give the span of `--only-near`.

    Raises:
        click.UsageError: neither the options nor the case name a window.
    """
    span: timedelta | None = options["only_near"]
    if span is None or options["start"] or options["around"] or read_settings(case).start:
        return span
    raise click.UsageError("--only-near needs a window: --start and --end, or --around and --within")


def _window(options: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    around, within = options["around"], options["within"]
    if (around is None) != (within is None):
        raise click.UsageError("--around and --within go together: --around 2024-03-04T03:00Z --within 30m")
    if around is not None and (options["start"] or options["end"]):
        raise click.UsageError("name the window either by --start and --end or by --around and --within")
    if options["end"] is not None and options["start"] is None:
        raise click.UsageError("--end needs --start")
    return (around - within, around + within) if around is not None else (options["start"], options["end"])

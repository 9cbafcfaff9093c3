"""What a run says when it is done: what was read, what was skipped, what rests on an assumption, where results lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pirtimeline.building import Built
    from pirtimeline.ingest import Outcome

SHOWN = 10


def print_ingested(outcome: Outcome) -> None:
    """Say what was read, skipped and assumed, on standard error."""
    events = sum(one["events"] for one in outcome.sources)
    left = sum(length for one in outcome.sources for _, length in one.get("skipped") or ())
    size = sum(one["size_bytes"] for one in outcome.sources) - left
    _say(
        f"{len(outcome.sources)} sources, {events:,} events of {size / 1e6:,.1f} MB"
        + ("" if outcome.changed else "; nothing changed")
    )
    if left:
        _say(f"{left / 1e6:,.1f} MB outside of the window were not read; run again without --only-near to read them")
    whole = [f"{one['paths'][0]}: {one['window']['reason']}" for one in outcome.sources if _reason(one)]
    _listed("read whole, since they cannot be entered at the window", whole)
    rejects = sum(one["rejects"] for one in outcome.sources)
    if rejects:
        _say(
            f"{rejects:,} rejects ({outcome.rejected_share:.2%} of the bytes): query them with parser = 'unrecognised'"
        )
    _listed(f"{len(outcome.skipped)} members skipped", [f"{one['path']}: {one['reason']}" for one in outcome.skipped])
    early = [f"{one['paths'][0]}: {one['truncated']}" for one in outcome.sources if one.get("truncated")]
    _listed("ends early", early)
    told = [f"{path}: add --zone '{path}=ZONE'" for path in outcome.assumed]
    _listed(f"{len(outcome.assumed)} sources have no zone and were read as UTC", told)


def print_built(built: Built) -> None:
    """Say what `print_ingested` says, then what was found and where it lies."""
    print_ingested(built.outcome)
    for line in built.headlines():
        _say(line)
    for conflict in built.conflicts:
        _say(f"conflict: {conflict}")
    for name, path in built.files().items():
        _say(f"{name}: {path}")


def _reason(one: Mapping[str, Any]) -> str | None:
    """Give why a source was read whole where it was to be entered at the window."""
    return (one.get("window") or {}).get("reason")


def _listed(title: str, lines: list[str]) -> None:
    if not lines:
        return
    _say(f"{title}:")
    for line in lines[:SHOWN]:
        _say(f"  {line}")
    if len(lines) > SHOWN:
        _say(f"  and {len(lines) - SHOWN} more")


def _say(line: str) -> None:
    click.echo(line, err=True)

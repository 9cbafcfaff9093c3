"""What the analyst declares, laid over what the evidence shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pirtimeline.errors import CaseError
from pirtimeline.parsing import clock
from pirtimeline.parsing.plan import SourcePlan
from pirtimeline.settings import Globs, Settings, declared


def declare(plan: SourcePlan, settings: Settings, paths: Iterable[str]) -> SourcePlan:
    """Lay declared zone, year, time of collection, host and service over a plan; the last glob that matches wins.

    Raises:
        CaseError: a zone or year is not one.
    """
    every = [plan.path, *paths]
    rule = plan.inferred
    if zone := _declared(settings.zones, every):
        rule = replace(rule, zone=clock.zone(zone), zone_basis="zone_declared", zone_from=None, zone_to=None)
    if year := _declared(settings.years, every):
        rule = replace(rule, year=_year(year), year_basis="declared")
    if settings.collected_at:
        rule = replace(rule, collected_at=settings.collected_at)
    host, service = _declared(settings.hosts, every), _declared(settings.services, every)
    named = plan.host_basis == "text"
    return replace(
        plan,
        rule=rule,
        host_name=plan.host_name if named or not host else host,
        host_basis=plan.host_basis if named or not host else "declared",
        service_name=service or plan.service_name,
    )


def check(settings: Settings) -> None:
    """Refuse declarations that make no sense before anything is read.

    Raises:
        CaseError: a zone or year is not one, or the window ends before it begins.
    """
    for _, zone in settings.zones:
        clock.zone(zone)
    for _, year in settings.years:
        _year(year)
    if settings.start and settings.end and settings.end <= settings.start:
        raise CaseError("the window ends before it begins", hint="give --start before --end")


def _declared(globs: Globs, paths: Iterable[str]) -> str | None:
    found = [declared(globs, path) for path in paths]
    return next((one for one in found if one), None)


def _year(text: str) -> int:
    if not (text.isdigit() and 1970 <= int(text) <= 2100):
        raise CaseError(f"{text!r} is no year", at="--year", hint="write it with four digits: --year '*syslog*=2024'")
    return int(text)

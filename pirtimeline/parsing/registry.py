"""The formats and parsers that are at hand: installed packages', by one entry point each, and folders' of the user.

The engine knows its own formats only by that entry point, as it knows a stranger's. A provider is a function without
arguments that gives any of: the path of a format file, a `Format`, a `Parser`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from pirtimeline.errors import FormatError
from pirtimeline.parsing import formats, samples
from pirtimeline.parsing.plugin import Format, Parser

GROUP = "pirtimeline.parsers"
"""The entry-point group by which a distribution offers its formats and parsers."""

_OURS = "pirtimeline"


@dataclass(frozen=True, slots=True)
class Offer:
    """A format or parser and who offers it, in words for a message."""

    parser: Format | Parser
    by: str


def installed(
    folders: Iterable[Path] = (), *, points: Iterable[EntryPoint] | None = None
) -> dict[str, Format | Parser]:
    """Give all formats and parsers by name, in the order of their names.

    Args:
        folders: folders of the user (`--parsers DIR`) with `*.toml` and `*.py` (each with a provider `parsers`); what
            is in them comes before what is installed under the same name, the last folder before those above it.
        points: the entry points to look into instead of those that are installed.

    Raises:
        FormatError: two distributions offer one name; a provider fails or gives something else; a file breaks a rule,
            or a folder's file does not hold on its own samples (those of installed packages are their authors' to try,
            with `pirtimeline.testing`).

    Example:
        >>> formats = installed()
        >>> formats["tomcat_juli"].title
        "Tomcat's log, one line a record"
    """
    found = _without_twins(_offers(entry_points(group=GROUP) if points is None else points))
    for folder in folders:
        found |= _without_twins(_folder_offers(folder))
    return {name: found[name].parser for name in sorted(found)}


def _without_twins(offers: Iterable[Offer]) -> dict[str, Offer]:
    found: dict[str, Offer] = {}
    for offer in offers:
        name = offer.parser.name
        if name in found:
            what = f"two formats are named {name!r}: one by {found[name].by}, one by {offer.by}"
            raise FormatError(what, hint="uninstall one; a folder given with --parsers may replace an installed one")
        found[name] = offer
    return found


def _offers(points: Iterable[EntryPoint]) -> Iterator[Offer]:
    for point in sorted(points, key=lambda point: (_distribution(point), point.name)):
        by = f"{_distribution(point)} (entry point {point.name} = {point.value})"
        try:
            given = [*point.load()()]
        except Exception as error:  # a stranger's code may raise anything; we say whose it is
            raise FormatError(
                f"{by} fails: {type(error).__name__}: {error}", hint="uninstall or repair that package"
            ) from error
        for one in given:
            yield Offer(_accepted(one, by, checked=False), by)


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unnamed distribution"


def _folder_offers(folder: Path) -> Iterator[Offer]:
    if not folder.is_dir():
        raise FormatError(
            "no such folder of formats", at=folder, hint="--parsers takes a folder with *.toml and *.py in it"
        )
    for path in sorted(folder.glob("*.toml")):
        yield Offer(samples.load_checked(path), str(path))
    for path in sorted(folder.glob("*.py")):
        for one in _provided(path):
            yield Offer(_accepted(one, str(path), checked=True), str(path))


def _provided(path: Path) -> list[object]:
    """Run the provider of a Python file in a folder of the user."""
    try:
        return [*_module(path).parsers()]
    except Exception as error:  # a stranger's code may raise anything; we say whose it is
        raise FormatError(
            f"{type(error).__name__}: {error}", at=path, hint="it needs a function parsers() that gives parsers"
        ) from error


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _accepted(one: object, by: str, *, checked: bool) -> Format | Parser:
    """Take what a provider gives, or say what is wrong with it."""
    if isinstance(one, Path):
        return samples.load_checked(one) if checked else formats.load(one, samples=False)
    if isinstance(one, Format):
        return one
    if isinstance(one, Parser) and not isinstance(one, type):
        return one
    what = f"{by} gives {one!r}, which is neither a path, a Format nor a Parser"
    lacks = [member for member in _MEMBERS if not hasattr(one, member)]
    hint = (
        f"a Parser has {', '.join(_MEMBERS)}; here is no {', '.join(lacks)}"
        if lacks
        else "give an instance, not the class"
    )
    raise FormatError(what, hint=hint)


_MEMBERS = ("name", "title", "time", "columns", "sniff", "read")


def formats_of(found: Mapping[str, Format | Parser]) -> list[Format]:
    """List the formats among what is installed, without the parsers in Python."""
    return [one for one in found.values() if isinstance(one, Format)]

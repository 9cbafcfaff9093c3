"""Field maps: which parsers and which rows a rule's logsource means, and which column each of its fields is.

They are data: `signatures/fields/*.yml`, and a user's own files after them. See `docs/signatures.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from pirtimeline.errors import SignatureError
from pirtimeline.parsing.fields import columns_of
from pirtimeline.signatures.condition import All, Condition, Not, Test, both, either
from pirtimeline.signatures.model import Logsource

WORDS = ("category", "product", "service")
EVERYTHING = All(())
KEYS = frozenset({"logsource", "parsers", "except", "where", "not", "fields", "pairs", "keys", "replace"})


@dataclass(frozen=True, slots=True)
class Binding:
    """What one logsource is among our events: parsers (globs), rows, and a column, or several to choose from, a field.

    `excepted` are globs of parsers that are left out; `where` is a condition on columns. `pairs` is the column in whose
    text `key=value` pairs are looked up for fields that are neither mapped nor a column. `keys` says that fields are
    keys of structured text, and below which keys they may stand ("" for none): what is not mapped is looked for in
    `extra`, and in the columns that such a key fills.
    """

    parsers: tuple[str, ...]
    excepted: tuple[str, ...] = ()
    where: Condition = EVERYTHING
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    pairs: str = ""
    keys: tuple[str, ...] = ()

    def reads(self, parser: str) -> bool:
        """Tell whether the events of a parser belong to the logsource."""
        meant = any(fnmatchcase(parser, glob) for glob in self.parsers)
        return meant and not any(fnmatchcase(parser, glob) for glob in self.excepted)

    def columns(self, name: str) -> tuple[str, ...]:
        """Name the columns to look into for a field, the first that an event has; unmapped, its own name."""
        return self.fields.get(name) or (filled_by(name, self.keys) if self.keys else (name,))


@lru_cache(maxsize=65536)
def filled_by(key: str, below: tuple[str, ...] = ("",)) -> tuple[str, ...]:
    """Name the places of a key of structured text: left in `extra`, as written or with small initials, else in columns.

    Example:
        >>> filled_by("ResultType")
        ('ResultType', 'extra.ResultType', 'extra.resultType', 'event_outcome')
    """
    small = ".".join(part[:1].lower() + part[1:] for part in key.split("."))
    left = [f"extra.{outer}{each}" for outer in below for each in (key, small)]
    return tuple(dict.fromkeys((key, *left, *columns_of(key))))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a field file: bindings for the logsources that its words cover."""

    words: tuple[str, str, str]
    binding: Binding | None
    fields: Mapping[str, tuple[str, ...]]
    replace: bool

    def covers(self, logsource: Logsource) -> bool:
        """Tell whether a rule's logsource is meant: each word equal, `*` for any word or none."""
        asked = (logsource.category, logsource.product, logsource.service)
        return all(own in ("*", word) for own, word in zip(self.words, asked, strict=True))


@dataclass(frozen=True, slots=True)
class FieldMaps:
    """All entries, in the order in which they were read; later ones override and add."""

    entries: tuple[Entry, ...] = ()

    def bindings(self, logsource: Logsource) -> tuple[Binding, ...]:
        """Give the bindings of a rule's logsource; none where no map knows it.

        Entries whose words are the rule's own go before those with `*`.
        """
        found = [entry for entry in self.entries if entry.covers(logsource)]
        for at in range(len(found) - 1, -1, -1):
            if found[at].replace:
                found = found[at:]
                break
        bound = [entry for entry in found if entry.binding is not None]
        fewest = min((entry.words.count("*") for entry in bound), default=0)
        lent = {name: columns for entry in found if entry.binding is None for name, columns in entry.fields.items()}
        return tuple(
            replace(b, fields={**b.fields, **lent})
            for entry in bound
            if (b := entry.binding) is not None and entry.words.count("*") == fewest
        )


def load_fields(paths: Sequence[Path] = (), *, builtin: bool = True) -> FieldMaps:
    """Read field maps: ours first, then the files (or folders of them) of `paths`.

    Raises:
        SignatureError: a file is not YAML, or an entry has a key or a shape that has no meaning.

    Example:
        >>> maps = load_fields()
        >>> [b.parsers for b in maps.bindings(Logsource(product="linux", service="sshd"))] != []
        True
    """
    import yaml

    entries: list[Entry] = []
    for path in field_files(paths, builtin=builtin):
        try:
            content = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SignatureError(f"the field map cannot be read: {error}", at=path) from error
        entries.extend(_entries(content, path))
    return FieldMaps(tuple(entries))


def field_files(paths: Sequence[Path] = (), *, builtin: bool = True) -> list[Path]:
    """List the files of field maps: ours, then those named or below folders that are named."""
    ours = sorted((Path(__file__).parent / "fields").glob("*.yml")) if builtin else []
    return [*ours, *(file for each in paths for file in _files(each))]


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.yml")) if path.is_dir() else [path]


def _entries(content: Any, path: Path) -> Iterable[Entry]:
    shape = "a field map is a map with 'sources', a list of maps; see docs/signatures.md"
    if not isinstance(content, dict) or not isinstance(content.get("sources"), list):
        raise SignatureError("it has no list 'sources'", at=path, hint=shape)
    lent = content.get("fields") or {}
    for source in content["sources"]:
        if not isinstance(source, dict) or not isinstance(source.get("logsource"), dict):
            raise SignatureError("an entry of 'sources' has no map 'logsource'", at=path, hint=shape)
        if unknown := sorted(set(source) - KEYS):
            raise SignatureError(f"an entry of 'sources' has the unknown key {unknown[0]!r}", at=path, hint=shape)
        yield _entry({**{key: content[key] for key in ("parsers", "keys") if key in content}, **source}, lent)


def _entry(source: Mapping[str, Any], lent: Mapping[str, Any]) -> Entry:
    own = source.get("parsers")
    fields = {str(name): _several(columns) for name, columns in {**lent, **(source.get("fields") or {})}.items()}
    words = tuple(str(source["logsource"].get(word, "")).lower() for word in WORDS)
    binding = None
    if own is not None:
        where = [_where(source.get("where")), *([Not(_where(source["not"]))] if source.get("not") else [])]
        told = (str(source.get("pairs", "")), _below(source.get("keys")))
        binding = Binding(_several(own), _several(source.get("except", ())), both(tuple(where)), fields, *told)
    return Entry((words[0], words[1], words[2]), binding, fields, bool(source.get("replace")))


def _below(value: Any) -> tuple[str, ...]:
    """Read `keys`: true, or the keys below which a field may stand besides."""
    named = _several(value) if isinstance(value, list) else ()
    return ("", *(f"{one}." for one in named)) if value else ()


def _several(value: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list | tuple) else (str(value),)


def _where(value: Any) -> Condition:
    """Read a map of column and value (all must hold), or a list of such maps (one must)."""
    if value is None:
        return All(())
    maps = value if isinstance(value, list) else [value]
    return either(tuple(both(tuple(_is(name, wanted) for name, wanted in one.items())) for one in maps))


def _is(name: str, wanted: Any) -> Condition:
    values = wanted if isinstance(wanted, list) else [wanted]
    return either(tuple(_equal(name, value) for value in values))


def _equal(name: str, value: Any) -> Test:
    if isinstance(value, bool):
        return Test(name, "exists", (value,))
    if isinstance(value, int | float):
        return Test(name, "number", (value,))
    text = str(value)
    if text.endswith("*"):
        return Test(name, "startswith", (text[:-1],), cased=True)
    return Test(name, "equals", (text,), cased=True)

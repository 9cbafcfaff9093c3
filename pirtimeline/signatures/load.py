"""Rules from files: ours and the user's, every document of every file, each in its place and with its own id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from pirtimeline.errors import SignatureError
from pirtimeline.signatures.actions import merged
from pirtimeline.signatures.cache import cached
from pirtimeline.signatures.condition import tests
from pirtimeline.signatures.fields import FieldMaps, field_files, load_fields
from pirtimeline.signatures.headers import windowed_of
from pirtimeline.signatures.model import (
    Correlation,
    Expression,
    Header,
    Logsource,
    Problem,
    Rule,
    Signature,
    Windowed,
)
from pirtimeline.signatures.places import VALUE, placed

SUFFIXES = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Rules:
    """Signatures ready to match, the field maps they are read through, and what is wrong with any of them."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    windowed: tuple[Windowed, ...]
    maps: FieldMaps
    problems: tuple[Problem, ...] = ()

    def signatures(self) -> list[Signature]:
        """Give every signature of whatever kind, in the order of their ids."""
        every: list[Signature] = [*self.rules, *self.correlations, *self.windowed]
        return sorted(every, key=lambda each: each.header.signature_id)

    def headers(self) -> Mapping[str, Header]:
        """Give the header of every signature by its id."""
        return {each.header.signature_id: each.header for each in self.signatures()}

    def table(self, parsers: Mapping[str, Iterable[str]] | None = None) -> pl.DataFrame:
        """List the signatures: id, title, level, role, kind, source, and whether it applies here or why not.

        Args:
            parsers: installed parsers and their own further columns; None leaves applicability to the field maps.

        Example:
            >>> load().table().columns
            ['id', 'title', 'level', 'role', 'kind', 'source', 'applicable']
        """
        from pirtimeline.signatures.applicable import applicability

        rows = [
            (h.signature_id, h.title, h.level, h.role, _kind(each), _shown(h), applicability(each, self, parsers))
            for each in self.signatures()
            for h in [each.header]
        ]
        names = ["id", "title", "level", "role", "kind", "source", "applicable"]
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")


def _kind(signature: Signature) -> str:
    if isinstance(signature, Correlation):
        return signature.kind
    return "windowed" if isinstance(signature, Windowed) else "event"


def _shown(header: Header) -> str:
    """Name the file of a rule; of ours, below the catalogue."""
    ours = Path(__file__).parent / "rules"
    path = Path(header.origin)
    return path.relative_to(ours).as_posix() if path.is_relative_to(ours) else path.as_posix()


def load(
    paths: Sequence[Path] = (),
    *,
    builtin: bool = True,
    fields: Sequence[Path] = (),
    placeholders: Path | None = None,
) -> Rules:
    """Load signatures, compiled as far as they can be without events.

    Args:
        paths: files or folders (searched for `*.yml` and `*.yaml`) of Sigma rules, filters and correlations.
        builtin: whether our own catalogue comes first.
        fields: files or folders of field maps that override ours or add to them.
        placeholders: a YAML file, name -> value or list of values, for rules with the modifier `expand`.

    Raises:
        SignatureError: a file cannot be read, or a rule cannot be compiled; it names every such rule, with file, line
            and feature.

    Example:
        >>> rules = load()
        >>> "jvm.oom.heap" in rules.headers()
        True
    """
    found = collect(paths, builtin=builtin, fields=fields, placeholders=placeholders)
    fatal = [problem for problem in found.problems if problem.fatal]
    if fatal:
        raise _refusal(fatal)
    return found


def _refusal(problems: Sequence[Problem]) -> SignatureError:
    """Name every rule that cannot run, a line each, so that one run is enough to correct or remove them all."""
    first, *others = [problem.error() for problem in problems]
    hint = first.hint if not others else "correct these rules or take them out; `signatures check` says more of each"
    lines = [first.what, *(f"{other.at}: {other.what}" for other in others)]
    return SignatureError("\n".join(lines), at=first.at, hint=hint)


def check(paths: Sequence[Path]) -> list[Problem]:
    """Name every problem of the rules in some files or folders, with file and line.

    Example:
        >>> check([])
        []
    """
    return list(collect(paths, builtin=False).problems)


def collect(
    paths: Sequence[Path] = (),
    *,
    builtin: bool = True,
    fields: Sequence[Path] = (),
    placeholders: Path | None = None,
) -> Rules:
    """Load what can be loaded, and list every problem instead of ending at the first."""
    ours = Path(__file__).parent / "rules"
    files = [*(_files([ours]) if builtin else []), *_files(paths)]
    beside = [*field_files(fields), *([placeholders] if placeholders else [])]
    found = cached([*files, *beside], lambda: _collected(files, fields, placeholders))
    return Rules(*found)


def _collected(
    files: Sequence[Path], fields: Sequence[Path], placeholders: Path | None
) -> tuple[tuple[Rule, ...], tuple[Correlation, ...], tuple[Windowed, ...], FieldMaps, tuple[Problem, ...]]:
    from pirtimeline.signatures.sigma import read

    documents, windowed, problems = _documents(files)
    reading = read(documents, _placeholders(placeholders))
    problems += reading.problems
    signatures: list[Signature] = [*reading.rules, *reading.correlations, *windowed]
    problems += list(_repeated(signatures))
    correlations, lost = _resolved(reading.correlations, signatures)
    maps = load_fields(fields)
    problems += [*lost, *_remarks(reading.rules, maps)]
    return tuple(reading.rules), tuple(correlations), tuple(windowed), maps, tuple(placed(problems))


def _files(paths: Sequence[Path]) -> list[Path]:
    """List rule files: those named, and below folders by their suffix, in the order of their names."""
    out: list[Path] = []
    for path in paths:
        if path.is_dir():
            out.extend(sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file()))
        else:
            out.append(path)
    return out


def _documents(files: Sequence[Path]) -> tuple[list[tuple[str, int, Mapping[str, Any]]], list[Windowed], list[Problem]]:
    documents: list[tuple[str, int, Mapping[str, Any]]] = []
    windowed: list[Windowed] = []
    problems: list[Problem] = []
    for file in files:
        content, problem = _yaml(file)
        if problem is not None:
            problems.append(problem)
            continue
        for index, document in merged(content):
            pir = document.get("pir")
            if isinstance(pir, Mapping) and "windowed" in pir:
                header, wrong = windowed_of(document, pir, file, index)
                windowed += [header] if header else []
                problems += [wrong] if wrong else []
            else:
                documents.append((str(file), index, document))
    return documents, windowed, problems


def _yaml(file: Path) -> tuple[list[Any], Problem | None]:
    """Read the documents of one file, each a map."""
    import yaml

    try:
        content = list(yaml.load_all(file.read_text("utf-8-sig"), Loader=_loader()))
    except OSError as error:
        return [], Problem("", str(file), -1, f"the file cannot be read: {error.strerror or error}")
    except UnicodeDecodeError:
        return [], Problem("", str(file), -1, "the file is not UTF-8", "save it as UTF-8")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        return [], Problem("", str(file), -_line_of(error), f"the file is not YAML: {what}")
    for index, document in enumerate(content):
        if document is not None and not isinstance(document, Mapping):
            return [], Problem("", str(file), index, "a document is not a map of keys such as title and detection")
    return content, None


def _line_of(error: Exception) -> int:
    """Give the line of a fault of YAML: of a quotation mark left open, where it opens."""
    mark = getattr(error, "problem_mark", None)
    if "quoted scalar" in (getattr(error, "context", None) or ""):
        mark = getattr(error, "context_mark", mark)
    return mark.line + 1 if mark else 1


@lru_cache(maxsize=1)
def _loader() -> Any:
    """Make the quick loader refuse a key that is given twice, of which it would keep the last without a word."""
    import yaml

    class Once(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """The safe loader in C, where there is one."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            made = super().construct_mapping(node, deep)
            if len(made) < len(node.value):
                seen: set[str] = set()
                for key, _ in node.value:
                    if key.value in seen:
                        what = f"the key {key.value!r} is given twice"
                        raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
                    seen.add(key.value)
            return made

    return Once


def _placeholders(path: Path | None) -> Mapping[str, Sequence[str]]:
    if path is None:
        return {}
    content, problem = _yaml(path)
    if problem is not None or len(content) != 1:
        what = problem.what if problem else "a file of placeholders holds one map"
        raise SignatureError(what, at=path, hint="write name: value, or name: [value, value]")
    return {
        str(name): [str(value) for value in (values if isinstance(values, list) else [values])]
        for name, values in content[0].items()
    }


def _repeated(signatures: Iterable[Signature]) -> Iterable[Problem]:
    """Tell of ids that two signatures claim: findings could not be told apart."""
    first: dict[str, Header] = {}
    for signature in signatures:
        header = signature.header
        known = first.setdefault(header.signature_id, header)
        if known is not header:
            what = f"another rule has the same id: {known.origin}"
            hint, where = "give each rule an id of its own", ("name" if header.ours else "id",)
            yield Problem(header.signature_id, header.origin, header.index, what, hint, where=where)


def _resolved(
    correlations: Sequence[Correlation], signatures: Sequence[Signature]
) -> tuple[list[Correlation], list[Problem]]:
    """Replace the words by which correlations refer to rules by signature ids, and put them in order of reference."""
    ids = {name: s.header.signature_id for s in signatures for name in (*s.header.names, s.header.signature_id)}
    out: list[Correlation] = []
    problems: list[Problem] = []
    for each in correlations:
        lost = [name for name in (*each.rules, *(rule for _, rule, _ in each.aliases)) if name not in ids]
        if lost:
            what = f"it refers to the rule '{lost[0]}', which was not loaded"
            problems.append(_of_correlation(each, what, lost[0]))
            continue
        out.append(
            replace(
                each,
                rules=tuple(ids[name] for name in each.rules),
                aliases=tuple((alias, ids[rule], field) for alias, rule, field in each.aliases),
                expression=_renamed(each.expression, ids),
            )
        )
    return _ordered(out, problems), problems


def _of_correlation(correlation: Correlation, what: str, name: str) -> Problem:
    """Tell of a rule that a correlation names, at the place where it names it."""
    header = correlation.header
    place = (correlation.rules.index(name),) if name in correlation.rules else ()
    where: tuple[str | int, ...] = ("correlation", "rules", *place)
    return Problem(header.signature_id, header.origin, header.index, what, where=where)


def _renamed(expression: Expression | None, ids: Mapping[str, str]) -> Expression | None:
    if expression is None:
        return None
    if isinstance(expression, str):
        return ids[expression]
    word, operands = expression
    return word, tuple(renamed for operand in operands if (renamed := _renamed(operand, ids)) is not None)


def _ordered(correlations: Sequence[Correlation], problems: list[Problem]) -> list[Correlation]:
    """Put correlations behind those they refer to; a circle is a problem."""
    waiting = {each.header.signature_id: each for each in correlations}
    out: list[Correlation] = []
    while waiting:
        free = [each for each in waiting.values() if not any(rule in waiting for rule in each.rules)]
        if not free:
            for each in waiting.values():
                what = "it refers to itself, directly or by way of other correlations"
                problems.append(_of_correlation(each, what, next(rule for rule in each.rules if rule in waiting)))
            return out
        for each in free:
            out.append(waiting.pop(each.header.signature_id))
    return out


def _remarks(rules: Iterable[Rule], maps: FieldMaps) -> Iterable[Problem]:
    """Tell what a rule's author should know though the rule runs: what is slow, and what no map binds."""
    known: dict[Logsource, bool] = {}
    for rule in rules:
        header = rule.header
        for test in tests(rule.condition):
            if test.operator == "slow":
                what = f"the pattern {test.values[0]!r} needs look-around or back-references and runs in Python, slowly"
                where = ("detection", f"{VALUE}{test.values[0]}")
                yield Problem(header.signature_id, header.origin, header.index, what, "", False, where)
        if rule.logsource not in known:
            known[rule.logsource] = bool(maps.bindings(rule.logsource))
        if not known[rule.logsource]:
            what = f"no field map knows the logsource {rule.logsource}: the rule never fires here"
            hint = "map it in a file and pass that as --fields"
            yield Problem(header.signature_id, header.origin, header.index, what, hint, False, ("logsource",))

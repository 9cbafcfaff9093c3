"""Write the report's files into a case, or one of them anywhere: whole or not at all, and only where they differ."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pirtimeline import store
from pirtimeline.errors import CaseError
from pirtimeline.masking import mask_json
from pirtimeline.objects import Location
from pirtimeline.report import blocks, citations, drawing, figures, series
from pirtimeline.report.draft import Draft, draft
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.merge import Merged, merge
from pirtimeline.report.render import written

BASE = ".pir/base"
"""Where a case keeps what was generated for a report that people may edit, named by its hash."""

PICTURE = "figures/timeline.svg"
"""Where the report looks for its still picture, beside itself."""

SUFFIXES = (".md", ".html", ".docx", ".pdf", ".json")


class WriteResult(NamedTuple):
    """The files that were brought up to date, and where a person's text and the new text disagree."""

    files: tuple[Location, ...]
    conflicts: tuple[str, ...]


def write(inputs: ReportInputs, folder: Location) -> WriteResult:
    """Bring `report.md` (merged), `report.json`, `timeline.html` and `figures/` of a case up to date.

    Raises:
        CaseError: the markers in `report.md` are broken, or a file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pirtimeline.report.example import example_inputs
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = write(example_inputs(), Path(folder))
        >>> [file.name for file in done.files]
        ['report.md', 'report.json', 'timeline.html', 'timeline.svg', 'entries.json', 'error_rate.json']
    """
    from pirtimeline.report.page import page_of

    made = draft(inputs)
    merged = _merge_into(folder / "report.md", written(made), folder)
    store.write_bytes(folder / "report.json", facts_json(inputs).encode())
    text = page_of(made, cited=citations.found_in(merged.text))
    store.write_bytes(folder / "timeline.html", text.encode())
    drawn = _write_figures(made, folder / "figures")
    files = [folder / name for name in ("report.md", "report.json", "timeline.html")]
    return WriteResult((*files, *drawn), merged.conflicts)


def write_file(inputs: ReportInputs, folder: Location, output: Location) -> WriteResult:
    """Write the report of the case in `folder` to one file, in the format that its suffix names.

    An existing .md is merged into; its picture is put beside it, as `figures/timeline.svg`. A .html, .docx or .pdf
    holds the case's `report.md` as people edited it, brought up to date on the way; the case itself is not touched.

    Raises:
        CaseError: the suffix is unknown, markers are broken, or the file cannot be written.
    """
    suffix = output.suffix.lower()
    if suffix not in SUFFIXES:
        raise CaseError(
            f"a report cannot be written as {suffix or 'a file without suffix'}",
            at=output,
            hint=f"one of {' '.join(SUFFIXES)}",
        )
    if suffix == ".json":
        store.write_bytes(output, facts_json(inputs).encode())
        return WriteResult((output,), ())
    made = draft(inputs)
    new = written(made)
    if suffix == ".md":
        conflicts = _merge_into(output, new, folder).conflicts
        store.write_bytes(output.parent / PICTURE, _picture(made).encode())
        return WriteResult((output, output.parent / PICTURE), conflicts)
    from pirtimeline.report.document import document

    merged = _merged(folder / "report.md", new, folder)
    pictures = {PICTURE: _picture(made)}
    store.write_bytes(output, document(merged.text, suffix.removeprefix("."), pictures=pictures))
    return WriteResult((output,), merged.conflicts)


def _picture(made: Draft) -> str:
    """Draw the still picture that the report shows; empty where nothing is dated."""
    from pirtimeline.report.page import overview

    found = series.spans(made.facts, made.timeline)
    return drawing.svg(overview(made, found)) if found else ""


def facts_json(inputs: ReportInputs) -> str:
    """Write the facts as `report.json` holds them: masked, keys in their order, numbers that JSON knows.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> json.loads(facts_json(example_inputs()))["incident"]
        'INC-2024-00123'
    """
    return json.dumps(_finite(mask_json(dict(inputs.facts))), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _merge_into(file: Location, new: str, folder: Location) -> Merged:
    """Merge the new draft into a file, keeping the draft itself as the base of the next merge."""
    merged = _merged(file, new, folder)
    store.write_bytes(folder / BASE / f"{blocks.base_of(new)}.md", new.encode())
    store.write_bytes(file, merged.text.encode())
    return merged


def _merged(file: Location, new: str, folder: Location) -> Merged:
    if not file.is_file():
        return Merged(new, ())
    existing = _read(file)
    if not existing.strip():
        return Merged(new, ())
    base = folder / BASE / f"{blocks.base_of(existing)}.md"
    return merge(existing, new, base=base.read_text("utf-8") if base.is_file() else None, name=str(file))


def _read(file: Location) -> str:
    """Read a text with its line ends as they are."""
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CaseError("this report is not UTF-8 text", at=file, hint="save it as UTF-8") from error


def _write_figures(made: Draft, folder: Location) -> list[Location]:
    """Write each figure as plotly's JSON (`plotly.io.read_json`), where its table has rows."""
    found = series.spans(made.facts, made.timeline)
    if found is None:
        return []
    bins, points = series.request_bins(made.requests, found), series.heap_points(made.events, found)
    drawn: dict[str, Any] = {"entries": figures.entries(made.timeline)}
    if bins.height:
        drawn["error_rate"] = figures.error_rate(bins)
    if points.height:
        drawn["heap"] = figures.heap(points)
    store.write_bytes(folder / "timeline.svg", _picture(made).encode())
    for name, figure in sorted(drawn.items()):
        text = json.dumps(figure.to_plotly_json(), ensure_ascii=False, sort_keys=True, default=_plain)
        store.write_bytes(folder / f"{name}.json", text.encode())
    return [folder / "timeline.svg", *(folder / f"{name}.json" for name in sorted(drawn))]


def _plain(value: Any) -> Any:
    return value.to_plotly_json()


def _finite(value: Any) -> Any:
    """Replace what JSON has no word for (NaN, infinities) by null."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list) else value

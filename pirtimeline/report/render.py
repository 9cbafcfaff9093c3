"""The whole report as Markdown: the ten sections, with every generated text between markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pirtimeline.report import blocks, citations
from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import Cited
from pirtimeline.report.claims import todo
from pirtimeline.report.draft import Draft, Section, draft
from pirtimeline.report.escaping import markdown as md
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.sections import SECTIONS
from pirtimeline.report.sections.overview import answer


def markdown(inputs: ReportInputs, *, sections: Sequence[Callable[[Draft], Section]] = SECTIONS) -> str:
    """Draft the report: a pure function of its inputs, without the time of day and without a path of this machine.

    `sections` may name others, or further ones: a section is a function of a `Draft`.

    Example:
        >>> from pirtimeline.report.example import example_inputs
        >>> text = markdown(example_inputs())
        >>> [line for line in text.splitlines() if line.startswith("## ")][:2]
        ['## 1 Introduction', '## 2 Incident Overview']
    """
    return written(draft(inputs), sections=sections)


def written(made: Draft, *, sections: Sequence[Callable[[Draft], Section]] = SECTIONS) -> str:
    """Write a draft as Markdown.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> written(example_draft()).startswith("<!-- pir:report base=sha256:")
        True
    """
    incident = made.facts.get("incident")
    title = f"# Post-incident report: {md(str(incident))}" if incident else "# Post-incident report"
    name = todo("incident lead", "a title in plain words; who writes, who reviews.")
    parts = [blocks.write(Block("title", title)), "\n", blocks.write(Block("title.status", name, "human"))]
    parts += ["\n", blocks.write(Block("summary", answer(made)))]
    parts += [_section(section(made), number) for number, section in enumerate(sections, 1)]
    text = "".join(parts)
    return blocks.head(text + "\n" + blocks.write(Block("citations", _definitions(made, text))))


def _section(section: Section, number: int) -> str:
    parts = [part if isinstance(part, str) else blocks.write(part) + "\n" for part in section.parts]
    return f"\n## {number} {section.title}\n\n" + "".join(parts).rstrip("\n") + "\n"


def _definitions(made: Draft, text: str) -> str:
    """Say of each citation where it leads: the page, with path and line as its title."""
    ids = citations.found_in(text)
    missing = [name for name in ids if name not in made.cited]
    found = {**made.cited, **made.look_up(missing)}
    return "\n".join(_definition(event) for event in sorted((found[name] for name in ids if name in found), key=_place))


def _definition(event: Cited) -> str:
    title = event.place.replace("\\", "/").replace('"', "'")
    return f'[ev:{event.event_id}]: timeline.html#{event.anchor} "{md(title)}"'


def _place(event: Cited) -> tuple[str, int]:
    return event.path, event.byte_offset

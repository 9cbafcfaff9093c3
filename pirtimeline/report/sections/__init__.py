"""The report's ten sections, each a function of a `Draft` that gives a `Section`, in the order of the guide."""

from __future__ import annotations

from collections.abc import Callable

from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.sections.actions import actions
from pirtimeline.report.sections.appendices import appendices
from pirtimeline.report.sections.cause import cause
from pirtimeline.report.sections.communication import communication
from pirtimeline.report.sections.introduction import introduction
from pirtimeline.report.sections.lessons import lessons
from pirtimeline.report.sections.overview import overview
from pirtimeline.report.sections.prevention import prevention
from pirtimeline.report.sections.response import response
from pirtimeline.report.sections.technical import technical

SECTIONS: tuple[Callable[[Draft], Section], ...] = (
    introduction,
    overview,
    response,
    cause,
    technical,
    actions,
    prevention,
    communication,
    lessons,
    appendices,
)
"""Source of titles and order: the template "Post Incident Report v1.2"."""

__all__ = ["SECTIONS", "Draft", "Section"]

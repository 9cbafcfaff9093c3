"""Section 8: messages that the logs show were sent; that anybody read them they do not show."""

from __future__ import annotations

from pirtimeline.report.blocks import Block
from pirtimeline.report.citations import cite
from pirtimeline.report.claims import Claim, absent, todo
from pirtimeline.report.draft import Draft, Section, entry_id
from pirtimeline.report.entries import class_cell, of_roles, time_cell, what_cell, where_cell
from pirtimeline.report.sections.response import searched
from pirtimeline.report.tables import table

KINDS = (
    ("pages", "page|paged|on.?call", "A page to on-call"),
    ("mail", "mail|smtp|message accepted", "A mail to a team or a list"),
    ("status", "status ?page", "An update of a status page"),
)


def communication(draft: Draft) -> Section:
    """List pages, mails and status updates; ask for all that was said elsewhere.

    Example:
        >>> from pirtimeline.report.example import example_draft
        >>> communication(example_draft()).title
        'Communication and Notifications'
    """
    internal = todo("incident lead", "internal updates: to whom, when, by which channel.")
    external = todo("communications", "customers, partners, regulators (and their clocks), social media.")
    return Section(
        "Communication and Notifications",
        (
            Block("communication.sent", _sent(draft)),
            Block(
                "communication.missing",
                draft.bullets(_missing(draft)) or "Pages, mails and status updates are all in evidence.",
            ),
            Block("communication.internal", internal, "human"),
            Block("communication.external", external, "human"),
        ),
    )


def _sent(draft: Draft) -> str:
    entries = of_roles(draft, "communication")
    if not entries:
        return draft.bullets([absent("A message to people.", searched(draft))])
    rows = [
        (
            entry_id(e),
            [
                time_cell(draft, e, day=True),
                what_cell(e),
                where_cell(e),
                cite(e["event_ids"], at_most=2),
                class_cell(e),
                "",
            ],
        )
        for e in entries
    ]
    return table(["Time (UTC)", "Message", "Where", "Evidence", "Class", "Note"], rows)


def _missing(draft: Draft) -> list[Claim]:
    """Name the kinds of message of which no log tells."""
    import re

    told = " ".join(f"{e['title']} {e['detail'] or ''}" for e in of_roles(draft, "communication")).lower()
    return [absent(f"{title}.", searched(draft)) for _, pattern, title in KINDS if not re.search(pattern, told)]

"""How many cases a law is tried on: a few by default, tens of thousands in the profile `search` (`make laws`)."""

from __future__ import annotations

from hypothesis import settings


def cases(few: int, many: int) -> int:
    return many if settings.get_current_profile_name() == "search" else few

"""The errors that a user can cause, each saying what is wrong, where, and what to do."""

from __future__ import annotations


class PirTimelineError(Exception):
    """Say what is wrong, where it stands, and what to do about it.

    Example:
        >>> print(PirTimelineError("no parser recognises this source", at="zzz.log", hint="name one with --parser"))
        zzz.log: no parser recognises this source
        Hint: name one with --parser
    """

    def __init__(self, what: str, *, at: object = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.at = str(at)
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at else ""
        advice = f"\nHint: {self.hint}" if self.hint else ""
        return f"{where}{self.what}{advice}"


class FormatError(PirTimelineError):
    """A format file or a parser breaks the contract of `parsing.plugin`."""


class SignatureError(PirTimelineError):
    """A rule cannot be read or compiled."""


class SourceError(PirTimelineError):
    """Evidence cannot be read or recognised."""


class CaseError(PirTimelineError):
    """Options, `case.toml` and the case on disk contradict each other."""

"""The event's text: what keywords are looked for in, what a program says itself, and how case is put aside."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from pirtimeline.schema import EVENT_COLUMNS

SEARCHED = ("exception_type", "exception_message", "stack_trace", "logger_name", "rule_name", "user_agent", "extra")
"""Columns that follow the headed message in the searchable text, each on a line of its own."""


def fold(text: str) -> str:
    """Put case aside as `folded` does for columns.

    Example:
        >>> fold("ΟΔΟΣ É")
        'οδοσ é'
    """
    return text.lower().replace("ς", "σ")


def folded(text: pl.Expr) -> pl.Expr:
    """Put case aside in Unicode: lower case, the final sigma as any other, so that parts fold as the whole does."""
    return text.str.to_lowercase().str.replace_all("ς", "σ", literal=True)


def headed_message() -> pl.Expr:
    """Give the message behind the program that wrote it, as a syslog line shows both: `sudo[12]: alice : ...`."""
    pid = pl.format("[{}]", "process_pid").fill_null("")
    head = pl.concat_str(pl.col("process_name"), pid, pl.lit(": "))
    return pl.concat_str(head, pl.col("message"), ignore_nulls=True)


def url() -> pl.Expr:
    """Give path and query as they stood in the request."""
    query = pl.concat_str(pl.lit("?"), pl.col("url_query"))
    return pl.when(pl.col("url_path").is_not_null()).then(pl.concat_str("url_path", query, ignore_nulls=True))


def request_line() -> pl.Expr:
    """Give method and URL as they stood in the request; null where there was none."""
    return pl.concat_str(pl.col("http_method"), pl.lit(" "), url())


def searchable(columns: Collection[str]) -> pl.Expr:
    """Give the event's searchable text: everything in words that its columns say, a line each.

    Headed message, request, exception, stack trace, logger, rule, user agent and what is in `extra`; then the
    parser's own columns of text, by name. Missing columns are left out.
    """
    known = [pl.col(c) for c in SEARCHED if c in columns]
    own = [pl.col(c).cast(pl.String) for c in sorted(set(columns) - set(EVENT_COLUMNS) - {"event_id", "parser"})]
    return pl.concat_str(headed_message(), request_line(), *known, *own, separator="\n", ignore_nulls=True)


QUOTED = (
    (r'"(?:[^"\\\n]|\\.)*"', '""'),
    (r"(?<lead>^|[\s=:(\[{,])'[^\n]*?'(?<tail>[\s,.;:)\]}]|$)", "${lead}''${tail}"),
)
"""Quoted text, and what is left of it: the quotation marks, so that nothing new comes to stand together."""

TYPED = (
    r"comments?|notes?|text|subject|query|search|term|body|feedback|review|question|answer|input|description|title|wrote|writes"
    r"|said|says|asks|asked|reported|commented|posted|replied|complains?"
)
LABELLED = (
    (rf"(?<lead>\b(?:{TYPED})\s?[=:]\s?)\S[^\n]*", "${lead}"),
    (rf'(?<lead>"(?:{TYPED}|message)"\s?:\s?)"(?:[^"\\\n]|\\.)*"', '${lead}""'),
    (
        r"(?<lead>\b(?:comment|note|feedback|review|question|complaint|ticket|enquiry|chat|opinion)s? (?:\S+ ){0,3}"
        r"(?:of|by|from) [^\n:=]{1,40}[:=]\s)\S[^\n]*",
        "${lead}",
    ),
    (r"(?i)(?<lead>\bINSERT INTO [^\n]{1,200} VALUES ?\()[^\n]*", "${lead}"),
)
"""What follows a label of text that people type, and what is left of it."""


def thrown() -> pl.Expr:
    """Give exception and stack trace, a line each; an empty text where nothing was thrown."""
    told = pl.concat_str("exception_type", pl.lit(": "), pl.col("exception_message").fill_null(""))
    return pl.concat_str(told, pl.col("stack_trace"), separator="\n", ignore_nulls=True)


def utterance() -> pl.Expr:
    """Give what a program says: headed message, exception and stack trace, a line each."""
    return _with_thrown(headed_message())


def _with_thrown(said: pl.Expr) -> pl.Expr:
    told = pl.concat_str("exception_type", pl.lit(": "), pl.col("exception_message").fill_null(""))
    return pl.concat_str(said, told, pl.col("stack_trace"), separator="\n", ignore_nulls=True)


def _less(shapes: Iterable[tuple[str, str]]) -> pl.Expr:
    """Give the utterance, less what shapes of others' words take from the message."""
    own = headed_message()
    for shape, left in shapes:
        own = own.str.replace_all(shape, left)
    return _with_thrown(own)


def testimony() -> pl.Expr:
    """Give what a program says, less the texts of people that it passes on: words about an error are no error."""
    return _less(LABELLED)


def statement() -> pl.Expr:
    """Give what a program says itself: its testimony, less all that it quotes."""
    return _less((*QUOTED, *LABELLED))


SPOKEN = ("process_name", "process_pid", "message", "exception_type", "exception_message", "stack_trace")

SCANNED = dict.fromkeys(("utterance", "testimony", "statement"), ("headed_message", "thrown"))
"""Columns that are dear to make: needles are looked for in what they are made of, and only rows that hold any are made.

A needle that spans lines is looked for in the column itself.
"""

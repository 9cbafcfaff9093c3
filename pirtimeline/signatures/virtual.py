"""Columns that field maps can name though no part holds them: each is made of columns that parts hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from pirtimeline.signatures.regex import escaped
from pirtimeline.signatures.text import (
    SPOKEN,
    headed_message,
    request_line,
    statement,
    testimony,
    thrown,
    url,
    utterance,
)


def in_pairs(column: str, key: str) -> pl.Expr:
    """Give the value of `key=value` in a text, without its quotation marks; auditd's hexadecimal text is read.

    Example:
        >>> records = pl.DataFrame({"m": ['argc=2 a0="cat" a1=2F746D702F6120622E747874']})
        >>> records.select(in_pairs("m", "a1")).item()
        '/tmp/a b.txt'
    """
    groups = pl.col(column).str.extract_groups(
        r"(?:^|[\s,;'({])" + escaped(key) + r"=(?:\"([^\"]*)\"|'([^']*)'|([^\s,;')]*))"
    )
    bare = groups.struct.field("3")
    coded = bare.str.contains(r"^(?:[0-9A-F]{2}){2,}$") & bare.str.contains("[A-F]")
    decoded = pl.when(coded).then(bare).str.decode("hex", strict=False).cast(pl.String, strict=False)
    plain = pl.coalesce(groups.struct.field("1"), groups.struct.field("2"), bare)
    return pl.when(coded & decoded.is_not_null()).then(decoded).otherwise(plain)


def audit_command() -> pl.Expr:
    """Give the command line that an EXECVE record of auditd spells argument by argument."""
    arguments = [in_pairs("message", f"a{n}") for n in range(16)]
    return pl.when(pl.col("message").is_not_null()).then(pl.concat_str(arguments, separator=" ", ignore_nulls=True))


def url_host() -> pl.Expr:
    """Give the host of a request whose URL is whole, as proxies log it, or of a CONNECT.

    Example:
        >>> urls = pl.DataFrame({"url_path": ["http://shop.example.org:81/cart", "api.example.org:443", "/cart"]})
        >>> urls.select(url_host()).to_series().to_list()
        ['shop.example.org', 'api.example.org', None]
    """
    return pl.col("url_path").str.extract(r"^(?:[a-z]+://)?([A-Za-z0-9.\-]+\.[A-Za-z0-9\-]+)(?:[:/]|$)")


def url_extension() -> pl.Expr:
    """Give the extension of a request's path, without its dot; null without one."""
    return pl.col("url_path").str.extract(r"/[^/]*\.([A-Za-z0-9]{1,8})$")


def referrer() -> pl.Expr:
    """Give the referrer of a line in the combined format, which stands between the size and the user agent."""
    return pl.col("message").str.extract(r'" \d{3} (?:\d+|-) "([^"]*)"')


ASKED = (
    r"\bquery: (\S+) IN \w+",
    r"\bquery\[\w+\] (\S+) from ",
    r"info: [0-9a-fA-F.:]+ (\S+)\. \w+ IN\b",
)
"""How BIND, dnsmasq and unbound log the name that a client asks for."""

ASKED_TYPE = (r"\bquery: \S+ IN (\w+)", r"\bquery\[(\w+)\] ", r"info: [0-9a-fA-F.:]+ \S+\. (\w+) IN\b")
"""How they log the type of record."""

ASKED_BY = (
    r"client (?:@0x\w+ )?([0-9a-fA-F.:]+)#\d+",
    r"\bquery\[\w+\] \S+ from (\S+)",
    r"info: ([0-9a-fA-F.:]+) \S+\. \w+ IN\b",
)
"""How they log the client."""


def first_of(shapes: tuple[str, ...]) -> Callable[[], pl.Expr]:
    """Make a column of what the first of several shapes finds in the message."""
    return lambda: pl.coalesce([pl.col("message").str.extract(shape) for shape in shapes])


def dns_query() -> pl.Expr:
    """Give the name that was asked for, without the dot of the root."""
    return pl.col("dns_name").str.strip_suffix(".")


VIRTUAL: Mapping[str, tuple[Callable[[], pl.Expr], tuple[str, ...]]] = {
    "url": (url, ("url_path", "url_query")),
    "url_host": (url_host, ("url_path",)),
    "url_extension": (url_extension, ("url_path",)),
    "referrer_in_line": (referrer, ("message",)),
    "request_line": (request_line, ("http_method", "url_path", "url_query")),
    "dns_query": (dns_query, ("dns_name",)),
    "asked": (first_of(ASKED), ("message",)),
    "asked_type": (first_of(ASKED_TYPE), ("message",)),
    "asked_by": (first_of(ASKED_BY), ("message",)),
    "audit_command": (audit_command, ("message",)),
    "thrown": (thrown, ("exception_type", "exception_message", "stack_trace")),
    "utterance": (utterance, SPOKEN),
    "testimony": (testimony, SPOKEN),
    "statement": (statement, SPOKEN),
    "headed_message": (headed_message, ("process_name", "process_pid", "message")),
}
"""How each is made, and of what."""

PLAINLY = {"headed_message": ("process_name", "message")}
"""A column that is another one where no event has a third: it need not be made."""

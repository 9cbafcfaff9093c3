"""Hide secrets in whatever is generated; the case itself keeps the bytes.

The patterns use only what Python's `re` and Rust's regex read alike (ASCII classes, no look-around, no flags), so that
a text and a column are masked the same way. What looks like a secret by its name (`password=`), its place
(`Authorization:`) or its own shape (`AKIA...`) is replaced by `(masked)`, a word that no target gives a meaning to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

import polars as pl

MASK = "(masked)"
"""What stands for a secret."""

LONG = 4096
"""From so many characters on a text is masked by Rust's engine: Python's takes the square of the time."""

JSON = str | int | float | bool | None | Mapping[str, "JSON"] | Sequence["JSON"]
"""What a JSON document can hold."""

_SECRET_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "secret",
    "secretkey",
    "credential",
    "credentials",
    "apikey",
    "api_key",
    "api-key",
    "api.key",
    "accesskey",
    "access_key",
    "access-key",
    "secret_key",
    "secret-key",
    "private_key",
    "private-key",
    "privatekey",
    "client_secret",
    "token",
    "jsessionid",
    "phpsessid",
    "sessionid",
    "session_id",
    "session-id",
    "session.id",
    "connect.sid",
    "x-amz-signature",
    "sharedaccesssignature",
    "keystorepass",
    "truststorepass",
    "keypass",
    "storepass",
    "account_key",
    "accountkey",
    "sharedaccesskey",
    "pgpassword",
    "mysql_pwd",
)
_SPOKEN_NAMES = ("password", "passwd", "passphrase", "pwd", "secret", "api key", "api_key", "api-key", "apikey")
_FLAGS = ("password", "passwd", "passphrase", "pass", "secret", "token", "api-key", "apikey", "access-key")
_HEADERS = ("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-csrf-token")
_QUOTED = r"""\(masked\)|\\+"[^"\\\r\n]*(?:\\+")?|"(?:[^"\\\r\n]|\\[^\r\n])*"?|'[^'\r\n]*'?"""
"""A value in quotes, of whose end a cut text may say nothing; what was masked before counts as one."""
_BARE = r"""[^ \t\r\n"',;&|<>()\]}{]+"""


def mask(text: str) -> str:
    """Replace the secrets in a text by `(masked)`, names and user names left standing.

    Example:
        >>> mask("-Dspring.datasource.password=hunter2 -Xmx512m")
        '-Dspring.datasource.password=(masked) -Xmx512m'
        >>> mask("GET https://bob:s3cr3t@db.example.org/x")
        'GET https://bob:(masked)@db.example.org/x'
    """
    if len(text) > LONG:
        masked: str = pl.select(mask_column(pl.lit(text))).item()
        return masked
    return _mask_short(text)


@lru_cache(maxsize=1 << 14)
def _mask_short(text: str) -> str:
    """Mask a text that may come again: the facts, the report and the page tell the same paths, hosts and messages."""
    for pattern, replacement in _compiled():
        text = pattern.sub(replacement, text)
    return text


def mask_column(column: pl.Expr) -> pl.Expr:
    """Replace the secrets in a String column as `mask` does in a text; nulls stay null.

    Example:
        >>> pl.DataFrame({"m": ["api_key=abc", None]}).select(mask_column(pl.col("m")))["m"].to_list()
        ['api_key=(masked)', None]
    """
    for pattern, replacement in _patterns():
        column = column.str.replace_all(pattern, replacement)
    return column


def mask_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Mask every String column of a table, lists of String included.

    Example:
        >>> mask_frame(pl.DataFrame({"m": ["pwd=1"], "n": [1]})).rows()
        [('pwd=(masked)', 1)]
    """
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    lists = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)]
    return frame.with_columns(
        *(mask_column(pl.col(name)) for name in texts),
        *(pl.col(name).list.eval(mask_column(pl.element())) for name in lists),
    )


def mask_json(value: JSON) -> JSON:
    """Mask every text and key of a JSON document; a text under a secret's name is masked whole.

    Example:
        >>> mask_json({"args": ["--password x"], "password": "y", "n": 3})
        {'args': ['--password (masked)'], 'password': '(masked)', 'n': 3}
    """
    return _masked(value, {})


def _masked(value: JSON, seen: dict[str, str]) -> JSON:
    """Mask a value; keys and texts that come again are looked at once."""
    if isinstance(value, str):
        if value not in seen:
            seen[value] = mask(value)
        return seen[value]
    if isinstance(value, Mapping):
        return {str(_masked(key, seen)): _mask_member(key, member, seen) for key, member in value.items()}
    if isinstance(value, Sequence):
        return [_masked(member, seen) for member in value]
    return value


def _mask_member(key: str, member: JSON, seen: dict[str, str]) -> JSON:
    if isinstance(member, str) and key.lower() in _SECRET_NAMES:
        return MASK
    return _masked(member, seen)


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), replacement.replace("${1}", r"\g<1>")) for pattern, replacement in _patterns())


@cache
def _patterns() -> tuple[tuple[str, str], ...]:
    """List (pattern, replacement) in the order of their use: whole structures first, then names, then shapes."""
    return (*_structures(), *_named(), *_shapes())


def _structures() -> list[tuple[str, str]]:
    key_begins = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
    user = r"[A-Za-z][A-Za-z0-9+.:-]*://[^/?#@ \t\r\n:\"']*:"
    return [
        (key_begins + r"[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY-----", MASK),
        (key_begins + r"[\s\S]*", MASK),
        (rf"({user})[^/?#@ \t\r\n\"']+(?:@[^/?#@ \t\r\n\"']*)*@", "${1}" + MASK + "@"),
        (rf"({_word('jdbc:oracle:')}[a-z]+:[^/@: \t\r\n]+/)[^@ \t\r\n]+@", "${1}" + MASK + "@"),
        (rf"((?:{_words(_HEADERS)})(?:\\?[\"'])?[ \t]*[:=][ \t]*)(?:{_QUOTED}|[^\r\n\"']+)", "${1}" + MASK),
    ]


def _named() -> list[tuple[str, str]]:
    names = rf"(?:{_words(_SECRET_NAMES)})(?:\\?[\"'])?"
    flag = rf"(?:^|[ \t\r\n\"'\[,])--?[A-Za-z-]*(?:{_words(_FLAGS)})"
    # PWD of sudo and of a shell is a folder: a value that begins with / or ~ stays.
    pwd = rf"(?:{_word('pwd')})[ \t]?=[ \t]?"
    return [
        (rf"(-D[^= \t\r\n]*(?:{_words(_SECRET_NAMES)})[^= \t\r\n]*=)(?:{_QUOTED}|[^ \t\r\n\"']+)", "${1}" + MASK),
        (rf"({names}[ \t]?=[ \t]?)(?:{_QUOTED}|{_BARE})", "${1}" + MASK),
        (rf"((?:\"|'){_NAME_HEAD}{names}[ \t]*:[ \t]*)(?:{_QUOTED}|{_BARE})", "${1}" + MASK),
        (rf"({pwd})(?:{_QUOTED}|[^/~ \t\r\n\"',;&|<>()\]}}{{]{_BARE[:-1]}*)", "${1}" + MASK),
        (rf"((?:{_words(_SPOKEN_NAMES)})[ \t]*:[ \t]+)(?:{_QUOTED}|{_BARE})", "${1}" + MASK),
        (rf"({flag}(?:[ \t=]+|[\"'],[ \t]*))(?:{_QUOTED}|[^- \t\r\n\"'][^ \t\r\n\"']*)", "${1}" + MASK),
        (r"((?:-u|--user|--proxy-user)[ \t=]+[^ \t\r\n:]+:)[^ \t\r\n]+", "${1}" + MASK),
        (r"(sshpass[ \t]+-p[ \t]*)[^ \t\r\n]+", "${1}" + MASK),
        (r"(mysql[a-z]*[ \t](?:[^\r\n|;&]*[ \t])?-p)[^ \t\r\n]+", "${1}" + MASK),
    ]


def _shapes() -> list[tuple[str, str]]:
    return [
        (rf"((?:{_word('bearer')})[ \t]+)[A-Za-z-]*[0-9._~+/=][A-Za-z0-9._~+/=-]*", "${1}" + MASK),
        (rf"((?:{_word('basic')})[ \t]+)[A-Za-z0-9+/]{{6,}}={{1,2}}", "${1}" + MASK),
        (r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*", MASK),
        (r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}", MASK),
        (r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}", MASK),
        (r"xox[abeoprs]-[A-Za-z0-9-]{8,}|AIza[A-Za-z0-9_-]{30,}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}", MASK),
    ]


_NAME_HEAD = r"[A-Za-z0-9_.-]*"


def _word(word: str) -> str:
    """Spell a word so that both engines match it in either case, in ASCII alone."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in word)


def _words(words: Sequence[str]) -> str:
    return "|".join(_word(word) for word in sorted(words, key=lambda word: (-len(word), word)))

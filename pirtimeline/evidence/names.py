"""Names of files and members as they are shown: relative, unambiguous, and harmless to print."""

from __future__ import annotations

import re
import unicodedata

_DRIVE = re.compile(r"[A-Za-z]:")


def shown(name: str) -> str:
    r"""Escape what cannot be printed or is no UTF-8: control and format characters, lone surrogates.

    Example:
        >>> shown("app1/caf\udce9\n.log")
        'app1/caf\\xe9\\x0a.log'
    """
    return name if name.isascii() and name.isprintable() else "".join(map(_escaped, name))


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}:
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cleaned(name: str) -> str:
    """Drop what a member's name says twice: a leading `./`, doubled slashes.

    Example:
        >>> cleaned("./app1//catalina.out")
        'app1/catalina.out'
    """
    if "./" not in name and "//" not in name and not name.endswith(("/", "/.")):
        return name
    root = "/" if name.startswith("/") else ""
    return root + "/".join(part for part in name.split("/") if part not in {"", "."})


def refusal(name: str) -> str:
    """Say why a member's name leads out of its archive; empty where it does not.

    Example:
        >>> refusal("app1/../../etc/passwd"), refusal("app1/a..b.log")
        ('its name leads out of the archive (..)', '')
    """
    if not name:
        return "its name is empty"
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "its name is absolute"
    return "its name leads out of the archive (..)" if ".." in name.split("/") else ""


class Distinct:
    """Number the later ones of equal names.

    Example:
        >>> names = Distinct()
        >>> [names.name(n) for n in ("a.log", "A.log", "a.log", "a.log")]
        ['a.log', 'A.log', 'a.log#2', 'a.log#3']
    """

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def name(self, name: str) -> str:
        """Give the name back, or with a number where it was there before."""
        if name not in self._seen:
            self._seen[name] = 1
            return name
        self._seen[name] += 1
        return self.name(f"{name}#{self._seen[name]}")

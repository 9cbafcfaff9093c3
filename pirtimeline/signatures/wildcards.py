"""Strings with wildcards: their parts, and the plainest test that means the same."""

from __future__ import annotations

from collections.abc import Iterable

from pirtimeline.signatures.condition import MANY, Test

Parts = tuple[str | int, ...]
"""Texts, and the wildcards `MANY` and `ONE` between them."""


def joined(parts: Iterable[str | int]) -> Parts:
    """Join neighbouring texts of a string's parts.

    Example:
        >>> joined(["a", "b", MANY])
        ('ab', 0)
    """
    out: list[str | int] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, str) and isinstance(last, str):
            out[-1] = last + part
        else:
            out.append(part)
    return tuple(out)


def tested(field: str | None, parts: Parts, cased: bool) -> Test:
    """Choose the plainest operator for a string with wildcards; keywords are looked for anywhere.

    Example:
        >>> tested("Image", (MANY, "cmd.exe"), False).operator
        'endswith'
    """
    parts = tuple(part for i, part in enumerate(parts) if part != MANY or i == 0 or parts[i - 1] != MANY)
    if field is None:
        parts = parts[parts[:1] == (MANY,) : len(parts) - (parts[-1:] == (MANY,))]
    if not parts:
        return Test(field, "contains" if field is None else "equals", ("",), cased)
    if parts == (MANY,):
        return Test(field, "exists", (True,))
    if len(parts) == 1 and isinstance(parts[0], str):
        return Test(field, "contains" if field is None else "equals", parts, cased)
    shapes = {(MANY, str, MANY): "contains", (str, MANY): "startswith", (MANY, str): "endswith"}
    shape = tuple(str if isinstance(part, str) else part for part in parts)
    if field is not None and shape in shapes:
        return Test(field, shapes[shape], tuple(p for p in parts if isinstance(p, str)), cased)
    return Test(field, "like", (parts,), cased)

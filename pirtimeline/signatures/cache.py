"""Loaded rules, kept from one run to the next: reading thousands of rules takes seconds, reading them back a moment.

What is kept lies in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`), under a key of every file's path, size
and time of change, and of this package's own modules. It can be deleted at any time. Only our own values are read back.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ALLOWED = {("datetime", "timedelta"), ("pathlib", "PosixPath"), ("pathlib", "WindowsPath")}
OURS = ("pirtimeline.signatures.model", "pirtimeline.signatures.condition", "pirtimeline.signatures.fields")

KEPT = 20
"""How many sets of rules are kept; the oldest go first."""


def cached(files: Iterable[Path], make: Callable[[], T]) -> T:
    """Give what `make` gives, from the cache where these files are unchanged since it was last made."""
    folder = _folder()
    key = _key(files)
    if folder is None or key is None:
        return make()
    path = folder / f"{key}.rules"
    found = _read(path)
    if found is not None:
        return found[0]  # type: ignore[no-any-return]
    made = make()
    _write(path, made)
    return made


def _folder() -> Path | None:
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(home) if home else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "pirtimeline" / "signatures"


def _key(files: Iterable[Path]) -> str | None:
    """Name a set of files by what their folder says of them; None where one cannot be looked at."""
    told = hashlib.sha256(sys.version.encode())
    modules = sorted(Path(__file__).parent.glob("*.py"))
    try:
        for file in (*modules, *files):
            stat = file.stat()
            told.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    except OSError:
        return None
    return told.hexdigest()[:24]


class _Ours(pickle.Unpickler):
    """Read back our own values alone: a file in a cache folder is no reason to run anything."""

    def find_class(self, module: str, name: str) -> Any:
        if module in OURS or (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is none of ours")


def _read(path: Path) -> tuple[Any] | None:
    try:
        return (_Ours(io.BytesIO(path.read_bytes())).load(),)
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError, IndexError, KeyError):
        return None


def _write(path: Path, made: object) -> None:
    """Write under a name of our own and rename; a folder that cannot be written is no error."""
    own = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL))
        own.replace(path)
        for old in sorted(path.parent.glob("*.rules"), key=lambda p: p.stat().st_mtime_ns)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        with suppress(OSError):
            own.unlink()

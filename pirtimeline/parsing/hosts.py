"""Which host a source is of, told from where it lies: the folder that stands for a host among its siblings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SEPARATORS = re.compile(r"[/!]")
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2|txz|zip|gz|bz2|xz|zst|7z)(?=\.|$)", re.IGNORECASE)


def folder_hosts(paths: Mapping[str, str]) -> dict[str, str]:
    """Guess hosts from paths: the first folder below the root, and below one that merely wraps it, among siblings.

    An archive counts as a folder by its name without suffixes. Where only one such folder holds logs, nothing tells
    that it stands for a host.

    Args:
        paths: source id -> path below the evidence.

    Example:
        >>> folder_hosts({"a": "logs.tar.gz!logs/app1/catalina.out", "b": "logs.tar.gz!logs/web1/access.log"})
        {'a': 'app1', 'b': 'web1'}
        >>> folder_hosts({"a": "tomcat/catalina.out", "b": "tomcat/gc.log"})
        {}
    """
    folders = {source_id: _SEPARATORS.split(path)[:-1] for source_id, path in paths.items()}
    depth = _wrapped(folders.values())
    named = {source_id: parts[depth] for source_id, parts in folders.items() if len(parts) > depth}
    hosts = {source_id: _ARCHIVE.sub("", name) for source_id, name in named.items()}
    return hosts if len(set(hosts.values())) > 1 else {}


def _wrapped(folders: Iterable[list[str]]) -> int:
    """Count the folders that everything lies in: the archive, and a folder that merely wraps what it holds."""
    every = list(folders)
    depth = 0
    while every and all(len(parts) > depth for parts in every) and len({parts[depth] for parts in every}) == 1:
        depth += 1
    return depth

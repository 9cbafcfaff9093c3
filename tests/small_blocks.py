"""Blocks and parts so small that a few hundred lines are many of them; `dask worker --preload` runs it, too."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from pirtimeline.ingest import batches, cluster, ranges, run
from pirtimeline.parsing import splitting


def shrink(put: Callable[[ModuleType, str, int], None] = setattr) -> None:
    """Make them small."""
    for module in (splitting, batches, run, cluster):
        put(module, "BLOCK", 16 << 10)
    put(splitting, "HEAD", 2 << 10)
    put(splitting, "LOOK", 1 << 10)
    for module in (batches, ranges):
        put(module, "PART", 48 << 10)


def dask_setup(_: object) -> None:
    """Do so in a worker."""
    shrink()

"""Which runs write a case in a bucket: each renews an object of its own as long as it lives, since S3 has no locks.

A run that ended has taken its object away; one that died no longer renews it, which others see by watching it. Nobody
waits for a run that lives, but while parts are being thrown away.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from pirtimeline.errors import PirTimelineError
from pirtimeline.objects import ObjectPath

FOLDER = ".runs"
"""Where in a case the signs of life lie, while there are any."""

BEAT_S = 5.0
"""Seconds between two signs of life."""

DEAD_S = 30.0
"""Seconds without a sign of life after which a run is taken for dead."""

_SWEEPING = ".sweeping"


class Lease:
    """A run's sign of life in a case."""

    def __init__(self, case: ObjectPath) -> None:
        """Name it; nothing is written yet."""
        self._folder = case / FOLDER
        self._name = os.urandom(8).hex()

    def beat(self) -> None:
        """Give a sign of life."""
        (self._folder / self._name).write_bytes(b"")

    def wait(self) -> None:
        """Wait until no other run throws parts away."""
        while not self._outlived(sweeping=True):
            time.sleep(BEAT_S)

    def alone(self) -> bool:
        """Tell whether no other run lives; if so, runs that begin now wait until this one has ended.

        Of two runs that come here at once, or of one that begins meanwhile, at least one sees the other: each writes
        its own sign before it looks for others'.
        """
        if not self._outlived(sweeping=False):
            return False
        (self._folder / f"{self._name}{_SWEEPING}").write_bytes(b"")
        return not self._others(sweeping=False)

    def end(self) -> None:
        """Take the signs of life away."""
        for name in (f"{self._name}{_SWEEPING}", self._name):
            (self._folder / name).unlink()

    def _outlived(self, *, sweeping: bool) -> bool:
        """Watch other runs until one gives a sign of life or none is left; take away what the dead left."""
        seen = self._others(sweeping=sweeping)
        until = time.monotonic() + DEAD_S
        while seen and time.monotonic() < until:
            time.sleep(BEAT_S / 2)
            now = self._others(sweeping=sweeping)
            if any(now[name] != seen.get(name) for name in now):
                return False
            seen = now
        for name in seen:
            (self._folder / name).unlink()
        return True

    def _others(self, *, sweeping: bool) -> dict[str, datetime]:
        """List what other runs left, with the last sign of life of each."""
        told = self._folder.below()
        found = [name for name in told if name.endswith(_SWEEPING) == sweeping and not name.startswith(self._name)]
        return {name: max(one.put for key, one in told.items() if key[:16] == name[:16]) for name in found}


@contextmanager
def leased(case: ObjectPath) -> Iterator[Lease]:
    """Give signs of life while a case is written, and begin when nobody throws parts away."""
    lease, over = Lease(case), threading.Event()
    beating = threading.Thread(target=_beat, args=(lease, over), daemon=True)
    lease.beat()
    beating.start()
    try:
        lease.wait()
        yield lease
    finally:
        over.set()
        beating.join()
        lease.end()


def _beat(lease: Lease, over: threading.Event) -> None:
    """Renew a sign of life until it is over; one that is lost on the way is made up for by the next."""
    while not over.wait(BEAT_S):
        with suppress(PirTimelineError):
            lease.beat()

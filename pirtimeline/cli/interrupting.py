"""Ctrl-C: the program ends at once, wherever it is; a case that is being written is whole at any instant."""

from __future__ import annotations

import os
import signal
import sys
import threading

STATUS = 130

SAID = "Interrupted. What was committed stays; the next run goes on from there."

SHOW_CURSOR = "\x1b[?25h"


def ends_at_once() -> None:
    """Let an interrupt end the process from a thread of its own, also while the main one is inside a long computation.

    Where the system cannot wait for signals (Windows), Python's own `KeyboardInterrupt` remains.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, name="interrupts", daemon=True).start()


def _wait() -> None:
    signal.sigwait({signal.SIGINT})
    stream = sys.stderr
    stream.write(f"{SHOW_CURSOR}\n{SAID}\n" if stream.isatty() else f"{SAID}\n")
    stream.flush()
    os._exit(STATUS)

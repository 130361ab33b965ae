"""Ends this process when it should not continue. The kernel does this, so not even a loop in C that
never releases the interpreter can prevent it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

PR_SET_PDEATHSIG = 1  # Linux only, see prctl(2)


def end_with_parent() -> None:
    """End this process when the thread that started it ends, or when its standard input is closed.
    Nothing else may read standard input afterwards. On systems other than Linux only the latter is
    noticed."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    Thread(target=_end_with_input, daemon=True).start()


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 65_536):  # not through its buffer, which would delay the exit
        pass
    os._exit(0)


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """End this process if the block takes more than this much CPU time, in seconds."""
    signal.setitimer(signal.ITIMER_PROF, seconds)  # SIGPROF, which nothing here catches
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)

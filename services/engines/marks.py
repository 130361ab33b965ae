"""An engine's processes, found by the mark in their environment, and ended to the last one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

MARK = "PACELINE_ENGINE"
KILL_S = 10.0
LOOK_S = 0.05

Find = Callable[[], list[psutil.Process]]


def sweep(token: str) -> None:
    """End every process that carries the mark `token`, at once.

    For an engine whose keeper was killed. Raises TimeoutError where one cannot be ended.
    """
    end(lambda: marked(token), 0)


def marked(token: str) -> list[psutil.Process]:
    """Return the processes whose environment carries the mark `token`."""
    return [p for p in psutil.process_iter() if _environ(p).get(MARK) == token and lives(p)]


def end(find: Find, grace_s: float) -> None:
    """Ask what `find` returns to end, and after `grace_s` seconds make it.

    Raises:
        TimeoutError: something still lives KILL_S after it was killed.
    """
    if grace_s and (asked := find()):
        _signal(asked, signal.SIGTERM)
        if _gone(find, grace_s, lambda _: None):
            return
    if not _gone(find, KILL_S, lambda left: _signal(left, signal.SIGKILL)):
        raise TimeoutError(f"Processes {[p.pid for p in find()]} cannot be ended.")


def _gone(find: Find, seconds: float, do: Callable[[list[psutil.Process]], None]) -> bool:
    """Look twice: while a process becomes another program it shows no environment, so no mark."""
    end, empty = time.monotonic() + seconds, 0
    while empty < 2:
        left = find()
        empty = 0 if left else empty + 1
        if left and time.monotonic() > end:
            return False
        do(left)
        time.sleep(LOOK_S)
    return True


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):  # gone, or another user's
        return {}


def lives(process: psutil.Process) -> bool:
    """Return whether a process still does something: a zombie only waits to be read."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)

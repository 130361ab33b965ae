"""An engine's processes, found by the tag in their environment, and ended to the last one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

TAG_ENV = "PACELINE_ENGINE"
KILL_S = 10.0
LOOK_S = 0.05

Find = Callable[[], list[psutil.Process]]


def sweep(token: str) -> None:
    """End every process that carries the tag `token`, at once.

    For an engine whose keeper was killed. Raises TimeoutError where one cannot be ended.
    """
    end(lambda: tagged(token), 0)


def tagged(token: str) -> list[psutil.Process]:
    """Return the processes whose environment carries the tag `token`."""
    return [p for p in psutil.process_iter() if _environ(p).get(TAG_ENV) == token and lives(p)]


def in_session(number: int, since: float, until: float) -> list[psutil.Process]:
    """Return our processes in the session of that number that were started between two moments, in
    seconds since 1970: it may have been another's before or after."""
    return [p for p in psutil.process_iter() if _in_session(p, number, since, until) and lives(p)]


def _in_session(process: psutil.Process, number: int, since: float, until: float) -> bool:
    try:
        ours = os.getsid(process.pid) == number and process.uids().real == os.getuid()
        return ours and since <= process.create_time() <= until
    except (psutil.Error, OSError):  # gone, or another user's
        return False


def end(find: Find, grace_s: float, first: psutil.Process | None = None) -> None:
    """End what `find` returns: ask `first`, then all, each for half of `grace_s`, then kill.

    An engine whose first process is asked ends the others itself; asked all at once, SGLang takes
    its workers' end for a crash and looks into it for seconds.

    Raises:
        TimeoutError: something still lives KILL_S after it was killed.
    """
    if grace_s and first and _signal([first], signal.SIGTERM) and _gone(find, grace_s / 2):
        return
    if grace_s and _signal(find(), signal.SIGTERM) and _gone(find, grace_s / 2):
        return
    if not _gone(find, KILL_S, lambda left: _signal(left, signal.SIGKILL)):
        raise TimeoutError(f"Processes {[p.pid for p in find()]} cannot be ended.")


def _gone(find: Find, seconds: float, do: Callable[[list[psutil.Process]], object] = len) -> bool:
    """Do something with what is left until nothing is, for `seconds` at most; return whether.

    Looks twice: while a process becomes another program it shows no environment, so no mark."""
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


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> int:
    """Return how many were there to hear it."""
    heard = 0
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
            heard += 1
    return heard

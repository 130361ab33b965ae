"""Finds an engine's processes by the tag in their environment, and ends all of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

TAG_ENV = "PACELINE_ENGINE"
KILL_S = 10.0
POLL_S = 0.05

Find = Callable[[], list[psutil.Process]]


def kill_tagged(token: str) -> None:
    """Kill every process with the tag `token`, for an engine whose supervisor was killed.

    Raises TimeoutError if one cannot be ended.
    """
    end(lambda: tagged_processes(token), 0)


def tagged_processes(token: str) -> list[psutil.Process]:
    """Return the processes whose environment has the tag `token`."""
    return [p for p in psutil.process_iter() if _environ(p).get(TAG_ENV) == token and is_alive(p)]


def in_session(number: int, since: float, until: float) -> list[psutil.Process]:
    """Return this user's processes in session `number` that started between two times, in seconds
    since 1970; session numbers are reused."""
    return [
        p for p in psutil.process_iter() if _in_session(p, number, since, until) and is_alive(p)
    ]


def _in_session(process: psutil.Process, number: int, since: float, until: float) -> bool:
    try:
        ours = os.getsid(process.pid) == number and process.uids().real == os.getuid()
        return ours and since <= process.create_time() <= until
    except (psutil.Error, OSError):  # it has ended, or is another user's
        return False


def end(find: Find, grace_s: float, first: psutil.Process | None = None) -> None:
    """End the processes that `find` returns: SIGTERM to `first`, then to all, each with half of
    `grace_s`, then SIGKILL.

    An engine's first process ends the others itself. If all get the signal at once, SGLang mistakes
    the end of its workers for a crash, which takes it seconds.

    Raises:
        TimeoutError: a process is still alive KILL_S after it was killed.
    """
    if (
        grace_s
        and first
        and _signal([first], signal.SIGTERM)
        and _wait_until_gone(find, grace_s / 2)
    ):
        return
    if grace_s and _signal(find(), signal.SIGTERM) and _wait_until_gone(find, grace_s / 2):
        return
    if not _wait_until_gone(find, KILL_S, lambda left: _signal(left, signal.SIGKILL)):
        raise TimeoutError(f"Processes {[p.pid for p in find()]} cannot be ended.")


def _wait_until_gone(
    find: Find, seconds: float, do: Callable[[list[psutil.Process]], object] = len
) -> bool:
    """Call `do` with the remaining processes until none is left, for at most `seconds`; return
    whether none is left. Checks twice, since a process in exec shows no environment, hence no
    tag."""
    end, empty = time.monotonic() + seconds, 0
    while empty < 2:
        left = find()
        empty = 0 if left else empty + 1
        if left and time.monotonic() > end:
            return False
        do(left)
        time.sleep(POLL_S)
    return True


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):  # it has ended, or is another user's
        return {}


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is alive and not a zombie."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> int:
    """Send a signal; return how many processes received it."""
    count = 0
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
            count += 1
    return count

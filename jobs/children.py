"""The supervisor's child processes, and those that become its children because theirs died.

Linux gives a process whose parent ended to the nearest ancestor that asked for that. So whatever a
killed worker or engine process leaves behind is found here, also when it has left its session
and cleared its environment.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from threading import Event, Lock

import psutil

from jobs.place import ROOT
from services.servers.engines.process_tags import lives

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_lock = Lock()
_started: dict[int, subprocess.Popen[bytes]] = {}
_adopts = Event()


def adopt() -> None:
    """Become the parent of what the descendants of this process leave behind. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        _adopts.set()


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module of Paceline in a child, in a session of its own, with pipes to its standard
    input and output. Raises OSError."""
    with _lock:  # or it would look like an orphan until we know of it
        for pid in [pid for pid, one in _started.items() if one.returncode is not None]:
            del _started[pid]
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        _started[process.pid] = process
        return process


def orphans() -> list[psutil.Process]:
    """Return the children that were given to us, and all below them; none where this process does
    not `adopt`: its children are its own."""
    if not _adopts.is_set():
        return []
    with _lock:
        given = [one for one in psutil.Process().children() if one.pid not in _started]
    found = [one for one in given if lives(one)]
    for one in given:
        try:
            found += one.children(recursive=True)
        except psutil.Error:  # gone meanwhile
            continue
    return found


def bury() -> None:
    """Read how those that were given to us ended, or they stay as zombies."""
    with _lock:
        while (over := _over()) is not None and over not in _started:
            os.waitpid(over, os.WNOHANG)


def _over() -> int | None:
    """The next child that has ended; it is left as it is."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there is no child
        return None
    return found.si_pid if found is not None else None

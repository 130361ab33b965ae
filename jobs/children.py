"""The supervisor's child processes, and those that become its children because their parent died.

Linux gives an orphaned process to the nearest ancestor that asked for this. So whatever a killed
worker or engine process leaves behind is found here, even if it has left its session and cleared
its environment.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from threading import Event, Lock

import psutil

from services.base.root import ROOT
from services.servers.engines.process_tags import is_alive

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_lock = Lock()
_started: dict[int, subprocess.Popen[bytes]] = {}
_adopts = Event()


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants of this process. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        _adopts.set()


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module of Paceline in a child, in a session of its own, with pipes to its standard
    input and output. Raises OSError."""
    with _lock:  # or it would look like an orphan until it is registered
        for pid in [pid for pid, child in _started.items() if child.returncode is not None]:
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
    """Return the adopted children and their descendants; none where this process has not
    called `adopt_orphans`: its children are its own."""
    if not _adopts.is_set():
        return []
    with _lock:
        adopted = [each for each in psutil.Process().children() if each.pid not in _started]
    alive = [each for each in adopted if is_alive(each)]
    for each in adopted:
        try:
            alive += each.children(recursive=True)
        except psutil.Error:  # gone meanwhile
            continue
    return alive


def reap() -> None:
    """Reap the adopted children that have ended, or they stay as zombies."""
    with _lock:
        while (pid := _next_ended()) is not None and pid not in _started:
            os.waitpid(pid, os.WNOHANG)


def _next_ended() -> int | None:
    """Return the pid of the next child that has ended, without reaping it."""
    try:
        status = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there is no child
        return None
    return status.si_pid if status is not None else None

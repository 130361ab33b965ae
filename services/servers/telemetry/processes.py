"""The processes of an engine on this machine: their CPU use and memory."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

SHORTEST_S = 0.2  # shortest interval for a CPU share: the kernel counts in 10 ms

Key = tuple[int, float]  # process id and start time, since ids are reused; or process and thread id


class Tree:
    """A process and its descendants."""

    def __init__(self, pid: int) -> None:
        """Raises psutil.NoSuchProcess."""
        self._root = psutil.Process(pid)
        self._cpu_s: dict[Key, float] = {}
        self._waited_s: dict[Key, float] = {}
        self._at = perf_counter()
        self.read()

    def read(self) -> tuple[dict[str, float], set[int]]:
        """Return engine_cores and engine_waiting_cores since the last read and memory_bytes, and
        the process ids; empty if the tree has ended."""
        try:
            members = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return {}, set()
        usages = {m.pid: usage for m in members if (usage := _usage(m)) is not None}
        cpu_s = {key: spent for key, spent, _ in usages.values()}
        values = {"memory_bytes": float(sum(memory for _, _, memory in usages.values()))}
        return values | self._cores(cpu_s, _waited_s(usages)), set(usages)

    def _cores(self, cpu_s: dict[Key, float], waited_s: dict[Key, float]) -> dict[str, float]:
        now = perf_counter()
        passed = now - self._at
        if passed < SHORTEST_S and self._cpu_s:
            return {}
        before, waited_before = self._cpu_s, self._waited_s
        self._cpu_s, self._waited_s, self._at = cpu_s, waited_s, now
        if not before:
            return {}
        values = {"engine_cores": _increase(before, cpu_s) / passed}
        if waited_before:
            values["engine_waiting_cores"] = _increase(waited_before, waited_s) / passed
        return values


class Machine:
    """All cores of this machine."""

    def __init__(self) -> None:
        self._at = perf_counter()
        psutil.cpu_percent()

    def read(self) -> dict[str, float]:
        """Return machine_cores since the last read."""
        if perf_counter() - self._at < SHORTEST_S:
            return {}
        self._at = perf_counter()
        return {"machine_cores": psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)}


def _increase(before: dict[Key, float], now: dict[Key, float]) -> float:
    return sum(seconds - before.get(key, 0.0) for key, seconds in now.items())


def _waited_s(pids: Iterable[int]) -> dict[Key, float]:
    """Return the seconds that each thread waited for a core (Linux's
    Documentation/scheduler/sched-stats.rst); empty on other systems."""
    waited: dict[Key, float] = {}
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError, ValueError, IndexError):  # it has ended
                waited[pid, int(thread.parent.name)] = int(thread.read_text().split()[1]) / 1e9
    return waited


def listener(port: int) -> int | None:
    """Return the id of the process that listens on a port of this machine, the parent where several
    share it; None if there is none, or it is another user's."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    pids = {
        c.pid
        for c in connections
        if c.pid and c.status == psutil.CONN_LISTEN and c.laddr.port == port
    }
    return next((pid for pid in sorted(pids) if not pids & _ancestors(pid)), None)


def _ancestors(pid: int) -> set[int]:
    try:
        return {parent.pid for parent in psutil.Process(pid).parents()}
    except psutil.Error:
        return set()


def _usage(process: Any) -> tuple[Key, float, int] | None:
    """The process, its CPU seconds and its memory in bytes; None if it has ended or access is
    denied."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            key = (process.pid, process.create_time())
            return key, times.user + times.system, process.memory_info().rss
    except psutil.Error:
        return None

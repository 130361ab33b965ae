"""A process and its children, looked at while they live: CPU seconds and peak memory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

WEIGH_EVERY = 4  # samples; adding up a process's shares of shared pages takes milliseconds


class Tree:
    """`cpu_s`: the sum of the last value seen for each process. `peak_mb`: the most that all
    processes used at one time (a page shared by n processes counts 1/n), or that one process ever
    used."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.peak_mb = 0.0
        self._cpu_s: dict[int, float] = {}
        self._looks = 0

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values())

    def look(self) -> None:
        weigh = self._looks % WEIGH_EVERY == 0
        self._looks += 1
        members = [self.root]
        with suppress(psutil.NoSuchProcess):
            members += self.root.children(recursive=True)
        together = 0.0
        for process in members:
            with suppress(psutil.Error, OSError):  # it has just ended
                times = process.cpu_times()
                self._cpu_s[process.pid] = times.user + times.system
                self.peak_mb = max(self.peak_mb, _most_ever_mb(process))
                if weigh and len(members) > 1:
                    together += process.memory_full_info().pss / 2**20
        self.peak_mb = max(self.peak_mb, together)


def _most_ever_mb(process: Any) -> float:
    """Return the kernel's high-water mark of a process's memory; its current memory if there is
    none."""
    status = Path(f"/proc/{process.pid}/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float(process.memory_info().rss) / 2**20

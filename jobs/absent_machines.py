"""Finds machines that stay without a process for tasks: by this process's clock, as in
`heartbeat_monitor.py`. A machine that only restarts its process is absent for a moment."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from db.queue import GONE_S


class AbsentMachines:
    """Remembers since when each machine has been absent."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def gone(self, absent: Iterable[str]) -> list[str]:
        """Return those of the machines that are `absent` now that have been absent for GONE_S."""
        now = monotonic()
        self._since = {machine: self._since.get(machine, now) for machine in absent}
        return sorted(machine for machine, since in self._since.items() if now - since >= GONE_S)

"""Finds runs and engines without a live supervisor: their heartbeats have stopped, by this
process's clock.

No two clocks are compared, neither with another machine's nor with this machine's before it was
set. A heartbeat that stays the same while this process's monotonic clock advances is stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from time import monotonic

from db.heartbeats import LONG_LOST_S, Heartbeat

STALE_S = 5.0  # on this machine, where nobody else holds the supervisor's lock


class HeartbeatMonitor:
    """Remembers since when each heartbeat has been the same."""

    def __init__(self, machine_id: str) -> None:
        self._machine_id = machine_id
        self._since: dict[int, tuple[Heartbeat, float]] = {}

    def lost(
        self, heartbeats: Iterable[Heartbeat], supervised: Collection[int], stale_s: float = STALE_S
    ) -> list[Heartbeat]:
        """Return those that have been the same for too long: `stale_s` where they are this
        machine's, else LONG_LOST_S. The ids `supervised` by this process are alive, however
        slow."""
        before, self._since = self._since, {}
        stale = []
        for heartbeat in heartbeats:
            last, since = before.get(heartbeat.id, (None, 0.0))
            if last != heartbeat:
                since = monotonic() - self._age(heartbeat)
            self._since[heartbeat.id] = heartbeat, since
            limit = stale_s if heartbeat.machine == self._machine_id else LONG_LOST_S
            if heartbeat.id not in supervised and monotonic() - since >= limit:
                stale.append(heartbeat)
        return stale

    def _age(self, heartbeat: Heartbeat) -> float:
        """Return how old a heartbeat is when first seen, up to STALE_S: known only of one that this
        machine's own clock dated, from an earlier supervisor that ended before this one began."""
        if heartbeat.at is None or heartbeat.machine != self._machine_id:
            return 0.0
        return min(max((datetime.now(UTC) - heartbeat.at).total_seconds(), 0.0), STALE_S)

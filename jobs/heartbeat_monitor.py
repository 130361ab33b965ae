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

STALE_S = 5.0  # on this machine, where no other process holds the supervisor's lock


class HeartbeatMonitor:
    """Remembers since when each heartbeat has been unchanged."""

    def __init__(self, machine_id: str) -> None:
        self._machine_id = machine_id
        self._since: dict[int, tuple[Heartbeat, float]] = {}

    def lost(
        self, heartbeats: Iterable[Heartbeat], supervised: Collection[int], stale_s: float = STALE_S
    ) -> list[Heartbeat]:
        """Return the heartbeats that have been unchanged for too long: `stale_s` for this
        machine's, else LONG_LOST_S. Those of ids `supervised` by this process count as alive,
        however slow."""
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
        """Return the age of a heartbeat when it is first seen, up to STALE_S. It is known only if
        this machine's clock dated it: then it is from an earlier supervisor that ended before this
        one began."""
        if heartbeat.at is None or heartbeat.machine != self._machine_id:
            return 0.0
        return min(max((datetime.now(UTC) - heartbeat.at).total_seconds(), 0.0), STALE_S)

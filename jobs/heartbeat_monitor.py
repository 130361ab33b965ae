"""Finds runs and engines without a live supervisor: their heartbeats have stopped, by this
process's clock.

No two clocks are compared, neither with another machine's nor with this machine's before it was
set. A heartbeat that stays the same while this process's monotonic clock advances is stale. Only
the time counts in which this process has looked: while the database was out of reach, nobody could
send a heartbeat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from time import monotonic

from db.heartbeats import LONG_LOST_S, Heartbeat

STALE_S = 5.0  # on this machine, where no other process holds the supervisor's lock
LOOK_S = 1.0  # the longest usual time between two looks


class HeartbeatMonitor:
    """Remembers since when each heartbeat has been unchanged. `dated_here`: this machine's clock
    dates the heartbeats, since the database is a file; then one is from an earlier supervisor if it
    was there before this one began."""

    def __init__(self, machine_id: str, dated_here: bool = True) -> None:
        self._machine_id, self._dated_here = machine_id, dated_here
        self._since: dict[int, tuple[Heartbeat, float]] = {}
        self._looked_at = float("inf")

    def lost(
        self, heartbeats: Iterable[Heartbeat], supervised: Collection[int], stale_s: float = STALE_S
    ) -> list[Heartbeat]:
        """Return the heartbeats that have been unchanged for too long: `stale_s` for this
        machine's, else LONG_LOST_S. Those of ids `supervised` by this process count as alive,
        however slow."""
        before, self._since, now = self._since, {}, monotonic()
        unseen_s = max(0.0, now - self._looked_at - LOOK_S)
        self._looked_at = now
        stale = []
        for heartbeat in heartbeats:
            last, since = before.get(heartbeat.id, (None, 0.0))
            since = since + unseen_s if last == heartbeat else now - self._age(heartbeat)
            self._since[heartbeat.id] = heartbeat, since
            limit = stale_s if heartbeat.machine == self._machine_id else LONG_LOST_S
            if heartbeat.id not in supervised and now - since >= limit:
                stale.append(heartbeat)
        return stale

    def _age(self, heartbeat: Heartbeat) -> float:
        """Return the age of a heartbeat when it is first seen, up to STALE_S; 0: unknown."""
        mine = self._dated_here and heartbeat.machine == self._machine_id
        if heartbeat.at is None or not mine:
            return 0.0
        return min(max((datetime.now(UTC) - heartbeat.at).total_seconds(), 0.0), STALE_S)

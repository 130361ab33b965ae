"""What nobody looks after any more: its signs of life have stopped, as this process counts time.

No clock is compared with another: not with another machine's, nor with this one's before somebody
set it. A sign of life that stays the same while this process's monotonic clock runs on is silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from time import monotonic

from db.beats import LONG_LOST_S, Beat

STALE_S = 5.0  # here, where nobody else holds the supervisor's place


class Silence:
    """Remembers since when each sign of life has been the same."""

    def __init__(self, here: str) -> None:
        self._here = here
        self._since: dict[int, tuple[Beat, float]] = {}

    def lost(
        self, beats: Iterable[Beat], in_hand: Collection[int], stale_s: float = STALE_S
    ) -> list[Beat]:
        """Return those that have been silent for too long: `stale_s` where they are this machine's,
        else LONG_LOST_S. What this process has `in_hand` is alive, however slow."""
        before, self._since = self._since, {}
        found = []
        for beat in beats:
            same, since = before.get(beat.id, (None, 0.0))
            if same != beat:
                since = monotonic() - self._age(beat)
            self._since[beat.id] = beat, since
            longest = stale_s if beat.machine == self._here else LONG_LOST_S
            if beat.id not in in_hand and monotonic() - since >= longest:
                found.append(beat)
        return found

    def _age(self, beat: Beat) -> float:
        """How long the first look may count one for silent that this machine's own clock dated: an
        earlier supervisor's, which ended before we began."""
        if beat.at is None or beat.machine != self._here:
            return 0.0
        return min(max((datetime.now(UTC) - beat.at).total_seconds(), 0.0), STALE_S)

"""Removal of what is kept no longer, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

REST_S = 60.0  # retention is a matter of days, and each look reads all batches or runs


class Removal:
    """Calls `remove`, which returns whether there may be more, at once while there is; then not for
    REST_S."""

    def __init__(self, remove: Callable[[], bool]) -> None:
        self._remove = remove
        self._next_at = float("-inf")

    def tick(self) -> bool:
        """Remove some, if it is time; return whether there may be more."""
        if monotonic() < self._next_at:
            return False
        more = self._remove()
        if not more:
            self._next_at = monotonic() + REST_S
        return more

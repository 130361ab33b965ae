"""What was asked for twice and is wanted once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Once:
    """Gives the same answer to everybody who asks, and works it out for the first.

    A second press of a button may come while the first is being worked off, in another thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._answer: int | None = None

    def get(self, work_out: Callable[[], int]) -> int:
        """Return the answer. If `work_out` raises there is none yet, and the next may try."""
        with self._lock:
            if self._answer is None:
                self._answer = work_out()
            return self._answer

"""Work that is requested twice but done once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Once:
    """Computes a value on the first call and returns it on all others.

    A button may be pressed again while the first click is being handled in another thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._answer: int | None = None

    def get(self, work_out: Callable[[], int]) -> int:
        """Return the value. If `work_out` raises, the next call tries again."""
        with self._lock:
            if self._answer is None:
                self._answer = work_out()
            return self._answer

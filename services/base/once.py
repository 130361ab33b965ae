"""Work that is requested twice but done once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Computes a value on the first call and returns it on all others.

    A button may be pressed again while the first click is being handled in another thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._answer: list[T] = []

    def get(self, work_out: Callable[[], T]) -> T:
        """Return the value. If `work_out` raises, the next call tries again."""
        with self._lock:
            if not self._answer:
                self._answer.append(work_out())
            return self._answer[0]

"""How often a page that changes by itself is drawn again: once a second, less often while this
process is busy, so that many who look do not keep each other from seeing anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

EVERY_S = (1.0, 2.0, 4.0, 8.0)  # between two drawings
LOOK_S = 3.0  # of the process, by which a pace is chosen
BUSY, IDLE = 0.4, 0.15  # of a core: above, a slower pace is taken; below, a quicker one


class Refresh:
    """One for the whole process. Half the pace costs half, so between IDLE and BUSY it stays."""

    def __init__(
        self,
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._lock = Lock()
        self._step = 0
        self._at, self._spent = wall(), cpu()

    def seconds(self) -> float:
        """Return the time between two drawings, as of now."""
        with self._lock:
            passed = self._wall() - self._at
            if passed >= LOOK_S:
                share = (self._cpu() - self._spent) / passed
                if passed > LOOK_S + EVERY_S[-1]:
                    self._step = 0  # nobody has looked for a while
                elif share > BUSY:
                    self._step = min(self._step + 1, len(EVERY_S) - 1)
                elif share < IDLE:
                    self._step = max(self._step - 1, 0)
                self._at, self._spent = self._wall(), self._cpu()
            return EVERY_S[self._step]


REFRESH = Refresh()

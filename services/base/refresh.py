"""How often a live page is refreshed: once a second, less often while this process is busy, so that
many viewers do not starve each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

EVERY_S = (1.0, 2.0, 4.0, 8.0)  # between two refreshes
LOOK_S = 3.0  # the shortest time over which the process's CPU is measured
BUSY = 0.5  # of a core: above it a slower rate is chosen
QUIET = 0.35  # of a core: a faster rate is chosen only if it would stay below this
AWAY_S = LOOK_S + 2 * EVERY_S[-1]  # without a request: no page is open


class Refresh:
    """The refresh rate of all live pages of this process. Halving the rate halves the cost, so one
    measurement gives the cost of every rate.

    After a change of rate every page is redrawn once as a whole. That is not part of the regular
    cost, so the next measurement starts after it.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._lock = Lock()
        self._step = 0
        self._settle_s = 0.0  # to wait before CPU is measured again
        self._at, self._spent = wall(), cpu()

    def seconds(self) -> float:
        """Return the current time between two refreshes, in seconds."""
        with self._lock:
            passed = self._wall() - self._at
            if passed > AWAY_S:
                self._start_step(0, 0.0)
            elif self._settle_s:
                if passed >= self._settle_s:
                    self._start_step(self._step, 0.0)
            elif passed >= max(LOOK_S, EVERY_S[self._step]):
                share = (self._cpu() - self._spent) / passed
                step = self._best_step(share * EVERY_S[self._step])
                same = step == self._step
                self._start_step(step, 0.0 if same else max(LOOK_S, EVERY_S[self._step]))
            return EVERY_S[self._step]

    def _start_step(self, step: int, settle_s: float) -> None:
        self._step, self._settle_s = step, settle_s
        self._at, self._spent = self._wall(), self._cpu()

    def _best_step(self, drawing: float) -> int:
        """Return the step to use if one refresh of all pages takes this many seconds of CPU."""
        last = len(EVERY_S) - 1
        fits = (step for step in range(last) if drawing / EVERY_S[step] <= self._cpu_limit(step))
        return next(fits, last)

    def _cpu_limit(self, step: int) -> float:
        return QUIET if step < self._step else BUSY


REFRESH = Refresh()

"""Time limits for a request, each with its own error class, and the limit on its size.

All requests in flight are checked at intervals, instead of moving a timer with every token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from time import perf_counter_ns

from services.wire.exchange import Exchange

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.01, 0.25  # between two checks
CHECKS_PER_LIMIT = 20  # within the shortest limit


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds; None means that only the total applies."""

    total_s: float = 300.0
    connect_s: float = 30.0
    first_token_s: float | None = None
    between_chunks_s: float | None = None

    @property
    def check_interval_s(self) -> float:
        """The time between two checks, in seconds."""
        limits = [self.total_s, self.first_token_s, self.between_chunks_s]
        shortest = min(limit for limit in limits if limit is not None)
        return min(MAX_INTERVAL_S, max(MIN_INTERVAL_S, shortest / CHECKS_PER_LIMIT))

    def end_overdue(self, exchanges: Iterable[Exchange], now_ns: int) -> None:
        """Fail the requests that exceed a limit of time or of size."""
        for exchange in exchanges:
            if exchange.sent is None:
                continue
            if exchange.endless:
                exchange.fail("stream_error", "The answer does not end.", now_ns)
            elif now_ns - exchange.sent > self.total_s * 1e9:
                self._time_out(exchange, "timeout", "No end of the answer", self.total_s, now_ns)
            elif exchange.last is None:
                if self.first_token_s and now_ns - exchange.sent > self.first_token_s * 1e9:
                    what, limit = "No token", self.first_token_s
                    self._time_out(exchange, "timeout_first_token", what, limit, now_ns)
            elif self.between_chunks_s and now_ns - exchange.last > self.between_chunks_s * 1e9:
                what, limit = "No further data", self.between_chunks_s
                self._time_out(exchange, "timeout_between_chunks", what, limit, now_ns)

    @staticmethod
    def _time_out(exchange: Exchange, kind: str, what: str, limit_s: float, now_ns: int) -> None:
        exchange.fail(kind, f"{what} within {limit_s:g} s.", now_ns)


class TimeoutWatch:
    """Checks the requests in `live` at intervals, from `begin` until there are none."""

    def __init__(self, timeouts: Timeouts, live: Collection[Exchange]) -> None:
        self._timeouts = timeouts
        self._live = live
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._postponed = False

    def begin(self) -> None:
        if self._timer is None:
            self._schedule(self._timeouts.check_interval_s)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + seconds
        self._timer = loop.call_at(self._due, self._check)

    def _check(self) -> None:
        late = asyncio.get_running_loop().time() - self._due > MIN_INTERVAL_S
        if late and not self._postponed:
            self._postponed = True  # this client was late: first read what has arrived meanwhile
            self._schedule(MIN_INTERVAL_S)
            return
        self._postponed = False
        self._timer = None
        self._timeouts.end_overdue(tuple(self._live), perf_counter_ns())
        if self._live:
            self.begin()

"""How long a request is waited for: four limits, each with its own error class; and for how much.

One look at all requests in flight every now and then, instead of timers that every token moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from time import perf_counter_ns

from services.wire.exchange import Exchange

OFTEN_S, SELDOM_S = 0.01, 0.25  # between two looks
LOOKS = 20  # in the shortest of the limits


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. None: no limit of its own."""

    total_s: float = 300.0
    connect_s: float = 30.0
    first_token_s: float | None = None
    between_chunks_s: float | None = None

    @property
    def look_every_s(self) -> float:
        """How long to wait between two looks."""
        limits = [self.total_s, self.first_token_s, self.between_chunks_s]
        shortest = min(limit for limit in limits if limit is not None)
        return min(SELDOM_S, max(OFTEN_S, shortest / LOOKS))

    def end_overdue(self, exchanges: Iterable[Exchange], now_ns: int) -> None:
        """Fail the requests that are over one of the limits, of time or of size."""
        for exchange in exchanges:
            if exchange.sent is None:
                continue
            if exchange.endless:
                exchange.fail("stream_error", "The answer does not end.", now_ns)
            elif now_ns - exchange.sent > self.total_s * 1e9:
                self._end(exchange, "timeout", "No end of the answer", self.total_s, now_ns)
            elif exchange.last is None:
                if self.first_token_s and now_ns - exchange.sent > self.first_token_s * 1e9:
                    what, limit = "No token", self.first_token_s
                    self._end(exchange, "timeout_first_token", what, limit, now_ns)
            elif self.between_chunks_s and now_ns - exchange.last > self.between_chunks_s * 1e9:
                what, limit = "Nothing after the last token", self.between_chunks_s
                self._end(exchange, "timeout_between_chunks", what, limit, now_ns)

    @staticmethod
    def _end(exchange: Exchange, kind: str, what: str, limit_s: float, now_ns: int) -> None:
        exchange.fail(kind, f"{what} within {limit_s:g} s.", now_ns)


class Watch:
    """Looks after the requests in `live`, from `begin` until there are none."""

    def __init__(self, timeouts: Timeouts, live: Collection[Exchange]) -> None:
        self._timeouts = timeouts
        self._live = live
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._waited = False

    def begin(self) -> None:
        if self._timer is None:
            self._in(self._timeouts.look_every_s)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + seconds
        self._timer = loop.call_at(self._due, self._look)

    def _look(self) -> None:
        behind = asyncio.get_running_loop().time() - self._due > OFTEN_S
        if behind and not self._waited:
            self._waited = True  # what has come meanwhile is read first: this client was late
            self._in(OFTEN_S)
            return
        self._waited = False
        self._timer = None
        self._timeouts.end_overdue(tuple(self._live), perf_counter_ns())
        if self._live:
            self.begin()

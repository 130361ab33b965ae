"""The requests in flight of one client: counted, timed out, and stopped together."""

from __future__ import annotations

from time import perf_counter_ns

from services.wire.exchange import Exchange
from services.wire.timeouts import Timeouts, TimeoutWatch


class InFlight:
    def __init__(self, timeouts: Timeouts) -> None:
        self.stopped = False
        self._live: set[Exchange] = set()
        self._watch = TimeoutWatch(timeouts, self._live)

    def begin(self, exchange: Exchange) -> None:
        self._live.add(exchange)
        self._watch.begin()

    def end(self, exchange: Exchange) -> None:
        self._live.discard(exchange)

    def stop(self) -> None:
        """End every request in flight as cancelled."""
        self.stopped = True
        for exchange in list(self._live):
            exchange.cancel(perf_counter_ns())

    def count(self) -> int:
        """Return how many requests have been sent and have not ended."""
        return sum(exchange.sent is not None for exchange in self._live)

    def received(self) -> int:
        """Return how many token chunks the requests in flight have received so far."""
        return sum(len(exchange.token_times) for exchange in self._live)

    def close(self) -> None:
        self._watch.end()

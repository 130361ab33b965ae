"""Split a repeat into shards: which process sends which requests, and how many processes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from services.ask import modes
from services.ask.config import MAX_PROCESSES, RATES, RunConfig
from services.ask.modes import Schedule

# Requests in flight that keep one process busy. The kernel stamps arrivals, so even 5,000 do not
# spoil the times of a single process; several processes send and read sooner.
IN_FLIGHT_EACH = {"wire": 1024, "litellm": 64}
RATE_EACH = 500  # requests per second that keep one process busy


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `of`-th request, beginning with number `index`."""

    index: int = 0
    of: int = 1

    def indices(self, requests: int) -> range:
        """Return the indices of the requests in this shard."""
        return range(self.index, requests, self.of)

    def schedule(self, whole: Schedule) -> Schedule:
        """Return this shard of a schedule: its requests, and its part of the in-flight limit."""
        return whole if self.of == 1 else whole.shard(self.index, self.of)


WHOLE = Shard()


def shards(config: RunConfig, cores: int) -> list[Shard]:
    """Return the shards of a run: as many as the config sets, else as load and cores suggest.

    At most half of the cores are used, since the server may be on this machine. There are never
    more shards than requests in flight, so a sequential run has one.
    """
    at_once = modes.at_once(config)
    client = "litellm" if config.backend == "litellm" else config.client
    suggested = min(cores // 2, at_once // IN_FLIGHT_EACH[client], MAX_PROCESSES)
    if config.mode in (*RATES, "replay") and (rate := modes.peak_rate(config)):
        suggested = min(suggested, ceil(rate / RATE_EACH))
    count = min(config.processes or max(1, suggested), max(1, at_once))
    return [Shard(index, count) for index in range(count)]

"""How a repeat is shared among processes: who sends which requests, and how many processes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.ask.config import MOST_PROCESSES, RunConfig
from services.ask.modes import Schedule

# Requests in flight that keep one process busy. Arrivals are stamped by the kernel, so that even
# 5,000 do not spoil the times of a process on its own; more of them send and read sooner.
IN_FLIGHT_EACH = {"wire": 1024, "litellm": 64}


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `of`-th request, beginning with number `index`."""

    index: int = 0
    of: int = 1

    def indices(self, requests: int) -> range:
        """Return the numbers of the requests in this share."""
        return range(self.index, requests, self.of)

    def schedule(self, whole: Schedule) -> Schedule:
        """Return this share of a schedule: its requests, and its part of what may be in flight."""
        cap = whole.in_flight
        if cap is not None:
            cap = cap // self.of + (self.index < cap % self.of)
        return replace(whole, due_s=whole.due_s[self.index :: self.of], in_flight=cap)


WHOLE = Shard()


def shards(config: RunConfig, whole: Schedule, cores: int) -> list[Shard]:
    """Return the shares of a run: as many as were asked for, else as load and cores suggest.

    Half of the cores at most are taken: what is measured may be on this machine. Never more than
    there may be requests in flight, and never more than one where answers are waited for.
    """
    at_once = min(len(whole.due_s), whole.in_flight or len(whole.due_s))
    client = "litellm" if config.backend == "litellm" else config.client
    fitting = min(cores // 2, at_once // IN_FLIGHT_EACH[client], MOST_PROCESSES)
    count = min(config.processes or max(1, fitting), max(1, at_once))
    return [Shard(index, count) for index in range(count)]

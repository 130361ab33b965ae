"""A queue whose capacity is known: Poisson arrivals, c slots, exponential service (M/M/c)."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean

import numpy as np

from services.analysis.capacity import (
    Conclusion,
    Objective,
    Observation,
    Search,
    Step,
    next_step,
    observe,
)
from services.ask.measurement import Measurement
from services.ask.measurements import Measurements
from tests.simulated import simulated

NORMAL = NormalDist()
REQUEST = Measurement(0, 0, "ok", t_due=0.0, prompt_tokens=100, output_tokens=50)


@dataclass(frozen=True)
class Queue:
    """`slots` requests are served at a time, each for 1 / `rate` seconds on average. The first
    token comes `prefill_s` after a request is served, or after half of its time if that is less."""

    slots: int
    rate: float
    prefill_s: float = 0.0

    def missed(self, load: float, limit_s: float) -> float:
        """The share of requests that wait longer, in the long run (Erlang C, Gross et al. 2008,
        Fundamentals of Queueing Theory, ch. 2.3)."""
        if load >= self.slots * self.rate:
            return 1.0
        offered, blocked = load / self.rate, 1.0
        for used in range(1, self.slots + 1):
            blocked = offered * blocked / (used + offered * blocked)
        waits = blocked / (1 - offered / self.slots * (1 - blocked))
        return waits * math.exp(-(self.slots * self.rate - load) * limit_s)

    def capacity(self, limit_s: float, allowed: float, varies: float = 0.0) -> float:
        """The load at which that share is `allowed`, by bisection. `varies`: see `searched`; the
        share is the mean over those speeds then."""
        parts = 200 if varies else 1
        speeds = [
            replace(self, rate=self.rate * math.exp(varies * NORMAL.inv_cdf((part + 0.5) / parts)))
            for part in range(parts)
        ]
        low, high = 1e-9, self.slots * self.rate
        for _ in range(60):
            middle = (low + high) / 2
            missed = fmean(speed.missed(middle, limit_s) for speed in speeds)
            low, high = (middle, high) if missed < allowed else (low, middle)
        return low

    def probe(
        self,
        random: np.random.Generator,
        load: float,
        asked: tuple[Objective, ...],
        window_s: float,
        settle_s: float,
    ) -> Observation:
        """Offer a load for a while, as a run would, and return what that says."""
        measured = self.requests(random, load, settle_s + window_s)
        return observe(load, measured, asked, settle_s, window_s, open_loop=True)

    def requests(self, random: np.random.Generator, load: float, seconds: float) -> Measurements:
        """Return the requests of `seconds` seconds at a load."""
        count = int(random.poisson(load * seconds))
        due = np.sort(random.uniform(0, seconds, count)).tolist()
        service = random.exponential(1 / self.rate, count).tolist()
        free = [0.0] * self.slots
        firsts, ends = [], []
        for at, takes in zip(due, service, strict=True):
            begins = max(free[0], at)
            firsts.append(begins + min(self.prefill_s, takes / 2))
            ends.append(begins + takes)
            heapq.heapreplace(free, ends[-1])
        return simulated(REQUEST, t_due=due, t_send=due, t_first=firsts, t_last=ends, t_end=ends)


def searched(
    queue: Queue, seed: int, search: Search, varies: float = 0.0
) -> tuple[Conclusion, list[Observation]]:
    """Search for the capacity of a queue; return how that ended, and its probes. `varies`: the
    standard deviation of the logarithm of its speed from one probe to the next."""
    random, seen = np.random.default_rng(seed), list[Observation]()
    while isinstance(step := next_step(search, seen), Step):
        now = (
            replace(queue, rate=queue.rate * math.exp(varies * random.normal()))
            if varies
            else queue
        )
        settle_s = step.window_s / 4
        seen.append(now.probe(random, step.load, search.objectives, step.window_s, settle_s))
    return step, seen

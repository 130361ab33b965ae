"""When requests arrive in an open loop: a spacing of unit mean, stretched to a rate over time.

Arrivals at rate λ(t) are those at rate 1, moved to where Λ(t) = ∫λ has grown as far (inversion of
the cumulative rate: Çınlar, Introduction to Stochastic Processes, 1975; Lewis and Shedler, 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count, repeat
from math import sqrt
from random import Random

Spacing = Callable[[Random], Iterator[float]]  # arrival times at a mean rate of 1 per second


def even(random: Random) -> Iterator[float]:
    """Return arrivals at 0, 1, 2 …"""
    return map(float, count())


def poisson(random: Random) -> Iterator[float]:
    """Return independent arrivals: the gaps are exponentially distributed."""
    return accumulate(random.expovariate(1.0) for _ in repeat(None))


def gamma(burstiness: float) -> Spacing:
    """Return a spacing with gamma-distributed gaps of shape `burstiness`, as vLLM defines it: 1 is
    Poisson, lower values are burstier, higher values are more even. The gaps' coefficient of
    variation is 1/√burstiness."""

    def arrivals(random: Random) -> Iterator[float]:
        gaps = (random.gammavariate(burstiness, 1 / burstiness) for _ in repeat(None))
        return accumulate(gaps)

    return arrivals


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in requests per second that changes from `first` to `last` over `seconds`, linearly or
    in `steps` of equal length. Afterwards it stays at `last`."""

    first: float
    last: float
    seconds: float
    steps: int = 0

    @property
    def mean(self) -> float:
        return (self.first + self.last) / 2

    def time(self, arrivals: float) -> float:
        """Return the time after which so many requests have arrived on average, in seconds."""
        whole = self.mean * self.seconds
        if arrivals >= whole:
            return self.seconds + (arrivals - whole) / self.last
        return self._in_steps(arrivals) if self.steps else self._in_line(arrivals)

    def _in_line(self, arrivals: float) -> float:
        slope = (self.last - self.first) / self.seconds
        return 2 * arrivals / (self.first + sqrt(self.first**2 + 2 * slope * arrivals))

    def _in_steps(self, arrivals: float) -> float:
        each = self.seconds / self.steps
        for step, rate in enumerate(self.levels):
            if arrivals < rate * each:
                return step * each + arrivals / rate
            arrivals -= rate * each
        return self.seconds

    @property
    def levels(self) -> tuple[float, ...]:
        """The rate of each step."""
        if self.steps < 2:
            return (self.mean,)
        change = (self.last - self.first) / (self.steps - 1)
        return tuple(self.first + step * change for step in range(self.steps))


def arrivals(spacing: Spacing, rate: Rate, lead_s: float, seed: str) -> Iterator[float]:
    """Yield arrival times in seconds, without end. Those in the `lead_s` seconds before the start,
    at the first rate, are negative. The same seed gives the same times."""
    before = lead_s * rate.first
    for position in spacing(Random(f"arrivals/{seed}")):
        if position < before:
            yield (position - before) / rate.first
        else:
            yield rate.time(position - before)

"""The queue of a reference server with c slots: first come, first served, with known service times.

So its capacity is c / E[S] requests a second, S being the service time, and the waits at a load
below it are those of a G/G/c queue; with Poisson arrivals and exponential service, of Erlang's
M/M/c (Gross et al., Fundamentals of Queueing Theory, 4th ed., chapter 2).

Slots are handed on in the order and at the times at which their answers were scheduled to end, even
if the event loop is late: its delays neither add up nor change who is next.

Once `overload` requests wait at once, the server is overloaded for good: later requests may be
served more slowly, as by a server that does not recover.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count as numbers
from random import Random
from typing import Protocol

LAWS: dict[str, Callable[[Random], float]] = {  # service times, as multiples of their mean
    "fixed": lambda random: 1.0,
    "exponential": lambda random: random.expovariate(1.0),
}


class Customer(Protocol):
    """A request that waits for a slot, or is served in one for `service` ns."""

    service: int

    def begin(self, at: int) -> None:
        """Start being served at `at`, in ns, which may be in the past."""
        ...


class Slots:
    """Slots and their queue. Times are nanoseconds of one clock, passed in without going back."""

    def __init__(self, count: int, law: str, seed: int, overload: int = 0) -> None:
        """`overload` 0: never overloaded. Raises KeyError for an unknown law."""
        self.overloaded = False
        self._overload = overload
        self._free = count
        self._law = LAWS[law]
        self._random = Random(seed)
        self._waiting: dict[Customer, None] = {}  # in order of arrival
        self._serving: dict[Customer, int] = {}  # with the number of each service
        self._ends: list[tuple[int, int, Customer]] = []  # a heap of end, number and customer
        self._numbers = numbers()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def multiple(self) -> float:
        """Return the next request's service time, as a multiple of the mean."""
        return self._law(self._random)

    def enter(self, customer: Customer, at: int) -> None:
        """Arrive at `at`: begin at once in a free slot, or wait for one."""
        self.advance(at)
        if self._free:
            self._free -= 1
            self._begin(customer, at)
        else:
            self._waiting[customer] = None
            self.overloaded |= 0 < self._overload <= len(self._waiting)

    def advance(self, until: int) -> None:
        """Free the slots of all services that end by then, in the order of their ends."""
        while self._ends and self._ends[0][0] <= until:
            end, number, customer = heapq.heappop(self._ends)
            if self._serving.get(customer) == number:
                self._release(customer, end)

    def leave(self, customer: Customer, at: int) -> None:
        """Leave at `at`, before the service has ended."""
        self.advance(at)
        self._waiting.pop(customer, None)
        if customer in self._serving:
            self._release(customer, at)

    def _begin(self, customer: Customer, at: int) -> None:
        self._serving[customer] = number = next(self._numbers)
        heapq.heappush(self._ends, (at + customer.service, number, customer))
        customer.begin(at)

    def _release(self, customer: Customer, at: int) -> None:
        """Free the slot of a customer, for the first in the queue."""
        del self._serving[customer]
        if self._waiting:
            first = next(iter(self._waiting))
            del self._waiting[first]
            self._begin(first, at)
        else:
            self._free += 1

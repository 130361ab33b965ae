"""A schedule: when the requests of one repeat are due. It is data, so that tests need no clock."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import islice
from random import Random


@dataclass(frozen=True, slots=True)
class Schedule:
    """Request `i` is sent no earlier than `due_s[i]` seconds after the start, with at most
    `in_flight` unfinished (None: any number).

    Without `pause_s`, answers do not matter otherwise. With it there are `in_flight` users: user
    `u` joins at `joins_s[u]` (all at the start if that is empty), and asks again `pause_s` seconds
    after each answer; `random_pause`: exponentially distributed, with that mean.

    The load begins `lead_s` seconds before the start, with requests that do not count: those due at
    `warm_s` (negative), or the users' first ones. Nothing is due after `end_s` (None: all of
    `due_s` is sent).
    """

    due_s: tuple[float, ...]
    in_flight: int | None = None
    pause_s: float | None = None
    random_pause: bool = False
    joins_s: tuple[float, ...] = ()
    lead_s: float = 0.0
    warm_s: tuple[float, ...] = ()
    end_s: float | None = None
    seed: str = ""  # of random pauses

    @property
    def users(self) -> int:
        """The number of users that wait for their answers; 0 where answers do not matter."""
        return (self.in_flight or 1) if self.pause_s is not None else 0

    def shard(self, index: int, of: int) -> Schedule:
        """Return every `of`-th request or user, beginning with number `index`, and this part of the
        limit on requests in flight."""
        cap = self.in_flight
        if cap is not None:
            cap = cap // of + (index < cap % of)
        return Schedule(
            self.due_s[index::of],
            cap,
            self.pause_s,
            self.random_pause,
            self.joins_s[index::of],
            self.lead_s,
            self.warm_s[index::of],
            self.end_s,
            f"{self.seed}/{index}" if of > 1 else self.seed,
        )

    def pauses(self, user: int) -> Pauses:
        return Pauses(self, user)


class Pauses:
    """The pauses of one user, in seconds: `next()` after each answer."""

    def __init__(self, schedule: Schedule, user: int) -> None:
        self._mean = schedule.pause_s or 0.0
        random = schedule.random_pause and self._mean > 0
        self._draw = Random(f"pauses/{schedule.seed}/{user}") if random else None

    def next(self) -> float:
        return self._draw.expovariate(1 / self._mean) if self._draw else self._mean


Bar = tuple[int, float, float]  # index, start, end


def picture(schedule: Schedule, seconds_per_request: float, most: int | None = None) -> list[Bar]:
    """Return (index, start, end) in seconds for each request, with the same time for every answer;
    the first `most` of them. The requests that do not count are left out.

    An estimate for charts: a real server slows down under load.
    """
    if schedule.pause_s is not None:
        return _of_users(schedule, seconds_per_request, most)
    bars: list[Bar] = []
    for index, start in enumerate(islice(schedule.due_s, most)):
        if schedule.in_flight is not None and index >= schedule.in_flight:
            start = max(start, bars[index - schedule.in_flight][2])  # all take the same: first in
        if schedule.end_s is not None and start > schedule.end_s:
            break
        bars.append((index, start, start + seconds_per_request))
    return bars


def _of_users(schedule: Schedule, seconds_per_request: float, most: int | None) -> list[Bar]:
    """The users as a queue, ordered by when they ask next."""
    joins = schedule.joins_s or (0.0,) * schedule.users
    pauses = [schedule.pauses(user) for user in range(schedule.users)]
    asking = [(join - schedule.lead_s, user) for user, join in enumerate(joins)]
    heapify(asking)
    bars: list[Bar] = []
    count = len(schedule.due_s) if most is None else min(most, len(schedule.due_s))
    while asking and len(bars) < count:
        start, user = heappop(asking)
        if schedule.end_s is not None and start > schedule.end_s:
            break
        end = start + seconds_per_request
        if start >= 0:
            bars.append((len(bars), start, end))
        pause_s = pauses[user].next()
        heappush(asking, (end + pause_s, user))
    return bars

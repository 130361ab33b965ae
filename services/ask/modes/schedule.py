"""A schedule: when the requests of one repeat are due. It is data, so that tests need no clock."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from services.ask.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Schedule:
    """Request `i` is sent no earlier than `due_s[i]` seconds after the start, with at most
    `in_flight` unfinished (None: any number).

    Without `pause_s`, answers have no other effect. With it, there are `in_flight` users: user `u`
    joins at `joins_s[u]` (all at the start if that is empty), and sends the next request `pause_s`
    seconds after each answer. `random_pause`: the pause is exponentially distributed with that
    mean.

    The load begins `lead_s` seconds before the start, with requests that do not count: those due at
    `warm_s` (negative), or the users' first ones. Nothing is due after `end_s` (None: all of
    `due_s` is sent).

    With `sessions`, all of this applies to the first request of each; later ones are due after the
    previous answer plus the session's delay. `requests`: of all sessions together, so the last
    session may be cut short (None: none is).
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
    sessions: Sessions | None = None
    requests: int | None = None

    @property
    def users(self) -> int:
        """The number of users that wait for their answers; 0 if requests do not depend on
        answers."""
        return (self.in_flight or 1) if self.pause_s is not None else 0

    def shard(self, index: int, of: int) -> Schedule:
        """Return every `of`-th request or user, beginning with number `index`, and the
        corresponding part of the limit on requests in flight."""
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
            self.sessions,
            self.requests,
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

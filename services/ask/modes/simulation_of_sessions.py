"""When the requests of sessions would run if all answers took the same time."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf

from services.ask.modes.schedule import Schedule
from services.ask.sessions import Sessions

Bar = tuple[int, float, float]  # index, start, end
MAX_BEFORE = 1000  # requests of one user before the start that are computed one by one


@dataclass(frozen=True, slots=True, order=True)
class _Ask:
    """The next request of a session, or of a user, who begins a session with it (`turn` 0)."""

    due: float
    number: int  # of the session; of the user, if none has begun
    turn: int = 0
    user: int = -1  # -1: sessions arrive without users


def of_sessions(
    schedule: Schedule, sessions: Sessions, seconds_per_request: float, most: int | None
) -> list[Bar]:
    """Return (index, start, end) for each request, ordered by start; see `simulate`."""
    pauses = [schedule.pauses(user) for user in range(schedule.users)]
    asks = _first_requests(schedule, most)
    heapify(asks)
    running: list[float] = []  # ends of those in flight, if concurrency is limited
    bars: list[Bar] = []
    begun = 0
    ends_s = inf if schedule.end_s is None else schedule.end_s
    limit = schedule.requests if most is None else min(most, schedule.requests or most)
    while asks and (limit is None or len(bars) < limit):
        ask = heappop(asks)
        if ask.due > ends_s:
            continue
        session = ask.number
        if ask.user >= 0 and not ask.turn:
            if begun >= len(schedule.due_s):
                continue
            session = begun
            begun += ask.due >= 0
        start = ask.due
        if schedule.in_flight is not None and len(running) >= schedule.in_flight:
            start = max(start, heappop(running))
        end = start + seconds_per_request
        if schedule.in_flight is not None:
            heappush(running, end)
        index = sessions.first(session) + ask.turn
        if start >= 0 and (schedule.requests is None or index < schedule.requests):
            bars.append((index, start, end))
        delays = sessions.delays(session)
        if ask.turn + 1 < len(delays):
            due = after(start, end + delays[ask.turn + 1])
            heappush(asks, _Ask(due, session, ask.turn + 1, ask.user))
        elif ask.user >= 0:
            due = after(start, end + pauses[ask.user].next())
            heappush(asks, _Ask(due, ask.user, 0, ask.user))
    return sorted(bars, key=lambda bar: (bar[1], bar[0]))


def after(asked: float, due: float) -> float:
    """Return when the next request is due after one that was sent at `asked`. During warm-up at
    load, steps so small that more than MAX_BEFORE would be needed are skipped: it is due at the
    start."""
    return 0.0 if asked < 0 and (due - asked) * MAX_BEFORE < -asked else due


def _first_requests(schedule: Schedule, most: int | None) -> list[_Ask]:
    if not schedule.users:
        due_s = schedule.due_s if most is None else schedule.due_s[:most]
        return [_Ask(due, session) for session, due in enumerate(due_s)]
    joins = schedule.joins_s or (0.0,) * schedule.users
    return [_Ask(join - schedule.lead_s, user, 0, user) for user, join in enumerate(joins)]

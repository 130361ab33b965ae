"""When requests would run if all answers took the same time."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import islice

from services.ask.modes.schedule import Schedule
from services.ask.modes.simulation_of_sessions import Bar, after, of_sessions


def simulate(schedule: Schedule, seconds_per_request: float, most: int | None = None) -> list[Bar]:
    """Return (index, start, end) in seconds for each request, with the same time for every answer;
    the first `most` of them. Requests that do not count are left out.

    An estimate for charts: a real server slows down under load.
    """
    if schedule.sessions is not None:
        return of_sessions(schedule, schedule.sessions, seconds_per_request, most)
    if schedule.pause_s is not None:
        return _of_users(schedule, seconds_per_request, most)
    bars: list[Bar] = []
    for index, start in enumerate(islice(schedule.due_s, most)):
        if schedule.in_flight is not None and index >= schedule.in_flight:
            start = max(start, bars[index - schedule.in_flight][2])  # first in, first out
        if schedule.end_s is not None and start > schedule.end_s:
            break
        bars.append((index, start, start + seconds_per_request))
    return bars


def _of_users(schedule: Schedule, seconds_per_request: float, most: int | None) -> list[Bar]:
    """The users as a queue, ordered by their next request."""
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
        heappush(asking, (after(start, end + pause_s), user))
    return bars

"""Modes: when requests are sent.

Closed loop: an answer makes room for the next request, so a slow server gets fewer requests. Open
loop: requests are sent on schedule, regardless of earlier ones. One file for each kind of mode, and
the table at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import ceil

from services.ask.about import fields
from services.ask.config import MAX_IN_FLIGHT, RunConfig
from services.ask.modes.batch import BATCH
from services.ask.modes.changing import RAMP, STEPS
from services.ask.modes.rates import CONSTANT, GAMMA, POISSON
from services.ask.modes.replay import REPLAY
from services.ask.modes.schedule import Schedule as Schedule
from services.ask.modes.sequential import SEQUENTIAL
from services.ask.modes.simulation import simulate as simulate
from services.ask.modes.spec import ModeSpec
from services.ask.modes.spec import count as count
from services.ask.modes.spec import max_requests as max_requests
from services.ask.modes.staggered import STAGGERED
from services.ask.modes.users import USERS, users_sending
from services.ask.sessions import sessions_of
from services.base.units import many


def client_wait(config: RunConfig) -> str:
    """Return the client's own wait between requests, such as "a pause of 2 s", or "". Metrics per
    second of wall time (`WALL_CLOCK`) include this wait."""
    field = MODES[config.mode].wait_field
    seconds = getattr(config, field) if field else 0
    return f"{WAITS[field]} of {seconds:g} s" if seconds else ""


def wait_note(config: RunConfig, succeeded: int) -> str:
    """Return a note that throughput includes the client's own wait, or "" if there is no wait or no
    request succeeded."""
    wait = client_wait(config) if succeeded else ""
    return f"Throughput and requests/s include the client's own waiting ({wait})." if wait else ""


def sort_metrics(names: Iterable[str], *configs: RunConfig) -> list[str]:
    """Return names of metrics in display order: if the client itself waits in one of the runs,
    metrics per second of wall time come last."""
    waits = any(map(client_wait, configs))
    return sorted(names, key=lambda name: waits and name in WALL_CLOCK)


def size_of(config: RunConfig) -> int | None:
    """Return the configured maximum of requests in flight; None in an open loop."""
    return None if MODES[config.mode].loop == "open" else at_once(config)


def at_once(config: RunConfig) -> int:
    """Return how many requests may be in flight at most. In an open loop this is unknown: it may be
    as many as are due, but the client only prepares for MAX_IN_FLIGHT."""
    limit = in_flight_limit(config)
    begun = starting(config)
    if MODES[config.mode].loop == "closed":
        return min(limit or max_requests(begun), max_requests(begun))
    due = ceil(expected(begun) or max_requests(begun))
    return min(limit or due, due, MAX_IN_FLIGHT)


def in_flight_limit(config: RunConfig) -> int | None:
    """Return the limit on requests in flight, or None."""
    return MODES[config.mode].limit(config)


def users_short(config: RunConfig) -> str:
    """Return how many users send requests, as a title, if not all of them do before the requests or
    the time run out; else ""."""
    if config.mode != USERS.name or (sending := users_sending(starting(config))) == config.users:
        return ""
    return f"Only {sending:,} of {config.users:,} users send a request"


def expected(config: RunConfig) -> float | None:
    """Return about how many requests a repeat has; None if that depends on the answers."""
    if config.duration_s is None:
        return config.requests
    mode = MODES[config.mode]
    if (rate := mode.rate(starting(config))) is None:
        return None
    begun = rate.mean * config.duration_s
    if mode.exact:  # the first at once: 3 begin in 1 s at 2.5 per second
        begun = ceil(begun - ROUNDING)
    return max(1.0, begun * mean_turns(config))


def amount(config: RunConfig) -> str:
    """Return what one repeat sends: "64 requests", or "60 s"."""
    if config.duration_s is None:
        return many(config.requests, "request")
    return f"{config.duration_s:g} s"


def load(config: RunConfig) -> tuple[object, ...]:
    """Return the fields that determine the schedule; equal for configs with the same schedule."""
    known = fields(RunConfig).items()
    names = (n for n, k in known if k.section == "mode" and k.role == "work" and n != "concurrency")
    read = (n for n in names if fields(RunConfig)[n].is_read(config.mode))
    return (at_once(config), config.load_warmup_s, *(getattr(config, name) for name in read))


def peak_rate(config: RunConfig) -> float | None:
    """Return the highest rate in an open loop, in requests per second; None for all at once, or in
    a closed loop."""
    rate = MODES[config.mode].rate(starting(config))
    return max(rate.first, rate.last) * mean_turns(config) if rate else None


def schedule(config: RunConfig, repeat: int = 0) -> Schedule:
    """Return when each request of one repeat is due. Random arrivals differ between repeats, and
    are the same for all runs with these settings and this seed."""
    begun = MODES[config.mode].schedule(starting(config), repeat)
    if (sessions := sessions_of(config)) is None:
        return begun
    return replace(begun, sessions=sessions, requests=count(config))


def starting(config: RunConfig) -> RunConfig:
    """Return a config that sends only the first turns of a run's sessions: these are what arrives
    at a rate, or what users begin."""
    if (sessions := sessions_of(config)) is None:
        return config
    begun = sessions.count_within(config.requests)
    return config.model_copy(update={"turns": 1, "requests": begun})


def mean_turns(config: RunConfig) -> float:
    """Return the mean number of turns of a session; 1 for requests without sessions."""
    sessions = sessions_of(config)
    return sessions.mean_turns if sessions else 1.0


ROUNDING = 1e-6  # of requests: 1 / 0.3 × 3 is 10.000000000000002
_ENTRIES = (SEQUENTIAL, STAGGERED, BATCH, USERS, CONSTANT, POISSON, GAMMA, RAMP, STEPS, REPLAY)

WAITS = {"pause_s": "a pause", "interval_s": "an interval", "think_s": "a think time"}
# Metrics in `summary_row` that are per second of wall time.
WALL_CLOCK = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s", "goodput_per_s")
MODES: dict[str, ModeSpec] = {entry.name: entry for entry in _ENTRIES}

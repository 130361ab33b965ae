"""How fast a server's answers will come: by what it did before, else by what is assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from services.ask.config import RunConfig
from services.ask.modes import MODES, schedule
from services.base.units import many

NEAR = 2.0  # times as many in flight, or as few: such a run is taken as it was
# The embedded model, where it was never measured: tokens/s of one request on two cores, busy and
# idle, and of all requests together at best.
SLOW, FAST, TOGETHER = 12.0, 100.0, 300.0


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier run on the same server: tokens/s of a request, end to end (median), and how many
    requests were in flight at most."""

    tokens_per_s: float
    in_flight: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens/s of one request of a run, and where that is from, in words: "from 3 earlier runs on
    this server"."""

    slow: float
    usual: float
    fast: float
    source: str


def pace(
    config: RunConfig, seen: Sequence[EarlierRun], where: str = "on this server"
) -> Pace | None:
    """Return how fast the requests of a run will be, by the runs that were `seen` there; None: it
    is not known.

    Runs with about as many requests in flight count as they were; without such a run the closest
    one does. With c in flight instead of its k a request is then between as fast as it was and
    k/c times as fast: a server shares what it can do, wholly or not at all.
    """
    known = [one for one in seen if one.tokens_per_s > 0]
    if not known:
        return _assumed(config)
    wanted = in_flight(config, median(one.tokens_per_s for one in known))
    near = [one for one in known if 1 / NEAR <= one.in_flight / wanted <= NEAR]
    source = f"from {many(len(near), 'earlier run')} {where}"
    if not near:
        near = [min(known, key=lambda one: max(one.in_flight / wanted, wanted / one.in_flight))]
        source = f"from {many(1, 'earlier run')} {where}, which had {near[0].in_flight:,} in flight"
        shared = near[0].tokens_per_s * near[0].in_flight / wanted
        near.append(EarlierRun(shared, wanted))
    rates = [one.tokens_per_s for one in near]
    return Pace(min(rates), median(rates), max(rates), source)


def in_flight(config: RunConfig, tokens_per_s: float) -> int:
    """Return how many requests of a run will be in flight at most, about: of an open loop as many
    as are sent while one is answered at `tokens_per_s`."""
    most = min(schedule(config).in_flight or config.requests, config.requests)
    if MODES[config.mode].loop == "open" and config.interval_s > 0:
        most = min(most, ceil(config.max_tokens / tokens_per_s / config.interval_s))
    return max(1, most)


def _assumed(config: RunConfig) -> Pace | None:
    if config.backend != "embedded":
        return None
    at_once = in_flight(config, FAST)
    slow, fast = SLOW / at_once, min(FAST, TOGETHER / at_once)
    source = (
        f"assuming {SLOW:g} to {min(FAST * at_once, TOGETHER):g} tokens/s in total, as the "
        "embedded model has not been measured here yet"
    )
    return Pace(slow, (slow * fast) ** 0.5, fast, source)

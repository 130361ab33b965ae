"""An estimate of a server's speed, from earlier runs or otherwise from an assumption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from services.ask import lengths, modes
from services.ask.config import RunConfig
from services.base.units import many

NEAR = 2.0  # runs whose number in flight differs by at most this factor are used unscaled
# The embedded model, until it has been measured: tokens/s of one request on two busy and two idle
# cores, and the maximum of all requests together.
SLOW, FAST, TOGETHER = 12.0, 100.0, 300.0


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier run on the same server: the median end-to-end tokens/s of its requests, and the
    most requests in flight."""

    tokens_per_s: float
    in_flight: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens/s of one request, and the source of the estimate: "from 3 earlier runs on this
    server"."""

    slow: float
    usual: float
    fast: float
    source: str


def pace(
    config: RunConfig, earlier: Sequence[EarlierRun], where: str = "on this server"
) -> Pace | None:
    """Return the expected pace of a run's requests, based on the `earlier` runs on its server; None
    if it is unknown.

    Runs with a similar number of requests in flight are used unscaled; if there are none, the
    closest run is. It had k requests in flight and this run has c, so that a request is between
    1 and k/c times as fast: requests do not slow each other down, or they share a fixed rate.
    """
    usable = [run for run in earlier if run.tokens_per_s > 0]
    if not usable:
        return _assumed(config)
    concurrency = in_flight(config, median(run.tokens_per_s for run in usable))
    near = [run for run in usable if 1 / NEAR <= run.in_flight / concurrency <= NEAR]
    source = f"from {many(len(near), 'earlier run')} {where}"
    if not near:
        near = [
            min(
                usable,
                key=lambda run: max(run.in_flight / concurrency, concurrency / run.in_flight),
            )
        ]
        source = f"from {many(1, 'earlier run')} {where}, with {near[0].in_flight:,} in flight"
        shared = near[0].tokens_per_s * near[0].in_flight / concurrency
        near.append(EarlierRun(shared, concurrency))
    rates = [run.tokens_per_s for run in near]
    return Pace(min(rates), median(rates), max(rates), source)


def in_flight(config: RunConfig, tokens_per_s: float) -> int:
    """Return about how many requests of a run will be in flight at most. In an open loop, it is the
    number sent while one is answered at `tokens_per_s`."""
    most = modes.at_once(config)
    if rate := modes.peak_rate(config):
        most = min(most, ceil(lengths.of_answers(config).mean / tokens_per_s * rate))
    return max(1, most)


def _assumed(config: RunConfig) -> Pace | None:
    if config.backend != "embedded":
        return None
    at_once = in_flight(config, FAST)
    slow, fast = SLOW / at_once, min(FAST, TOGETHER / at_once)
    source = (  # the same for every load, so that the plan of a comparison says it once
        f"assuming {SLOW:g} to {FAST:g} tokens/s for one request at a time and at most "
        f"{TOGETHER:g} for several, because the embedded model has not been measured here yet"
    )
    return Pace(slow, (slow * fast) ** 0.5, fast, source)

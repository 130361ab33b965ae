"""Modes: when requests are sent.

Closed loop: an answer makes room for the next request, so a slow server gets fewer requests. Open
loop: requests are sent on schedule, regardless of earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from math import ceil
from typing import Literal

from services.ask.about import fields, read_by
from services.ask.config import MOST, MOST_IN_FLIGHT, RunConfig
from services.ask.modes import sentences
from services.ask.modes.arrivals import Rate, Spacing, arrivals, even, gamma, poisson
from services.ask.modes.schedule import Schedule as Schedule
from services.ask.modes.schedule import picture as picture
from services.base.units import many


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """A mode. `schedule` is that of one repeat. `describe` returns how requests follow each other,
    for sentences; `wait_field` is the field with the client's own wait between requests in seconds,
    or "". `rate`: of an open loop, over time. `limit`: of requests in flight."""

    name: str
    label: str
    help: str
    schedule: Callable[[RunConfig, int], Schedule]
    loop: Literal["closed", "open"]
    describe: Callable[[RunConfig], str]
    wait_field: str = ""
    rate: Callable[[RunConfig], Rate | None] = lambda config: None
    limit: Callable[[RunConfig], int | None] = lambda config: config.concurrency

    @property
    def parameters(self) -> tuple[str, ...]:
        """The fields of RunConfig that only it reads."""
        return read_by(RunConfig, self.name)


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
    return f"Throughput and queries/s include the client's own waiting ({wait})." if wait else ""


def sort_metrics(names: Iterable[str], *configs: RunConfig) -> list[str]:
    """Return names of metrics in display order: if the client itself waits in one of the runs,
    metrics per second of wall time come last."""
    waits = any(map(client_wait, configs))
    return sorted(names, key=lambda name: waits and name in WALL_CLOCK)


def size_of(config: RunConfig) -> int | None:
    """Return the most requests that are asked to be in flight; None in an open loop."""
    return None if MODES[config.mode].loop == "open" else at_once(config)


def at_once(config: RunConfig) -> int:
    """Return how many requests may be in flight at most. In an open loop nobody knows: there may be
    as many as are due, of which more than MOST_IN_FLIGHT are not prepared for."""
    limit = in_flight_limit(config)
    if MODES[config.mode].loop == "closed":
        return min(limit or most(config), most(config))
    due = ceil(expected(config) or most(config))
    return min(limit or due, due, MOST_IN_FLIGHT)


def in_flight_limit(config: RunConfig) -> int | None:
    """Return the limit on requests in flight, or None."""
    return MODES[config.mode].limit(config)


def count(config: RunConfig) -> int | None:
    """Return the number of requests in each repeat; None if it ends by time."""
    return config.requests if config.duration_s is None else None


def most(config: RunConfig) -> int:
    """Return the most requests that a repeat may have."""
    return count(config) or MOST


def expected(config: RunConfig) -> float | None:
    """Return about how many requests a repeat has; None if that depends on the answers."""
    if config.duration_s is None:
        return config.requests
    rate = MODES[config.mode].rate(config)
    return max(1.0, rate.mean * config.duration_s) if rate else None


def amount(config: RunConfig) -> str:
    """Return how much one repeat sends: "64 requests", or "60 s"."""
    if config.duration_s is None:
        return many(config.requests, "request")
    return f"{config.duration_s:g} s"


def load(config: RunConfig) -> tuple[object, ...]:
    """Return what the schedule depends on: equal for configs that send alike."""
    known = fields(RunConfig).items()
    names = (n for n, k in known if k.section == "mode" and k.role == "work" and n != "concurrency")
    read = (n for n in names if fields(RunConfig)[n].is_read(config.mode))
    return (at_once(config), config.load_warmup_s, *(getattr(config, name) for name in read))


def peak_rate(config: RunConfig) -> float | None:
    """Return the highest rate in an open loop, in requests per second; None: all at once, or a
    closed loop."""
    rate = MODES[config.mode].rate(config)
    return max(rate.first, rate.last) if rate else None


def schedule(config: RunConfig, repeat: int = 0) -> Schedule:
    """Return when each request of one repeat is due. Random arrivals differ between repeats, and
    are the same for all runs with these settings and this seed."""
    return MODES[config.mode].schedule(config, repeat)


def _sequential(config: RunConfig, repeat: int) -> Schedule:
    return _users(config, repeat, 1, config.pause_s)


def _concurrent_users(config: RunConfig, repeat: int) -> Schedule:
    users = config.users
    groups = min(config.ramp_up_steps or users, users)
    joins = tuple(config.ramp_up_s * (user * groups // users) / groups for user in range(users))
    return _users(
        config,
        repeat,
        users,
        config.think_s,
        random_pause=config.random_think,
        joins_s=joins if config.ramp_up_s else (),
    )


def _users(
    config: RunConfig,
    repeat: int,
    users: int,
    pause_s: float,
    random_pause: bool = False,
    joins_s: tuple[float, ...] = (),
) -> Schedule:
    return Schedule(
        (0.0,) * most(config),
        in_flight=users,
        pause_s=pause_s,
        random_pause=random_pause,
        joins_s=joins_s,
        lead_s=config.load_warmup_s,
        end_s=config.duration_s,
        seed=f"{config.seed or 0}/{repeat}" if random_pause else "",
    )


def _batch(config: RunConfig, repeat: int) -> Schedule:
    """As many users without a pause, where their number is limited and it ends by time."""
    if config.concurrency is not None and (config.duration_s or config.load_warmup_s):
        return _users(config, repeat, config.concurrency, 0.0)
    return Schedule((0.0,) * most(config), in_flight=config.concurrency)


def _open(spacing: Callable[[RunConfig], Spacing]) -> Callable[[RunConfig, int], Schedule]:
    def schedule(config: RunConfig, repeat: int) -> Schedule:
        rate = MODES[config.mode].rate(config)
        assert rate is not None
        seed = f"{config.seed or 0}/{repeat}"
        due = arrivals(spacing(config), rate, config.load_warmup_s, seed)
        warm, main = _parted(due)
        return Schedule(
            tuple(_within(config, main)),
            config.concurrency,
            lead_s=config.load_warmup_s,
            warm_s=warm,
            end_s=config.duration_s,
        )

    return schedule


def _parted(due: Iterator[float]) -> tuple[tuple[float, ...], Iterator[float]]:
    """Return the times before the start, and the others."""
    warm: list[float] = []
    for at in due:
        if at >= 0:
            return tuple(warm), chain([at], due)
        warm.append(at)
    return tuple(warm), due


def _within(config: RunConfig, due: Iterator[float]) -> Iterator[float]:
    """As many as there should be, or as come in time."""
    if config.duration_s is None:
        return islice(due, config.requests)
    end_s = config.duration_s
    return islice(takewhile(lambda at: at < end_s, due), MOST)


def _spacing(config: RunConfig) -> Spacing:
    return poisson if config.random_arrivals else even


def _constant(config: RunConfig) -> Rate:
    return Rate(config.rate, config.rate, 1.0)


def _by_interval(config: RunConfig) -> Rate | None:
    if not config.interval_s:
        return None
    rate = 1 / config.interval_s
    return Rate(rate, rate, 1.0)


def _changing(config: RunConfig) -> Rate:
    mean = (config.rate + config.end_rate) / 2
    seconds = config.duration_s or config.requests / mean
    steps = config.rate_steps if config.mode == "steps" else 0
    return Rate(config.rate, config.end_rate, seconds, steps)


def _staggered(config: RunConfig, repeat: int) -> Schedule:
    """Request i at exactly i × interval, which may be 0."""
    if config.interval_s == 0:
        return Schedule((0.0,) * config.requests)
    first = -int(config.load_warmup_s / config.interval_s)
    warm, main = _parted(index * config.interval_s for index in range(first, most(config)))
    due = tuple(_within(config, main))
    return Schedule(due, lead_s=config.load_warmup_s, warm_s=warm, end_s=config.duration_s)


_ENTRIES = (
    ModeSpec(
        name="sequential",
        label="Sequential",
        help="One request at a time, then a pause: what a single user gets from an idle server.",
        schedule=_sequential,
        loop="closed",
        describe=sentences.sequential,
        wait_field="pause_s",
        limit=lambda config: 1,
    ),
    ModeSpec(
        name="staggered",
        label="Staggered concurrent",
        help="One request per interval, whether or not earlier ones have been answered.",
        schedule=_staggered,
        loop="open",
        describe=sentences.staggered,
        wait_field="interval_s",
        rate=_by_interval,
        limit=lambda config: None,
    ),
    ModeSpec(
        name="batch",
        label="Large batch",
        help="All requests at once, with an optional limit on how many are in flight.",
        schedule=_batch,
        loop="closed",
        describe=sentences.batch,
    ),
    ModeSpec(
        name="users",
        label="Concurrent users",
        help="Each user asks, waits for the answer, thinks, and asks again.",
        schedule=_concurrent_users,
        loop="closed",
        describe=sentences.users,
        wait_field="think_s",
        limit=lambda config: config.users,
    ),
    ModeSpec(
        name="constant",
        label="Constant rate",
        help="So many requests per second, evenly spaced, whether or not earlier ones have been "
        "answered.",
        schedule=_open(lambda config: even),
        loop="open",
        describe=sentences.rate("evenly spaced"),
        rate=_constant,
    ),
    ModeSpec(
        name="poisson",
        label="Poisson",
        help="So many requests per second on average, at random moments: users who know nothing of "
        "each other.",
        schedule=_open(lambda config: poisson),
        loop="open",
        describe=sentences.rate("at random moments"),
        rate=_constant,
    ),
    ModeSpec(
        name="gamma",
        label="Gamma",
        help="Like Poisson, but in bursts (burstiness below 1) or more even (above 1).",
        schedule=_open(lambda config: gamma(config.burstiness)),
        loop="open",
        describe=sentences.gamma,
        rate=_constant,
    ),
    ModeSpec(
        name="ramp",
        label="Ramp",
        help="A rate that rises or falls in a line: from when on does latency grow?",
        schedule=_open(_spacing),
        loop="open",
        describe=sentences.changing,
        rate=_changing,
    ),
    ModeSpec(
        name="steps",
        label="Steps",
        help="A rate that changes in equally long steps, one level after another.",
        schedule=_open(_spacing),
        loop="open",
        describe=sentences.changing,
        rate=_changing,
    ),
)

WAITS = {"pause_s": "a pause", "interval_s": "an interval", "think_s": "a think time"}
# Metrics in `summary_row` that are per second of wall time.
WALL_CLOCK = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s", "goodput_per_s")
MODES: dict[str, ModeSpec] = {entry.name: entry for entry in _ENTRIES}

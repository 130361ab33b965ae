"""The schedule of an open loop: arrivals at a rate, until there are enough or the time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice, takewhile

from services.ask.config import MOST, RunConfig
from services.ask.modes.arrivals import Rate, Spacing, arrivals
from services.ask.modes.schedule import Schedule


def open_loop(
    spacing: Callable[[RunConfig], Spacing], rate: Callable[[RunConfig], Rate]
) -> Callable[[RunConfig, int], Schedule]:
    """Return a function that makes the schedules of a mode with this spacing and rate."""

    def schedule(config: RunConfig, repeat: int) -> Schedule:
        other = f"/{config.arrival_seed}" if config.arrival_seed else ""
        seed = f"{config.seed or 0}/{repeat}{other}"
        due = arrivals(spacing(config), rate(config), config.load_warmup_s, seed)
        warm, counted = before_and_after_start(due)
        return Schedule(
            tuple(within(config, counted)),
            config.concurrency,
            lead_s=config.load_warmup_s,
            warm_s=warm,
            end_s=config.duration_s,
        )

    return schedule


def before_and_after_start(due: Iterator[float]) -> tuple[tuple[float, ...], Iterator[float]]:
    """Split times into those before the start, which are negative, and the others."""
    warm: list[float] = []
    for at in due:
        if at >= 0:
            return tuple(warm), chain([at], due)
        warm.append(at)
    return tuple(warm), due


def within(config: RunConfig, due: Iterator[float]) -> Iterator[float]:
    """Return the times of a fixed number of requests, or of all before the end of the duration."""
    if config.duration_s is None:
        return islice(due, config.requests)
    end_s = config.duration_s
    return islice(takewhile(lambda at: at < end_s, due), MOST)


def capped(config: RunConfig) -> str:
    """Return the limit on requests in flight as the end of a sentence, or ""."""
    return f", at most {config.concurrency:,} in flight" if config.concurrency else ""

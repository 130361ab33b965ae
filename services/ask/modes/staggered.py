"""Staggered: one request per interval, at exact multiples of it."""

from __future__ import annotations

from services.ask.config import RunConfig
from services.ask.modes.arrivals import Rate
from services.ask.modes.open_loop import before_and_after_start, within
from services.ask.modes.schedule import Schedule
from services.ask.modes.spec import ModeSpec, max_requests


def _schedule(config: RunConfig, repeat: int) -> Schedule:
    """Request i is due at exactly i × interval, which may be 0."""
    if config.interval_s == 0:
        return Schedule((0.0,) * config.requests)
    first = -int(config.load_warmup_s / config.interval_s)
    due = (index * config.interval_s for index in range(first, max_requests(config)))
    warm, counted = before_and_after_start(due)
    return Schedule(
        tuple(within(config, counted)),
        lead_s=config.load_warmup_s,
        warm_s=warm,
        end_s=config.duration_s,
    )


def _rate(config: RunConfig) -> Rate | None:
    if not config.interval_s:
        return None
    rate = 1 / config.interval_s
    return Rate(rate, rate, 1.0)


def _describe(config: RunConfig) -> str:
    return f"one every {config.interval_s:g} s, whether or not earlier ones have been answered"


STAGGERED = ModeSpec(
    name="staggered",
    label="Staggered concurrent",
    help="One request per interval, whether or not earlier ones have been answered.",
    schedule=_schedule,
    loop="open",
    describe=_describe,
    wait_field="interval_s",
    rate=_rate,
    limit=lambda config: None,
    exact=True,
)

"""Trace replay: requests are sent at the times recorded in a trace."""

from __future__ import annotations

from bisect import bisect_left

from services.ask.config import RunConfig
from services.ask.modes.arrivals import Rate
from services.ask.modes.open_loop import capped
from services.ask.modes.schedule import Schedule
from services.ask.modes.spec import ModeSpec


def _schedule(config: RunConfig, repeat: int) -> Schedule:
    """The rows before the replayed part are the warm-up at load."""
    before_s = config.trace_from_s - config.load_warmup_s * config.trace_speed
    warm = config.rows_between(before_s, config.trace_from_s)
    return Schedule(
        tuple(_due_s(config, row) for row in config.replayed[: config.requests]),
        config.concurrency,
        lead_s=config.load_warmup_s,
        warm_s=tuple(_due_s(config, row) for row in warm),
    )


def _due_s(config: RunConfig, row: int) -> float:
    return (config.trace[row].at_s - config.trace_from_s) / config.trace_speed


def _rate(config: RunConfig) -> Rate:
    """A rate that goes from the mean to that of the busiest second."""
    due = [_due_s(config, row) for row in config.replayed]
    busiest = max(bisect_left(due, at + 1) - index for index, at in enumerate(due))
    mean = len(due) / due[-1] if due[-1] else busiest
    return Rate(min(mean, busiest), busiest, 1.0)


def _describe(config: RunConfig) -> str:
    speed = config.trace_speed
    how = "" if speed == 1 else f", {speed:g}× as fast" if speed > 1 else f", slowed to {speed:g}×"
    return f"at the times of the trace{how}{capped(config)}"


REPLAY = ModeSpec(
    name="replay",
    label="Trace replay",
    help="Requests are sent at the times recorded in a trace, as in production.",
    schedule=_schedule,
    loop="open",
    describe=_describe,
    rate=_rate,
    exact=True,
)

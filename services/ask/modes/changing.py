"""Modes with a rate that changes: linearly, or in steps."""

from __future__ import annotations

from services.ask.config import RunConfig
from services.ask.modes.arrivals import Rate, Spacing, even, poisson
from services.ask.modes.open_loop import capped, open_loop
from services.ask.modes.spec import ModeSpec
from services.base.units import many


def _spacing(config: RunConfig) -> Spacing:
    return poisson if config.random_arrivals else even


def _line(config: RunConfig) -> Rate:
    return Rate(config.rate, config.end_rate, _seconds(config))


def _steps(config: RunConfig) -> Rate:
    return Rate(config.rate, config.end_rate, _seconds(config), config.rate_steps)


def _seconds(config: RunConfig) -> float:
    return config.duration_s or config.requests / ((config.rate + config.end_rate) / 2)


def _from_to(config: RunConfig) -> str:
    return f"from {config.rate:g} to {config.end_rate:g} per second"


RAMP = ModeSpec(
    name="ramp",
    label="Ramp",
    help="A rate that rises or falls linearly: at which rate does latency start to grow?",
    schedule=open_loop(_spacing, _line),
    loop="open",
    describe=lambda config: f"{_from_to(config)}{capped(config)}",
    rate=_line,
)
STEPS = ModeSpec(
    name="steps",
    label="Steps",
    help="A rate that changes in equally long steps, one level after another.",
    schedule=open_loop(_spacing, _steps),
    loop="open",
    describe=lambda config: (
        f"{_from_to(config)} in {many(config.rate_steps, 'step')}{capped(config)}"
    ),
    rate=_steps,
)

"""Modes with one rate throughout: evenly spaced, at random moments, in bursts."""

from __future__ import annotations

from collections.abc import Callable

from services.ask.config import RunConfig
from services.ask.modes.arrivals import Rate, even, gamma, poisson
from services.ask.modes.open_loop import capped, open_loop
from services.ask.modes.spec import ModeSpec


def _rate(config: RunConfig) -> Rate:
    return Rate(config.rate, config.rate, 1.0)


def _describe_rate(how: str) -> Callable[[RunConfig], str]:
    def describe(config: RunConfig) -> str:
        return f"{config.rate:g} per second, {how}{capped(config)}"

    return describe


def _describe_gamma(config: RunConfig) -> str:
    kind = "in bursts" if config.burstiness < 1 else "at random moments"
    return f"{config.rate:g} per second, {kind} (burstiness {config.burstiness:g}){capped(config)}"


CONSTANT = ModeSpec(
    name="constant",
    label="Constant rate",
    help="A fixed number of requests per second, evenly spaced, whether or not earlier ones have "
    "been answered.",
    schedule=open_loop(lambda config: even, _rate),
    loop="open",
    describe=_describe_rate("evenly spaced"),
    rate=_rate,
    exact=True,
)
POISSON = ModeSpec(
    name="poisson",
    label="Poisson",
    help="A fixed average number of requests per second, at random times: independent users.",
    schedule=open_loop(lambda config: poisson, _rate),
    loop="open",
    describe=_describe_rate("at random moments"),
    rate=_rate,
)
GAMMA = ModeSpec(
    name="gamma",
    label="Gamma",
    help="Like Poisson, but burstier (burstiness below 1) or more even (above 1).",
    schedule=open_loop(lambda config: gamma(config.burstiness), _rate),
    loop="open",
    describe=_describe_gamma,
    rate=_rate,
)

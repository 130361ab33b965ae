"""How requests follow each other in each mode, in the words of a plan: "Sends 5 requests, …"."""

from __future__ import annotations

from collections.abc import Callable

from services.ask.config import RunConfig
from services.base.units import many


def sequential(config: RunConfig) -> str:
    pause = f"with a pause of {config.pause_s:g} s" if config.pause_s else "without a pause"
    return f"one at a time, {pause}"


def staggered(config: RunConfig) -> str:
    return f"one every {config.interval_s:g} s, whether or not earlier ones have been answered"


def batch(config: RunConfig) -> str:
    by_count = config.duration_s is None
    if config.concurrency is None or (by_count and config.concurrency >= config.requests):
        return "all at once"
    return f"at most {config.concurrency:,} in flight"


def users(config: RunConfig) -> str:
    think = f"{config.think_s:g} s" + (" on average" if config.random_think else "")
    pause = f"{think} after each answer" if config.think_s else "as soon as it is answered"
    joining = f", who join over {config.ramp_up_s:g} s" if config.ramp_up_s else ""
    return f"by {many(config.users, 'user')}{joining}: each asks again {pause}"


def rate(how: str) -> Callable[[RunConfig], str]:
    def describe(config: RunConfig) -> str:
        return f"{config.rate:g} per second, {how}{capped(config)}"

    return describe


def gamma(config: RunConfig) -> str:
    kind = "in bursts" if config.burstiness < 1 else "at random moments"
    return f"{config.rate:g} per second, {kind} (burstiness {config.burstiness:g}){capped(config)}"


def changing(config: RunConfig) -> str:
    steps = f" in {many(config.rate_steps, 'step')}" if config.mode == "steps" else ""
    return f"from {config.rate:g} to {config.end_rate:g} per second{steps}{capped(config)}"


def capped(config: RunConfig) -> str:
    return f", at most {config.concurrency:,} in flight" if config.concurrency else ""

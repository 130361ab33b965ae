"""Sequential: one user who pauses after each answer."""

from __future__ import annotations

from services.ask.config import RunConfig
from services.ask.modes.schedule import Schedule
from services.ask.modes.spec import ModeSpec
from services.ask.modes.users import of_users


def _schedule(config: RunConfig, repeat: int) -> Schedule:
    return of_users(config, repeat, 1, config.pause_s)


def _describe(config: RunConfig) -> str:
    pause = f"with a pause of {config.pause_s:g} s" if config.pause_s else "without a pause"
    return f"one at a time, {pause}"


SEQUENTIAL = ModeSpec(
    name="sequential",
    label="Sequential",
    help="One request at a time, then a pause: what a single user gets from an idle server.",
    schedule=_schedule,
    loop="closed",
    describe=_describe,
    wait_field="pause_s",
    limit=lambda config: 1,
)

"""Concurrent users: each sends a request, waits for the answer, thinks, and sends the next one."""

from __future__ import annotations

from math import inf

from services.ask.config import RunConfig
from services.ask.modes.schedule import Schedule
from services.ask.modes.spec import ModeSpec, max_requests
from services.base.units import many


def of_users(
    config: RunConfig,
    repeat: int,
    users: int,
    pause_s: float,
    random_pause: bool = False,
    joins_s: tuple[float, ...] = (),
) -> Schedule:
    """Return the schedule of `count` users; see `Schedule`."""
    return Schedule(
        (0.0,) * max_requests(config),
        in_flight=users,
        pause_s=pause_s,
        random_pause=random_pause,
        joins_s=joins_s,
        lead_s=config.load_warmup_s,
        end_s=config.duration_s,
        seed=f"{config.seed or 0}/{repeat}" if random_pause else "",
    )


def users_sending(config: RunConfig) -> int:
    """Return how many users can send a request before the requests or the time run out."""
    last_s = inf if config.duration_s is None else config.load_warmup_s + config.duration_s
    return min(sum(join < last_s for join in _joins_s(config)), max_requests(config))


def _joins_s(config: RunConfig) -> tuple[float, ...]:
    users = config.users
    groups = min(config.ramp_up_steps or users, users)
    return tuple(config.ramp_up_s * (user * groups // users) / groups for user in range(users))


def _schedule(config: RunConfig, repeat: int) -> Schedule:
    return of_users(
        config,
        repeat,
        config.users,
        config.think_s,
        random_pause=config.random_think,
        joins_s=_joins_s(config) if config.ramp_up_s else (),
    )


def _describe(config: RunConfig) -> str:
    think = f"{config.think_s:g} s" + (" on average" if config.random_think else "")
    pause = (
        f"{think} after each answer"
        if config.think_s
        else "as soon as the previous one is answered"
    )
    joining = f", who join over {config.ramp_up_s:g} s" if config.ramp_up_s else ""
    return f"by {many(config.users, 'user')}{joining}: each sends the next request {pause}"


USERS = ModeSpec(
    name="users",
    label="Concurrent users",
    help="Each user sends a request, waits for the answer, thinks, and sends the next one.",
    schedule=_schedule,
    loop="closed",
    describe=_describe,
    wait_field="think_s",
    limit=lambda config: config.users,
)

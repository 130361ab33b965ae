"""Large batch: everything at once, or as much as a limit lets through."""

from __future__ import annotations

from services.ask.config import RunConfig
from services.ask.modes.schedule import Schedule
from services.ask.modes.spec import ModeSpec, max_requests
from services.ask.modes.users import of_users


def _schedule(config: RunConfig, repeat: int) -> Schedule:
    """A batch with a limit on concurrency and a duration is scheduled as that many users without
    pauses."""
    if config.concurrency is not None and (config.duration_s or config.load_warmup_s):
        return of_users(config, repeat, config.concurrency, 0.0)
    return Schedule((0.0,) * max_requests(config), in_flight=config.concurrency)


def all_at_once(config: RunConfig) -> bool:
    """Return whether this is a batch that nothing holds back."""
    if config.concurrency is None:
        return config.mode == "batch"
    enough = config.duration_s is None and config.concurrency >= config.requests
    return config.mode == "batch" and enough


def _describe(config: RunConfig) -> str:
    return "all at once" if all_at_once(config) else f"at most {config.concurrency:,} in flight"


BATCH = ModeSpec(
    name="batch",
    label="Large batch",
    help="All requests at once, with an optional limit on how many are in flight.",
    schedule=_schedule,
    loop="closed",
    describe=_describe,
)

"""Modes: when requests are sent. A schedule is data, so that tests need no clock.

Closed loop: an answer makes room for the next request, so a slow server gets fewer requests. Open
loop: requests are sent on schedule, regardless of earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from services.ask.about import read_by
from services.ask.config import RunConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """Request `i` is sent no earlier than `due_s[i]` seconds after the start, with at most
    `in_flight` unfinished (None: any number), and not before `pause_s` seconds after the answer
    before it (None: answers do not matter)."""

    due_s: tuple[float, ...]
    in_flight: int | None = None
    pause_s: float | None = None


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """A mode. `describe` returns how requests follow each other, for sentences; `wait_field` is the
    field with the client's own wait between requests in seconds, or ""."""

    name: str
    label: str
    help: str
    schedule: Callable[[RunConfig], Schedule]
    loop: Literal["closed", "open"]
    describe: Callable[[RunConfig], str]
    wait_field: str = ""

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
    if config.mode == "sequential":
        return 1
    if MODES[config.mode].loop == "open":
        return None
    return min(config.concurrency or config.requests, config.requests)


def schedule(config: RunConfig) -> Schedule:
    """Return when each request of one repeat is due."""
    return MODES[config.mode].schedule(config)


def picture(schedule: Schedule, seconds_per_request: float) -> list[tuple[int, float, float]]:
    """Return (index, start, end) in seconds for each request, with the same time for every answer.

    An estimate for charts: a real server slows down under load.
    """
    bars: list[tuple[int, float, float]] = []
    for index, start in enumerate(schedule.due_s):
        if schedule.in_flight is not None and index >= schedule.in_flight:
            start = max(start, bars[index - schedule.in_flight][2])  # all take the same: first in
        if schedule.pause_s is not None and bars:
            start = max(start, bars[-1][2] + schedule.pause_s)
        bars.append((index, start, start + seconds_per_request))
    return bars


def _sequential(config: RunConfig) -> Schedule:
    return Schedule((0.0,) * config.requests, in_flight=1, pause_s=config.pause_s)


def _staggered(config: RunConfig) -> Schedule:
    return Schedule(tuple(index * config.interval_s for index in range(config.requests)))


def _batch(config: RunConfig) -> Schedule:
    return Schedule((0.0,) * config.requests, in_flight=config.concurrency)


def _describe_sequential(config: RunConfig) -> str:
    pause = f"with a pause of {config.pause_s:g} s" if config.pause_s else "without a pause"
    return f"one at a time, {pause}"


def _describe_staggered(config: RunConfig) -> str:
    return f"one every {config.interval_s:g} s, whether or not earlier ones have been answered"


def _describe_batch(config: RunConfig) -> str:
    if config.concurrency is None or config.concurrency >= config.requests:
        return "all at once"
    return f"at most {config.concurrency:,} in flight"


_ENTRIES = (
    ModeSpec(
        name="sequential",
        label="Sequential",
        help="One request at a time, then a pause: what a single user gets from an idle server.",
        schedule=_sequential,
        loop="closed",
        describe=_describe_sequential,
        wait_field="pause_s",
    ),
    ModeSpec(
        name="staggered",
        label="Staggered concurrent",
        help="One request per interval, whether or not earlier ones have been answered.",
        schedule=_staggered,
        loop="open",
        describe=_describe_staggered,
        wait_field="interval_s",
    ),
    ModeSpec(
        name="batch",
        label="Large batch",
        help="All requests at once, with an optional limit on how many are in flight.",
        schedule=_batch,
        loop="closed",
        describe=_describe_batch,
    ),
)

WAITS = {"pause_s": "a pause", "interval_s": "an interval"}
# Metrics in `summary_row` that are per second of wall time.
WALL_CLOCK = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s", "goodput_per_s")
MODES: dict[str, ModeSpec] = {entry.name: entry for entry in _ENTRIES}

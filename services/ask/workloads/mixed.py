"""Short and long requests together: does a short one wait for a long one?

Every n-th request is long. Which class a request is of follows from the config and its index alone,
so a stored run needs no column for it. A class is a synthetic workload of its own: `part` is its
requests, `alone` the run that sends only them, by which one sees what the others cost it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from services.ask.config import LONG_EVERY, LONG_TIMES, RunConfig
from services.ask.workloads.synthetic import Synthetic

SHORT, LONG = "short", "long"
CLASSES = (SHORT, LONG)


def every(config: RunConfig) -> int:
    """Return which of the requests are long: every second, third, …"""
    return config.long_every or LONG_EVERY


def class_of(config: RunConfig, index: int) -> str:
    """Return what request `index` of a mix is: `short` or `long`; the first is short."""
    return LONG if (index + 1) % every(config) == 0 else SHORT


def index_in_class(config: RunConfig, index: int) -> int:
    """Return a request's place among those of its class, from 0."""
    long_before = index // every(config)
    return long_before if class_of(config, index) == LONG else index - long_before


def part(config: RunConfig, name: str) -> RunConfig:
    """Return one class of a mix as a synthetic workload: its lengths and its number of requests."""
    long = config.requests // every(config)
    changes: dict[str, Any] = {
        "workload": "synthetic",
        "requests": long if name == LONG else config.requests - long,
        **dict.fromkeys(("long_input_tokens", "long_every", "long_max_tokens")),
    }
    if name == LONG:
        changes["input_tokens"] = config.long_input_tokens or LONG_TIMES * config.input_tokens
        changes["max_tokens"] = config.long_max_tokens or config.max_tokens
    return config.model_copy(update=changes)


def alone(config: RunConfig, name: str) -> RunConfig:
    """Return the run that sends one class of a mix by itself: the same prompts, as often, as if the
    other class had been left out.

    Staggered, a class comes at the mean interval that it has in the mix: that is when its requests
    are due there, but for short ones where fewer than every second is long, whose place a long one
    took now and then. Of a batch's cap a class has its share, rounded up.
    """
    one = part(config, name)
    share = one.requests / config.requests
    changes: dict[str, Any] = {"interval_s": config.interval_s * _apart(config, name)}
    if config.concurrency is not None:
        changes["concurrency"] = ceil(config.concurrency * share)
    return one.model_copy(update=changes)


def _apart(config: RunConfig, name: str) -> float:
    """How many requests of the mix there are for one of the class, in the long run."""
    return every(config) / (1 if name == LONG else every(config) - 1)


def warm_up_index(config: RunConfig, index: int) -> int:
    """Return which request of a mix warm-up request `index` is like: short and long in turn."""
    turn = index // len(CLASSES) % (config.requests // every(config))
    return turn * every(config) + (every(config) - 1 if index % len(CLASSES) else 0)


class Mixed(Sequence[str]):
    """The prompts of a mix: those of its two parts, in turn."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._parts = {name: Synthetic(part(config, name)) for name in CLASSES}

    def __len__(self) -> int:
        return self._config.requests

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self._parts[class_of(self._config, index)][index_in_class(self._config, index)]

"""Short and long requests together: do short ones wait for long ones? Every n-th request is long.

The class of a request depends only on the config and its index, so a stored run needs no column for
it. Each class is a synthetic workload: `part` returns its requests, `alone` a run that sends only
them, for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from services.ask import modes
from services.ask.config import LONG_EVERY, LONG_TIMES, RunConfig
from services.ask.workloads.synthetic import Synthetic

SHORT, LONG = "short", "long"
CLASSES = (SHORT, LONG)


def every(config: RunConfig) -> int:
    """Return n if every n-th request is long."""
    return config.long_every or LONG_EVERY


def class_of(config: RunConfig, index: int) -> str:
    """Return the class of request `index`: `short` or `long`; the first is short."""
    return LONG if (index + 1) % every(config) == 0 else SHORT


def index_in_class(config: RunConfig, index: int) -> int:
    """Return a request's index within its class, from 0."""
    long_before = index // every(config)
    return long_before if class_of(config, index) == LONG else index - long_before


def part(config: RunConfig, name: str) -> RunConfig:
    """Return one class of a mix as a synthetic workload: its lengths and its number of requests."""
    total = modes.max_requests(config)
    long = total // every(config)
    changes: dict[str, Any] = {
        "workload": "synthetic",
        "requests": long if name == LONG else total - long,
        "duration_s": None,  # otherwise its number would be unknown
        "input_distribution": "fixed",
        **dict.fromkeys(("long_input_tokens", "long_every", "long_max_tokens")),
    }
    if name == LONG:
        changes["input_tokens"] = config.long_input_tokens or LONG_TIMES * config.input_tokens
        changes["max_tokens"] = config.long_max_tokens or config.max_tokens
    return config.model_copy(update=changes)


def alone(config: RunConfig, name: str) -> RunConfig:
    """Return a run that sends one class of a mix by itself: the same prompts, equally often.

    In an open loop, requests are sent at the class's mean rate in the mix. In staggered mode, that
    is exactly when they are due in the mix, except for short requests if fewer than half are long.
    The maximum concurrency and the number of users are scaled by the class's share, rounded up.
    """
    config_of_class = part(config, name)
    spacing, share = _spacing(config, name), config_of_class.requests / modes.max_requests(config)
    changes: dict[str, Any] = {
        "duration_s": config.duration_s,
        "interval_s": config.interval_s * spacing,
        "rate": config.rate / spacing,
        "end_rate": config.end_rate / spacing,
        "users": ceil(config.users * share),
    }
    if config.duration_s is not None:
        changes["requests"] = config.requests
    if config.concurrency is not None:
        changes["concurrency"] = ceil(config.concurrency * share)
    return config_of_class.model_copy(update=changes)


def _spacing(config: RunConfig, name: str) -> float:
    """Return the number of requests in the mix per request of the class."""
    return every(config) / (1 if name == LONG else every(config) - 1)


def warm_up_index(config: RunConfig, index: int) -> int:
    """Return the index of the request whose prompt warm-up request `index` uses: short and long
    alternate."""
    turn = index // len(CLASSES) % (modes.max_requests(config) // every(config))
    return turn * every(config) + (every(config) - 1 if index % len(CLASSES) else 0)


class Mixed(Sequence[str]):
    """The prompts of a mix, interleaved from its two parts."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._parts = {name: Synthetic(part(config, name)) for name in CLASSES}

    def __len__(self) -> int:
        return modes.max_requests(self._config)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self._parts[class_of(self._config, index)][index_in_class(self._config, index)]

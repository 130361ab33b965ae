"""Following what searches for capacities to its end: a search of its own, or those of a study."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic, sleep
from typing import TypeVar

from tqdm import tqdm

import jobs
from db.database import opened
from jobs.follow import ENSURE_S
from jobs.retry import with_retries

POLL_S = 0.5

T = TypeVar("T")


def until_ended(
    load: Callable[[], T],
    cancel: Callable[[], object],
    is_active: Callable[[T], bool],
    probes: Callable[[T], int],
    stop: Event,
    hidden: bool,
) -> T:
    """Wait until what `load` returns is no longer active, and return it. `stop` cancels it;
    `hidden`: show no progress bar of its `probes`. Raises what `load` and `cancel` raise, and
    QueueProblem."""
    with tqdm(unit=" probes", disable=hidden, leave=False) as bar:
        ensured_at = float("-inf")
        while is_active(stored := with_retries(load, "The database cannot be read", bar.write)):
            bar.update(probes(stored) - bar.n)
            if stop.is_set():
                cancel()
            if monotonic() - ensured_at > ENSURE_S:
                ensured_at = monotonic()
                jobs.ensure(opened())
            sleep(POLL_S)
        bar.update(probes(stored) - bar.n)
    return stored

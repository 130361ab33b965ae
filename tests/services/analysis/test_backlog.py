"""Whether a running run sends faster than the server answers."""

from __future__ import annotations

import pytest

from services.analysis.diagnostics.backlog import so_far
from services.ask.config import RunConfig
from services.ask.measurement import Progress

RATE = RunConfig(backend="url", mode="constant", rate=10.0)


def run(
    seconds: int,
    latency_s: float = 1.0,
    at_most: float = 100.0,
    rate: float = 10.0,
    repeat: int = 0,
) -> list[Progress]:
    """A state each second: answers come `latency_s` after their request, at most so many a
    second."""
    states, done = [], 0.0
    for t in range(seconds):
        sent = rate * t
        done = min(done + at_most, max(0.0, sent - rate * latency_s))
        states.append(Progress(t, repeat, round(sent), round(sent - done), round(done), 0, 0))
    return states


def test_a_queue_that_grows_is_reported_with_its_rates() -> None:
    (found,) = so_far(RATE, run(40, at_most=4))
    assert found.title == "Requests arrive faster than they are answered"
    assert found.sentence.startswith("Lately 10.0 were sent and 4.00 answered per second, and 2")


@pytest.mark.parametrize(
    "progress",
    [
        [],
        run(5, at_most=4),
        run(40, at_most=4)[::39],  # two states tell nothing
        run(40),
        run(40, latency_s=30.0),  # rises only because the first answers are still to come
        run(40, latency_s=18.0),
        run(40, at_most=9.5),  # may settle
        run(40, at_most=0),  # nothing is answered: another diagnostic's case
        [*run(40, at_most=4), *run(5, at_most=4, repeat=1)],
    ],
)
def test_a_queue_that_may_settle_is_not_reported(progress: list[Progress]) -> None:
    assert so_far(RATE, progress) == []


def test_a_burst_that_a_server_keeps_up_with_is_not_reported() -> None:
    bursts = RATE.model_copy(update={"mode": "gamma", "burstiness": 0.1})
    seen = [(0, 0, 0), (3, 20, 2), (6, 60, 5), (9, 95, 8), (12, 155, 40)]  # s, sent, in flight
    states = [Progress(t, 0, sent, flying, sent - flying, 0, 0) for t, sent, flying in seen]
    assert so_far(bursts, states) == []


@pytest.mark.parametrize("mode", ["ramp", "users", "batch"])
def test_a_growing_queue_under_a_growing_load_is_not_reported(mode: str) -> None:
    config = RunConfig.model_construct(backend="url", mode=mode)
    assert so_far(config, run(40, at_most=4)) == []

"""A run whose latency grows is told from one that is steady."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapreplace
from typing import Any

import numpy as np
import pytest

from services.analysis.diagnostics.drift import drifting, trend
from services.analysis.slices import slices
from services.analysis.summary import summarize
from services.ask.measurement import Measurement
from tests.simulated import simulated
from tests.values import measured, run

Service = Callable[[np.random.Generator, int], np.ndarray]


def times(
    load: float, servers: int, count: int, chance: np.random.Generator, service: Service
) -> tuple[list[float], list[float]]:
    """When requests come, at random, to servers that take them in turn, and when each ends; `load`:
    their utilization."""
    arrivals = chance.exponential(1 / (load * servers), count).cumsum().tolist()
    free, ends = [0.0] * servers, []
    for at, takes in zip(arrivals, service(chance, count).tolist(), strict=True):
        ends.append(max(at, free[0]) + takes)
        heapreplace(free, ends[-1])
    return arrivals, ends


def queue(
    load: float, servers: int, count: int, chance: np.random.Generator, service: Service
) -> list[Measurement]:
    """The requests of such a queue."""
    taken = enumerate(zip(*times(load, servers, count, chance, service), strict=True))
    return [measured(i, send=at, ttft=0.5 * (end - at), e2e=end - at) for i, (at, end) in taken]


def exponential(chance: np.random.Generator, count: int) -> np.ndarray:
    return chance.exponential(1.0, count)


def alarm(rows: list[Measurement], **config: Any) -> str | None:
    of = run(**{"mode": "poisson", "rate": 1.0, **config})
    diagnostic = drifting(of, rows, summarize(rows))
    return diagnostic and diagnostic.title


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(("load", "most"), [(0.5, 0), (0.8, 4), (0.9, 17)])
def test_a_steady_queue_seldom_raises_an_alarm(load: float, most: int) -> None:
    """As docs/metrics.md says, of 1,000 runs."""
    chance = np.random.default_rng(11)
    answered, grown = measured(token_times=()), 0
    for _ in range(1_000):
        sent, ends = times(load, 1, 200, chance, exponential)
        rows = simulated(answered, t_due=sent, t_send=sent, t_last=ends, t_end=ends)
        cut = slices(rows, only_sending=True)
        growth = trend([each.e2e_s_median for each in cut if each.e2e_s_median is not None])
        grown += growth is not None and growth > 0
    assert grown <= most + 2 * most**0.5


@pytest.mark.slow
def test_an_overloaded_server_is_found() -> None:
    chance = np.random.default_rng(3)
    titles = {alarm(queue(1.2, 8, 3_000, chance, exponential)) for _ in range(10)}
    assert titles == {"Latency grew during the run"}
    rows = queue(1.5, 8, 3_000, chance, exponential)
    of = run(mode="poisson", rate=12.0)
    diagnostic = drifting(of, rows, summarize(rows))
    assert diagnostic is not None and diagnostic.level == "warning"
    assert "the rest queued up. Choose a lower rate." in diagnostic.sentence


def test_a_server_that_warms_up_is_a_note() -> None:
    rows = [measured(i, send=0.1 * i, ttft=0.1, e2e=3.0 - 0.005 * i) for i in range(400)]
    assert alarm(rows) == "Latency fell during the run"


@pytest.mark.parametrize("mode", ["ramp", "steps"])
def test_no_drift_is_reported_for_a_load_that_changes(mode: str) -> None:
    rows = [measured(i, send=0.1 * i, e2e=3.0 + 0.01 * i) for i in range(400)]
    assert alarm(rows) == "Latency grew during the run"
    assert alarm(rows, mode=mode, end_rate=9.0) is None


def test_requests_of_a_batch_that_wait_for_each_other_are_not_a_trend() -> None:
    rows = [measured(i, send=i / 1e3, ttft=0.5 + i / 50, e2e=1 + i / 50) for i in range(400)]
    assert alarm(rows, mode="batch", requests=400) is None
    assert alarm(rows, mode="batch", requests=400, concurrency=400) is None
    assert alarm(rows, mode="batch", requests=400, concurrency=8) == "Latency grew during the run"


def test_ramp_up_is_not_a_trend() -> None:
    joining = [measured(i, send=0.1 * i, e2e=1.0 + 0.01 * i) for i in range(400)]
    after = [measured(400 + i, send=40 + 0.1 * i, e2e=5.0 + 0.01 * (i % 3)) for i in range(400)]
    users = {"mode": "users", "users": 8, "requests": 800}
    assert alarm([*joining, *after[:60]], **users) == "Latency grew during the run"
    assert alarm([*joining, *after], ramp_up_s=40.0, **users) is None


def test_every_repeat_must_agree_and_have_enough_requests() -> None:
    growing = [measured(i, send=0.1 * i, e2e=3.0 + 0.01 * i) for i in range(400)]
    steady = [measured(i, repeat=1, send=0.1 * i, e2e=3.0 + i % 3) for i in range(400)]
    assert alarm([*growing, *steady]) is None
    assert alarm(growing[:199]) is None


def test_a_trend_matches_values_computed_by_hand() -> None:
    rising = [1.0 + 0.02 * i for i in range(20)]
    assert trend(rising) == pytest.approx(0.38 / 1.19)
    assert trend(rising[::-1]) == pytest.approx(-0.38 / 1.19)
    assert trend([1.0 + 0.005 * i for i in range(20)]) is None, "less than a fifth"
    assert trend([1.0, 2.0] * 10) is None
    assert trend(rising[:18]) is None, "too few slices"

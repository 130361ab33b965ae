"""How fast answers will come is taken from what the same server did with as many in flight."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.answer_times import FAST, SLOW, EarlierRun, in_flight, pace
from services.ask.config import RunConfig

BATCH = RunConfig(backend="vllm", mode="batch", requests=64, concurrency=32)


@pytest.mark.parametrize(
    ("config", "rate", "at_once"),
    [
        ({"requests": 9}, 10.0, 1),
        ({"mode": "batch", "requests": 9}, 10.0, 9),
        ({"mode": "batch", "requests": 9, "concurrency": 4}, 10.0, 4),
        ({"mode": "staggered", "requests": 9, "interval_s": 5}, 32.0, 1),  # 4 s an answer
        ({"mode": "staggered", "requests": 9, "interval_s": 1}, 32.0, 4),
        ({"mode": "staggered", "requests": 9, "interval_s": 0}, 32.0, 9),
    ],
)
def test_the_expected_concurrency_of_a_config(
    config: dict[str, Any], rate: float, at_once: int
) -> None:
    assert in_flight(RunConfig(**config), rate) == at_once


def test_runs_with_similar_concurrency_count_unscaled() -> None:
    estimate = pace(
        BATCH,
        [EarlierRun(20.0, 16), EarlierRun(30.0, 32), EarlierRun(25.0, 64), EarlierRun(90.0, 1)],
    )
    assert estimate and (estimate.slow, estimate.usual, estimate.fast) == (20.0, 25.0, 30.0)
    assert estimate.source == "from 3 earlier runs on this server"


def test_more_requests_in_flight_scale_the_slowest_estimate() -> None:
    found = pace(BATCH, [EarlierRun(64.0, 2), EarlierRun(80.0, 1)])
    assert found and (found.slow, found.fast) == (4.0, 64.0)
    assert found.source == "from 1 earlier run on this server, with 2 in flight"


def test_fewer_requests_in_flight_scale_the_fastest_estimate() -> None:
    found = pace(RunConfig(backend="vllm"), [EarlierRun(5.0, 8)])
    assert found and (found.slow, found.fast) == (5.0, 40.0)


def test_a_server_that_was_never_measured_is_not_known() -> None:
    assert pace(BATCH, []) is None
    assert pace(BATCH, [EarlierRun(0.0, 1)]) is None


def test_the_estimate_for_the_embedded_model_names_its_assumption() -> None:
    found = pace(RunConfig(), [])
    assert found and (found.slow, found.fast) == (SLOW, FAST)
    assert found.source == (
        "assuming 12 to 100 tokens/s for one request at a time and at most 300 for several, "
        "because the embedded model has not been measured here yet"
    )
    eight = pace(RunConfig(mode="batch", requests=8), [])
    assert eight and (eight.slow, eight.fast) == (SLOW / 8, 300 / 8)
    assert eight.source == found.source

"""Who sends what: the shares of a repeat make up the whole, whatever their number."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ask.config import RunConfig
from services.ask.modes import Schedule
from services.load.shards import Shard, shards

TIMES = st.lists(st.floats(0, 100), min_size=1, max_size=50)


@given(TIMES, st.one_of(st.none(), st.integers(1, 60)), st.integers(1, 8))
def test_shards_partition_a_schedule_and_its_cap(
    due: list[float], cap: int | None, of: int
) -> None:
    whole = Schedule(tuple(due), cap)
    parts = [Shard(index, of) for index in range(of)]
    indices = sorted(i for part in parts for i in part.indices(len(due)))
    assert indices == list(range(len(due)))
    for part in parts:
        assert [due[i] for i in part.indices(len(due))] == list(part.schedule(whole).due_s)
    caps = [part.schedule(whole).in_flight for part in parts]
    assert caps == [None] * of if cap is None else sum(filter(None, caps)) == cap


@pytest.mark.parametrize(
    ("values", "cores", "expected"),
    [
        ({"mode": "batch", "requests": 5000}, 2, 1),
        ({"mode": "batch", "requests": 5000}, 16, 4),
        ({"mode": "batch", "requests": 5000}, 4, 2),
        ({"mode": "batch", "requests": 64}, 64, 1),
        ({"mode": "batch", "requests": 5000, "concurrency": 64}, 64, 1),
        ({"mode": "batch", "requests": 5000, "client": "litellm"}, 16, 8),
        ({"mode": "batch", "requests": 10_000, "client": "litellm"}, 256, 64),
        ({"mode": "sequential", "requests": 5000}, 64, 1),
        ({"mode": "sequential", "requests": 50, "processes": 4}, 64, 1),
        ({"mode": "batch", "requests": 3, "processes": 4}, 1, 3),
        ({"mode": "batch", "requests": 64, "processes": 4}, 1, 4),
        ({"mode": "staggered", "requests": 4000}, 8, 3),
        ({"mode": "poisson", "rate": 400, "requests": 4000}, 8, 1),
        ({"mode": "ramp", "rate": 400, "end_rate": 1200, "duration_s": 60}, 8, 3),
        ({"mode": "users", "users": 3000, "duration_s": 60}, 8, 2),
    ],
)
def test_the_number_of_processes_follows_load_and_cores(
    values: dict[str, Any], cores: int, expected: int
) -> None:
    config = RunConfig(**values)
    assert len(shards(config, cores)) == expected

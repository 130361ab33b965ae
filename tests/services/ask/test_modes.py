"""Schedules are data: every mode is tested without a clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ask.config import Mode, RunConfig
from services.ask.config.traces import TraceRow
from services.ask.modes import MODES, Schedule, schedule, simulate, wait_note


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"mode": "sequential", "requests": 3}, Schedule((0.0, 0.0, 0.0), 1, 2.0)),
        ({"mode": "sequential", "requests": 2, "pause_s": 0}, Schedule((0.0, 0.0), 1, 0.0)),
        (
            {"mode": "staggered", "requests": 4},
            Schedule((0.0, 0.06125, 0.1225, 0.18375), None, None),
        ),
        ({"mode": "staggered", "requests": 2, "interval_s": 0}, Schedule((0.0, 0.0))),
        ({"mode": "batch", "requests": 3}, Schedule((0.0, 0.0, 0.0), None, None)),
        ({"mode": "batch", "requests": 3, "concurrency": 2}, Schedule((0.0, 0.0, 0.0), 2, None)),
    ],
)
def test_a_mode_schedules_each_request(config: dict[str, Any], expected: Schedule) -> None:
    assert schedule(RunConfig(**config)) == expected


def test_there_is_no_wait_note_without_throughput_or_a_pause() -> None:
    paused = RunConfig(mode="sequential")
    assert wait_note(paused, 1) == (
        "Throughput and requests/s include the client's own waiting (a pause of 2 s)."
    )
    assert wait_note(paused, 0) == wait_note(RunConfig(mode="batch"), 1) == ""


def test_a_large_batch_is_due_all_at_once() -> None:
    assert schedule(RunConfig(mode="batch", requests=5000)).due_s == (0.0,) * 5000


@pytest.mark.parametrize(
    ("planned", "bars"),
    [
        (Schedule((0.0,) * 3, 1, 2.0), [(0, 0.0, 1.0), (1, 3.0, 4.0), (2, 6.0, 7.0)]),
        (Schedule((0.0,) * 2, 1, 0.0), [(0, 0.0, 1.0), (1, 1.0, 2.0)]),
        (Schedule((0.0, 0.5, 1.0)), [(0, 0.0, 1.0), (1, 0.5, 1.5), (2, 1.0, 2.0)]),
        (
            Schedule((0.0,) * 5, 2),
            [(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 1.0, 2.0), (3, 1.0, 2.0), (4, 2.0, 3.0)],
        ),
        (Schedule(()), []),
    ],
)
def test_a_simulated_schedule_obeys_due_times_the_cap_and_the_pause(
    planned: Schedule, bars: list[tuple[int, float, float]]
) -> None:
    assert simulate(planned, 1.0) == bars


@given(
    mode=st.sampled_from(get_args(Mode)),
    requests=st.integers(1, 60),
    concurrency=st.none() | st.integers(1, 70),
    interval_s=st.floats(0, 5),
    pause_s=st.floats(0, 5),
    seconds=st.floats(0.001, 20),
)
def test_random_simulated_schedules_obey_their_limits(
    mode: str,
    requests: int,
    concurrency: int | None,
    interval_s: float,
    pause_s: float,
    seconds: float,
) -> None:
    config = RunConfig(
        mode=mode,  # type: ignore[arg-type]
        trace=tuple(TraceRow(at * interval_s, 10, 5) for at in range(requests)),
        requests=requests,
        concurrency=concurrency,
        interval_s=interval_s,
        pause_s=pause_s,
    )
    planned = schedule(config)
    bars = simulate(planned, seconds)
    assert [index for index, _, _ in bars] == list(range(requests))
    assert all(start >= due for (_, start, _), due in zip(bars, planned.due_s, strict=True))
    assert all(a[1] <= b[1] for a, b in pairwise(bars))
    if planned.in_flight is not None:
        for _, moment, _ in bars:
            assert sum(start <= moment < end for _, start, end in bars) <= planned.in_flight
    if planned.users == 1:
        gaps = [b[1] - a[2] for a, b in pairwise(bars)]
        assert all(gap >= pause_s - 1e-9 for gap in gaps)


def test_every_mode_of_a_config_is_in_the_table_and_names_real_fields() -> None:
    assert tuple(MODES) == get_args(Mode)
    for name, spec in MODES.items():
        assert spec.name == name
        assert set(spec.parameters) <= set(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"mode": "sequential"}, "one at a time, with a pause of 2 s"),
        ({"mode": "sequential", "pause_s": 0}, "one at a time, without a pause"),
        (
            {"mode": "staggered"},
            "one every 0.06125 s, whether or not earlier ones have been answered",
        ),
        ({"mode": "batch"}, "all at once"),
        ({"mode": "batch", "concurrency": 9}, "all at once"),
        ({"mode": "batch", "requests": 64, "concurrency": 8}, "at most 8 in flight"),
    ],
)
def test_a_mode_is_described_in_words(fields: dict[str, Any], text: str) -> None:
    config = RunConfig(**fields)
    assert MODES[config.mode].describe(config) == text

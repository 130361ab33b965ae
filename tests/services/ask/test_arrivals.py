"""Arrivals follow their law, and are the same for the same seed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from scipy import stats

from services.ask.config import RunConfig, parse
from services.ask.modes import MODES, at_once, expected, schedule, simulate, users_short
from services.ask.modes.arrivals import Rate
from services.ask.problems import InvalidConfig
from tests.values import TRACE

SEEDS = 20
LEVEL = 0.001  # of all tests of a law together, one in fifty runs of all seeds would fail by chance


def due(repeat: int = 0, **values: Any) -> list[float]:
    return list(schedule(RunConfig(**values), repeat).due_s)


def gaps(times: list[float]) -> list[float]:
    return [later - one for one, later in pairwise([0.0, *times])]


@pytest.mark.parametrize(
    ("values", "law"),
    [
        ({"mode": "poisson", "rate": 50}, stats.expon(scale=1 / 50)),
        ({"mode": "gamma", "rate": 8, "burstiness": 0.25}, stats.gamma(0.25, scale=1 / 2)),
        ({"mode": "gamma", "rate": 8, "burstiness": 4}, stats.gamma(4, scale=1 / 32)),
    ],
)
def test_gaps_have_the_requested_distribution(values: dict[str, Any], law: Any) -> None:
    for seed in range(SEEDS):
        times = due(seed=seed, requests=2000, **values)
        assert stats.kstest(gaps(times), law.cdf).pvalue > LEVEL / SEEDS


def test_arrivals_on_a_ramp_are_spread_as_the_rate_grows() -> None:
    """Of a Poisson process whose rate grows from a to b, the times are independent with density
    proportional to the rate."""
    config = {"mode": "ramp", "rate": 5, "end_rate": 45, "duration_s": 60, "random_arrivals": True}

    def share_before(t: Any) -> Any:
        return (5 * t + 40 * t**2 / 120) / (25 * 60)

    for seed in range(SEEDS):
        assert stats.kstest(due(seed=seed, **config), share_before).pvalue > LEVEL / SEEDS


def test_the_number_of_random_arrivals_is_itself_random() -> None:
    counts = [len(due(repeat, mode="poisson", rate=10, duration_s=40)) for repeat in range(200)]
    mean, variance = stats.describe(counts)[2:4]
    assert abs(mean - 400) < 4 * (400 / 200) ** 0.5
    assert 0.65 < variance / 400 < 1.45  # 99.9 % of a chi-squared with 199 degrees of freedom


def test_constant_arrivals_are_evenly_spaced() -> None:
    assert due(mode="constant", rate=4, requests=5) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert due(mode="constant", rate=4, duration_s=1) == [0.0, 0.25, 0.5, 0.75]


def test_a_rate_in_steps_has_as_many_requests_as_each_level_says() -> None:
    times = due(mode="steps", rate=10, end_rate=30, rate_steps=3, duration_s=30)
    assert [sum(10 * i <= t < 10 * i + 10 for t in times) for i in range(3)] == [100, 200, 300]


def test_a_ramp_ends_at_its_end_rate() -> None:
    times = due(mode="ramp", rate=1, end_rate=99, requests=5000)
    assert times[-1] == pytest.approx(100, rel=0.01)  # 5000 at 50 a second on average
    assert times[-1] - times[-2] == pytest.approx(1 / 99, rel=0.01)
    falling = due(mode="ramp", rate=99, end_rate=1, requests=5000)
    assert falling[1] == pytest.approx(1 / 99, rel=0.01)


@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize(("first", "last"), [(2.0, 2.0), (1.0, 9.0), (9.0, 1.0)])
def test_a_rate_stays_at_its_last_value(first: float, last: float, steps: int) -> None:
    rate = Rate(first, last, 10.0, steps)
    whole = rate.mean * 10
    assert rate.time(whole) == pytest.approx(10)
    assert rate.time(whole + 5) == pytest.approx(10 + 5 / last)
    times = [rate.time(whole * i / 100) for i in range(120)]
    assert times == sorted(times)


def test_a_seed_gives_the_same_arrivals_and_each_repeat_its_own() -> None:
    values = {"mode": "poisson", "requests": 50}
    assert due(seed=7, **values) == due(seed=7, **values) == due(seed=7, max_tokens=9, **values)
    assert due(seed=7, **values) != due(seed=8, **values)
    assert due(0, **values) != due(1, **values)
    assert due(seed=0, **values) == due(**values)


@pytest.mark.parametrize("mode", ["constant", "poisson", "gamma", "ramp", "steps", "staggered"])
def test_the_warm_up_load_has_the_rate_of_the_run(mode: str) -> None:
    config = RunConfig.model_validate(
        {"mode": mode, "rate": 50, "end_rate": 100, "interval_s": 0.02, "requests": 100}
        | {"load_warmup_s": 20}
    )
    whole = schedule(config)
    assert len(whole.due_s) == 100
    assert whole.due_s[0] >= 0
    assert all(-20 <= at < 0 for at in whole.warm_s)
    assert abs(len(whole.warm_s) - 1000) < 130  # four standard deviations of Poisson


@pytest.mark.parametrize("mode", list(MODES))
def test_shards_partition_a_schedule(mode: str) -> None:
    whole = schedule(
        RunConfig.model_validate({"mode": mode, "requests": 50, "users": 7, "trace": TRACE})
    )
    parts = [whole.shard(index, 3) for index in range(3)]
    assert sorted(at for part in parts for at in part.due_s) == sorted(whole.due_s)
    if whole.users > 1:
        assert sum(part.users for part in parts) == whole.users


def test_users_join_and_think_as_configured() -> None:
    config = RunConfig(mode="users", users=4, think_s=2, requests=100, ramp_up_s=8)
    assert schedule(config).joins_s == (0.0, 2.0, 4.0, 6.0)
    grouped = config.model_copy(update={"ramp_up_steps": 2})
    assert schedule(grouped).joins_s == (0.0, 0.0, 4.0, 4.0)
    bars = simulate(schedule(config), 1.0)
    assert [start for _, start, _ in bars[:6]] == [0.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("values", "sending"),
    [
        ({"users": 8, "requests": 5}, 5),
        ({"users": 8, "requests": 12, "turns": 3, "input_tokens": 9}, 4),  # four sessions
        ({"users": 8, "duration_s": 10, "ramp_up_s": 16}, 5),  # every 2 s, until 10 s
        ({"users": 8, "duration_s": 10, "ramp_up_s": 16, "load_warmup_s": 10}, 8),
        ({"users": 8, "requests": 8}, 8),
    ],
)
def test_users_that_never_send_are_noticed(values: dict[str, Any], sending: int) -> None:
    short = users_short(parse({"mode": "users", **values}))
    assert short == ("" if sending == 8 else f"Only {sending} of 8 users send a request")


def test_think_times_are_exponential_if_requested() -> None:
    config = RunConfig(mode="users", users=2, think_s=3, random_think=True, requests=4)
    first, second = (schedule(config).pauses(user) for user in (0, 1))
    drawn = [first.next() for _ in range(2000)]
    assert stats.kstest(drawn, stats.expon(scale=3).cdf).pvalue > LEVEL
    assert drawn[:3] != [second.next() for _ in range(3)]
    assert drawn[:3] == [p.next() for p in [schedule(config).pauses(0)] for _ in range(3)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"mode": "batch", "duration_s": 5}, "duration_s has no effect in a batch"),
        ({"mode": "batch", "load_warmup_s": 5}, "load_warmup_s has no effect in a batch"),
        (
            {"mode": "poisson", "duration_s": 5, "requests": 9},
            "requests cannot be combined with a duration",
        ),
        ({"mode": "staggered", "duration_s": 5, "interval_s": 0}, "interval_s must be more"),
        (
            {"mode": "ramp", "rate": 9, "end_rate": 9e4, "duration_s": 3600},
            "duration_s is too long: at that",
        ),
        (
            {"mode": "staggered", "interval_s": 1e-3, "duration_s": 3600},
            "duration_s is too long: at that",
        ),
        ({"mode": "constant", "rate": 1e5, "load_warmup_s": 3600}, "load_warmup_s is too long"),
        ({"mode": "staggered", "interval_s": 5e-324, "load_warmup_s": 1}, "load_warmup_s is too"),
    ],
)
def test_invalid_values_are_refused_with_a_message(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidConfig, match=sentence):
        parse(values)


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ({"mode": "poisson", "rate": 500, "duration_s": 1800}, 10_000),
        ({"mode": "poisson", "rate": 2, "duration_s": 60}, 120),
        ({"mode": "poisson", "rate": 500, "duration_s": 1800, "concurrency": 64}, 64),
        ({"mode": "constant", "requests": 100_000}, 10_000),
        ({"mode": "staggered", "requests": 50, "interval_s": 0}, 50),
        ({"mode": "users", "users": 7, "duration_s": 60}, 7),
        ({"mode": "batch", "requests": 100_000}, 100_000),
        ({"mode": "batch", "concurrency": 9, "duration_s": 60}, 9),
    ],
)
def test_the_number_of_connections_that_a_run_may_need(values: dict[str, Any], most: int) -> None:
    assert at_once(RunConfig.model_validate(values)) == most


def test_a_run_by_time_knows_about_how_many_requests_it_has() -> None:
    assert expected(RunConfig(mode="poisson", rate=3, duration_s=60)) == 180
    assert expected(RunConfig(mode="ramp", rate=1, end_rate=3, duration_s=60)) == 120
    assert expected(RunConfig(mode="users", duration_s=60)) is None
    assert expected(RunConfig(mode="users", requests=60)) == 60


@pytest.mark.parametrize("changes", [{}, {"workload": "synthetic", "turns": 2}])
def test_a_plan_of_users_that_never_pause_ends(changes: dict[str, Any]) -> None:
    config = {"mode": "batch", "concurrency": 4, "requests": 12, "load_warmup_s": 10}
    asked = schedule(RunConfig.model_validate(config | changes))
    assert len(simulate(asked, 0.0)) == 12
    assert len(simulate(asked, 1e-9)) == 12
    assert min(start for _, start, _ in simulate(asked, 3.0)) >= 0

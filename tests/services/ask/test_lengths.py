"""Lengths follow the distribution that was chosen, and belong to a request's index alone."""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist, fmean, pstdev
from typing import Any

import numpy as np
import pytest

from services.ask import lengths, workloads
from services.ask.config import MAX_TOKENS, RunConfig, parse, stored
from services.ask.plan import plan
from services.ask.problems import InvalidConfig
from services.ask.workloads import max_tokens, prompt, request_config

SYNTHETIC: dict[str, Any] = {
    "workload": "synthetic",
    "unique_prompts": False,
    "text_style": "words",
}


def synthetic(**fields: Any) -> RunConfig:
    return RunConfig(**{**SYNTHETIC, **fields})


def drawn(distribution: str, spread: float, mean: int = 1000, count: int = 20_000) -> list[int]:
    law = lengths.Lengths(mean, distribution, spread, "7/input")  # type: ignore[arg-type]
    return [law.of(index) for index in range(count)]


@pytest.mark.parametrize(
    ("distribution", "spread", "mean", "deviation"),
    [
        ("fixed", 0.5, 1000, 0),
        ("uniform", 0.3, 1000, 300 / 3**0.5),  # half the range over the root of 3
        ("normal", 0.2, 1000, 200),
        ("lognormal", 0.5, 1000, 500),
    ],
)
def test_lengths_have_their_mean_and_their_deviation(
    distribution: str, spread: float, mean: float, deviation: float
) -> None:
    numbers = drawn(distribution, spread)
    assert fmean(numbers) == pytest.approx(mean, rel=0.02)
    assert pstdev(numbers) == pytest.approx(deviation, rel=0.04)


def test_a_uniform_length_stays_in_its_range() -> None:
    numbers = drawn("uniform", 0.3)
    assert (min(numbers), max(numbers)) == (700, 1300)


@pytest.mark.parametrize(
    ("distribution", "spread", "mean"),
    [
        ("normal", 0.5, 100_000),
        ("normal", 1.0, MAX_TOKENS),
        ("uniform", 0.3, 100_000),
        ("lognormal", 0.5, 32_768),
        ("lognormal", 1.0, 8_192),
    ],
)
def test_long_lengths_keep_their_mean_below_the_most(
    distribution: str, spread: float, mean: int
) -> None:
    config = parse(
        {"input_tokens": mean, "input_distribution": distribution, "input_spread": spread}
    )
    law = lengths.of_prompts(config)
    numbers = [law.of(index) for index in range(20_000)]
    assert fmean(numbers) == pytest.approx(mean, rel=0.03)
    assert numbers.count(MAX_TOKENS) < 10 or mean == MAX_TOKENS


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"input_tokens": 100_000, "input_distribution": "uniform"}, "input_spread"),
        (
            {"input_tokens": 65_536, "input_distribution": "lognormal", "input_spread": 2},
            "input_spread",
        ),
        ({"max_tokens": 100_000, "output_distribution": "uniform"}, "output_spread"),
        (
            {"workload": "mixed", "long_max_tokens": 100_000, "output_distribution": "uniform"},
            "output_spread",
        ),
    ],
)
def test_a_spread_that_goes_far_above_the_most_is_refused(
    values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidConfig, match=f"{field} is too wide for [0-9,]+ tokens, because"):
        parse(values)
    assert stored(values)  # it was measured with a lower mean
    if field == "input_spread":
        assert parse({**values, "workload": "builtin"})  # which does not read it


def test_a_normal_length_stays_above_0_and_keeps_its_mean() -> None:
    numbers = drawn("normal", 1.0, mean=100)
    assert min(numbers) >= 1 and max(numbers) <= 199
    assert fmean(numbers) == pytest.approx(100, rel=0.02)


def test_a_lognormal_length_is_the_exponential_of_a_normal_one() -> None:
    """Its median is m / sqrt(1 + s²), and its 95th percentile 1.645 deviations above."""
    law = lengths.Lengths(1000, "lognormal", 1.0, "")
    z95 = NormalDist().inv_cdf(0.95)
    assert law.quantile(0.5) == round(1000 / 2**0.5)
    assert law.quantile(0.95) == round(1000 / 2**0.5 * exp(z95 * log(2) ** 0.5))
    assert lengths.Lengths(MAX_TOKENS, "lognormal", 5.0, "").quantile(1 - 1e-9) <= MAX_TOKENS


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal"])
def test_every_mean_has_lengths_of_at_least_one_token(distribution: str) -> None:
    assert all(min(drawn(distribution, 1.0, mean, 300)) >= 1 for mean in (1, 2, 3, 10))


def test_a_prompt_and_its_answer_have_the_same_length_in_every_repeat_and_candidate() -> None:
    first = synthetic(input_distribution="normal", output_distribution="lognormal", requests=50)
    other = first.model_copy(update={"backend": "vllm", "concurrency": 4})
    for config, repeat in ((first, 1), (other, 0), (other, 2)):
        for index in (0, 7, 49):
            assert prompt(config, repeat, index) == prompt(first, 0, index)
            ours, theirs = (request_config(c, r, index) for c, r in ((config, repeat), (first, 0)))
            assert ours.max_tokens == theirs.max_tokens


def test_prompt_and_answer_lengths_are_independent_and_differ_by_seed() -> None:
    laws = [
        lengths.of_prompts(synthetic(input_distribution="uniform", input_tokens=128, seed=seed))
        for seed in (0, 1)
    ]
    answers = lengths.of_answers(synthetic(output_distribution="uniform", max_tokens=128))
    assert len({tuple(map(law.of, range(9))) for law in (*laws, answers)}) == 3


def test_a_synthetic_prompt_has_the_length_of_its_index() -> None:
    config = synthetic(input_distribution="uniform", input_tokens=100, requests=30)
    counts = [len(prompt(config, 0, index).split()) for index in range(30)]
    assert counts == list(map(lengths.of_prompts(config).of, range(30)))
    assert len(set(counts)) > 20


@pytest.mark.parametrize("workload", [{}, {"workload": "mixed", "long_max_tokens": 500}])
def test_every_request_has_its_own_max_tokens(workload: dict[str, Any]) -> None:
    config = RunConfig(output_distribution="lognormal", max_tokens=60, requests=40, **workload)
    limits = [request_config(config, 0, index) for index in range(40)]
    asked = max_tokens(config)
    assert [limit.max_tokens for limit in limits] == list(map(asked, range(40)))
    assert len({limit.max_tokens for limit in limits}) > 20
    assert workloads.longest_answer(config) == max(map(asked, range(40)))
    assert request_config(limits[3], 0, 3) == limits[3], "nothing is drawn twice"


def test_the_plan_sums_the_lengths_and_shows_their_percentiles() -> None:
    config = synthetic(
        input_distribution="normal",
        output_distribution="uniform",
        input_tokens=1000,
        max_tokens=100,
        requests=20,
        repeats=3,
        warmup=2,
    )
    prompts, answers = lengths.of_prompts(config), lengths.of_answers(config)
    ahead = plan(config, None)
    assert ahead.prompt_tokens_about == 3 * prompts.total(20) + prompts.total(2)
    assert ahead.tokens_at_most == 3 * sum(map(answers.of, range(20))) + answers.total(2)
    assert "Answer lengths: p5 55, p50 100, p95 145 tokens." in ahead.sentence
    assert "Prompt lengths: p5 264, p50 1,000, p95 1,736 tokens." in ahead.sentence
    assert "p50" not in plan(synthetic(), None).sentence


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_a_spread_beyond_the_mean_is_refused_where_lengths_would_be_negative(
    distribution: str,
) -> None:
    with pytest.raises(InvalidConfig) as problem:
        parse({**SYNTHETIC, "input_distribution": distribution, "input_spread": 1.5})
    assert problem.value.problems.keys() == {"input_spread"}
    parse({**SYNTHETIC, "input_distribution": "lognormal", "input_spread": 1.5})


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"output_distribution": "uniform", "workload": "synthetic"},
        {"workload": "mixed", "long_every": 3},
    ],
)
def test_lengths_computed_together_equal_those_of_each_request(config: dict[str, Any]) -> None:
    asked = workloads.max_tokens(parse(config))
    many = workloads.max_tokens_of_each(parse(config), np.arange(40))
    assert many.tolist() == [asked(index) for index in range(40)]

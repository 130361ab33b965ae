"""The order of a comparison's repeats, and when to stop."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.compare import MOST, Candidate
from services.analysis.comparison_design import (
    ComparisonDesign,
    InvalidComparison,
    check,
    item_index,
    needs_another_round,
    order,
    sentence,
)
from services.ask.config import RunConfig
from tests.values import candidate, measured

A_AND_B = (RunConfig(), RunConfig(max_tokens=64))


@given(st.integers(0, 2**31), st.integers(0, 49), st.integers(2, 8))
def test_every_candidate_has_one_position_in_every_round(
    seed: int, repeat: int, candidates: int
) -> None:
    positions = [item_index(seed, repeat, candidates, index) for index in range(candidates)]
    first = repeat * MOST
    assert sorted(positions) == list(range(first, first + candidates))
    before = [item_index(seed, repeat - 1, more, 0) for more in range(2, 9)]
    assert max(before) < first, "a round comes after the one before it, whoever is left of them"


def test_the_order_is_shuffled_by_the_seed_and_the_same_every_time() -> None:
    rounds = [tuple(order(7, repeat, 2)) for repeat in range(200)]
    assert rounds == [tuple(order(7, repeat, 2)) for repeat in range(200)]
    assert 70 < Counter(rounds)[(0, 1)] < 130  # neither always follows the other
    assert rounds != [tuple(order(8, repeat, 2)) for repeat in range(200)]


def varied(run_id: int, *e2e: float) -> Candidate:
    """A run whose repeats have one request each, of these latencies."""
    measurements = [measured(0, repeat=i, ttft=0.1, e2e=seconds) for i, seconds in enumerate(e2e)]
    return candidate(measurements, run_id=run_id)


def test_another_round_is_needed_until_the_interval_is_narrow() -> None:
    narrow = [varied(1, 1.0, 1.001, 0.999), varied(2, 2.0, 2.001, 1.999)]
    wide = [varied(1, 1.0, 1.3, 0.8), varied(2, 2.0, 2.9, 1.4)]
    design = ComparisonDesign(repeats=3, most=5, target=0.05)
    assert not needs_another_round(design, 3, narrow)
    assert needs_another_round(design, 3, wide)
    assert not needs_another_round(design, 5, wide), "past the maximum"
    assert not needs_another_round(ComparisonDesign(repeats=3), 3, wide), "without a target"
    assert not needs_another_round(design, 3, wide[:1]), "the other one failed"


@pytest.mark.parametrize(
    ("values", "configs", "message"),
    [
        ({}, A_AND_B[:1], "2 to 8 candidates, not 1"),
        ({}, A_AND_B * 5, "not 10"),
        ({"repeats": 0}, A_AND_B, "1 to 50 times"),
        ({"repeats": 5, "most": 4}, A_AND_B, "cannot be fewer"),
        ({"repeats": 51, "most": 51}, A_AND_B, "1 to 50 times"),
        ({"target": 0.0}, A_AND_B, "target"),
        ({"margin": 0.0005}, A_AND_B, "margin"),
        ({"margin": 1.1}, A_AND_B, "margin"),
    ],
)
def test_an_invalid_design_is_refused(
    values: dict[str, Any], configs: tuple[RunConfig, ...], message: str
) -> None:
    check(ComparisonDesign(), A_AND_B)
    with pytest.raises(InvalidComparison, match=message):
        check(ComparisonDesign(**values), configs)


def test_a_design_is_described_in_a_sentence() -> None:
    assert sentence(ComparisonDesign(), 2) == "2 candidates, 5 interleaved repeats each."
    assert sentence(ComparisonDesign(), 2, 10).endswith("each, plus 10 warm-up requests.")
    until = sentence(ComparisonDesign(repeats=3, most=12, target=0.02), 3)
    assert "within ±2 %, at most 12 of each" in until

"""The Pareto front by hand, with ties and unknown numbers, and a ranking."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from services.analysis.pareto import (
    LeaderboardEntry,
    Measure,
    leaderboard_entry,
    pareto_front,
    ranked,
)

UP: Any = ("higher", "higher")
CHEAP: Any = ("lower", "higher")


@pytest.mark.parametrize(
    ("points", "better", "wanted"),
    [
        ([], UP, []),
        ([(1, 1)], UP, [0]),
        ([(1, 3), (2, 2), (3, 1)], UP, [0, 1, 2]),
        ([(3, 1), (2, 2), (1, 3)], UP, [2, 1, 0]),
        ([(1, 1), (2, 2)], UP, [1]),
        ([(1, 3), (1, 2), (2, 3)], UP, [2]),
        ([(2, 3), (2, 3), (1, 4)], UP, [2, 0, 1]),
        ([(2, 3), (2, 1)], UP, [0]),
        ([(1, 3), (2, 3)], UP, [1]),
        ([(None, 9), (9, None), (1, 1), (None, None)], UP, [2]),
        ([(1.0, 50), (2.0, 60), (3.0, 55)], CHEAP, [0, 1]),
        ([(2.0, 60), (1.0, 60)], CHEAP, [1]),
        ([(1.0, 60), (1.0, 60), (0.5, None)], CHEAP, [0, 1]),
    ],
)
def test_the_front_has_the_points_that_no_other_beats(
    points: list[tuple[float | None, float | None]], better: Any, wanted: list[int]
) -> None:
    assert pareto_front(points, better) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_the_front_matches_its_definition_on_random_points(seed: int) -> None:
    chance = random.Random(seed)
    points = [(chance.randint(0, 6), chance.randint(0, 6)) for _ in range(20)]

    def beaten(x: int, y: int) -> bool:
        return any(a >= x and b >= y and (a, b) != (x, y) for a, b in points)

    assert set(pareto_front(points, UP)) == {
        i for i, point in enumerate(points) if not beaten(*point)
    }
    mirrored = [(-x, y) for x, y in points]
    assert set(pareto_front(mirrored, CHEAP)) == set(pareto_front(points, UP))
    at = [points[index] for index in pareto_front(points, UP)]
    assert all(a[0] <= b[0] and a[1] >= b[1] for a, b in itertools.pairwise(at))


def test_equal_numbers_share_a_rank_and_unknown_ones_have_none() -> None:
    runs = [
        LeaderboardEntry(1, "a", 50.0, 100.0, 2.0),
        LeaderboardEntry(2, "b", None, 200.0, 1.0),
        LeaderboardEntry(3, "c", 70.0, 200.0, None),
        LeaderboardEntry(4, "d", 60.0, 50.0, 1.0),
    ]

    def ids(by: Measure) -> list[tuple[int | None, int]]:
        return [(rank, each.run_id) for rank, each in ranked(runs, by)]

    assert ids("throughput") == [(1, 2), (1, 3), (3, 1), (4, 4)]
    assert ids("speed") == [(1, 3), (2, 4), (3, 1), (None, 2)]
    assert ids("price") == [(1, 2), (1, 4), (3, 1), (None, 3)]


def test_a_leaderboard_entry_is_read_from_a_stored_summary() -> None:
    summary = {"tokens_per_s_median": 50.0, "output_tokens_per_s": 400.0, "ttft_s_median": 1.0}
    assert leaderboard_entry(3, "x", summary) == LeaderboardEntry(3, "x", 50.0, 400.0, None)
    assert leaderboard_entry(3, "x", {"warnings": ["Sent late", "Failed"]}).warnings == 2

"""Which runs no other run beats in two measures at once: the Pareto front, and a ranking by one
measure.

Both use the numbers as they are. Whether two runs really differ is decided from their repeats: see
`compare`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.analysis.compare.stored_summary import values_by_repeat
from services.analysis.metrics import Better
from services.analysis.statistics.geometric_mean import geometric_mean

Measure = Literal["speed", "throughput", "price"]


@dataclass(frozen=True, slots=True)
class LeaderboardEntry:
    """A run and its three measures; None: unknown. `intervals`: 95 % intervals over its repeats, of
    the measures that have one."""

    run_id: int
    label: str
    speed: float | None  # output tokens/s per request, median
    throughput: float | None  # output tokens/s of all requests together
    price: float | None  # USD per million output tokens
    model: str = ""
    warnings: int = 0  # that its numbers may be misleading
    intervals: Mapping[Measure, tuple[float, float]] = field(default_factory=dict)

    def of(self, measure: Measure) -> float | None:
        value: float | None = getattr(self, measure)
        return value


def leaderboard_entry(
    run_id: int, label: str, summary: Mapping[str, Any], model: str = ""
) -> LeaderboardEntry:
    """Return a run's entry from its stored summary, see `summary_row`."""
    speed, throughput, price = (summary.get(name) for name in IN_SUMMARY.values())
    warnings = len(summary.get("warnings", ()))
    intervals = {
        measure: (over.low, over.high)
        for measure, name in IN_SUMMARY.items()
        if (over := geometric_mean(list(values_by_repeat(summary, name).values())))
        and over.low is not None
        and over.high is not None
    }
    return LeaderboardEntry(run_id, label, speed, throughput, price, model, warnings, intervals)


def pareto_front(
    points: Sequence[tuple[float | None, float | None]], better: tuple[Better, Better]
) -> list[int]:
    """Return the indices of the points that no other point beats, ordered by their first number.
    `better` says for each of the two numbers whether higher or lower is better.

    A point is beaten by one that is at least as good in both numbers and better in one. Of equal
    points, all are on the front; a point that lacks a number is not.
    """
    signs = [1 if way == "higher" else -1 for way in better]
    complete = [
        (signs[0] * x, signs[1] * y, index)
        for index, (x, y) in enumerate(points)
        if x is not None and y is not None
    ]
    chosen: list[tuple[float, float, int]] = []
    for point in sorted(complete, key=lambda p: (-p[0], -p[1])):  # best first number first
        if not chosen or point[1] > chosen[-1][1] or point[:2] == chosen[-1][:2]:
            chosen.append(point)
    return [index for _, _, index in sorted(chosen, key=lambda p: (signs[0] * p[0], p[2]))]


def ranked(
    standings: Sequence[LeaderboardEntry], by: Measure
) -> list[tuple[int | None, LeaderboardEntry]]:
    """Return the runs with their ranks, the best first. Equal numbers share a rank; runs without
    one come last, without a rank."""
    sign = -1 if BETTER[by] == "higher" else 1
    known = [(sign * value, each) for each in standings if (value := each.of(by)) is not None]
    known.sort(key=lambda pair: pair[0])
    numbers = [number for number, _ in known]
    unknown = [each for each in standings if each.of(by) is None]
    return [
        *((numbers.index(number) + 1, each) for number, each in known),
        *((None, each) for each in unknown),
    ]


BETTER: Mapping[Measure, Better] = {"speed": "higher", "throughput": "higher", "price": "lower"}
IN_SUMMARY: Mapping[Measure, str] = {
    "speed": "tokens_per_s_median",
    "throughput": "output_tokens_per_s",
    "price": "usd_per_million_output",
}

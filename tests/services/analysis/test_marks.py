"""Better, worse, different, equivalent, inconclusive: what the colour of a dot says."""

from __future__ import annotations

from typing import Any

import pytest

from services.analysis.compare import Candidate, compare
from services.analysis.compare.marks import MARK_OF, SIGNS, mark_of, marks
from services.analysis.statistics import Ratio
from tests.values import candidate, failed, measured, repeats

NARROW = (1.000, 1.004, 0.996, 1.002, 0.998)


def of_pair(slower: float, **other: Any) -> dict[str, str]:
    return marked([candidate(repeats(1.0, NARROW)), candidate(repeats(slower, NARROW), **other)])


def marked(pair: list[Candidate], margin: float = 0.05) -> dict[str, str]:
    found = compare(pair, margin)
    by_metric = marks((found.baseline, *found.others), found.rows, margin)
    return {metric: mark for metric, (mark,) in by_metric.items()}


@pytest.mark.parametrize(
    ("slower", "mark"), [(0.5, "better"), (2.0, "worse"), (1.001, "equivalent")]
)
def test_every_measure_of_speed_is_marked_by_its_direction(slower: float, mark: str) -> None:
    found = of_pair(slower, run_id=2)
    assert {found[name] for name in ("output_tokens_per_s", "ttft_s_median", "tpot_s_median")} == {
        mark
    }
    assert found["output_tokens_mean"] == "equivalent", "as many tokens"


def test_a_judged_measure_has_the_mark_of_its_verdict() -> None:
    pair = [candidate(repeats()), candidate(repeats(1.02), run_id=2)]
    by_name = {finding.name: finding.word for finding in compare(pair).verdicts[0].findings}
    found = marked(pair)
    assert {name: found[name] for name in by_name} == {
        name: MARK_OF[word] for name, word in by_name.items()
    }


def test_without_a_verdict_nothing_is_better_or_worse() -> None:
    errors = [failed(4, repeat=r) for r in range(5)]
    pair = [
        candidate(repeats(1.0, NARROW)),
        candidate([*repeats(0.5, NARROW), *errors], run_id=2),
    ]
    assert set(marked(pair).values()) == {"inconclusive"}
    alone = [candidate([measured(0)]), candidate([measured(0, e2e=9.0)], run_id=2)]
    assert set(marked(alone).values()) == {"inconclusive"}, "a single repeat has no interval"


def test_throughput_with_the_clients_own_waiting_is_inconclusive() -> None:
    found = of_pair(0.5, run_id=2, mode="staggered", interval_s=0.1)
    assert {found["output_tokens_per_s"], found["requests_per_s"]} == {"inconclusive"}
    assert found["tokens_per_s_median"] == "better"


@pytest.mark.parametrize(
    ("ends", "better", "mark"),
    [
        ((1.2, 1.4), "higher", "better"),
        ((1.2, 1.4), "lower", "worse"),
        ((0.7, 0.8), "lower", "better"),
        ((0.9, 1.1), "higher", "inconclusive"),
        ((1.01, 1.04), "higher", "equivalent"),
        ((1.01, 1.06), "higher", "better"),
        ((1.2, 1.4), "neither", "different"),
        ((0.99, 1.01), "neither", "equivalent"),
        ((None, None), "higher", "inconclusive"),
    ],
)
def test_a_measure_without_a_verdict_is_marked_by_its_interval(
    ends: tuple[float | None, float | None], better: Any, mark: str
) -> None:
    assert mark_of(Ratio(1.0, *ends, None, 5, 5), better, 0.05) == mark


def test_every_mark_has_its_own_sign() -> None:
    assert len(set(SIGNS.values())) == len(SIGNS)
    assert set(MARK_OF.values()) == set(SIGNS) - {"different"}

"""Verdicts on runs whose truth is known: how often they raise a false alarm, and miss a true one.

Requests of a repeat are correlated (AR(1), ρ = 0.5), and repeats vary by 2 % on their own; this is
the model behind the numbers in docs/metrics.md. Everything is seeded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from services.analysis.compare.findings import FAMILY, Finding, judge
from services.analysis.statistics import equivalence, ratio

RHO, BETWEEN, WITHIN = 0.5, 0.02, 0.1  # of the logs
REPEATS, REQUESTS = 5, 100
COMPARISONS = 1_200
Runs = NDArray[np.float64]


def latencies(
    chance: np.random.Generator, runs: int, true: float = 1.0, requests: int = REQUESTS
) -> Runs:
    """Return (runs, REPEATS, requests) seconds, about `true`."""
    within = chance.normal(0, WITHIN * np.sqrt(1 - RHO**2), (runs, REPEATS, requests + 50))
    for before, now in pairwise(np.moveaxis(within, -1, 0)):
        now += RHO * before
    within = within[..., 50:]  # without its start
    between = chance.normal(0, BETWEEN, (runs, REPEATS, 1))
    return np.asarray(true * np.exp(within + between))


def judged(
    true: float, paired: bool, comparisons: int, seed: int, margin: float = 0.05
) -> Iterator[tuple[Finding, ...]]:
    """Yield the findings on pairs of runs whose measures all differ by `true`. The measures are
    independent, which is the worst case: real ones are correlated."""
    chance = np.random.default_rng(seed)
    shape = (comparisons, len(FAMILY), REPEATS)
    first, second = (
        np.median(latencies(chance, comparisons * len(FAMILY), factor), axis=-1).reshape(shape)
        for factor in (1.0, true)
    )
    for comparison in range(comparisons):
        pairs = zip(FAMILY, first[comparison], second[comparison], strict=True)
        yield judge({name: ratio(list(a), list(b), paired) for name, a, b in pairs}, margin)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True], ids=["unpaired", "interleaved"])
def test_of_a_hundred_comparisons_of_like_runs_five_see_a_difference(paired: bool) -> None:
    verdicts = list(judged(1.0, paired, COMPARISONS, seed=1))
    differ = (
        sum(any(finding.differs for finding in findings) for findings in verdicts) / COMPARISONS
    )
    assert 0.03 <= differ <= 0.07
    words = [{finding.word for finding in findings} for findings in verdicts]
    alarms = sum(bool({"faster", "slower"} & word_set) for word_set in words) / COMPARISONS
    assert alarms <= differ  # what is sure to be within the margin is called equivalent


def test_like_runs_are_called_equivalent_where_the_margin_is_not_finer_than_the_repeats() -> None:
    verdicts = list(judged(1.0, False, 300, seed=1, margin=0.1))
    alike = np.mean(
        [all(finding.word == "equivalent" for finding in findings) for findings in verdicts]
    )
    assert alike >= 0.9


@pytest.mark.parametrize(("true", "least", "most"), [(1.05, 0.36, 0.52), (1.10, 0.96, 1.0)])
def test_a_true_difference_is_found(true: float, least: float, most: float) -> None:
    """In one measure of the four, by five repeats of each run."""
    verdicts = list(judged(true, False, 300, seed=2))
    assert least <= np.mean([findings[0].differs for findings in verdicts]) <= most
    sides = {finding.word for findings in verdicts for finding in findings} - {
        "inconclusive",
        "equivalent",
    }
    assert sides == {"faster", "slower"}  # 1.05 times the throughput is faster, latency slower


@pytest.mark.parametrize("paired", [False, True], ids=["unpaired", "interleaved"])
def test_a_difference_of_the_margin_is_rarely_called_equivalent(paired: bool) -> None:
    chance = np.random.default_rng(3)
    first, second = (np.median(latencies(chance, COMPARISONS, f), axis=-1) for f in (1.0, 1.05))
    ratios = [ratio(list(a), list(b), paired) for a, b in zip(first, second, strict=True)]
    p = [equivalence(each, 0.05) for each in ratios if each is not None]
    assert len(p) == COMPARISONS
    assert np.mean([each is not None and each < 0.05 for each in p]) <= 0.07


@pytest.mark.parametrize(("requests", "least", "most"), [(20, 0.26, 0.38), (100, 0.38, 0.52)])
def test_a_test_over_pooled_requests_raises_false_alarms(
    requests: int, least: float, most: float
) -> None:
    """The obvious method, and why the unit is the repeat instead."""
    chance = np.random.default_rng(4)
    first, second = (latencies(chance, 500, requests=requests).reshape(500, -1) for _ in range(2))
    alarms = np.mean(stats.mannwhitneyu(first, second, axis=1).pvalue < 0.05)
    assert least <= alarms <= most

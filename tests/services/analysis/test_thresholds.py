"""Conditions: which can be read, and that every one of them asks about something there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.compare import Candidate, Word, compare
from services.analysis.objectives import Objectives
from services.analysis.thresholds import (
    MEASURES,
    REQUESTS,
    RUNS,
    STATISTICS,
    WORDS,
    InvalidThreshold,
    check,
    check_verdicts,
    parse_threshold,
)
from services.ask.prices import Hourly
from tests.values import candidate, measured

NAMES = [*(f"{name}:{of}" for name in REQUESTS for of in STATISTICS), *RUNS]
MANY = candidate(
    [measured(i, ttft=1 + i / 1000, e2e=3 + i / 900) for i in range(800)],
    Hourly(1.0),
    Objectives(ttft_s=9.0),
    workload="mixed",
    requests=800,
)
SESSIONS = candidate(
    [measured(i, ttft=1 + i / 1000, e2e=3 + i / 900) for i in range(800)],
    workload="synthetic",
    turns=2,
    requests=800,
)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_there_is_can_be_a_condition(name: str) -> None:
    run = SESSIONS if name.startswith(("first_", "later_", "session:")) else MANY
    above, below = check([parse_threshold(f"{name}>=0"), parse_threshold(f"{name}<0")], run)
    assert above.value is not None and above.value == below.value
    assert (above.passed, below.passed) == (True, False)
    assert above.sentence and above.slo == f"{name}>=0"


@given(st.sampled_from(NAMES), st.sampled_from(["<", "<=", ">", ">="]), st.floats(-1e9, 1e9))
def test_a_condition_is_read_as_it_is_written(name: str, sign: str, limit: float) -> None:
    threshold = parse_threshold(f" {name} {sign} {limit!r} ")
    assert (threshold.sign, threshold.limit) == (sign, limit)
    assert ":".join(filter(None, (threshold.name, threshold.statistic))) == name


@pytest.mark.long
@pytest.mark.slow
@given(st.text(max_size=40))
def test_any_text_is_a_threshold_or_refused_with_a_message(text: str) -> None:
    try:
        parse_threshold(text)
    except InvalidThreshold as error:
        assert str(error).endswith(".")


def test_at_the_limit_the_operator_decides() -> None:
    run = candidate([measured(0, ttft=0.5)])
    passed = [
        check([parse_threshold(f"ttft:max{sign}0.5")], run)[0].passed
        for sign in ("<", "<=", ">", ">=")
    ]
    assert passed == [False, True, False, True]


def test_every_verdict_and_measure_can_be_a_condition() -> None:
    assert set(WORDS) == set(get_args(Word))
    assert len(set(MEASURES.values())) == 4


def test_unknown_values_meet_no_threshold() -> None:
    """As an imported one whose file holds no requests."""
    nothing = candidate([])
    bare = replace(nothing, summary=replace(nothing.summary, distributions={}))
    for result in check([parse_threshold(f"{name}>=0") for name in NAMES], bare):
        assert not result.passed and result.value is None
        assert "unknown" in result.sentence


def test_a_class_of_requests_is_a_condition_of_a_mix_only() -> None:
    (result,) = check([parse_threshold("short_ttft:median<9")], MANY)
    assert result.sentence == "TTFT of short requests, median < 9.00 s: measured 1.40 s"
    plain = candidate([measured(i) for i in range(4)])
    (unknown,) = check([parse_threshold("short_ttft:median<9")], plain)
    assert not unknown.passed and "the run has no short requests" in unknown.sentence
    few = candidate([measured(i) for i in range(8)], workload="mixed", requests=8)
    for percentile, floor in (("p90", 36), ("p95", 72), ("p99", 368)):
        (short,) = check([parse_threshold(f"long_e2e:{percentile}<9")], few)
        assert f"needs {floor} requests; there are 4" in short.sentence


def test_later_turns_and_sessions_are_conditions_of_a_run_with_sessions() -> None:
    texts = ("later_ttft:median<9", "session:median<9")
    later, whole = check([parse_threshold(text) for text in texts], SESSIONS)
    assert later.sentence == "TTFT of later turns, median < 9.00 s: measured 1.40 s"
    assert whole.sentence.startswith("Session time, median < 9.00 s: measured ")
    unknown = [each.sentence for each in check([parse_threshold(text) for text in texts], MANY)]
    assert "the run has no later turns" in unknown[0]
    assert "no session was completed" in unknown[1]


def test_verdict_thresholds_ignore_the_clients_own_waiting() -> None:
    """13× the throughput because the other run pauses passes no threshold, and
    fails none that looks for what is slower."""

    def paced(step: float, **of_run: Any) -> Candidate:
        requests = [
            measured(i, repeat=r, send=step * i, ttft=0.5 * f, e2e=2 * f)
            for r, f in enumerate((1.0, 1.004, 0.996, 1.002))
            for i in range(4)
        ]
        return candidate(requests, **of_run)

    pair = [
        paced(22, run_id=1, name="A", mode="sequential", pause_s=20),
        paced(1, run_id=2, name="B", mode="staggered", interval_s=1),
    ]
    comparison = compare(pair)
    assert check_verdicts(comparison, ("faster", "slower")) == []
    assert check_verdicts(comparison, ("equivalent",)) == [
        "B against A: equivalent within ±5 %, by median tokens/s per request."
    ]
    assert check_verdicts(comparison, ("faster",), "throughput") == [
        "B against A: no verdict, by output throughput."
    ]

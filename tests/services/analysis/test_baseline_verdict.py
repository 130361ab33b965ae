"""Verdicts of runs against their baselines, from their stored summaries, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analysis.compare import Candidate, compare
from services.analysis.compare.baseline import Baseline, Kind, matching_baselines
from services.analysis.compare.baseline_verdict import (
    BASELINE,
    OTHER_WORK,
    BaselineVerdict,
    as_row,
    baseline_verdicts,
    brief,
    compare_with_baseline,
    sentence,
    word_for,
)
from services.analysis.compare.stored_summary import stored_summary
from tests.values import NOON, candidate, failed, measured

MODEL = Baseline("model", "tiny", 1, NOON)


@dataclass(frozen=True)
class Row:
    """A run as a row of History, with the fields that a baseline verdict reads."""

    id: int
    headline: dict[str, Any]
    name: str = ""
    model: str = "tiny"
    mode: str = "batch"
    status: str = "done"
    tags: tuple[str, ...] = ()
    comparison_id: int | None = None
    margin: float | None = None
    began: datetime = field(default=NOON)
    server: dict[str, Any] = field(default_factory=dict)


def row_of(candidate: Candidate, **changes: Any) -> Row:
    """Return the row of a run, which began a day after the run with the id before it."""
    run = candidate.run
    began = NOON + timedelta(days=run.id)
    return replace(
        Row(run.id, stored_summary(candidate), mode=run.config.mode, began=began), **changes
    )


def measured_run(run_id: int, seconds: Sequence[float], **of_run: Any) -> Candidate:
    """Return a run with one request of five tokens per repeat, of these durations."""
    answers = [measured(repeat=r, ttft=s / 3, e2e=s) for r, s in enumerate(seconds)]
    return candidate(answers, run_id=run_id, name=f"run {run_id}", **of_run)


SLOW, FAST = measured_run(1, (2.0, 2.02, 1.98)), measured_run(2, (1.0, 1.01, 0.99))


def verdict_against(baseline_run: Candidate, other: Candidate, **changes: Any) -> BaselineVerdict:
    verdict = compare_with_baseline(row_of(baseline_run), row_of(other, **changes), MODEL)
    assert verdict is not None
    return verdict


def test_half_the_time_is_twice_the_throughput() -> None:
    verdict = verdict_against(SLOW, FAST)
    assert (verdict.baseline_id, verdict.word, brief(verdict)) == (1, "faster", "faster, 2.00×")
    row = as_row(verdict)
    assert (row["measure"], row["kind"], row["value"]) == ("output_tokens_per_s", "model", "tiny")
    # the logs of 1.98, 2 and 2.02 deviate by 0.01 (n − 1), and so do those of the other:
    # e^(±2.776 × 0.01 × √(2/3)) = 0.9776 and 1.0229
    assert row["speed"] == pytest.approx(2, abs=1e-4)
    assert (row["low"], row["high"]) == pytest.approx((1.955, 2.046), abs=1e-3)
    assert sentence(verdict).startswith(
        "Run 2 has 2.00× the output throughput of run 1: 95 % interval 1.96–2.05, 3 repeats each."
    )
    assert brief(verdict_against(FAST, SLOW)) == "slower, 50 % lower"


def test_a_sequential_run_is_judged_by_its_latency() -> None:
    verdict = verdict_against(
        *(measured_run(n, (n, 1.01 * n, 0.99 * n), mode="sequential") for n in (1, 2))
    )
    assert as_row(verdict)["measure"] == "e2e_s_median"
    assert as_row(verdict)["speed"] == pytest.approx(0.5)
    assert word_for(verdict, "ttft_s_median") == "slower"
    assert brief(verdict) == "slower, 2.00× as long"
    assert "the client's own waiting (a pause of 2 s), so median E2E latency" in sentence(verdict)


def test_a_staggered_run_is_judged_by_the_speed_of_its_requests_as_on_compare() -> None:
    pair = [measured_run(n, (n, 1.01 * n, 0.99 * n), mode="staggered") for n in (1, 2)]
    verdict, (there,) = verdict_against(*pair), compare(pair).verdicts
    assert as_row(verdict)["measure"] == there.findings[0].name == "tokens_per_s_median"
    assert sentence(verdict).endswith(there.details.partition("Output throughput")[2])
    old = [row_of(run) for run in pair]
    for row in old:  # an older Paceline did not store the waiting
        del row.headline["waiting"]
    from_old = compare_with_baseline(*old, MODEL)
    assert from_old is not None and as_row(from_old) == as_row(verdict)
    assert "own waiting (an interval)" in sentence(from_old)


def test_a_tiny_difference_is_equivalent_and_a_noisy_one_inconclusive() -> None:
    same = verdict_against(SLOW, measured_run(2, (2.0, 2.01, 1.99)))
    assert (same.word, brief(same)) == ("equivalent", "≈ within ±5 %")
    unsure = verdict_against(SLOW, measured_run(2, (1.5, 2.0, 2.8)))
    assert (unsure.word, brief(unsure)) == ("inconclusive", "inconclusive, 1.6 % lower")
    assert "inconclusive" in sentence(unsure)


def test_two_repeats_allow_no_verdict() -> None:
    verdict = verdict_against(SLOW, measured_run(2, (1.0, 1.01)))
    assert (verdict.word, brief(verdict)) == ("no verdict", "no verdict")
    assert "a verdict needs 3 or more repeats of each run" in sentence(verdict)


def test_different_error_rates_allow_no_verdict() -> None:
    lossy = [measured(repeat=r) for r in range(3)] + [failed(1)]
    verdict = verdict_against(SLOW, candidate(lossy, run_id=2))
    assert verdict.word == "no verdict"
    assert "the error rates are 0 % and 25.0 %" in sentence(verdict)


def test_runs_that_did_different_work_are_not_compared() -> None:
    verdict = verdict_against(SLOW, measured_run(2, (1.0, 1.01, 0.99), max_tokens=7))
    assert (verdict.word, brief(verdict)) == (OTHER_WORK, OTHER_WORK)
    assert as_row(verdict)["speed"] is None
    assert "Run 2 did different work than run 1, its baseline" in sentence(verdict)


def test_a_summary_of_an_older_paceline_gets_no_verdict() -> None:
    old = replace(row_of(FAST), headline={"output_tokens_per_s": 1.0})
    assert compare_with_baseline(row_of(SLOW), old, MODEL) is None
    assert compare_with_baseline(old, row_of(SLOW), MODEL) is None


seconds = st.lists(st.floats(0.9, 1.1), min_size=1, max_size=5)


margins = st.sampled_from([None, 0.02, 0.2])
statuses = st.sampled_from(["done", "running"])


@pytest.mark.slow
@settings(deadline=None, max_examples=100)  # the power calculation is slow
@given(
    seconds,
    seconds,
    st.sampled_from(["batch", "sequential"]),
    st.booleans(),
    st.tuples(margins, margins),
    statuses,
)
def test_history_and_compare_give_the_same_verdict(
    first: list[float], second: list[float], mode: str, interleaved: bool, chosen: Any, status: Any
) -> None:
    of_runs = [
        {"comparison_id": 7 if interleaved else None, "margin": chosen[0], "status": status},
        {"comparison_id": 7 if interleaved else None, "margin": chosen[1]},
    ]
    both = [measured_run(n, times, mode=mode) for n, times in ((1, first), (2, second))]
    both = [replace(c, run=replace(c.run, **more)) for c, more in zip(both, of_runs, strict=True)]
    rows = [replace(row_of(c), **more) for c, more in zip(both, of_runs, strict=True)]
    (verdict,) = compare(both).verdicts
    found = compare_with_baseline(*rows, MODEL)
    assert found is not None
    assert (found.word, found.findings) == (verdict.word, verdict.findings)
    assert found.margin == verdict.margin
    assert (
        sentence(found).partition(",")[2:]
        == verdict.sentence.replace("run 2", "Run 2", 1).partition(",")[2:]
    )


def test_the_margin_of_a_comparison_holds_in_history_too() -> None:
    rows = [row_of(measured_run(n, (2.0, 2.01, 1.99)), comparison_id=7, margin=0.1) for n in (1, 2)]
    verdict = compare_with_baseline(*rows, MODEL)
    assert verdict is not None
    assert brief(verdict) == "≈ within ±10 %"
    assert "is as fast as run 1, within ±10 %" in sentence(verdict)


def test_a_baseline_that_is_being_measured_again_gives_no_verdict() -> None:
    verdict = compare_with_baseline(row_of(SLOW, status="queued"), row_of(FAST), MODEL)
    assert verdict is not None and verdict.word == "no verdict"
    assert "because its baseline is still being measured" in sentence(verdict)


# --- which baseline -------------------------------------------------------------------------


def baseline(kind: Kind, value: str, run_id: int, hour: int = 0) -> Baseline:
    return Baseline(kind, value, run_id, NOON + timedelta(hours=hour))


def test_tag_baselines_precede_model_baselines_newest_first() -> None:
    baselines = (
        baseline("model", "tiny", 1, 9),
        baseline("tag", "a", 2),
        baseline("tag", "b", 3, 1),
    )
    run = Row(9, {}, tags=("a", "b"))
    assert [p.run_id for p in matching_baselines(run, baselines)] == [3, 2, 1]
    assert [p.run_id for p in matching_baselines(run, baselines, tag="a")] == [2, 3, 1]
    assert [p.run_id for p in matching_baselines(run, baselines, model="tiny")] == [1, 3, 2]
    assert [
        p.run_id for p in matching_baselines(replace(run, model="huge", tags=("b",)), baselines)
    ] == [3]
    assert (
        matching_baselines(Row(9, {}, model="a"), baselines) == ()
    )  # a model with the name of a tag


def test_only_later_finished_runs_are_judged_against_a_baseline() -> None:
    runs = [row_of(measured_run(n, (1.0, 1.01, 0.99))) for n in range(1, 6)]
    runs[3] = replace(runs[3], status="interrupted")
    baseline_runs = {2: runs[1]}
    verdicts = baseline_verdicts(runs, (baseline("model", "tiny", 2),), baseline_runs)
    assert {run_id: verdict.word for run_id, verdict in verdicts.items()} == {
        2: BASELINE,
        3: "equivalent",
        5: "equivalent",
    }
    assert sentence(verdicts[2]) == "Run 2 is the baseline of model tiny."
    assert brief(verdicts[2]) == "baseline"


def test_a_run_older_than_one_baseline_is_judged_against_the_next() -> None:
    runs = {n: row_of(measured_run(n, (1.0, 1.01, 0.99)), tags=("a",)) for n in (1, 2, 3)}
    baselines = (baseline("tag", "a", 3), baseline("model", "tiny", 1))
    verdicts = baseline_verdicts(runs.values(), baselines, runs)
    assert (verdicts[2].baseline_id, verdicts[2].baselines) == (1, (baselines[1],))


def test_without_a_baseline_there_are_no_verdicts() -> None:
    assert baseline_verdicts([row_of(SLOW), row_of(FAST)], (), {}) == {}
    assert baseline_verdicts([row_of(FAST)], (MODEL,), {}) == {}  # it has been deleted meanwhile


def test_a_verdict_across_servers_says_so() -> None:
    server = {"address": "127.0.0.1:1", "engine_version": "0.9", "cpu": "a", "cores": 2}
    baseline_run = row_of(SLOW, server=server)
    same = compare_with_baseline(baseline_run, row_of(FAST, server=server), MODEL)
    assert same is not None and same.differs == ()
    other = server | {"address": "127.0.0.1:2", "cpu": "b", "cores": 4, "engine": "only here"}
    verdict = compare_with_baseline(baseline_run, row_of(FAST, server=other), MODEL)
    assert verdict is not None and verdict.differs == ("address", "machine")
    assert brief(verdict) == "faster, 2.00× (different server)"
    assert sentence(verdict).endswith(
        "It ran on a different server than the baseline: address and machine differ."
    )
    assert as_row(verdict)["differs"] == ["address", "machine"]

"""How a run stands to its baseline, from what both keep in short, in numbers worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analysis.compare import Candidate, compare
from services.analysis.compare.baseline import Baseline, Kind, fitting
from services.analysis.compare.baseline_verdict import (
    BASELINE,
    OTHER_WORK,
    BaselineVerdict,
    against,
    as_row,
    baseline_verdicts,
    brief,
    sentence,
    word_by,
)
from services.analysis.compare.headline import headline
from tests.values import NOON, candidate, failed, measured

MODEL = Baseline("model", "tiny", 1, NOON)


@dataclass(frozen=True)
class Row:
    """A run as a line of History, as far as its standing looks at it."""

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


def of(one: Candidate, **changes: Any) -> Row:
    """The row of a run; each begins a day after the one with the number before."""
    run = one.run
    began = NOON + timedelta(days=run.id)
    return replace(Row(run.id, headline(one), mode=run.config.mode, began=began), **changes)


def played(run_id: int, seconds: Sequence[float], **of_run: Any) -> Candidate:
    """One request of five tokens a repeat, which takes so long."""
    answers = [measured(repeat=r, ttft=s / 3, e2e=s) for r, s in enumerate(seconds)]
    return candidate(answers, run_id=run_id, name=f"run {run_id}", **of_run)


SLOW, FAST = played(1, (2.0, 2.02, 1.98)), played(2, (1.0, 1.01, 0.99))


def stands(one: Candidate, other: Candidate, **changes: Any) -> BaselineVerdict:
    found = against(of(one), of(other, **changes), MODEL)
    assert found is not None
    return found


def test_half_the_time_is_twice_as_fast() -> None:
    found = stands(SLOW, FAST)
    assert (found.baseline_id, found.word, brief(found)) == (1, "faster", "faster, 2.00×")
    row = as_row(found)
    assert (row["measure"], row["kind"], row["value"]) == ("output_tokens_per_s", "model", "tiny")
    # the logs of 1.98, 2 and 2.02 deviate by 0.01 (n − 1), and so do those of the other:
    # e^(±2.776 × 0.01 × √(2/3)) = 0.9776 and 1.0229
    assert row["speed"] == pytest.approx(2, abs=1e-4)
    assert (row["low"], row["high"]) == pytest.approx((1.955, 2.046), abs=1e-3)
    assert sentence(found).startswith(
        "Run 2 has 2.00× the output throughput of run 1: 95 % interval 1.96–2.05, 3 repeats each."
    )
    assert brief(stands(FAST, SLOW)) == "slower, 50 % lower"


def test_a_sequential_run_is_judged_by_its_latency() -> None:
    found = stands(*(played(n, (n, 1.01 * n, 0.99 * n), mode="sequential") for n in (1, 2)))
    assert as_row(found)["measure"] == "e2e_s_median"
    assert as_row(found)["speed"] == pytest.approx(0.5)
    assert word_by(found, "ttft_s_median") == "slower"
    assert brief(found) == "slower, 2.00× longer"
    assert "the client's own waiting (a pause of 2 s), so median E2E latency" in sentence(found)


def test_a_staggered_run_is_judged_by_the_speed_of_its_requests_like_on_compare() -> None:
    pair = [played(n, (n, 1.01 * n, 0.99 * n), mode="staggered") for n in (1, 2)]
    found, (there,) = stands(*pair), compare(pair).verdicts
    assert as_row(found)["measure"] == there.findings[0].name == "tokens_per_s_median"
    assert sentence(found).endswith(there.details.partition("Output throughput")[2])
    old = [of(one) for one in pair]
    for row in old:  # an older Paceline kept no waiting
        del row.headline["waiting"]
    kept = against(*old, MODEL)
    assert kept is not None and as_row(kept) == as_row(found)
    assert "own waiting (an interval)" in sentence(kept)


def test_almost_the_same_is_equivalent_and_too_much_noise_is_inconclusive() -> None:
    same = stands(SLOW, played(2, (2.0, 2.01, 1.99)))
    assert (same.word, brief(same)) == ("equivalent", "≈ within ±5 %")
    unsure = stands(SLOW, played(2, (1.5, 2.0, 2.8)))
    assert (unsure.word, brief(unsure)) == ("inconclusive", "inconclusive, 1.6 % lower")
    assert "inconclusive" in sentence(unsure)


def test_two_repeats_allow_no_verdict() -> None:
    found = stands(SLOW, played(2, (1.0, 1.01)))
    assert (found.word, brief(found)) == ("no verdict", "no verdict")
    assert "a verdict needs 3 or more repeats of each run" in sentence(found)


def test_other_error_rates_allow_no_verdict() -> None:
    lossy = [measured(repeat=r) for r in range(3)] + [failed(1)]
    found = stands(SLOW, candidate(lossy, run_id=2))
    assert found.word == "no verdict"
    assert "the error rates are 0 % and 25.0 %" in sentence(found)


def test_other_work_is_not_compared() -> None:
    found = stands(SLOW, played(2, (1.0, 1.01, 0.99), max_tokens=7))
    assert (found.word, brief(found)) == (OTHER_WORK, OTHER_WORK)
    assert as_row(found)["speed"] is None
    assert "Run 2 did different work from run 1, its baseline" in sentence(found)


def test_of_what_an_older_paceline_kept_nothing_is_said() -> None:
    old = replace(of(FAST), headline={"output_tokens_per_s": 1.0})
    assert against(of(SLOW), old, MODEL) is None
    assert against(old, of(SLOW), MODEL) is None


seconds = st.lists(st.floats(0.9, 1.1), min_size=1, max_size=5)


margins = st.sampled_from([None, 0.02, 0.2])
statuses = st.sampled_from(["done", "running"])


@settings(deadline=None, max_examples=100)  # what repeats could have shown takes a while
@given(
    seconds,
    seconds,
    st.sampled_from(["batch", "sequential"]),
    st.booleans(),
    st.tuples(margins, margins),
    statuses,
)
def test_history_says_what_compare_says(
    one: list[float], other: list[float], mode: str, turns: bool, chosen: Any, status: Any
) -> None:
    told = [
        {"comparison_id": 7 if turns else None, "margin": chosen[0], "status": status},
        {"comparison_id": 7 if turns else None, "margin": chosen[1]},
    ]
    both = [played(n, times, mode=mode) for n, times in ((1, one), (2, other))]
    both = [replace(c, run=replace(c.run, **more)) for c, more in zip(both, told, strict=True)]
    rows = [replace(of(c), **more) for c, more in zip(both, told, strict=True)]
    (verdict,) = compare(both).verdicts
    found = against(*rows, MODEL)
    assert found is not None
    assert (found.word, found.findings) == (verdict.word, verdict.findings)
    assert found.margin == verdict.margin
    assert (
        sentence(found).partition(",")[2:]
        == verdict.sentence.replace("run 2", "Run 2", 1).partition(",")[2:]
    )


def test_what_was_called_equivalent_beforehand_holds_in_history_too() -> None:
    rows = [of(played(n, (2.0, 2.01, 1.99)), comparison_id=7, margin=0.1) for n in (1, 2)]
    found = against(*rows, MODEL)
    assert found is not None
    assert brief(found) == "≈ within ±10 %"
    assert "is as fast as run 1, within ±10 %" in sentence(found)


def test_a_reference_that_is_measured_again_judges_nobody_meanwhile() -> None:
    found = against(of(SLOW, status="queued"), of(FAST), MODEL)
    assert found is not None and found.word == "no verdict"
    assert "because its baseline is still being measured" in sentence(found)


# --- which reference -------------------------------------------------------------------------


def pin(kind: Kind, value: str, run_id: int, hour: int = 0) -> Baseline:
    return Baseline(kind, value, run_id, NOON + timedelta(hours=hour))


def test_a_tag_comes_before_the_model_and_the_newest_first() -> None:
    pins = (pin("model", "tiny", 1, 9), pin("tag", "a", 2), pin("tag", "b", 3, 1))
    run = Row(9, {}, tags=("a", "b"))
    assert [p.run_id for p in fitting(run, pins)] == [3, 2, 1]
    assert [p.run_id for p in fitting(run, pins, tag="a")] == [2, 3, 1]
    assert [p.run_id for p in fitting(run, pins, model="tiny")] == [1, 3, 2]
    assert [p.run_id for p in fitting(replace(run, model="huge", tags=("b",)), pins)] == [3]
    assert fitting(Row(9, {}, model="a"), pins) == ()  # a model that is called like a tag


def test_only_later_runs_that_are_done_stand_against_a_reference() -> None:
    runs = [of(played(n, (1.0, 1.01, 0.99))) for n in range(1, 6)]
    runs[3] = replace(runs[3], status="interrupted")
    baseline_runs = {2: runs[1]}
    found = baseline_verdicts(runs, (pin("model", "tiny", 2),), baseline_runs)
    assert {run_id: verdict.word for run_id, verdict in found.items()} == {
        2: BASELINE,
        3: "equivalent",
        5: "equivalent",
    }
    assert sentence(found[2]) == "Run 2 is the baseline of model tiny."
    assert brief(found[2]) == "baseline"


def test_a_run_older_than_one_reference_stands_against_the_next() -> None:
    runs = {n: of(played(n, (1.0, 1.01, 0.99)), tags=("a",)) for n in (1, 2, 3)}
    pins = (pin("tag", "a", 3), pin("model", "tiny", 1))
    found = baseline_verdicts(runs.values(), pins, runs)
    assert (found[2].baseline_id, found[2].baselines) == (1, (pins[1],))


def test_without_a_pin_no_run_stands_anywhere() -> None:
    assert baseline_verdicts([of(SLOW), of(FAST)], (), {}) == {}
    assert baseline_verdicts([of(FAST)], (MODEL,), {}) == {}  # it has been deleted meanwhile


def test_another_server_is_not_called_faster_without_a_word() -> None:
    one = {"address": "127.0.0.1:1", "engine_version": "0.9", "cpu": "a", "cores": 2}
    baseline_run = of(SLOW, server=one)
    same = against(baseline_run, of(FAST, server=one), MODEL)
    assert same is not None and same.differs == ()
    other = one | {"address": "127.0.0.1:2", "cpu": "b", "cores": 4, "engine": "only here"}
    found = against(baseline_run, of(FAST, server=other), MODEL)
    assert found is not None and found.differs == ("address", "machine")
    assert brief(found) == "faster, 2.00× (different server)"
    assert sentence(found).endswith(
        "It ran on a different server than the baseline: address and machine differ."
    )
    assert as_row(found)["differs"] == ["address", "machine"]

"""Speed-up, efficiency and price by hand; and what failed stands in the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ask.config import RunConfig
from services.ask.measurement import Sample
from services.ask.modes import size_of
from services.ask.prices import Hourly
from services.servers.engines import EngineConfig
from services.studies.curves import batch_curves, device_curves
from services.studies.scaling import COST, THROUGHPUT, scaling
from services.studies.work import label_of, work_of
from tests.values import cell, with_samples

ONE = 20 / 3  # tokens/s of speed 1
SAME = (1.0, 1.0, 1.0)


def test_speed_up_efficiency_and_price_worked_out_by_hand() -> None:
    result = scaling([cell(1, vary=SAME), cell(1.5, index=1, tp=2, vary=SAME)], 3.60)
    first, second = result.rows
    assert (first.label, second.label) == ("TP 1", "TP 2")
    assert first.is_baseline and first.speedup is None and first.efficiency is None
    assert second.speedup and second.speedup.value == pytest.approx(1.5)
    assert second.efficiency and second.efficiency.value == pytest.approx(0.75)
    assert second.per_device and second.per_device.value == pytest.approx(ONE * 0.75)
    assert second.word == "faster"
    # a device costs $ 0.001 a second: a million tokens take one 150,000 s, two of them 100,000 s
    assert first.levels[COST] and first.levels[COST].value == pytest.approx(150)
    assert second.levels[COST] and second.levels[COST].value == pytest.approx(200)


def test_intervals_are_welchs_over_repeats() -> None:
    result = scaling([cell(1), cell(1.8, index=1, tp=2)])
    speedup, efficiency = result.rows[1].speedup, result.rows[1].efficiency
    assert speedup and efficiency and not speedup.paired
    assert speedup.low and speedup.high and speedup.low < 1.8 < speedup.high
    assert (efficiency.low, efficiency.high) == (speedup.low / 2, speedup.high / 2)


@pytest.mark.long
@pytest.mark.slow
@given(st.integers(2, 64), st.floats(0.1, 10))
def test_a_perfect_scaler_has_an_efficiency_of_one(ranks: int, speed: float) -> None:
    result = scaling([cell(speed), cell(speed * ranks, index=1, dp=ranks)])
    efficiency = result.rows[1].efficiency
    assert efficiency and efficiency.value == pytest.approx(1)


def test_without_one_device_the_fewest_are_the_baseline() -> None:
    result = scaling([cell(1.5, index=1, tp=4), cell(1, tp=2)])
    assert [row.label for row in result.rows] == ["TP 2", "TP 4"]
    efficiency = result.rows[1].efficiency
    assert efficiency and efficiency.value == pytest.approx(0.75)


def test_each_variant_has_a_baseline_of_its_own() -> None:
    chunked = [EngineConfig(tp=tp, chunked_prefill=on) for on in (True, False) for tp in (1, 2)]
    result = scaling([cell(1 + at, index=at, engine=e) for at, e in enumerate(chunked)])
    against = {row.label: result.labels[row.baseline] for row in result.rows}
    assert against["TP 2 · chunked prefill on"] == "TP 1 · chunked prefill on"
    assert against["TP 2 · chunked prefill off"] == "TP 1 · chunked prefill off"


def test_variants_of_one_size_are_compared_with_the_first() -> None:
    result = scaling([cell(1 + on, index=on, engine=EngineConfig(eager=bool(on))) for on in (0, 1)])
    assert [row.is_baseline for row in result.rows] == [True, False]
    assert not device_curves(result)


def test_two_repeats_are_a_ratio_without_a_verdict() -> None:
    result = scaling([cell(1, vary=(1, 1.1)), cell(2, index=1, tp=2, vary=(1, 1.1))])
    row = result.rows[1]
    assert row.speedup and row.speedup.value == pytest.approx(2)
    assert (row.speedup.low, row.word) == (None, "no verdict")


@pytest.mark.parametrize("status", ["failed", "cancelled", "running"])
def test_a_run_that_did_not_end_allows_no_verdict(status: str) -> None:
    result = scaling([cell(1), cell(2, index=1, tp=2, status=status)])  # type: ignore[arg-type]
    row = result.rows[1]
    assert row.speedup and row.speedup.low is None
    assert row.word == "no verdict" and "this run" in row.why_not


def test_cells_that_could_not_be_measured_are_in_the_table() -> None:
    result = scaling(
        [cell(1), cell(None, index=1, tp=8, problem="It needs 8 GPUs, and there are 0.")]
    )
    row = result.rows[1]
    assert row.problem == "It needs 8 GPUs, and there are 0."
    assert (row.speedup, row.level(THROUGHPUT), row.candidates) == (None, None, [])


def test_a_cell_that_is_still_to_be_measured_is_no_problem() -> None:
    assert scaling([cell(None)]).rows[0].problem is None


def test_without_its_baseline_a_row_has_no_speed_up() -> None:
    result = scaling([cell(None, problem="Out of memory."), cell(2, index=1, tp=2)])
    assert result.rows[1].speedup is None
    assert "baseline" in result.rows[1].why_not


def test_many_speed_ups_are_judged_together() -> None:
    """What one comparison calls a difference may be chance among twelve (Holm)."""
    pair = [cell(1), cell(1.08, tp=2)]
    assert scaling(pair).rows[1].word == "faster"
    several = [
        cell(speed, size=size, tp=tp) for size in range(4, 16) for tp, speed in ((1, 1), (2, 1.08))
    ]
    assert {row.word for row in scaling(several).rows if row.speedup} == {"inconclusive"}


def test_memory_is_the_peak_of_the_fullest_device() -> None:
    names = ("gpu0_memory_bytes", "gpu1_memory_bytes", "memory_bytes", "gpu2_memory_bytes")
    seen = [(5.0, 7.0, 99.0), (8.0, 6.0, 99.0, 1.0)]
    samples = [Sample(0, dict(zip(names, values, strict=False))) for values in seen]
    memory = scaling([with_samples(cell(1, tp=2), samples)]).rows[0].memory
    assert memory and (memory.most, memory.least, memory.gpu) == (8.0, 7.0, True)
    bare = [Sample(0, {"memory_bytes": 10.0})]
    alone = scaling([with_samples(cell(1, tp=2), bare)]).rows[0].memory
    assert alone and (alone.most, alone.gpu) == (5.0, False)
    assert scaling([cell(1)]).rows[0].memory is None


def test_the_price_of_a_server_is_not_that_of_its_devices() -> None:
    """`usd_per_hour` is for all devices together; the report uses its own price."""
    result = scaling([cell(1, price=Hourly(7.0), usd_per_hour=7.0)])
    assert COST not in result.rows[0].numbers


# the work


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"mode": "batch", "requests": 8}, 8),
        ({"mode": "batch", "requests": 32, "concurrency": 8}, 8),
        ({"mode": "batch", "requests": 8, "concurrency": 32}, 8),
        ({"mode": "sequential", "requests": 8}, 1),
        ({"mode": "staggered", "requests": 8}, None),
    ],
)
def test_the_batch_size_is_what_is_in_flight(config: dict[str, object], size: int | None) -> None:
    assert size_of(RunConfig.model_validate(config)) == size


def test_servers_judgement_and_repeats_do_not_count_as_other_work() -> None:
    config = RunConfig(mode="batch", base_url="http://127.0.0.1:1", repeats=3, usd_per_hour=1)
    assert work_of(config) == work_of(RunConfig(mode="batch", pause_s=9.0))
    assert work_of(config) != work_of(RunConfig(mode="batch", max_tokens=9))


def test_a_work_is_named_by_what_differs_and_never_by_a_prompt() -> None:
    works = [
        work_of(RunConfig(mode="batch", requests=8, prompt=text, max_tokens=n))
        for text, n in (("secret one", 16), ("secret two", 32))
    ]
    assert [label_of(work, works) for work in works] == [
        "prompts 1 · 16 tokens out",
        "prompts 2 · 32 tokens out",
    ]
    assert label_of(works[0], works[:1]) == "batch 8"


# the curves


def test_a_curve_over_devices_is_of_one_kind_of_parallelism() -> None:
    grid = [(1, 1, 1), (2, 1, 1), (4, 1, 1), (1, 2, 1), (2, 2, 1)]
    result = scaling(
        [cell(1 + at, index=at, tp=tp, pp=pp, dp=dp) for at, (tp, pp, dp) in enumerate(grid)]
    )
    curves = {tuple(row.label for row in curve.rows): curve for curve in device_curves(result)}
    assert set(curves) == {
        ("TP 1", "TP 2", "TP 4"),
        ("TP 1", "PP 2"),
        ("TP 2", "TP 2 · PP 2"),
        ("PP 2", "TP 2 · PP 2"),
    }
    whole = curves["TP 1", "TP 2", "TP 4"].fit
    assert whole and whole.sizes == (1, 2, 4)


def test_a_size_that_failed_is_left_out_of_the_law() -> None:
    result = scaling([cell(1), cell(1.5, tp=2), cell(None, tp=4, problem="Out of memory.")])
    (curve,) = device_curves(result)
    assert curve.fit and curve.fit.sizes == (1, 2) and len(curve.rows) == 3


def test_the_knee_is_the_smallest_batch_within_5_per_cent_of_the_best() -> None:
    speeds = {1: 1.0, 2: 1.8, 4: 2.88, 8: 3.0, 16: 2.95}
    (curve,) = batch_curves(scaling([cell(s, size=n) for n, s in speeds.items()]))
    assert (curve.best.work.size, curve.knee and curve.knee.work.size) == (8, 4)
    assert curve.saturates


def test_throughput_that_still_grows_is_not_saturated() -> None:
    (curve,) = batch_curves(scaling([cell(float(n), size=n) for n in (1, 2, 4)]))
    assert curve.best is curve.knee and not curve.saturates
    (lonely,) = batch_curves(scaling([cell(1)]))
    assert lonely.knee is None and not lonely.saturates


def test_a_cell_shows_no_numbers_of_a_run_without_success() -> None:
    measured_cell = cell(1)
    assert measured_cell.candidate
    empty = replace(
        measured_cell.candidate,
        measurements=[],
        summary=replace(measured_cell.candidate.summary, repeats=(), output_tokens_per_s=None),
    )
    row = scaling([replace(measured_cell, candidate=empty)]).rows[0]
    assert row.problem == "No request succeeded with a known token count."

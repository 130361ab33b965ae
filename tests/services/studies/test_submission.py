"""The same requests submitted in several ways, on one replica and on several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.servers.engines import EngineConfig
from services.studies.cell import MeasuredCell
from services.studies.grid import cells as planned
from services.studies.report import report
from services.studies.scaling import SUBMISSION, TOTAL_TIME
from services.studies.study_link import preset_config
from services.studies.tables import results
from tests.values import cell

WAY: dict[str, dict[str, Any]] = {
    "sequential": {"mode": "sequential", "pause_s": 0.0},
    "async": {"mode": "staggered", "interval_s": 0.06},
    "batch": {"mode": "batch"},
}


def ray(dp: int, extra: str = "") -> EngineConfig:
    return EngineConfig(engine="ray", dp=dp, max_seqs=1, extra=extra)


def spread(measured: MeasuredCell, seconds: float) -> MeasuredCell:
    """The cell with its last request sent so long after the first was due."""
    assert measured.candidate is not None
    last = max(m.index for m in measured.candidate.measurements)
    sent = [
        replace(m, t_send=seconds) if m.index == last else m
        for m in measured.candidate.measurements
    ]
    return replace(measured, candidate=replace(measured.candidate, measurements=sent))


def study(extra: str = "") -> list[MeasuredCell]:
    return [
        spread(cell(speed, index=at, engine=ray(dp, extra), **WAY[way]), seconds)
        for at, (way, dp, speed, seconds) in enumerate(
            [
                *(("sequential", 1, 1.0, 2.0), ("async", 1, 1.0, 0.2), ("batch", 1, 1.0, 0.01)),
                *(("sequential", 3, 1.0, 2.0), ("async", 3, 2.5, 0.2), ("batch", 3, 2.5, 0.01)),
            ]
        )
    ]


def test_the_preset_sends_five_requests_in_three_ways_on_one_replica_and_on_three() -> None:
    grid = planned(preset_config("replicas"))
    asked = [(one.engine and one.engine.dp, one.config.mode, one.config.requests) for one in grid]
    modes = ("sequential", "staggered", "batch")
    assert asked == [(dp, mode, 5) for dp in (1, 3) for mode in modes]
    assert {one.engine and (one.engine.engine, one.engine.max_seqs) for one in grid} == {("ray", 1)}
    assert preset_config("replicas", EngineConfig(engine="vllm")).engine == EngineConfig(
        engine="vllm", max_seqs=1
    )


def test_the_time_to_submit_and_the_total_time_of_each_cell() -> None:
    result = report(study())
    by_way = {(r.work.mode, r.configuration.ranks): r for r in result.scaling.rows}
    for mode, seconds in (("sequential", 2.0), ("staggered", 0.2), ("batch", 0.01)):
        submitted = by_way[mode, 3].level(SUBMISSION)
        assert submitted and submitted.value == pytest.approx(seconds)
    one, three = (by_way["batch", dp].level(TOTAL_TIME) for dp in (1, 3))
    assert one and three and one.value / three.value == pytest.approx(2.5)
    table = results(result)
    assert {"Submission time", "Total time", "Speed-up"} <= set(table.columns)
    assert "DP 3" in result.headline and "2.5" in result.details + result.headline


def test_a_study_of_one_mode_has_no_column_of_submission() -> None:
    table = results(report([cell(1), cell(2, dp=2)]))
    assert not {"Submission time", "Total time"} & set(table.columns)


def test_a_simulated_wait_is_reported() -> None:
    assert any("(--wait 2)" in note for note in report(study("--wait 2")).notes)
    for none in ("", "--wait 0", "--seed 1"):
        assert not any("Each replica" in note for note in report(study(none)).notes)

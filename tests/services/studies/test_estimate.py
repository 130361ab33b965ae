"""What a study is said to take before it starts."""

from __future__ import annotations

import pytest

from services.ask.answer_times import Pace
from services.servers.engines import EngineConfig
from services.studies.estimate import START_S, estimate
from services.studies.grid import planned
from services.studies.parallel import Parallel
from services.studies.study_config import StudyConfig

PACE = Pace(6.4, 12.8, 25.6, "from a test")
TWO = StudyConfig(
    engine=EngineConfig(), parallel=(Parallel(), Parallel(2)), batches=(1, 8), usd_per_gpu_hour=3.6
)


ENGINE = (30 + 10) + (30 + 10 / 8**0.5)  # seconds of 1 and of 8 at once, and of their warm-ups


def test_starts_and_cells_add_up_and_each_gpu_costs() -> None:
    grid = planned(TWO, lambda config: None)
    result = estimate(TWO, grid, lambda name: 100.0, lambda cell: PACE)
    # a cell: 3 repeats of 128 tokens at 12.8 tokens/s, 30 s, and 1 request to warm up; 20 to 80
    assert (result.cells, result.starts) == (4, 2)
    assert result.seconds == pytest.approx(2 * 100 + 2 * ENGINE)
    assert result.usd == pytest.approx(0.001 * (100 + ENGINE) * (1 + 2))
    # 15 to 60 s of measuring, and 5 s (1.25 s faster than 8 at once) to 20 s of warming up
    assert result.between == (2 * (100 + 15 + 15) + 2 * (5 + 5 / 8), 2 * 100 + 4 * 80)
    assert result.sentence == (
        "4 cells on 2 engines, started one after another. It takes about 5–9 min, from a test, "
        "and costs about $0.52."
    )


def test_without_earlier_runs_it_is_at_least_the_starts() -> None:
    grid = planned(TWO, lambda config: None)
    result = estimate(TWO, grid, lambda name: None, lambda cell: None)
    assert result.at_least and result.seconds == 2 * START_S
    assert "It takes at least 2 min (the duration of answers is unknown" in result.sentence


def test_a_time_of_less_than_a_second_is_not_promised() -> None:
    grid = planned(TWO, lambda config: None)
    sentence = estimate(TWO, grid, lambda name: 0.002, lambda cell: None).sentence
    assert "It takes an unknown time, because there is no run on such a server yet" in sentence


def test_what_cannot_run_takes_no_time_and_costs_nothing() -> None:
    grid = planned(TWO, lambda config: "no" if config.ranks > 1 else None)
    result = estimate(TWO, grid, lambda name: 100.0, lambda cell: PACE)
    assert (result.impossible, result.starts) == (2, 1)
    assert result.seconds == pytest.approx(100 + ENGINE)
    assert "2 of 4 cells can be measured here" in result.sentence
    none = estimate(TWO, planned(TWO, lambda config: "no"), lambda name: 1.0, lambda cell: PACE)
    assert none.sentence == "4 cells, and none of them can be measured here."

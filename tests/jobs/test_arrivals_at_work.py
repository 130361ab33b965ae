"""A run in each way to offer load, from the queue to its page, by number and by time."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from db import results, runs
from jobs.run_supervisor import NONE_DUE
from services.ask.modes import MODES
from services.report.export.page import page_html
from tests.conftest import ReferenceServer, Submit, finished

MODEL = "ref tokens=4 ttft=0.02 gap=0.005"
LOAD: dict[str, dict[str, Any]] = {
    "sequential": {"pause_s": 0.1},
    "staggered": {"interval_s": 0.05},
    "batch": {"concurrency": 3},
    "users": {"users": 3, "think_s": 0.05, "random_think": True},
    "constant": {"rate": 20},
    "poisson": {"rate": 20},
    "gamma": {"rate": 20, "burstiness": 0.3},
    "ramp": {"rate": 5, "end_rate": 30},
    "steps": {"rate": 5, "end_rate": 30, "rate_steps": 2, "concurrency": 2},
    "replay": {"trace": [(0.0, 20, 4), (0.3, 30, 3), (0.35, 20, 2), (1.0, 25, 4)]},
}
BY_TIME = [mode for mode in LOAD if mode != "replay"]  # a trace ends on its own


def test_every_mode_has_a_load_in_these_tests() -> None:
    assert set(LOAD) == set(MODES)


@pytest.mark.long
@pytest.mark.parametrize("mode", BY_TIME)
def test_a_run_by_time_is_measured_to_its_end(
    database: Engine, reference: ReferenceServer, reference_run: Submit, mode: str
) -> None:
    more = {"mode": mode, "duration_s": 0.8, "load_warmup_s": 0.2, "calibrate": mode == "ramp"}
    run = finished(database, reference_run(MODEL, max_tokens=4, **more, **LOAD[mode]))
    assert run.error is None
    measured = runs.measurements(database, run.id)
    assert len(measured) >= 3
    assert {(m.status, m.error) for m in measured} == {("ok", None)}
    assert [m.index for m in measured] == list(range(len(measured)))
    assert all(0 <= m.t_due < 0.8 for m in measured)
    candidate = results.candidate(database, run.id)
    assert "0.8 s" in run.name
    assert MODES[mode].name in page_html([candidate]).decode()
    if mode == "ramp":
        assert run.calibration is not None and run.calibration["lost"] == 0


@pytest.mark.long
def test_a_warm_up_that_fails_is_stored_with_the_repeat_after_it(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    load = {"mode": "constant", "rate": 20, "requests": 2, "load_warmup_s": 0.5, "processes": 2}
    refused = reference_run("ref status=429", warmup=3, repeats=2, **load)
    healths = [repeat.health for repeat in finished(database, refused).repeats]
    assert [health["warm_up"] for health in healths] == [{"http_429": 13}, {"http_429": 10}]


@pytest.mark.long
def test_a_run_in_which_no_request_was_due_fails_with_the_reason(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    run = finished(database, reference_run(MODEL, mode="poisson", rate=0.01, duration_s=0.5), 240)
    assert (run.status, run.error) == ("failed", NONE_DUE)


@pytest.mark.long
def test_a_trace_is_replayed_at_its_times(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    part = {"trace_from_s": 0.2, "trace_speed": 2, "load_warmup_s": 0.1}
    run = finished(database, reference_run(MODEL, mode="replay", **part, **LOAD["replay"]))
    assert run.error is None
    measured = runs.measurements(database, run.id)
    assert [m.t_due for m in measured] == pytest.approx([0.05, 0.075, 0.4])
    assert {m.status for m in measured} == {"ok"}
    assert all(m.t_send is not None and m.t_send >= m.t_due for m in measured)
    candidate = results.candidate(database, run.id)
    assert candidate.summary.steady is None  # its load changes by itself
    assert "replay" in page_html([candidate]).decode()

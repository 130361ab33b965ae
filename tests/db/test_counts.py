"""What is asked for every second."""

from __future__ import annotations

from sqlalchemy import Engine

from db import counts, queue, runs
from services.config import RunConfig
from services.measurement import Measurement


def new(engine: Engine, model: str = "m") -> int:
    return runs.create(engine, RunConfig(model=model), "lane")


def test_requests_are_counted_by_status(engine: Engine) -> None:
    run_id = new(engine)
    assert counts.counted(engine, run_id) == {}
    statuses = ("ok", "failed", "ok", "cancelled")
    rows = [Measurement(0, index, status, 0.0) for index, status in enumerate(statuses)]
    queue.add_measurements(engine, run_id, rows)
    assert counts.counted(engine, run_id) == {"ok": 2, "failed": 1, "cancelled": 1}


def test_the_pace_is_the_median_of_the_latest_runs_of_the_same_model(engine: Engine) -> None:
    assert counts.pace(engine, "embedded", "m") is None
    for rate in (1000.0, 10.0, 20.0, 30.0, 40.0, 50.0):
        queue.finish(engine, new(engine), "done", headline={"tokens_per_s_median": rate})
    queue.finish(engine, new(engine, "other"), "done", headline={"tokens_per_s_median": 7.0})
    queue.finish(engine, new(engine), "failed", headline={"tokens_per_s_median": 8.0})
    assert counts.pace(engine, "embedded", "m") == 30.0

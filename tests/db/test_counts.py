"""What is asked for every second."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import counts, queue, recording, runs
from services.ask.answer_times import EarlierRun
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Progress


def new(database: Engine, model: str = "m") -> int:
    return runs.create(database, RunConfig(model=model), "lane")


def test_requests_are_counted_by_status(database: Engine) -> None:
    run_id = new(database)
    assert counts.request_counts(database, run_id) == {}
    statuses = ("ok", "failed", "ok", "cancelled")
    rows = [Measurement(0, index, status, 0.0) for index, status in enumerate(statuses)]
    recording.add_measurements(database, run_id, rows)
    assert counts.request_counts(database, run_id) == {"ok": 2, "failed": 1, "cancelled": 1}


def headline(rate: float | None, at_once: int | None = 1) -> dict[str, float | None]:
    return {"tokens_per_s_median": rate, "peak_in_flight": at_once}


def test_earlier_runs_count_only_for_the_same_model_and_address(database: Engine) -> None:
    assert counts.earlier_runs(database, "embedded", "m", "lane") == []
    for rate in (10.0, 20.0):
        queue.finish(database, new(database), "done", headline=headline(rate, 4))
    for model, status, numbers in (
        ("other", "done", headline(7.0)),
        ("m", "failed", headline(8.0)),
        ("m", "done", headline(None)),
        ("m", "done", headline(9.0, None)),
        ("m", "done", {}),
    ):
        queue.finish(database, new(database, model), status, headline=numbers)
    elsewhere = runs.create(database, RunConfig(model="m"), "another lane")
    queue.finish(database, elsewhere, "done", headline=headline(3.0))
    assert counts.earlier_runs(database, "embedded", "m", "lane") == [
        EarlierRun(20.0, 4),
        EarlierRun(10.0, 4),
    ]
    assert EarlierRun(7.0, 1) in counts.earlier_runs(database, "embedded", "", "lane")
    assert (
        counts.earlier_runs(database, "embedded", "m", None) == []
    )  # none was on a started engine


def test_only_the_latest_runs_are_remembered(database: Engine) -> None:
    for rate in range(1, counts.REMEMBERED + 5):
        queue.finish(database, new(database), "done", headline=headline(float(rate)))
    seen = counts.earlier_runs(database, "embedded", "m", "lane")
    assert len(seen) == counts.REMEMBERED and min(count.tokens_per_s for count in seen) == 5.0


def test_a_large_run_under_way_is_counted_by_its_progress(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "LARGE", 10)
    run_id = new(database)
    queue.claim(database)
    for t, repeat, done in ((1.0, 0, 3), (2.0, 0, 8), (3.0, 1, 2)):
        recording.add_progress(database, run_id, Progress(t, repeat, done, 0, done, 1, 0))
    recording.add_measurements(database, run_id, [Measurement(0, 0, "ok", 0.0)])
    assert counts.request_counts(database, run_id) == {"ok": 10, "failed": 2}
    queue.finish(database, run_id, "done")
    assert counts.request_counts(database, run_id) == {"ok": 1}, "all are stored"


def test_the_first_error_is_that_of_the_first_request(database: Engine) -> None:
    run_id = new(database)
    assert counts.first_error(database, run_id) is None
    rows = [
        Measurement(0, 1, "failed", 0.0, error="b"),
        Measurement(0, 0, "failed", 0.0, error="a"),
    ]
    recording.add_measurements(database, run_id, rows)
    assert counts.first_error(database, run_id) == "a"

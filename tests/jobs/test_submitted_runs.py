"""Runs that are submitted, measured by real processes, cancelled and repeated."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

import jobs
from db import counts, queue, runs
from db.comparisons import CannotRepeat
from jobs.supervisor_lock import supervisor_file
from services.ask.backends import BackendProblem
from services.ask.config import RunConfig
from tests.conftest import SLOW, ReferenceServer, Submit, finished, until


@pytest.mark.long
def test_a_run_is_measured_outside_this_process_and_stored_whole(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=5", mode="batch", requests=20, repeats=2, warmup=3)
    run = finished(database, run_id)
    assert (run.status, run.error) == ("done", None)
    measured = runs.measurements(database, run_id)
    assert [(m.repeat, m.index) for m in measured] == [(r, i) for r in (0, 1) for i in range(20)]
    assert {m.output_tokens for m in measured} == {5}
    assert [repeat.index for repeat in run.repeats] == [0, 1]
    assert all(repeat.duration_s and repeat.health for repeat in run.repeats)
    assert run.environment["cores"] >= 1
    assert runs.search(database)[0].headline["ok"] == 40


@pytest.mark.long
def test_runs_of_one_backend_wait_for_each_other(database: Engine, reference_run: Submit) -> None:
    first = reference_run("ref tokens=50 gap=0.02", requests=1, warmup=0)
    second = reference_run("ref tokens=2", requests=1, warmup=0)
    until(lambda: runs.load(database, first).status == "running", 15)
    assert runs.load(database, second).status == "queued"
    assert [run.id for run in queue.runs_ahead(database, second)] == [first]
    first_run, second_run = finished(database, first), finished(database, second)
    assert first_run.ended_at and second_run.started_at
    assert second_run.started_at >= first_run.ended_at


@pytest.mark.timed
def test_cancel_stops_a_run_within_two_seconds_and_keeps_what_was_measured(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=3", mode="staggered", requests=500, interval_s=0.1, warmup=0)
    until(lambda: counts.request_counts(database, run_id).get("ok", 0) >= 5, 20)
    began = time.monotonic()
    jobs.cancel(database, run_id)
    run = finished(database, run_id, 5)
    assert time.monotonic() - began < 2
    assert run.status == "cancelled"
    assert len(runs.measurements(database, run_id)) >= 5


@pytest.mark.long
def test_cancelled_in_mid_answer_a_request_keeps_the_tokens_it_had(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(
        "ref gap=0.05 tokens=2000", mode="batch", requests=3, warmup=0, max_tokens=2000
    )
    until(lambda: any(p.tokens > 10 for p in runs.progress(database, run_id)), 20)
    jobs.cancel(database, run_id)
    assert finished(database, run_id, 5).status == "cancelled"
    measured = runs.measurements(database, run_id)
    assert [m.status for m in measured] == ["cancelled"] * 3
    assert all(len(m.token_times) > 5 for m in measured)


def test_a_queued_run_is_cancelled_before_it_begins(
    database: Engine, reference_run: Submit
) -> None:
    first = reference_run(SLOW, requests=1)
    second = reference_run("ref")
    assert jobs.cancel(database, second).status == "cancelled"
    jobs.cancel(database, first)
    assert finished(database, first, 15).status == "cancelled"
    assert runs.load(database, second).started_at is None


@pytest.mark.long
def test_no_run_is_queued_if_the_queue_cannot_be_processed(database: Engine) -> None:
    lock = supervisor_file(database, "lock")
    lock.mkdir()  # as good as a folder that cannot be written, for root too
    with pytest.raises(jobs.QueueProblem, match=rf"Is a directory \({lock}\)\. Make that path"):
        jobs.submit(database, RunConfig())
    assert runs.count(database) == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("ref status=401", "No request succeeded. The first one: HTTP 401"),
        ("ref tokens=3 fault=needs-key", "Incorrect API key provided"),
        ("ref fault=html", "not in a known API format"),
    ],
)
def test_a_run_without_a_successful_request_fails_with_the_reason(
    database: Engine, reference_run: Submit, model: str, message: str
) -> None:
    run = finished(database, reference_run(model, requests=3, pause_s=0))
    assert run.status == "failed"
    assert message in str(run.error)
    assert counts.request_counts(database, run.id) == {"failed": 3}


@pytest.mark.long
def test_a_run_with_some_failed_requests_is_done(database: Engine, reference_run: Submit) -> None:
    fields = {"turns": 2, "input_tokens": 8, "requests": 4, "pause_s": 0, "warmup": 0}
    model = "ref tokens=2 most_messages=1"  # each second turn is refused
    run = finished(database, reference_run(model, workload="synthetic", **fields))
    assert (run.status, run.error) == ("done", None)
    assert counts.request_counts(database, run.id) == {"ok": 2, "failed": 2}


@pytest.mark.long
def test_a_run_stops_at_its_limit_of_failed_requests(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref status=500", requests=50, pause_s=0, stop_after_errors=4, warmup=0)
    assert finished(database, run_id).status == "failed"
    assert counts.request_counts(database, run_id) == {"failed": 4}


@pytest.mark.long
def test_a_repeat_stops_at_its_time_limit(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run(
        "ref tokens=3", mode="staggered", requests=500, interval_s=0.05, stop_after_s=1, warmup=0
    )
    run = finished(database, run_id)
    assert run.status == "done"
    assert 5 <= counts.request_counts(database, run_id)["ok"] <= 25


@pytest.mark.long
def test_an_unknown_model_is_named_from_what_the_server_lists(
    database: Engine, reference_run: Submit, reference: ReferenceServer
) -> None:
    run = finished(database, reference_run("", requests=1))
    assert (run.status, run.config.model) == ("done", "ref")


@pytest.mark.long
def test_a_default_name_contains_server_and_load(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_URL", "http://localhost:9")
    monkeypatch.setenv("PACELINE_URL_MODEL", "Qwen/Qwen3-8B")
    run_id = jobs.submit(database, RunConfig(backend="url", requests=1))
    assert runs.load(database, run_id).name == "127.0.0.1:9 · Qwen3-8B · sequential · 1 request"
    assert finished(database, run_id).status == "failed"


def test_a_run_on_an_unknown_backend_is_not_queued(database: Engine) -> None:
    with pytest.raises(BackendProblem):
        jobs.submit(database, RunConfig(backend="nowhere"))
    assert runs.count(database) == 0


@pytest.mark.long
def test_a_run_that_is_done_can_have_more_repeats(
    database: Engine, reference_run: Submit, reference: ReferenceServer
) -> None:
    run_id = reference_run("ref tokens=3", mode="batch", requests=2, warmup=0)
    before = finished(database, run_id)
    measured_before = runs.measurements(database, run_id)
    jobs.more(database, [run_id], 2)
    run = finished(database, run_id)
    assert (run.status, run.config.repeats, len(run.repeats)) == ("done", 3, 3)
    assert run.started_at == before.started_at
    measured = runs.measurements(database, run_id)
    assert measured[:2] == measured_before, "what was measured stays"
    assert [m.repeat for m in measured] == [0, 0, 1, 1, 2, 2]
    assert runs.search(database)[0].headline["repeats"] == 3
    moments = [moment.t for moment in runs.progress(database, run_id)]
    assert moments == sorted(moments)


@pytest.mark.long
def test_more_repeats_are_refused_with_a_message(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run("ref tokens=2", requests=1, warmup=0)
    finished(database, run_id)
    with pytest.raises(CannotRepeat, match="1 to 49 more"):
        jobs.more(database, [run_id], 50)
    failed = reference_run("ref status=500", requests=1, warmup=0)
    finished(database, failed)
    with pytest.raises(CannotRepeat, match="failed"):
        jobs.more(database, [run_id, failed], 1)
    assert runs.load(database, run_id).status == "done", "nothing is queued if one cannot be"

"""Supervisors and workers that are killed, stopped or left with nothing to do."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
from sqlalchemy import Engine

import jobs
from db import counts, runs
from jobs.run_supervisor import KILL_S
from jobs.supervisor_lock import MAX_LOG_BYTES, acquire_lock, supervisor_file
from tests.conftest import SLOW, Submit, finished, until
from tests.jobs.conftest import supervisors, workers


@pytest.mark.long
def test_a_killed_workers_run_is_interrupted_and_keeps_all_but_its_last_second(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(
        "ref gap=0.25 tokens=3", mode="staggered", requests=500, interval_s=0.05, warmup=0
    )
    until(lambda: counts.request_counts(database, run_id).get("ok", 0) >= 20, 20)
    (worker,) = workers()
    worker.kill()
    began_at = runs.load(database, run_id).repeats[0].began_at
    alive_for = time.time() - began_at.timestamp()
    run = finished(database, run_id, 5)
    assert run.status == "interrupted"
    assert "ended" in str(run.error)
    assert re.search(r"\d+ requests? in flight ended with it", str(run.error))
    last = max(m.t_end or 0.0 for m in runs.measurements(database, run_id))
    assert last > alive_for - 1.0


@pytest.mark.long
def test_a_killed_supervisor_leaves_no_worker_and_its_run_is_interrupted(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 20)
    (supervisor,), (worker,) = supervisors(), workers()
    os.kill(supervisor.pid, signal.SIGKILL)
    worker.wait(5)
    until(lambda: jobs.ensure(database) or supervisors(), 5)
    assert finished(database, run_id, 15).status == "interrupted"


@pytest.mark.long
def test_a_worker_that_does_not_end_is_killed_when_its_supervisor_stops(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 20)
    (supervisor,), (worker,) = supervisors(), workers()
    worker.suspend()  # it will not see that its standard input has ended
    supervisor.terminate()
    worker.wait(KILL_S + 5)
    supervisor.wait(5)
    run = runs.load(database, run_id)
    assert (run.status, run.error) == (
        "interrupted",
        "Paceline was stopped while this run was being measured.",
    )


@pytest.mark.long
def test_a_supervisor_ends_when_there_is_nothing_left_to_do(
    database: Engine, reference_run: Submit
) -> None:
    finished(database, reference_run("ref", requests=1, warmup=0))
    until(lambda: not supervisors(), 15)


def test_repeated_calls_start_only_one_supervisor(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run(SLOW, requests=1, warmup=0)
    for _ in range(5):  # sooner than any process could take a lock by itself
        jobs.ensure(database)
    assert len(supervisors()) == 1
    until(lambda: runs.load(database, run_id).status == "running", 15)
    jobs.ensure(database)
    assert len(supervisors()) == 1


@pytest.mark.long
def test_a_supervisors_death_frees_its_lock_while_its_worker_lives(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 20)
    (supervisor,), (worker,) = supervisors(), workers()
    worker.suspend()
    supervisor.kill()
    supervisor.wait(5)
    with acquire_lock(database) as held:
        assert held is not None
    worker.kill()
    jobs.ensure(database)
    assert finished(database, run_id, 15).status == "interrupted"


@pytest.mark.long
def test_a_supervisors_log_is_kept_by_the_next_and_does_not_grow_without_end(
    database: Engine, reference_run: Submit
) -> None:
    log, old = supervisor_file(database, "log"), supervisor_file(database, "log.old")
    log.write_text("what an earlier one wrote\n")
    finished(database, reference_run("ref", requests=1, warmup=0))
    assert log.read_text().startswith("what an earlier one wrote\n")
    assert "run 1: begins" in log.read_text()
    until(lambda: not supervisors(), 15)
    log.write_text("x" * (MAX_LOG_BYTES + 1))
    finished(database, reference_run("ref", requests=1, warmup=0))
    assert old.stat().st_size == MAX_LOG_BYTES + 1
    assert log.stat().st_size < 1000

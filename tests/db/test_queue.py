"""The queue: oldest first, one running run a lane, and no run lost with its process."""

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError

from db import queue, recording, runs, schema
from db.database import connect, writing
from db.heartbeats import LONG_LOST_S
from db.runs import NewRun
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Run, RunStatus

ROOT = Path(__file__).resolve().parents[2]
CLAIM_AND_DIE = """
import os, signal, sys
from db import database, queue, recording
from services.ask.measurement import Measurement
engine = database.connect(sys.argv[1])
run = queue.claim(engine)
queue.heartbeat(engine, run.id, "Measuring")
recording.add_measurements(engine, run.id, [Measurement(repeat=0, index=0, status="ok", t_due=0.0)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def new(database: Engine, *lanes: str) -> list[int]:
    return [runs.create(database, RunConfig(), lane) for lane in lanes]


def claimed(database: Engine) -> int | None:
    run = queue.claim(database)
    return run.id if run else None


def at_once(url: str, count: int, work: Callable[[Engine], None]) -> None:
    """Do the work in several threads, each with an engine of its own; errors come back here."""
    start, errors = threading.Barrier(count), []

    def one() -> None:
        engine = connect(url)
        start.wait()
        try:
            work(engine)
        except BaseException as error:
            errors.append(error)
        engine.dispose()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_nothing_can_be_claimed_from_an_empty_queue(database: Engine) -> None:
    assert queue.claim(database) is None


def test_the_oldest_run_of_a_free_lane_is_next(database: Engine) -> None:
    a1, a2, b1, a3 = new(database, "a", "a", "b", "a")
    assert [claimed(database) for _ in range(3)] == [a1, b1, None]
    queue.finish(database, a1, "done")
    assert [claimed(database) for _ in range(2)] == [a2, None]
    queue.finish(database, a2, "failed", "It broke.")
    assert claimed(database) == a3


def test_a_claimed_run_is_running_since_now(database: Engine) -> None:
    new(database, "a")
    before = datetime.now(UTC)
    run = queue.claim(database)
    assert run and run.status == "running"
    assert run.started_at and before <= run.started_at <= datetime.now(UTC)


def test_the_database_itself_refuses_a_second_running_run_in_a_lane(database: Engine) -> None:
    new(database, "a", "a", "b")
    running = update(schema.runs).values(status="running")
    with pytest.raises(IntegrityError), writing(database) as connection:
        connection.execute(running.where(schema.runs.c.lane == "a"))
    with writing(database) as connection:
        connection.execute(running.where(schema.runs.c.id.in_([1, 3])))


def test_a_run_and_its_lane_can_be_claimed_only_once(database: Engine) -> None:
    claimed, same_lane = new(database, "a", "a")
    took = [queue._claim_run(database, run_id) for run_id in (claimed, claimed, same_lane)]
    assert took == [True, False, False]
    assert runs.load(database, same_lane).status == "queued"


def test_claimers_at_once_get_one_run_of_each_lane(database: Engine, url: str) -> None:
    new(database, *"abcabcabc")
    claimed: list[Run] = []

    def work(own: Engine) -> None:
        if run := queue.claim(own):
            claimed.append(run)

    at_once(url, 6, work)
    assert sorted(run.id for run in claimed) == [1, 2, 3]
    assert runs.count(database, status="running") == 3


def test_claimers_at_once_run_every_run_once(database: Engine, url: str) -> None:
    ids = new(database, *"aabbaabb")
    claimed: list[int] = []

    def work(own: Engine) -> None:
        while queue.active(own):
            if run := queue.claim(own):
                claimed.append(run.id)
                assert queue.finish(own, run.id, "done")

    at_once(url, 4, work)
    assert Counter(claimed) == Counter(ids)


def test_writers_at_once_wait_for_one_another(database: Engine, url: str) -> None:
    (run_id,) = new(database, "a")
    numbers = iter(range(1000))

    def work(own: Engine) -> None:
        for _ in range(15):
            index = next(numbers)
            runs.edit(own, run_id, "name", ["both", str(index)], "")
            measured = Measurement(repeat=0, index=index, status="ok", t_due=0.0)
            recording.add_measurements(own, run_id, [measured])

    at_once(url, 4, work)
    assert len(runs.measurements(database, run_id)) == 60
    assert len(runs.load(database, run_id).tags) == 2


def test_a_run_whose_process_was_killed_is_interrupted_and_keeps_what_it_had(
    database: Engine, url: str
) -> None:
    first, second = new(database, "a", "a")
    killed = subprocess.run([sys.executable, "-c", CLAIM_AND_DIE, url], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert claimed(database) is None
    assert queue.interrupt(database, []) == []
    assert queue.interrupt(database, queue.heartbeats(database)) == [first]
    run = runs.load(database, first)
    assert (run.status, run.error, run.phase) == ("interrupted", queue.INTERRUPTED, "")
    assert run.started_at and run.ended_at and run.started_at <= run.ended_at
    assert len(runs.measurements(database, first)) == 1
    assert claimed(database) == second


def test_a_heartbeat_sets_the_phase_and_keeps_the_run_alive(database: Engine) -> None:
    new(database, "a")
    claimed(database)
    (before,) = queue.heartbeats(database)
    assert queue.heartbeat(database, 1, "Warming up") is False
    assert queue.heartbeat(database, 1) is False
    assert runs.load(database, 1).phase == "Warming up"
    assert queue.interrupt(database, [before]) == [], "it has been heard of since"


def test_a_heartbeat_reports_a_requested_cancel(database: Engine) -> None:
    new(database, "a")
    claimed(database)
    assert queue.request_cancel(database, 1).cancel_requested
    assert queue.heartbeat(database, 1) is True
    assert runs.load(database, 1).status == "running"


def test_a_heartbeat_tells_a_run_that_counts_as_ended_to_stop(database: Engine) -> None:
    new(database, "a")
    claimed(database)
    queue.interrupt(database, queue.heartbeats(database))
    assert queue.heartbeat(database, 1, "Measuring") is True
    assert queue.heartbeat(database, 99) is True
    assert runs.load(database, 1).phase == ""


def test_a_lost_run_with_a_requested_cancel_is_cancelled(database: Engine) -> None:
    new(database, "a")
    claimed(database)
    queue.request_cancel(database, 1)
    queue.interrupt(database, queue.heartbeats(database))
    assert (runs.load(database, 1).status, runs.load(database, 1).error) == ("cancelled", None)


def test_a_run_whose_keys_are_on_another_machine_runs_there(database: Engine) -> None:
    for number, ticket in enumerate(("here-1", "there-1")):
        runs.enqueue(database, NewRun(RunConfig(), f"lane {number}", ticket=ticket))
    assert queue.needed_tickets(database) == {"here-1", "there-1"}
    first = queue.claim(database, "here")
    assert first and first.id == 1
    assert queue.claim(database, "here") is None
    long_ago = datetime.now(UTC) - timedelta(seconds=LONG_LOST_S + 1)
    with writing(database) as connection:
        this = update(schema.runs).where(schema.runs.c.id == 2)
        connection.execute(this.values(created_at=long_ago))
    queue.machine_heartbeat(database, "there")
    assert queue.claim(database, "here") is None, "they are held"
    with writing(database) as connection:
        connection.execute(this.values(heartbeat_at=long_ago))
    lost = queue.claim(database, "here")
    assert lost and lost.id == 2


def test_a_queued_run_is_cancelled_at_once(database: Engine) -> None:
    new(database, "a")
    run = queue.request_cancel(database, 1)
    assert (run.status, run.started_at) == ("cancelled", None)
    assert run.ended_at is not None
    assert queue.claim(database) is None


def test_a_cancelled_queued_run_is_never_started(database: Engine) -> None:
    new(database, "a", "a")
    with writing(database) as connection:
        stop = update(schema.runs).where(schema.runs.c.id == 1).values(cancel_requested=True)
        connection.execute(stop)
    assert claimed(database) == 2
    assert runs.load(database, 1).status == "cancelled"


@pytest.mark.parametrize("status", ["done", "failed", "cancelled", "interrupted"])
def test_a_finished_run_does_not_change(database: Engine, status: RunStatus) -> None:
    new(database, "a")
    assert queue.finish(database, 1, status, headline={"ok": 5})
    before = runs.load(database, 1)
    with pytest.raises(runs.AlreadyFinished, match="Run 1 has already finished"):
        queue.request_cancel(database, 1)
    assert queue.finish(database, 1, "done", "late", {"ok": 9}) is False
    assert queue.heartbeats(database) == []
    assert runs.load(database, 1) == before
    assert runs.search(database)[0].headline == {"ok": 5}


def test_the_model_that_answers_is_stored_beside_the_config(database: Engine) -> None:
    new(database, "a")
    recording.set_model(database, 1, "SmolLM2-135M")
    assert runs.load(database, 1).config == RunConfig(model="SmolLM2-135M")
    assert [row.model for row in runs.search(database, model="SmolLM2-135M")] == ["SmolLM2-135M"]
    with database.connect() as connection:
        assert connection.execute(schema.runs.select()).one().config["model"] == ""


def test_the_environment_is_stored_unchanged(database: Engine) -> None:
    new(database, "a")
    environment = {"python": "3.11", "gpu": None, "cores": 2, "load": [0.5, 1.25], "µ": "ü"}
    recording.set_environment(database, 1, environment)
    assert runs.load(database, 1).environment == environment


def test_active_counts_queued_and_running(database: Engine) -> None:
    new(database, "a", "a", "b")
    claimed(database)
    assert queue.active(database) == 3
    queue.finish(database, 1, "done")
    queue.request_cancel(database, 3)
    assert queue.active(database) == 1


def test_runs_ahead_are_the_earlier_ones_of_the_same_lane(database: Engine) -> None:
    new(database, "a", "b", "a", "a")
    assert [len(queue.runs_ahead(database, run_id)) for run_id in (1, 2, 3, 4, 99)] == [
        0,
        0,
        1,
        2,
        0,
    ]
    claimed(database)
    assert [len(queue.runs_ahead(database, run_id)) for run_id in (1, 2, 3, 4)] == [0, 0, 1, 2]
    queue.finish(database, 1, "done")
    assert [len(queue.runs_ahead(database, run_id)) for run_id in (1, 2, 3, 4)] == [0, 0, 0, 1]

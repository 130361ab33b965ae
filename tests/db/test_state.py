"""What a monitoring system is told of the queue, the runs and the client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, update

from db import new_tasks, recording, schema, task_queue
from db.database import now, writing
from db.new_tasks import NewSettings
from db.state import ALIVE_S, ClientHealth, state
from db.task_queue import EndedTask, TaskWorker
from services.ask.measurement import Progress
from services.ask.tasks import NewTask, TaskEnd
from tests.stored import store


def test_an_empty_database_has_no_runs_and_an_unknown_client(database: Engine) -> None:
    told = state(database)
    assert told.queue == {"queued": 0, "running": 0}
    assert told.ended == {"done": 0, "failed": 0, "cancelled": 0, "interrupted": 0}
    assert (told.workers, told.in_flight, told.client) == (0, 0, None)


def test_runs_are_counted_by_status_without_imported_ones(database: Engine) -> None:
    store(database)
    store(database, status="failed", error="It broke.")
    imported = store(database)
    with writing(database) as connection:
        its = update(schema.runs).where(schema.runs.c.id == imported)
        connection.execute(its.values(source={"tool": "vLLM"}))
    store(database, status="queued")
    assert state(database).queue == {"queued": 1, "running": 0}
    assert state(database).ended == {"done": 1, "failed": 1, "cancelled": 0, "interrupted": 0}


def test_a_worker_counts_while_its_supervisor_sends_heartbeats(database: Engine) -> None:
    run_id = store(database, status="running")
    assert state(database).workers == 1
    silent = now(database, timedelta(seconds=ALIVE_S + 1))
    with writing(database) as connection:
        its = update(schema.runs).where(schema.runs.c.id == run_id)
        connection.execute(its.values(heartbeat_at=silent))
    assert state(database).workers == 0
    assert state(database).queue["running"] == 1


def test_the_client_is_judged_by_the_worst_moment_of_the_newest_run(database: Engine) -> None:
    older, newer = store(database), store(database, status="running")
    recording.add_progress(database, older, Progress(1.0, 0, 9, 9, 0, 0, 0, 9.0, 9.0, 9.0))
    recording.add_progress(database, newer, Progress(1.0, 0, 1, 1, 0, 0, 0, 0.25, 0.5, None))
    recording.add_progress(database, newer, Progress(2.0, 0, 7, 6, 1, 0, 0, 0.125, 0.75, 0.5))
    told = state(database)
    assert told.client == ClientHealth(newer, 0.25, 0.75, 0.5)
    assert told.in_flight == 6  # of the older run, which has ended, none


def test_tasks_are_counted_by_status_and_by_server(database: Engine) -> None:
    assert state(database).tasks.queue == {"queued": 0, "running": 0}
    for server, count in (("a:1", 3), ("b:2@machine", 2), ("b:2", 1)):
        settings = NewSettings({"backend": "url"}, server, "m", {"target": {}})
        new_tasks.create(database, "me", [settings], [(NewTask("x", {}), 0)] * count)
    me = TaskWorker("a", "here", "machine")
    task_queue.register_worker(database, me)
    (one, two), _ = task_queue.exchange(database, me, [], {}, {("a:1", "me"): 2})
    at = datetime.now(UTC)
    task_queue.exchange(
        database, me, [EndedTask(one.id, at, at, TaskEnd("failed"))], {two.id: at}, {}
    )
    told = state(database).tasks
    assert told.queue == {"queued": 4, "running": 1}
    assert told.servers == {("a:1", "queued"): 1, ("a:1", "running"): 1, ("b:2", "queued"): 3}
    assert told.ended == {"completed": 0, "failed": 1, "cancelled": 0}

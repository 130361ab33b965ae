"""Tasks in the database: taken by one process at a time, ended once, thrown away in time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, QueuePool, event, select, text, update

from db import new_tasks, queue, runs, task_batches, task_queue, tasks
from db.database import writing
from db.new_tasks import Accepted, NewSettings
from db.queue import GONE_S
from db.schema import task_batches as batch_table
from db.schema import task_workers
from db.schema import tasks as table
from db.task_queue import EndedTask, TaskWorker
from db.tasks import TaskFilter, TaskNotFound
from jobs import absent_machines
from jobs.task_client import Secrets
from jobs.task_worker import Worker
from services.ask.config import parse
from services.ask.tasks import InvalidTask, NewTask, TaskEnd, TaskResult, openai_batch
from services.report.export.tasks import tasks_csv
from tests.conftest import until

SERVER = "127.0.0.1:9"
FIRST, SECOND = (TaskWorker(name, "here", "machine") for name in ("a", "b"))
NOW = datetime.now(UTC)


def create(
    database: Engine, count: int, caller: str = "me", machine: str | None = None
) -> Accepted:
    settings = NewSettings({"backend": "url"}, SERVER, "m", {"target": {}}, machine=machine)
    new = [(NewTask(f"{caller} {n}", {}), 0) for n in range(count)]
    return new_tasks.create(database, caller, [settings], new)


def counts(database: Engine, accepted: Accepted) -> dict[str, int]:
    return dict(task_batches.load(database, accepted.batch_id).counts)


def test_a_batch_is_cancelled_while_its_tasks_end_in_another_order(database: Engine) -> None:
    """On PostgreSQL, each of the two would wait for the other unless both begin with the same."""
    batch = create(database, 3)
    task_queue.register_worker(database, FIRST)
    assert task_queue.claim_server(database, FIRST, SERVER)
    claimed, _ = task_queue.exchange(database, FIRST, [], {}, {(SERVER, "me"): 3})
    low, middle, high = (task.id for task in claimed)
    ended = [EndedTask(number, NOW, NOW, TaskEnd("completed")) for number in (high, low)]
    with ThreadPoolExecutor(2) as threads:
        with database.begin() as blocking:
            if database.dialect.name == "postgresql":
                blocking.execute(select(table.c.id).where(table.c.id == middle).with_for_update())
            cancelled = threads.submit(task_batches.cancel, database, batch.batch_id)
            until(lambda: cancelled.done() or waiting(database) == 1, 20)
            exchanged = threads.submit(task_queue.exchange, database, FIRST, ended, {}, {})
            until(lambda: exchanged.done() or waiting(database) == 2, 20)
        assert cancelled.result(20).counts == {"cancelled": 3}
        assert exchanged.result(20) == ([], set())
    assert counts(database, batch) == {"cancelled": 3}


def waiting(database: Engine) -> int:
    """How many transactions wait for a lock."""
    if database.dialect.name == "sqlite":
        return 0
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with database.connect() as connection:
        return connection.execute(text(query)).scalar_one()


def test_batch_files_are_read_in_parts(database: Engine) -> None:
    batch = create(database, 250)
    task_batches.cancel(database, batch.batch_id)
    read: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *told: read.append(told[2]))
    pieces = tasks_csv(tasks.ended_with_prompts(database, batch.batch_id))
    next(pieces)
    assert read == [], "nothing is read before it is sent"
    first, *others = (piece.count(b"\r\n") for piece in pieces)
    assert [first, *others] == [100, 100, 50]
    lines = openai_batch.output_lines(tasks.ended(database, batch.batch_id))
    read.clear()
    next(lines)
    assert isinstance(database.pool, QueuePool)
    assert database.pool.checkedout() == 0, "a client that is slow or gone holds no connection"
    looked = [statement for statement in read if statement.startswith("SELECT")]
    assert len(looked) == 2, "the batch, and a part of its tasks"
    assert len(list(lines)) == 249


@pytest.mark.parametrize("of_batch", [True, False])
def test_the_owner_of_a_task_is_found_without_scanning_batches(
    database: Engine, of_batch: bool
) -> None:
    batch = create(database, 2)
    one, two = batch.task_ids
    with database.connect() as connection:
        caller = connection.scalar(select(table.c.caller))
    read: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *told: read.append(told[2]))
    if of_batch:
        found = tasks.find(database, TaskFilter(batch.batch_id, caller=caller, after=one))
        assert [task.task_id for task in found] == [two]
        with pytest.raises(TaskNotFound):
            tasks.find(database, TaskFilter(batch.batch_id, after="none"))
    else:
        assert tasks.load(database, one, caller).task_id == one
        with pytest.raises(TaskNotFound):
            tasks.load(database, one, "somebody else")
    assert read and not any("IN (SELECT" in statement for statement in read)


def test_looks_at_the_queue_do_not_scan_stored_tasks(database: Engine) -> None:
    """They are repeated several times a second, and a million tasks may be stored."""
    task_batches.cancel(database, create(database, 3).batch_id)
    create(database, 3)
    if database.dialect.name != "sqlite":
        pytest.skip("PostgreSQL decides by how much is stored")
    run: list[tuple[str, Any]] = []
    event.listen(database, "before_cursor_execute", lambda *told: run.append((told[2], told[3])))
    assert tasks.active(database)
    tasks.tickets(database)
    task_queue.register_worker(database, FIRST)
    assert task_queue.waiting_servers(database, "machine") == [SERVER]
    assert task_queue.callers(database, "machine", SERVER) == ["me"]
    assert task_queue.claim_server(database, FIRST, SERVER)
    taken, _ = task_queue.exchange(database, FIRST, [], {}, {(SERVER, "me"): 2})
    task_queue.exchange(database, FIRST, [], {taken[0].id: NOW}, {})
    task_queue.expire_workers(database, "a")
    task_queue.release_server(database, "a", SERVER)
    assert not task_batches.due(database, timedelta(days=1))
    with database.connect() as connection:
        plans = {
            statement: [
                step[3]
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
            for statement, values in run
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
        }
    whole = {
        statement: step
        for statement, steps in plans.items()
        for step in steps
        if step.startswith(("SCAN tasks", "SCAN task_batches"))
    }
    assert len(plans) > 10 and whole == {}


def test_a_removed_worker_changes_nothing(database: Engine) -> None:
    batch = create(database, 3)
    task_queue.register_worker(database, FIRST)
    assert task_queue.waiting_servers(database, "machine") == [SERVER]
    assert task_queue.claim_server(database, FIRST, SERVER)
    assert not task_queue.claim_server(database, FIRST, SERVER)
    wanted = {(SERVER, "me"): 2}
    taken, mine = task_queue.exchange(database, FIRST, [], {}, wanted)
    assert [task.prompt for task in taken] == ["me 0", "me 1"] and len(mine) == 2
    task_queue.register_worker(database, SECOND)
    late = [EndedTask(taken[0].id, NOW, NOW, TaskEnd("completed", result=TaskResult("late")))]
    with pytest.raises(task_queue.WorkerGone):
        task_queue.exchange(database, FIRST, late, {}, wanted)
    with pytest.raises(task_queue.WorkerGone):
        task_queue.heartbeat(database, "a")
    assert counts(database, batch) == {"queued": 3}
    assert task_queue.claim_server(database, SECOND, SERVER)
    again, mine = task_queue.exchange(database, SECOND, [], {}, {(SERVER, "me"): 9})
    assert len(again) == 3 and mine == {task.id for task in again}
    task_queue.remove_worker(database, "b")
    assert task_queue.waiting_servers(database, "machine") == [SERVER]


def test_a_task_keeps_its_first_result(database: Engine) -> None:
    batch = create(database, 2)
    task_queue.register_worker(database, FIRST)
    (one, two), _ = task_queue.exchange(database, FIRST, [], {}, {(SERVER, "me"): 2})
    _, mine = task_queue.exchange(database, FIRST, [], {one.id: NOW}, {})
    assert counts(database, batch) == {"running": 1, "queued": 1} and mine == {one.id, two.id}
    end = TaskEnd("completed", result=TaskResult("yes", "n", output_tokens=2, e2e_s=0.5))
    ends = [
        EndedTask(one.id, NOW, NOW, end),
        EndedTask(two.id, NOW, NOW, TaskEnd("failed", error="No.")),
    ]
    for _ in range(2):  # as after a commit whose answer was lost
        _, mine = task_queue.exchange(database, FIRST, ends, {}, {})
        assert mine == set()
    other = [EndedTask(one.id, NOW, NOW, TaskEnd("completed", result=TaskResult("no")))]
    task_queue.exchange(database, FIRST, other, {}, {})
    first, second = tasks.find(database, TaskFilter(batch.batch_id))
    assert first.result == end.result
    assert (second.status, second.error, second.result.model) == ("failed", "No.", "m")
    assert first.started_at == first.ended_at == NOW


def test_a_cancelled_task_no_longer_belongs_to_its_worker(database: Engine) -> None:
    batch = create(database, 1)
    task_queue.register_worker(database, FIRST)
    (task,), _ = task_queue.exchange(database, FIRST, [], {}, {(SERVER, "me"): 1})
    tasks.cancel(database, batch.task_ids[0])
    ends = [EndedTask(task.id, NOW, NOW, TaskEnd("completed", result=TaskResult("late")))]
    assert task_queue.exchange(database, FIRST, ends, {}, {})[1] == set()
    assert tasks.load(database, batch.task_ids[0]).status == "cancelled"


def test_a_server_with_a_run_is_left_to_the_run(database: Engine) -> None:
    create(database, 1)
    task_queue.register_worker(database, FIRST)
    run_id = runs.create(database, parse({}), SERVER)
    assert not task_queue.claim_server(database, FIRST, SERVER)
    assert queue.finish(database, run_id, "cancelled")
    assert task_queue.claim_server(database, FIRST, SERVER)
    assert task_queue.is_claimed(database, SERVER, "machine")
    task_queue.release_server(database, "a", SERVER)
    assert not task_queue.is_claimed(database, SERVER, "machine")


def test_a_process_without_heartbeats_is_removed(database: Engine) -> None:
    batch = create(database, 1)
    task_queue.register_worker(database, FIRST)
    task_queue.exchange(database, FIRST, [], {}, {(SERVER, "me"): 1})
    elsewhere = TaskWorker("c", "elsewhere", "other")
    task_queue.register_worker(database, elsewhere)
    task_queue.expire_workers(database, "c")
    assert task_queue.waiting_servers(database, "other") == []
    with writing(database) as connection:
        old = update(task_workers).where(task_workers.c.worker == "a")
        connection.execute(old.values(heartbeat_at=NOW - timedelta(minutes=5)))
    task_queue.expire_workers(database, "c")
    assert task_queue.waiting_servers(database, "other") == [SERVER]
    assert counts(database, batch) == {"queued": 1}


def test_a_process_that_was_without_the_database_for_long_does_not_remove_itself(
    database: Engine,
) -> None:
    create(database, 1)
    task_queue.register_worker(database, FIRST)
    task_queue.exchange(database, FIRST, [], {}, {(SERVER, "me"): 1})
    with writing(database) as connection:
        connection.execute(update(task_workers).values(heartbeat_at=NOW - timedelta(minutes=5)))
    task_queue.expire_workers(database, "a")
    task_queue.heartbeat(database, "a")
    assert task_queue.waiting_servers(database, "machine") == []


def test_a_task_that_only_one_machine_can_send_waits_for_it_and_ends_without_it(
    database: Engine, kind: str
) -> None:
    batch = create(database, 1, machine="mine")
    assert task_queue.waiting_servers(database, "mine") == [SERVER]
    if kind == "sqlite":  # a file is on one machine, whatever that is called
        assert task_queue.waiting_servers(database, "other") == [SERVER]
        return
    assert task_queue.waiting_servers(database, "other") == []
    assert task_queue.absent_machines(database) == ["mine"]
    task_queue.end_abandoned(database, ["mine"])
    assert counts(database, batch) == {"queued": 1}, "it was submitted just now"
    _make_old(database)
    task_queue.end_abandoned(database, ["another"])
    assert counts(database, batch) == {"queued": 1}
    task_queue.end_abandoned(database, ["mine"])
    (task,) = tasks.find(database, TaskFilter(batch.batch_id))
    assert (task.status, task.error) == ("failed", task_queue.GONE)


def test_the_restart_of_a_process_ends_no_old_task_that_waits_for_its_machine(
    database: Engine, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = create(database, 1, machine="machine")
    _make_old(database)
    at = [100.0]
    monkeypatch.setattr(absent_machines, "monotonic", lambda: at[0])
    elsewhere = TaskWorker("c", "elsewhere", "other")
    task_queue.register_worker(database, elsewhere)
    other = Worker(database, elsewhere, Secrets())
    for process in (FIRST, SECOND):
        task_queue.register_worker(database, process)
        asyncio.run(other._expire())
        at[0] += GONE_S
        asyncio.run(other._expire())
        task_queue.remove_worker(database, process.worker)
        asyncio.run(other._expire())
        at[0] += GONE_S - 1
        asyncio.run(other._expire())
        assert counts(database, batch) == {"queued": 1}
    at[0] += 2
    asyncio.run(other._expire())
    assert counts(database, batch) == {"queued" if kind == "sqlite" else "failed": 1}


def _make_old(database: Engine) -> None:
    with writing(database) as connection:
        old = NOW - timedelta(seconds=2 * GONE_S)
        connection.execute(update(batch_table).values(created_at=old))


def test_callers_are_served_in_the_order_of_their_first_task(database: Engine) -> None:
    for caller in ("one", "two", "one", "three"):
        create(database, 2, caller)
    assert task_queue.callers(database, "machine", SERVER) == ["one", "two", "three"]


def test_old_batches_are_deleted_and_those_that_have_not_ended_stay(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_batches, "DELETED_AT_ONCE", 2)
    done, waiting, young = create(database, 5), create(database, 2), create(database, 2)
    for batch in (done, young):
        task_batches.cancel(database, batch.batch_id)
    tasks.cancel(database, waiting.task_ids[0])
    with writing(database) as connection:
        old = NOW - timedelta(days=40)
        ids = [*done.task_ids, waiting.task_ids[0]]
        connection.execute(update(batch_table).values(created_at=old))
        connection.execute(update(table).where(table.c.task_id.in_(ids)).values(ended_at=old))
    assert not task_batches.remove_some(database, None) and not task_batches.due(database, None)
    for left in (3, 1, 0):
        assert task_batches.remove_some(database, timedelta(days=30))
        assert sum(counts(database, done).values()) == left, "two tasks at a time"
    assert task_batches.remove_some(database, timedelta(days=30)), "the batch itself"
    assert not task_batches.remove_some(database, timedelta(days=30))
    remaining = {batch.batch_id for batch in task_batches.list_all(database)}
    assert remaining == {waiting.batch_id, young.batch_id}
    with pytest.raises(tasks.TaskNotFound):
        tasks.load(database, done.task_ids[0])


def test_the_waiting_tasks_of_a_caller_are_limited(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_tasks, "MAX_WAITING", 3)
    create(database, 3)
    create(database, 3, "somebody else")
    with pytest.raises(InvalidTask, match="Wait until some have ended"):
        create(database, 1)

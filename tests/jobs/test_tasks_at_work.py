"""Tasks are answered once each, whatever happens to the processes that see to it."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

import jobs
from db import queue, runs, task_batches, tasks
from db.tasks import TaskFilter
from jobs import inference
from jobs.supervisor_lock import supervisor_alive
from services.ask.config import parse
from services.ask.tasks import MAX_TASKS, NewTask, TaskBatch, openai_batch
from tests.canned import canned, chunked
from tests.conftest import ReferenceServer, serving, until
from tests.jobs.conftest import supervisors
from tests.stored import task_counts

SLOWER = "ref ttft=0.05 gap=0 tokens=3"
Submit = Callable[..., TaskBatch]
LOGGED = """
CREATE TRIGGER ends AFTER UPDATE OF status ON tasks
WHEN NEW.status IN ('completed', 'failed', 'cancelled') AND OLD.status != NEW.status
BEGIN INSERT INTO ended_tasks VALUES (NEW.id); END
"""


@pytest.fixture
def submit(database: Engine, reference: ReferenceServer) -> Iterator[Submit]:
    """Queue prompts of a caller to the reference server; what is left at the end is cancelled."""

    def submitted(count: int, caller: str = "me", model: str = SLOWER, **more: Any) -> TaskBatch:
        values = {"backend": "url", "base_url": reference.base_url, "model": model, **more}
        new = [NewTask(f"{caller}: question {i} of {count}", values) for i in range(count)]
        accepted = inference.submit(database, caller, new)
        return task_batches.load(database, accepted.batch_id)

    yield submitted
    for batch in task_batches.list_all(database):
        task_batches.cancel(database, batch.batch_id)
    until(lambda: not {"queued", "running"} & task_counts(database).keys(), 60)


@pytest.fixture
def own() -> Iterator[ReferenceServer]:
    with serving() as port:
        yield ReferenceServer(port)


def ended(database: Engine, batch: TaskBatch) -> TaskBatch:
    until(lambda: task_batches.load(database, batch.batch_id).ended, 60)
    return task_batches.load(database, batch.batch_id)


def count(database: Engine, batch: TaskBatch, status: str) -> int:
    return task_batches.load(database, batch.batch_id).counts.get(status, 0)


@pytest.mark.long
@pytest.mark.slow
def test_each_task_ends_once_though_the_supervisor_is_killed_twice(
    database: Engine, submit: Submit, own: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the largest batch that there can be: 300 tasks a second on two busy cores."""
    monkeypatch.setenv("PACELINE_MAX_CONCURRENT_REQUESTS", "50")
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE ended_tasks (id INTEGER)"))
        connection.execute(text(LOGGED))
    batch = submit(MAX_TASKS, model="ref ttft=0.01 gap=0 tokens=3", base_url=own.base_url)
    for some in (1_000, 4_000):
        until(lambda least=some: count(database, batch, "completed") >= least, 60)  # type: ignore[misc]
        for process in supervisors():
            os.kill(process.pid, signal.SIGKILL)
        # a dying process has no command line any more, and its lock a while longer
        until(lambda: not supervisor_alive(database), 10)
        jobs.ensure(database)
    until(lambda: task_batches.load(database, batch.batch_id).ended, 250)
    assert count(database, batch, "completed") == MAX_TASKS
    with database.connect() as connection:
        ends = Counter(connection.scalars(text("SELECT id FROM ended_tasks")))
    assert len(ends) == MAX_TASKS and set(ends.values()) == {1}, "each once"
    answered = list(tasks.ended(database, batch.batch_id))
    assert len(answered) == MAX_TASKS
    assert all(task.result.answer and task.result.output_tokens == 3 for task in answered)
    asked = Counter(task.asked for task in answered)
    assert asked.keys() <= {1, 2, 3}
    assert len(own.log()) == MAX_TASKS
    assert own.report()["state"]["requests"] <= sum(times * n for times, n in asked.items())


@pytest.mark.long
@pytest.mark.slow
def test_tasks_respect_the_concurrency_limit_and_callers_take_turns(
    database: Engine, submit: Submit, own: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_MAX_CONCURRENT_REQUESTS", "2")
    many = submit(60, "first", base_url=own.base_url)
    until(lambda: count(database, many, "completed") >= 4, 60)
    few = submit(5, "second", base_url=own.base_url)
    assert ended(database, few).counts == {"completed": 5}
    assert count(database, many, "queued") > 20, "the second caller waited for all of the first's"
    ended(database, many)
    assert own.report()["state"]["peak"] == 2


@pytest.mark.long
@pytest.mark.slow
def test_a_cancelled_task_frees_its_slot_at_once(
    database: Engine, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_MAX_CONCURRENT_REQUESTS", "1")
    slow = submit(1, model="ref ttft=60")
    until(lambda: count(database, slow, "running"), 60)
    quick = submit(1)
    (task,) = tasks.find(database, TaskFilter(slow.batch_id))
    assert tasks.cancel(database, task.task_id).status == "cancelled"
    assert ended(database, quick).counts == {"completed": 1}
    with pytest.raises(tasks.TaskEnded):
        tasks.cancel(database, task.task_id)
    assert tasks.load(database, task.task_id).status == "cancelled"


@pytest.mark.long
@pytest.mark.slow
def test_tasks_pause_during_a_run_and_continue_after_it(
    database: Engine, submit: Submit, reference: ReferenceServer
) -> None:
    batch = submit(200)
    until(lambda: count(database, batch, "completed") >= 10, 60)
    values = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    run_id = jobs.submit(database, parse({**values, "requests": 3, "warmup": 0, "pause_s": 0.2}))
    until(lambda: runs.load(database, run_id).status == "running", 60)
    assert count(database, batch, "running") == 0
    before = count(database, batch, "completed")
    until(lambda: runs.load(database, run_id).status == "done", 60)
    repeat = runs.load(database, run_id).repeats[0]
    within = [
        task
        for task in tasks.find(database, TaskFilter(batch.batch_id, limit=1000))
        if task.started_at and repeat.duration_s and task.started_at >= repeat.began_at
        if (task.started_at - repeat.began_at).total_seconds() < repeat.duration_s
    ]
    assert within == [] and before < 200
    assert ended(database, batch).counts == {"completed": 200}
    assert not queue.active(database)


@pytest.mark.long
@pytest.mark.slow
def test_tasks_fail_with_a_sentence_if_refused_or_unreachable(
    database: Engine, submit: Submit
) -> None:
    nobody = submit(1, base_url="http://127.0.0.1:9/v1", retries=0)
    assert ended(database, nobody).counts == {"failed": 1}
    (task,) = tasks.find(database, TaskFilter(nobody.batch_id))
    assert task.error == "Nothing answers at 127.0.0.1:9." and task.error_class == "connect"


@pytest.mark.long
@pytest.mark.slow
def test_tool_calls_are_stored_and_written_in_openai_format(
    database: Engine, submit: Submit
) -> None:
    pieces = [
        {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"city": "Bonn"}'}},
    ]
    chunks = [
        *({"delta": {"tool_calls": [piece]}, "finish_reason": None} for piece in pieces),
        {"delta": {}, "finish_reason": "tool_calls"},
    ]
    events = [f"data: {json.dumps({'choices': [chunk]})}\n\n".encode() for chunk in chunks]
    with canned(chunked(*events, b"data: [DONE]\n\n")) as base_url:
        batch = submit(1, model="m", base_url=base_url)
        assert ended(database, batch).counts == {"completed": 1}
    (task,) = tasks.find(database, TaskFilter(batch.batch_id))
    function = {"name": "weather", "arguments": '{"city": "Bonn"}'}
    assert task.result.tool_calls == [{"id": "call_1", "type": "function", "function": function}]
    (line,) = map(json.loads, openai_batch.output_lines([task]))
    (choice,) = line["response"]["body"]["choices"]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == task.result.tool_calls

"""The supervisor removes what is too old, also where nothing is measured."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

import jobs
from db import runs, schema, task_batches
from db.database import now, writing
from jobs.supervisor_lock import supervisor_alive
from tests.conftest import until
from tests.db.test_tasks import create
from tests.stored import store

pytestmark = pytest.mark.slow


@pytest.mark.long
@pytest.mark.parametrize(("days", "removed"), [("30", True), ("", False), ("soon", False)])
def test_the_supervisor_removes_what_is_too_old(
    database: Engine, monkeypatch: pytest.MonkeyPatch, days: str, removed: bool
) -> None:
    monkeypatch.setenv("PACELINE_TOKEN_TIMES_DAYS", days)
    old, new = store(database), store(database)
    ended = update(schema.runs).where(schema.runs.c.id == old)
    with writing(database) as connection:
        connection.execute(ended.values(ended_at=now(connection, timedelta(days=31))))
    jobs.ensure(database)
    if removed:
        until(lambda: runs.load(database, old).token_times_removed_at, 60)
        assert not any(m.token_times for m in runs.measurements(database, old))
    until(lambda: not supervisor_alive(database), 60)
    assert all(m.token_times for m in runs.measurements(database, new))
    assert (runs.load(database, old).token_times_removed_at is not None) == removed


@pytest.mark.parametrize(("days", "removed"), [("", True), ("0", False), ("soon", False)])
def test_the_supervisor_deletes_batches_that_ended_long_ago(
    database: Engine, monkeypatch: pytest.MonkeyPatch, days: str, removed: bool
) -> None:
    monkeypatch.setenv("PACELINE_KEEP_TASKS_DAYS", days)
    batches = [create(database, 2) for _ in range(3)]
    for batch in batches:
        task_batches.cancel(database, batch.batch_id)
    with writing(database) as connection:
        old = now(connection, timedelta(days=31))
        connection.execute(update(schema.task_batches).values(created_at=old))
        connection.execute(update(schema.tasks).values(ended_at=old))
    jobs.ensure(database)
    assert supervisor_alive(database) == removed
    if removed:
        until(lambda: task_batches.count(database) == 0, 60)
    until(lambda: not supervisor_alive(database), 60)
    assert (task_batches.count(database) == 0) == removed

"""Two supervisors at one PostgreSQL have tasks answered: each ends once, and no server is asked
more at once than the setting says, over both."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, func, select, text

from db import new_tasks, schema, task_batches
from db.new_tasks import NewSettings
from jobs.destination import resolve
from services.ask.backends import NO_KEYS
from services.ask.config import parse
from services.ask.tasks import NewTask, settings
from tests.conftest import ReferenceServer, serving, until
from tests.db.conftest import postgres as postgres
from tests.jobs.test_two_supervisors import machine
from tests.jobs.test_two_supervisors import shared as shared

AT_ONCE = 2
LONG, SHORT = 5_000, 60  # tasks of a batch: one that keeps running, and the others
LOGGED = """
DROP TABLE IF EXISTS ended_tasks;
CREATE TABLE ended_tasks (id bigint, worker text);
CREATE OR REPLACE FUNCTION ended() RETURNS trigger AS $$
BEGIN INSERT INTO ended_tasks VALUES (NEW.id, OLD.worker); RETURN NEW; END $$ LANGUAGE plpgsql;
CREATE OR REPLACE TRIGGER ends AFTER UPDATE OF status ON tasks FOR EACH ROW
WHEN (NEW.status IN ('completed', 'failed', 'cancelled') AND OLD.status <> NEW.status)
EXECUTE FUNCTION ended()
"""
UNLOGGED = "DROP TRIGGER ends ON tasks; DROP FUNCTION ended; DROP TABLE ended_tasks"


def queued(database: Engine, server: ReferenceServer, count: int) -> str:
    """Tasks that any machine may ask, as those of a server that all of them reach."""
    values = {"backend": "url", "base_url": server.base_url, "model": "ref ttft=0.02 tokens=2"}
    config = parse(settings.values_of(values))
    to = resolve(config, NO_KEYS)
    asked = NewSettings(settings.to_dict(config), to.lane, to.model, to.stored)
    new = [(NewTask(f"Question {number}", {}), 0) for number in range(count)]
    return new_tasks.create(database, server.base_url, [asked], new).batch_id


def completed(database: Engine, batch_id: str) -> int:
    return task_batches.load(database, batch_id).counts.get("completed", 0)


def alive(database: Engine) -> int:
    """How many processes have tasks answered."""
    with database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(schema.task_workers)) or 0


@pytest.mark.long
@pytest.mark.slow
def test_each_task_ends_once_and_no_server_is_asked_more_at_once_over_both(
    shared: tuple[Engine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, url = shared
    monkeypatch.setenv("PACELINE_MAX_CONCURRENT_REQUESTS", str(AT_ONCE))
    with database.begin() as connection:
        connection.execute(text(LOGGED))
    with ExitStack() as stack:
        ports = [stack.enter_context(serving()) for _ in range(3)]
        first, *others = [ReferenceServer(port) for port in ports]
        long = queued(database, first, LONG)
        one = stack.enter_context(machine("one", url))
        until(lambda: completed(database, long) > 0, 120)
        stack.enter_context(machine("two", url))
        until(lambda: alive(database) == 2, 120)
        batches = [long, *(queued(database, server, SHORT) for server in others)]
        until(lambda: completed(database, batches[1]) > 0, 120)
        os.kill(one.pid, signal.SIGKILL)  # the other takes what it had
        until(lambda: alive(database) == 1, 60)
        done = completed(database, long)
        until(lambda: completed(database, long) > done + SHORT, 120)
        assert completed(database, task_batches.cancel(database, long).batch_id) < LONG
        until(lambda: all(task_batches.load(database, each).ended for each in batches), 120)
        assert [completed(database, each) for each in batches[1:]] == [SHORT, SHORT]
        peaks = [server.report()["state"]["peak"] for server in (first, *others)]
        assert peaks == [AT_ONCE] * 3
    with database.begin() as connection:
        rows = connection.execute(text("SELECT id, worker FROM ended_tasks")).all()
        connection.execute(text(UNLOGGED))
    assert set(Counter(row.id for row in rows).values()) == {1} and len(rows) == LONG + 2 * SHORT
    assert len({row.worker for row in rows if row.worker}) == 2, "both took part"

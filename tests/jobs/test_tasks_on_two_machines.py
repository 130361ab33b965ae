"""Two machines at one PostgreSQL have tasks answered: each ends once, and no server is asked more
at once than the setting says, over both."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, select, text

from db import new_tasks, schema, task_batches, tasks
from db.new_tasks import NewSettings
from jobs.destination import resolve
from services.ask.backends import NO_KEYS
from services.ask.config import parse
from services.ask.tasks import NewTask, settings
from tests.conftest import ReferenceServer, serving, until
from tests.db.conftest import postgres as postgres
from tests.jobs.test_two_supervisors import identifier, machine
from tests.jobs.test_two_supervisors import shared as shared

AT_ONCE, EACH = 2, 80
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


def queued(database: Engine, server: ReferenceServer) -> str:
    """Tasks that any machine may ask, as those of a server that all of them reach."""
    values = {"backend": "url", "base_url": server.base_url, "model": "ref ttft=0.05 tokens=2"}
    config = parse(settings.values_of(values))
    to = resolve(config, NO_KEYS)
    asked = NewSettings(settings.stored(config), to.lane, to.model, to.stored)
    new = [(NewTask(f"Question {number}", {}), 0) for number in range(EACH)]
    return new_tasks.create(database, server.base_url, [asked], new).batch_id


def asking(database: Engine) -> set[str]:
    """The machines that have a server."""
    workers, servers = schema.task_workers.c, schema.task_servers.c
    query = select(workers.machine).join(schema.task_servers, servers.worker == workers.worker)
    with database.connect() as connection:
        return set(connection.scalars(query))


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
        servers = [ReferenceServer(port) for port in ports]
        batches = [queued(database, server) for server in servers]
        machines = {name: stack.enter_context(machine(name, url)) for name in ("one", "two")}
        until(lambda: tasks.counts(database).get("completed", 0) >= EACH, 120)
        at_work = next(name for name in machines if identifier(name) in asking(database))
        os.kill(machines[at_work].pid, signal.SIGKILL)  # the other takes what it had
        until(lambda: all(task_batches.load(database, each).ended for each in batches), 120)
        assert tasks.counts(database) == {"completed": 3 * EACH}
        assert [server.report()["state"]["peak"] for server in servers] == [AT_ONCE] * 3
    with database.begin() as connection:
        rows = connection.execute(text("SELECT id, worker FROM ended_tasks")).all()
        connection.execute(text(UNLOGGED))
    assert set(Counter(row.id for row in rows).values()) == {1} and len(rows) == 3 * EACH
    assert len({row.worker for row in rows}) > 1, "both machines took part"

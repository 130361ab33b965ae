"""What the process for tasks keeps in memory does not grow with the number of submissions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, select

import jobs
from db import schema, task_batches
from db import tasks as stored_tasks
from db.new_tasks import Accepted
from db.task_queue import TaskWorker
from jobs import inference, task_client
from jobs.task_client import Secrets, TaskClient
from jobs.task_worker import Worker
from services.ask.tasks import NewTask

ME = TaskWorker("worker", "place", "machine")
URL = {"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, Any]]:
    """The secrets that submissions hand over, by ticket; no supervisor is started."""
    secrets: dict[str, Mapping[str, Any]] = {}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-some-key-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", URL["base_url"])
    monkeypatch.setattr(inference, "hand_over", lambda database, new: secrets.update(new))
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    return secrets


def submitted(database: Engine) -> Accepted:
    return inference.submit(database, "me", [NewTask("Hello", URL)])


@pytest.mark.long
def test_only_some_routes_are_kept_and_the_latest_are_not_looked_up_again(
    database: Engine, handed: dict[str, Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_client, "MAX_ROUTES", 2)
    for _ in range(4):
        submitted(database)
    with database.connect() as connection:
        one, *others, last = connection.scalars(select(schema.task_settings.c.id)).all()

    async def look_up() -> None:
        secrets = Secrets()
        await secrets.add(handed)
        client = TaskClient(database, secrets, 1)
        first = await client._route(one)
        for number in others:
            await client._route(number)
            assert await client._route(one) is first, "it was needed lately"
        await client._route(last)
        assert set(client._routes) == {one, last}
        await client.close()

    asyncio.run(look_up())


def test_secrets_are_forgotten_when_their_tasks_have_ended(
    database: Engine, handed: dict[str, Mapping[str, Any]]
) -> None:
    ends, waits = submitted(database), submitted(database)
    secrets = Secrets()
    assert len(handed) == 2

    async def forget() -> set[str]:
        await secrets.add(handed)
        await Worker(database, ME, secrets)._forget_secrets()
        return secrets.tickets

    assert asyncio.run(forget()) == set(handed)
    task_batches.cancel(database, ends.batch_id)
    left = asyncio.run(forget())
    assert left == stored_tasks.tickets(database) and len(left) == 1
    task_batches.cancel(database, waits.batch_id)
    assert asyncio.run(forget()) == set()

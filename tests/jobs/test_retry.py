"""A database that is away, full or removed while runs are measured and followed."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

import jobs
from db import queue, runs
from db.database import DatabaseGone, opened
from jobs import retry
from jobs.follow import follow
from jobs.keys import Keys
from jobs.retry import with_retries
from jobs.run_supervisor import RunSupervisor
from jobs.supervisor_lock import machine_id, supervisor_file
from services.ask.config import parse
from services.ask.measurement import FINISHED
from services.base.ipc import OTHER_VERSION
from services.load.protocol import PROTOCOL
from tests.conftest import SLOW, ReferenceServer, Submit, finished, until
from tests.jobs.conftest import supervisors


def away(times: int) -> Any:
    """Something that fails so often, then works."""
    left = [times]

    def work() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("SELECT 'a prompt'", None, Exception("the server\nis away"))
        return "done"

    return work


def test_a_passing_failure_is_retried_and_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert retry.GIVE_UP_S >= 600, "a server that is moved takes minutes"
    monkeypatch.setattr(retry, "RETRY_S", 0.001)
    said: list[str] = []
    assert with_retries(away(200), "run 1", said.append) == "done"
    assert said == ["run 1: the server is away; trying again"]
    monkeypatch.setattr(retry, "GIVE_UP_S", 0.0)
    with pytest.raises(OperationalError):
        with_retries(away(10**6), "run 1", said.append)


def test_following_a_run_waits_for_an_unavailable_database(
    database: Engine, reference_run: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = reference_run("ref tokens=20 gap=0.05", requests=1, warmup=0, calibrate=False)
    real, failed = runs.load_many, []

    def load_many(*arguments: Any) -> Any:
        if len(failed) < 3:
            failed.append(1)
            raise OperationalError("SELECT", None, Exception("away"))
        return real(*arguments)

    monkeypatch.setattr(runs, "load_many", load_many)
    follow(database, [run_id], Event(), hidden=True)
    assert runs.load(database, run_id).status == "done"
    assert len(failed) == 3


def test_an_unexpected_error_fails_the_run_and_is_reported(database: Engine) -> None:
    class Broken(Keys):
        def get(self, ticket: str | None) -> Any:
            raise ZeroDivisionError("with a prompt in it")

    asked = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    run_id = runs.create(database, parse(asked), "lane")
    run = queue.claim(database, machine_id())
    assert run is not None
    supervisor = RunSupervisor(database, run, Broken())
    supervisor.start()
    supervisor.join(60)
    found = runs.load(database, run_id)
    assert found.status == "failed"
    assert str(found.error).startswith("Internal error in Paceline: ZeroDivisionError")
    assert "prompt" not in str(found.error)


@pytest.mark.long
def test_a_worker_of_another_version_fails_the_run(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paceline was updated while its supervisor was running."""
    monkeypatch.setattr(PROTOCOL, "version", PROTOCOL.version + 1)
    asked = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    run_id = runs.create(database, parse(asked), "lane")
    run = queue.claim(database, machine_id())
    assert run is not None
    supervisor = RunSupervisor(database, run, Keys())
    supervisor.start()
    supervisor.join(60)
    found = runs.load(database, run_id)
    assert (found.status, found.error) == ("failed", OTHER_VERSION)


@pytest.mark.long
def test_a_run_reports_a_full_disk_as_its_error(
    database: Engine, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite reports this itself if its file may not grow."""
    monkeypatch.setattr(retry, "GIVE_UP_S", 0.3)
    monkeypatch.setattr(retry, "RETRY_S", 0.05)
    asked = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=50"}
    many = {"mode": "batch", "requests": 400, "warmup": 0, "calibrate": False}
    run_id = runs.create(database, parse({**asked, **many}), "lane")
    run = queue.claim(database, machine_id())
    assert run is not None and run.id == run_id
    supervisor = RunSupervisor(database, run, Keys())
    full = [True]

    @event.listens_for(database, "checkout")
    def limit(connection: Any, *_: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        most = 1 if full[0] and supervisor._storage_error is None else pages + 100
        connection.execute(f"PRAGMA max_page_count = {most}").close()

    try:
        supervisor.start()
        supervisor.join(60)
        assert not supervisor.is_alive()
    finally:
        event.remove(database, "checkout", limit)
    found = runs.load(database, run_id)
    assert found.status == "interrupted"
    assert "could not be stored: database or disk is full." in str(found.error)


@pytest.mark.long
def test_where_the_database_was_removed_nothing_is_queued_and_the_supervisor_ends(
    database: Engine, reference_run: Submit, reference: ReferenceServer
) -> None:
    run_id = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, run_id).status == "running", 30)
    file = Path(str(database.url.database))
    kept = file.rename(file.with_name("elsewhere.db"))
    with pytest.raises(DatabaseGone, match="was removed or moved while Paceline was running"):
        jobs.submit(opened(), parse({"backend": "url", "base_url": reference.base_url}))
    until(lambda: not supervisors(), 30)
    assert not file.exists(), "nobody has begun another in its place"
    kept.rename(file)
    until(lambda: jobs.ensure(database) or runs.load(database, run_id).status in FINISHED, 60)


@pytest.mark.long
def test_the_queues_files_are_for_their_owner_alone(
    database: Engine, reference_run: Submit
) -> None:
    finished(database, reference_run("ref tokens=2", requests=1, warmup=0, calibrate=False))
    folder = supervisor_file(database, "lock").parent
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir() if file.is_file()}
    assert len(modes) >= 3 and set(modes.values()) == {0o600}, modes

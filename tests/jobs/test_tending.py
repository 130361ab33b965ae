"""One step of the supervisor at a time, in this process: what goes wrong ends nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest
from sqlalchemy import Engine

from db import engines, queue, runs, span_exports
from db.database import connect
from jobs import __main__ as supervisor
from jobs import children, heartbeat_monitor, span_supervisor
from jobs.heartbeat_monitor import HeartbeatMonitor
from jobs.keys import Keys
from jobs.server_locks import ServerLocks
from jobs.span_supervisor import SpanSupervisor
from jobs.supervisor_lock import machine_id
from services.ask.config import parse
from services.servers.engines import EngineConfig
from tests.conftest import ROOT
from tests.db.conftest import Postgres
from tests.db.conftest import postgres as postgres
from tests.stored import store


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The monotonic clock of the sending of spans; no process can be started."""

    def fails(*_: str) -> NoReturn:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    clock = [100.0]
    monkeypatch.setattr(children, "start", fails)
    monkeypatch.setattr(span_supervisor, "monotonic", lambda: clock[0])
    yield clock


def test_a_run_whose_process_cannot_be_started_fails_and_the_others_wait(
    database: Engine, at: list[float]
) -> None:
    first, second = (runs.create(database, parse({}), lane) for lane in ("one", "two"))
    args = database, [], Keys(), HeartbeatMonitor(machine_id()), ServerLocks()
    supervisor.tend_runs(*args, SpanSupervisor(database))
    failed = runs.load(database, first)
    assert failed.status == "failed" and failed.error
    assert "could not be started: Resource temporarily unavailable." in failed.error
    assert runs.load(database, second).status == "queued", "it is tried at the next step"
    assert queue.heartbeats(database) == []


def test_spans_whose_process_cannot_be_started_are_sent_later(
    database: Engine, at: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, started = store(database), []
    span_exports.request(database, run_id, machine_id())
    spans = SpanSupervisor(database)
    spans.tick(measuring=False)
    assert not spans.sending
    assert span_exports.next_waiting(database, machine_id()) == run_id
    monkeypatch.setattr(children, "start", lambda *told: started.append(told))
    spans.tick(measuring=False)
    assert started == [], "not at once"
    at[0] += span_supervisor.RETRY_S
    spans.tick(measuring=False)
    assert started == [("jobs.span_sender", str(run_id))]


@pytest.mark.long
def test_only_processes_of_engines_of_this_machine_are_ended(
    database: Engine, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orphan or a process with the same number may be here what it is not over there."""
    ended: list[tuple[str, int]] = []

    def cleaned(of: Engine, number: int) -> None:
        ended.append((of.dialect.name, number))

    monkeypatch.setattr(heartbeat_monitor, "LONG_LOST_S", 0.0)
    monkeypatch.setattr(supervisor, "clean_up", cleaned)
    monkeypatch.setattr(children, "reap", lambda: None)  # of this process are those of the tests

    shared = connect(postgres.empty())
    for of in (database, shared):
        for machine in ("there", machine_id()):
            engines.create(of, EngineConfig(), machine)
            assert engines.claim(of, machine)
        monitor = HeartbeatMonitor(machine_id())
        supervisor.tend_engines(of, [], monitor, 0.0)
        assert engines.heartbeats(of) == []
    shared.dispose()
    assert ended == [("sqlite", 1), ("sqlite", 2), ("postgresql", 2)]


BROKEN = """
from db import task_queue
from jobs import task_worker
task_queue.waiting_servers = lambda *_: int("a prompt")
task_worker.main()
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("log", ["json", ""])
def test_a_bug_of_the_process_for_tasks_is_logged_by_type_and_place(
    database: Engine, log: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BROKEN],
        cwd=ROOT,
        env={**os.environ, "PACELINE_LOG": log},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        lines = process.stderr.readlines()
    assert process.returncode == 1
    told = "".join(lines)
    assert "tasks: this process ends" in told and "ValueError in jobs/" in told
    assert "prompt" not in told and "Traceback" not in told
    if log:
        assert {json.loads(line)["process"] for line in lines} == {"tasks"}

"""Engines that people start themselves: start, stop, list, delete, and their logs."""

from __future__ import annotations

from sqlalchemy import Engine

import jobs
from db import engines
from jobs.engine_supervisor import log_file
from jobs.supervisor_lock import check_lock_file, machine_id
from services.base import settings
from services.servers.engines import EngineConfig, EngineProblem, devices, preflight, tail
from services.servers.engines.instance import EngineInstance

SHOWN = 20_000  # bytes of a log that a page shows


def start(database: Engine, config: EngineConfig) -> int:
    """Queue the start of an engine and return its id; its progress is stored under it.

    Raises:
        EngineProblem: it cannot run here; nothing is stored.
        QueueProblem: no supervisor could run it.
    """
    if problem := preflight(config, devices(), settings.environment()):
        raise EngineProblem(problem)
    check_lock_file(database)
    engine_id = engines.create(database, config, machine_id())
    jobs.ensure(database)
    return engine_id


def stop(database: Engine, engine_id: int) -> EngineInstance:
    """Request an engine to stop. Raises EngineNotFound, QueueProblem."""
    engine = engines.request_stop(database, engine_id)
    jobs.ensure(database)
    return engine


def list_all(database: Engine) -> list[EngineInstance]:
    """Return the engines that people started, and those of studies that are up, newest first."""
    by_id = {
        engine.id: engine
        for engine in (*engines.list_all(database), *engines.list_running(database))
    }
    return [by_id[engine_id] for engine_id in sorted(by_id, reverse=True)]


def delete(database: Engine, engine_id: int) -> None:
    """Delete an engine that has ended, and its log. Raises EngineNotFound, EngineBusy."""
    engines.delete(database, engine_id)
    log_file(database, engine_id).unlink(missing_ok=True)


def log_tail(database: Engine, engine_id: int) -> str:
    """Return the end of an engine's log; "" if it is empty."""
    return tail(log_file(database, engine_id), SHOWN)

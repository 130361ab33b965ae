"""Engines that people start by hand: started, stopped, and what they say."""

from __future__ import annotations

from sqlalchemy import Engine

import jobs
from db import engines
from jobs.engine_supervisor import log_file
from jobs.place import see_to_place
from services.base import settings
from services.servers.engines import EngineConfig, EngineProblem, devices, preflight, tail
from services.servers.engines.instance import EngineInstance

SHOWN = 20_000  # bytes of a log that a page shows


def start(database: Engine, config: EngineConfig) -> int:
    """Start an engine and return its id; how it goes is kept with it.

    Raises:
        EngineProblem: it cannot run here; nothing is stored then.
        QueueProblem: nobody could look after it.
    """
    if why := preflight(config, devices(), settings.environment()):
        raise EngineProblem(why)
    see_to_place(database)
    engine_id = engines.create(database, config)
    jobs.ensure(database)
    return engine_id


def stop(database: Engine, engine_id: int) -> EngineInstance:
    """Ask for an engine to be stopped. Raises EngineNotFound, QueueProblem."""
    server = engines.request_stop(database, engine_id)
    jobs.ensure(database)
    return server


def known(database: Engine) -> list[EngineInstance]:
    """Return the engines that people started and those of studies that are up, newest first."""
    found = {one.id: one for one in (*engines.listed(database), *engines.up(database))}
    return [found[engine_id] for engine_id in sorted(found, reverse=True)]


def forget(database: Engine, engine_id: int) -> None:
    """Delete an engine that has ended, and its log. Raises EngineNotFound, EngineBusy."""
    engines.delete(database, engine_id)
    log_file(database, engine_id).unlink(missing_ok=True)


def said(database: Engine, engine_id: int) -> str:
    """Return the end of an engine's log; "": it has said nothing yet."""
    return tail(log_file(database, engine_id), SHOWN)

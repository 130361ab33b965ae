"""Engines that people start by hand: started, stopped, and what they say."""

from __future__ import annotations

from sqlalchemy import Engine

import jobs
from db import engines
from jobs.keeper import log_file
from jobs.place import see_to_place
from services.base import settings
from services.servers.engines import EngineConfig, EngineProblem, devices, preflight, tail
from services.servers.engines.server import Server

SHOWN = 20_000  # bytes of a log that a page shows


def start(engine: Engine, config: EngineConfig) -> int:
    """Start an engine and return its id; how it goes is kept with it.

    Raises:
        EngineProblem: it cannot run here; nothing is stored then.
        QueueProblem: nobody could look after it.
    """
    if why := preflight(config, devices(), settings.environment()):
        raise EngineProblem(why)
    see_to_place(engine)
    engine_id = engines.create(engine, config)
    jobs.ensure(engine)
    return engine_id


def stop(engine: Engine, engine_id: int) -> Server:
    """Ask for an engine to be stopped. Raises EngineNotFound, QueueProblem."""
    server = engines.request_stop(engine, engine_id)
    jobs.ensure(engine)
    return server


def known(engine: Engine) -> list[Server]:
    """Return the engines that people started and those of studies that are up, newest first."""
    found = {one.id: one for one in (*engines.listed(engine), *engines.up(engine))}
    return [found[engine_id] for engine_id in sorted(found, reverse=True)]


def forget(engine: Engine, engine_id: int) -> None:
    """Delete an engine that has ended, and its log. Raises EngineNotFound, EngineBusy."""
    engines.delete(engine, engine_id)
    log_file(engine, engine_id).unlink(missing_ok=True)


def said(engine: Engine, engine_id: int) -> str:
    """Return the end of an engine's log; "": it has said nothing yet."""
    return tail(log_file(engine, engine_id), SHOWN)

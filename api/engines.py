"""/api/engines: servers that Paceline starts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.bodies import Route, Started, json_body_route
from api.errors import error_responses
from db import engines as stored_engines
from db.database import opened
from jobs import serving
from services.report.engine_facts import EngineFacts, EngineWithLog, as_facts, engine_facts
from services.servers.engines import EngineConfig

router = APIRouter(route_class=Route)


EngineId = Annotated[int, Field(description="Number of the engine")]


@router.get("/engines")
def list_engines() -> list[EngineFacts]:
    """List the engines that were started, including those of studies that are running, newest
    first."""
    return list(map(engine_facts, serving.list_all(opened())))


@router.post("/engines", status_code=202, **json_body_route())
def start_engine(new: EngineConfig) -> Started:
    """Start an engine on this machine. It runs until it is stopped."""
    engine_id = serving.start(opened(), new)
    return Started(id=engine_id, url=f"/api/engines/{engine_id}", page="/engines")


@router.get("/engines/{engine_id}", responses=error_responses(_404="No such engine"))
def show_engine(engine_id: EngineId) -> EngineWithLog:
    """Return the status of an engine and the end of its log."""
    engine = stored_engines.load(opened(), engine_id)
    return EngineWithLog(**as_facts(engine), log=serving.log_tail(opened(), engine_id))


@router.post("/engines/{engine_id}/stop", responses=error_responses(_404="No such engine"))
def stop_engine(engine_id: EngineId) -> EngineFacts:
    """Stop an engine. Its status shows when it has stopped."""
    return engine_facts(serving.stop(opened(), engine_id))

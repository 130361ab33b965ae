"""/api/servers: saved servers, used by name as a run's `backend`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.bodies import Route, json_body_route
from api.errors import error_responses
from db import servers
from db.database import opened
from services.ask.config import RunConfig
from services.ask.saved_server import SavedServer, saved_server

router = APIRouter(route_class=Route)
Name = Annotated[str, Path(description="Name of the saved server")]


@router.get("/servers")
def list_servers() -> list[SavedServer]:
    """List the saved servers. No key is saved, only the name of its variable."""
    return list(servers.list_all(opened()).values())


@router.put("/servers/{name:path}", **json_body_route())
def save_server(name: Name, new: RunConfig) -> SavedServer:
    """Save a server under a name, or replace the one with that name: its address, model, headers,
    key variable and price. Fields that are set per run are rejected."""
    server = saved_server(name, {field: getattr(new, field) for field in new.model_fields_set})
    servers.save(opened(), server)
    return server


@router.delete(
    "/servers/{name:path}",
    status_code=204,
    responses=error_responses(_404="No server is saved under this name"),
)
def delete_server(name: Name) -> None:
    """Delete a saved server. Runs that used it do not change."""
    servers.delete(opened(), name)

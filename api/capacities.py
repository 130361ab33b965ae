"""/api/capacities: searches for the highest load that servers sustain."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.bodies import By, Route, Started, check_read, config_of, given, json_body_route
from api.errors import error_responses
from api.run_body import RunBody
from db import capacities, capacity_list
from db.capacity_list import CapacityRow
from db.database import opened
from jobs import capacities as capacity_jobs
from services.ask.problems import InvalidConfig
from services.report.capacity import capacity_document
from services.studies.capacity_config import (
    MAX_SERVERS,
    CapacityConfig,
    parse_capacity,
    set_by_probes,
)
from services.studies.capacity_probe import first_probes

router = APIRouter(route_class=Route)

CapacityId = Annotated[int, Field(description="Number of the search")]
ABOUT = {"name", "note"}


class NewCapacity(CapacityConfig):
    """A search to start."""

    servers: tuple[RunBody, ...] = Field(
        (RunBody(),),
        min_length=1,
        max_length=MAX_SERVERS,
        description=CapacityConfig.model_fields["servers"].description,
    )
    name: str = Field("", max_length=200, description="Name; empty: generated from the config")
    note: str = Field("", max_length=10_000, description="Note")

    def config(self) -> CapacityConfig:
        for server in self.servers:
            if wrong := set_by_probes(given(server)):
                raise InvalidConfig(wrong)
        servers = [config_of(server) for server in self.servers]
        config = parse_capacity({**self.model_dump(exclude=ABOUT), "servers": servers})
        check_read(self.servers, first_probes(config))
        return config


@router.get("/capacities")
def list_capacities(
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of searches")] = 100,
) -> list[CapacityRow]:
    """List searches, newest first, each with the capacity found so far (`answer`)."""
    return capacity_list.list_all(opened(), limit)


@router.post("/capacities", status_code=202, **json_body_route())
def start_capacity(new: NewCapacity, by: By) -> Started:
    """Start a search: its probes are runs, one after another, until the capacity is known."""
    number = capacity_jobs.submit(opened(), new.config(), new.name, new.note, by)
    return Started(id=number, url=f"/api/capacities/{number}", page=f"/capacity?search={number}")


@router.get("/capacities/{capacity_id}", responses=error_responses(_404="No such search"))
def show_capacity(capacity_id: CapacityId) -> Response:
    """Return what a search has found so far, in words and numbers, and its probes."""
    document = capacity_document(capacities.load(opened(), capacity_id))
    return Response(orjson.dumps(document), media_type="application/json")


@router.post("/capacities/{capacity_id}/cancel", responses=error_responses(_404="No such search"))
def cancel_capacity(capacity_id: CapacityId) -> Response:
    """Stop a search; its probes are kept."""
    capacity_jobs.cancel(opened(), capacity_id)
    return show_capacity(capacity_id)


@router.post(
    "/capacities/{capacity_id}/resume",
    status_code=202,
    responses=error_responses(
        _404="No such search", _409="It is already running, or there is nothing more to probe"
    ),
)
def resume_capacity(
    capacity_id: CapacityId,
    probes: Annotated[int | None, Query(description="New maximum number of probes")] = None,
    precision: Annotated[float | None, Query(description="New precision, 0.05 is ±5 %")] = None,
) -> Response:
    """Continue a search that was cut short, or one that has ended if you allow more `probes` or a
    narrower `precision`. Probes that were measured are kept."""
    capacity_jobs.resume(opened(), capacity_id, probes, precision)
    return show_capacity(capacity_id)


@router.delete(
    "/capacities/{capacity_id}",
    status_code=204,
    responses=error_responses(_404="No such search", _409="It is still running: cancel it first"),
)
def delete_capacity(capacity_id: CapacityId) -> None:
    """Delete a search; the runs of its probes are kept."""
    capacities.delete(opened(), capacity_id)

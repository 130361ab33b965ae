"""/api/import: results of other benchmarks, and of another Paceline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from api.bodies import IMPORT, Route, Started, only_a_file
from api.errors import error_responses
from db import imported
from db.database import opened

router = APIRouter(route_class=Route)


@router.post(
    IMPORT,
    status_code=201,
    dependencies=[Depends(only_a_file)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"format": "binary"}}},
        }
    },
    responses=error_responses(
        _409="This file has already been imported",
        _413="The file is too long",
        _415="The body is not a file",
    ),
)
async def import_runs(
    request: Request,
    name: Annotated[str, Query(max_length=300, description="Name of the file")] = "",
    again: Annotated[
        bool, Query(description="Import the file again if it has been imported before")
    ] = False,
) -> list[Started]:
    """Import the runs of a result file of another benchmark or another Paceline."""
    data = await request.body()
    ids = await run_in_threadpool(imported.import_file, opened(), data, name or "The file", again)
    return [Started(id=n, url=f"/api/runs/{n}", page=f"/result?run={n}") for n in ids]

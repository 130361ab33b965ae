"""The same actions over HTTP, mounted at /api. Its OpenAPI schema is at /api/openapi.json."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import jobs
from db import results, runs
from db.database import opened
from db.runs import AlreadyFinished, InvalidEdit, RunBusy, RunNotFound, RunRow
from services.backends import BackendProblem
from services.config import RunConfig, parse, sentences_of
from services.export import run_document
from services.export.tables import requests_csv

api = FastAPI(
    title="Paceline",
    description="Start runs, watch them, take their results. A time is in seconds.",
    docs_url=None,  # FastAPI's pages load their scripts from elsewhere
    redoc_url=None,
)


class NewRun(RunConfig):
    """A run to be queued: what it is asked to do, and what people call it."""

    name: str = Field("", max_length=200, description="Name; empty: made from the config")
    tags: tuple[str, ...] = Field((), description="Tags")
    note: str = Field("", max_length=10_000, description="Note")

    def config(self) -> RunConfig:
        own = self.model_dump(exclude={"name", "tags", "note"})
        return parse(own)


class Started(BaseModel):
    """Where a new run is found."""

    id: int
    url: str = Field(description="The run over HTTP")
    page: str = Field(description="The run in the browser")


class Problem(BaseModel):
    """What is wrong, in sentences."""

    error: str
    problems: dict[str, str] = Field({}, description="A sentence for each wrong field")


WRONG: dict[int | str, dict[str, Any]] = {422: {"model": Problem}}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}


@api.get("/runs")
def list_runs(
    text: str = "",
    backend: str | None = None,
    model: str | None = None,
    mode: str | None = None,
    tag: str | None = None,
    status: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[RunRow]:
    """List runs, newest first, each with its headline numbers."""
    filters = {"backend": backend, "model": model, "mode": mode, "tag": tag, "status": status}
    given: Any = {name: value for name, value in filters.items() if value}
    return runs.search(opened(), text, limit=limit, offset=offset, **given)


@api.post("/runs", status_code=202, responses=WRONG)
def start_run(new: NewRun) -> Started:
    """Queue a run. It is measured when its backend is free."""
    run_id = jobs.submit(opened(), new.config(), new.name, new.tags, new.note)
    return Started(id=run_id, url=f"/api/runs/{run_id}", page=f"/result?run={run_id}")


@api.get("/runs/{run_id}", responses=MISSING)
def show_run(run_id: int) -> dict[str, Any]:
    """Return a run, its summary and its requests. Prompts and answers are not part of it."""
    return run_document(results.candidate(opened(), run_id))


@api.get("/runs/{run_id}/requests.csv", response_class=Response, responses=MISSING)
def requests_as_csv(run_id: int) -> Response:
    """Return the requests of a run as CSV, one line a request."""
    data = requests_csv([results.candidate(opened(), run_id)])
    name = f"paceline-run-{run_id}-requests.csv"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="text/csv", headers=disposition)


@api.post("/runs/{run_id}/cancel", responses=MISSING)
def cancel_run(run_id: int) -> dict[str, Any]:
    """Stop a run; what it has measured is kept."""
    run = jobs.cancel(opened(), run_id)
    return {"id": run.id, "status": run.status, "cancel_requested": run.cancel_requested}


@api.exception_handler(RequestValidationError)
async def wrong_request(_: Request, error: RequestValidationError) -> JSONResponse:
    problems = sentences_of(error.errors())
    return _problem(422, " ".join(problems.values()), problems)


async def _missing(_: Request, error: Exception) -> JSONResponse:
    return _problem(404, str(error))


async def _conflict(_: Request, error: Exception) -> JSONResponse:
    return _problem(409, str(error))


async def _wrong(_: Request, error: Exception) -> JSONResponse:
    return _problem(422, str(error))


def _problem(status: int, error: str, problems: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Problem(error=error, problems=problems or {}).model_dump(), status)


api.add_exception_handler(RunNotFound, _missing)
api.add_exception_handler(AlreadyFinished, _conflict)
api.add_exception_handler(RunBusy, _conflict)
api.add_exception_handler(InvalidEdit, _wrong)
api.add_exception_handler(BackendProblem, _wrong)

"""/api/runs: start runs, list and show them, measure them again, cancel them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from starlette.responses import StreamingResponse

import jobs
from api.bodies import By, Route, RunId, Started, check_read, config_of, json_body_route
from api.errors import error_responses
from api.run_body import RunBody
from db import baseline_verdicts, results, runs
from db.database import opened
from db.runs import RunRow
from services.analysis.compare.baseline import Kind
from services.analysis.compare.baseline_verdict import BaselineVerdict, as_row
from services.analysis.slices import Slice
from services.ask.backends import find
from services.ask.config import MAX_REPEATS, Mode
from services.ask.measurement import IMPORT as IMPORTED
from services.ask.measurement import RunStatus
from services.report.export import export
from services.report.export.shape import RunDocument
from services.report.slices import slices_of

router = APIRouter(route_class=Route)


class NewRun(RunBody):
    """A run to queue: its config, name, tags and note."""

    name: str = Field("", max_length=200, description="Name; empty: generated from the config")
    tags: tuple[str, ...] = Field((), max_length=20, description="Tags of 1 to 50 characters")
    note: str = Field("", max_length=10_000, description="Note")


class Against(BaseModel):
    """How a run compares with the baseline of its tag or its model."""

    baseline: int = Field(
        description="Number of the baseline run; its own number if it is the baseline"
    )
    kind: Kind
    value: str = Field(description="The model or the tag")
    word: str = Field(description="The verdict; or `baseline`, or `different work` (not compared)")
    measure: str | None = Field(description="The metric that decides")
    speed: float | None = Field(description="The ratio to the baseline; for a latency, its inverse")
    low: float | None = Field(description="Lower end of its 95 % interval")
    high: float | None = Field(description="Upper end of its 95 % interval")
    differs: list[str] = Field([], description="What differs between the two runs' servers")


@dataclass(frozen=True, slots=True)
class ListedRun(RunRow):
    """A run in a list. `against` is null if it has no baseline or cannot be compared."""

    against: Against | None = None


MAX_OFFSET = 2**31 - 1


class Search(BaseModel):
    """Which runs are listed."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(
        "", max_length=1000, description="Text to find in names, notes, models and tags"
    )
    backend: str | None = Field(None, description="Name of a backend")
    model: str | None = Field(None, description="Exact name of the model that answered")
    mode: Mode | None = Field(None, description="How the requests were sent")
    tag: str | None = Field(None, description="Exact tag")
    status: RunStatus | None = Field(None, description="Status of the run")
    limit: int = Field(100, ge=1, le=1000, description="Maximum number of runs")
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Number of newest runs to skip")


@router.get("/runs")
def list_runs(search: Annotated[Search, Query()]) -> list[ListedRun]:
    """List runs, newest first, each with the main numbers of its summary (`headline`) and how it
    compares with its baseline (`against`)."""
    if search.backend not in (None, IMPORTED):
        find(search.backend)
    filters: Any = search.model_dump(exclude={"text", "limit", "offset"})
    rows = runs.search(opened(), search.text, limit=search.limit, offset=search.offset, **filters)
    against = baseline_verdicts.of_runs(opened(), rows, search.tag or "", search.model or "")
    return [_listed(row, against.get(row.id)) for row in rows]


def _listed(row: RunRow, verdict: BaselineVerdict | None) -> ListedRun:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return ListedRun(**values, against=Against(**as_row(verdict)) if verdict else None)


@router.post("/runs", status_code=202, **json_body_route())
def start_run(new: NewRun, by: By) -> Started:
    """Queue a run. It starts when its server is free."""
    config = config_of(new)
    check_read([new], [config])
    run_id = jobs.submit(opened(), config, new.name, new.tags, new.note, by=by)
    return Started(id=run_id, url=f"/api/runs/{run_id}", page=f"/result?run={run_id}")


@router.get(
    "/runs/{run_id}",
    response_class=Response,
    responses={200: {"model": RunDocument}, **error_responses(_404="No such run")},
)
def show_run(run_id: RunId) -> Response:
    """Return a run, its summary and its requests. Prompts and answers are not part of it."""
    pieces = export("run.json").pieces([results.candidate(opened(), run_id)])
    return StreamingResponse(pieces, media_type="application/json")


@router.get(
    "/runs/{run_id}/requests.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **error_responses(_404="No such run")},
)
def requests_as_csv(run_id: RunId) -> Response:
    """Return the requests of a run as CSV, one row per request."""
    kind = export("requests.csv")
    pieces = kind.pieces([results.candidate(opened(), run_id)])
    disposition = {"Content-Disposition": f'attachment; filename="{kind.filename_of([run_id])}"'}
    return StreamingResponse(pieces, media_type=kind.mime, headers=disposition)


@router.get("/runs/{run_id}/slices", responses=error_responses(_404="No such run"))
def time_slices(run_id: RunId) -> list[Slice]:
    """Return the time slices of a run: rates, latencies and failures in equal parts of each
    repeat."""
    return slices_of(results.candidate(opened(), run_id))


class Cancelled(BaseModel):
    """A run that was asked to stop. Its status shows when it has stopped."""

    id: int
    status: RunStatus
    cancel_requested: bool


@router.post(
    "/runs/{run_id}/cancel",
    responses=error_responses(
        _403="You did not start it", _404="No such run", _409="It has already ended"
    ),
)
def cancel_run(run_id: RunId, by: By) -> Cancelled:
    """Stop a run; what it has measured is kept. Runners can only stop their own."""
    run = jobs.cancel(opened(), run_id, by)
    return Cancelled(id=run.id, status=run.status, cancel_requested=run.cancel_requested)


class More(BaseModel):
    """Number of repeats to add."""

    model_config = ConfigDict(extra="forbid")

    repeats: StrictInt = Field(ge=1, le=MAX_REPEATS, description="Additional repeats")


@router.post(
    "/runs/{run_id}/more",
    status_code=202,
    **json_body_route(_404="No such run", _409="It cannot get more repeats"),
)
def measure_more(run_id: RunId, more: More) -> Started:
    """Add repeats to a run that is done."""
    jobs.more(opened(), [run_id], more.repeats)
    return Started(id=run_id, url=f"/api/runs/{run_id}", page=f"/result?run={run_id}")

"""/api/scenarios: starts runs, comparisons, studies and capacity searches from files, and writes
such files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.bodies import SCENARIOS, By, Route, RunId
from api.capacities import CapacityId
from api.errors import error_responses
from api.studies import StudyId
from db.database import opened
from jobs import scenarios
from services.base.roles import Person
from services.report.scenario import (
    MIME,
    Document,
    InvalidScenario,
    Scenario,
    document_of,
    file_name,
    kind_of,
    notes,
    read,
    scenario_of,
    write,
)

router = APIRouter(route_class=Route)
JSON = "application/json"
HELP = (
    "A run, a comparison (with `compare`), a study (with `preset`) or a capacity search (with "
    "`capacity`): docs/scenarios.md"
)
BODY = {"schema": {"type": "object", "description": HELP, "required": ["version"]}}
OWN_PROMPTS = Annotated[bool, Query(description="Include your own prompts")]


class StartedScenario(BaseModel):
    """What a scenario started."""

    kind: str = Field(description="run, comparison, study or capacity")
    id: int = Field(description="Number of the run, the comparison, the study or the search")
    runs: list[int] = Field(description="Numbers of the runs")
    url: str = Field(description="Its address in the API")
    page: str = Field(description="Its page in the browser")
    not_checked: list[str] = Field(
        description="Keys that only the command line checks, because it waits for the end"
    )
    notes: list[str] = Field(description="Fields without effect, each with why, as sentences")


def only_a_scenario(request: Request) -> str:
    """Return the content type of a body; refuse those that a form on another site's page could
    send."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (MIME, JSON):
        raise HTTPException(415, f"Send it as YAML or JSON, with Content-Type: {MIME} or {JSON}.")
    return kind


@router.post(
    SCENARIOS,
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": {MIME: BODY, JSON: BODY}}},
    responses=error_responses(
        _413="The body is too long", _415="The body is neither YAML nor JSON"
    ),
)
async def start_scenario(
    request: Request, kind: Annotated[str, Depends(only_a_scenario)], by: By
) -> StartedScenario:
    """Queue the run, the comparison, the study or the search that a scenario describes."""
    if kind == JSON:
        return await run_in_threadpool(_started_of, await request.json(), by)
    return await run_in_threadpool(_started_of, await request.body(), by)


def _started_of(body: Any, by: Person | None) -> StartedScenario:
    document = read(body, "The scenario") if isinstance(body, bytes) else _of_json(body)
    scenario = scenario_of(document, scenarios.reading_context(opened()))
    started = scenarios.start(opened(), scenario, by)
    name, runs = kind_of(document).name, ",".join(map(str, started.run_ids))
    plural, page = {
        "run": ("runs", f"/result?run={started.id}"),
        "comparison": ("comparisons", f"/compare?runs={runs}"),
        "study": ("studies", f"/study?study={started.id}"),
        "capacity": ("capacities", f"/capacity?search={started.id}"),
    }[name]
    return StartedScenario(
        kind=name,
        id=started.id,
        runs=list(started.run_ids),
        url=f"/api/{plural}/{started.id}",
        page=page,
        not_checked=[key for key in ("slo", "fail_if") if getattr(scenario.keys, key, ())],
        notes=list(notes(scenario)),
    )


def _of_json(body: Any) -> Document:
    if not isinstance(body, dict):
        raise InvalidScenario("The scenario must be a JSON object.")
    return document_of(body)


def _file(scenario: Scenario, ids: Sequence[int], own_prompts: bool) -> Response:
    disposition = f'attachment; filename="{file_name(scenario, ids)}"'
    return Response(
        write(scenario, own_prompts),
        media_type=MIME,
        headers={"Content-Disposition": disposition},
    )


def _yaml_responses(**codes: str) -> dict[str, Any]:
    ok: dict[int | str, Any] = {200: {"content": {MIME: {}}}}
    return {"response_class": Response, "responses": ok | error_responses(**codes)}


@router.get("/runs/{run_id}/scenario", **_yaml_responses(_404="No such run"))
def scenario_of_run(run_id: RunId, own_prompts: OWN_PROMPTS = False) -> Response:
    """Return a run as a scenario, which measures it again."""
    return _file(scenarios.of_run(opened(), run_id), [run_id], own_prompts)


@router.get("/comparisons/{comparison_id}/scenario", **_yaml_responses(_404="No such comparison"))
def scenario_of_comparison(comparison_id: int, own_prompts: OWN_PROMPTS = False) -> Response:
    """Return a comparison as a scenario, which measures it again."""
    return _file(scenarios.of_comparison(opened(), comparison_id), [comparison_id], own_prompts)


@router.get("/studies/{study_id}/scenario", **_yaml_responses(_404="No such study"))
def scenario_of_study(study_id: StudyId, own_prompts: OWN_PROMPTS = False) -> Response:
    """Return a study as a scenario, which measures it again."""
    return _file(scenarios.of_study(opened(), study_id), [study_id], own_prompts)


@router.get("/capacities/{capacity_id}/scenario", **_yaml_responses(_404="No such search"))
def scenario_of_capacity(capacity_id: CapacityId, own_prompts: OWN_PROMPTS = False) -> Response:
    """Return a capacity search as a scenario, which searches again."""
    return _file(scenarios.of_capacity(opened(), capacity_id), [capacity_id], own_prompts)

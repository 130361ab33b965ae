"""/api/baselines: the run that later runs of a model, or of a tag, are compared with."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.bodies import Route, json_body_route
from api.errors import error_responses
from db import baselines
from db.database import opened
from services.analysis.compare.baseline import Baseline, Kind

router = APIRouter(route_class=Route)


class NewBaseline(BaseModel):
    """The run that becomes the baseline."""

    model_config = ConfigDict(extra="forbid")

    run: StrictInt = Field(description="Number of the run")


@router.get("/baselines")
def list_baselines() -> list[Baseline]:
    """List the baselines of models and tags, newest first."""
    return list(baselines.list_all(opened()))


@router.put(
    "/baselines/{kind}/{value:path}",
    **json_body_route(_404="No such run"),
)
def set_baseline(kind: Kind, value: str, new: NewBaseline) -> Baseline:
    """Set a run as the baseline of its model or of a tag, replacing the previous one. The tag is
    added to the run if necessary."""
    return baselines.save(opened(), kind, value, new.run)


@router.delete(
    "/baselines/{kind}/{value:path}",
    status_code=204,
    responses=error_responses(_404="There is no such baseline"),
)
def remove_baseline(kind: Kind, value: str) -> None:
    """Remove the baseline of a model or a tag."""
    baselines.delete(opened(), kind, value)

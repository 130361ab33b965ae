"""/api/comparisons: runs whose repeats are interleaved."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

import jobs
from api.bodies import By, Route, check_read, config_of, json_body_route
from api.errors import error_responses
from api.run_body import RunBody
from db import comparisons, runs
from db.database import opened
from services.analysis.compare import MARGIN, MAX_MARGIN, MIN_MARGIN
from services.analysis.comparison_design import DEFAULT_REPEATS, ComparisonDesign, StoredComparison
from services.ask.config import MAX_REPEATS
from services.ask.measurement import RunStatus

router = APIRouter(route_class=Route)


class NewComparison(BaseModel):
    """Runs whose repeats are interleaved, the baseline first."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    candidates: tuple[RunBody, ...] = Field(
        description="Two to eight; set `repeats` for the comparison, not here"
    )
    repeats: StrictInt = Field(
        DEFAULT_REPEATS,
        ge=1,
        le=MAX_REPEATS,
        description="Minimum number of repeats of each candidate",
    )
    most: StrictInt | None = Field(
        None,
        ge=1,
        le=MAX_REPEATS,
        description="Maximum number of repeats of each candidate; empty: same as `repeats`",
    )
    target: StrictFloat | None = Field(
        None,
        gt=0,
        lt=1,
        description="Repeat until every confidence interval is within ± this share",
    )
    margin: StrictFloat = Field(
        MARGIN,
        ge=MIN_MARGIN,
        le=MAX_MARGIN,
        description="Margin: smaller differences count as equivalent, as a share",
    )
    seed: StrictInt | None = Field(
        None, ge=0, lt=2**31, description="Seed for the order of the repeats; empty: random"
    )
    name: str = Field(
        "", max_length=200, description="Name of the comparison; empty: generated from the config"
    )
    tags: tuple[str, ...] = Field((), max_length=20, description="Tags of 1 to 50 characters")
    note: str = Field("", max_length=10_000, description="Note")

    def design(self) -> ComparisonDesign:
        most = self.repeats if self.most is None else self.most
        return ComparisonDesign(self.seed, self.repeats, most, self.target, self.margin)


class ComparisonFacts(BaseModel):
    """A stored comparison and the status of its runs."""

    id: int
    asked: ComparisonDesign
    runs: dict[int, RunStatus] = Field(description="Status by run, the baseline first")
    page: str = Field(description="The comparison in the browser")


@router.post("/comparisons", status_code=202, **json_body_route())
def start_comparison(new: NewComparison, by: By) -> ComparisonFacts:
    """Queue runs whose repeats are interleaved, in an order drawn by the seed."""
    about = (new.name, new.tags, new.note)
    candidates = [config_of(candidate) for candidate in new.candidates]
    check_read(new.candidates, candidates)
    return _facts(jobs.submit_comparison(opened(), candidates, new.design(), *about, by=by))


@router.get("/comparisons/{comparison_id}", responses=error_responses(_404="No such comparison"))
def show_comparison(comparison_id: int) -> ComparisonFacts:
    """Return the status of a comparison's runs."""
    return _facts(comparisons.load(opened(), comparison_id))


@router.post(
    "/comparisons/{comparison_id}/cancel",
    responses=error_responses(_403="You did not start it", _404="No such comparison"),
)
def cancel_comparison(comparison_id: int, by: By) -> ComparisonFacts:
    """Stop all runs of a comparison; what they have measured is kept. Runners can only stop their
    own."""
    jobs.cancel_comparison(opened(), comparison_id, by)
    return _facts(comparisons.load(opened(), comparison_id))


def _facts(comparison: StoredComparison) -> ComparisonFacts:
    return ComparisonFacts(
        id=comparison.id,
        asked=comparison.design,
        runs={run.id: run.status for run in runs.load_many(opened(), comparison.run_ids)},
        page=f"/compare?runs={','.join(map(str, comparison.run_ids))}",
    )

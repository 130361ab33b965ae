"""/api/shares: pages of runs that anyone with the link can open."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from api.bodies import Route, json_body_route
from api.errors import error_responses
from db import shares
from db.database import opened
from db.shares import Share

router = APIRouter(route_class=Route)


class NewShare(BaseModel):
    """Runs to share with anyone who has the link."""

    model_config = ConfigDict(extra="forbid")

    runs: tuple[StrictInt, ...] = Field(description="Numbers of the runs, the baseline first")
    days: StrictInt | None = Field(30, description="Days until the link expires; null: never")
    texts: StrictBool = Field(False, description="Include prompts and answers")


class Shared(BaseModel):
    """A shared page. It does not change after it has been created."""

    token: str = Field(description="Token that revokes it")
    path: str = Field(description="Its path on this Paceline")
    title: str
    runs: list[int]
    created_at: str = Field(description="ISO 8601")
    expires_at: str | None
    texts: bool


@router.post("/shares", status_code=201, **json_body_route(_404="No such run"))
def share_runs(new: NewShare) -> Shared:
    """Create a page of runs that anyone with its address can see until it expires or is revoked."""
    return _shared(shares.publish(opened(), new.runs, new.days, new.texts))


@router.get("/shares")
def list_shares(
    runs: Annotated[str, Query(pattern=r"^[\d,]*$", max_length=200, description="12,15")] = "",
) -> list[Shared]:
    """List the pages shared for exactly these runs in this order, or all pages, newest first."""
    wanted = [int(run_id) for run_id in runs.split(",") if run_id]
    return [_shared(share) for share in shares.list_all(opened(), wanted)]


@router.delete("/shares/{token}", status_code=204, responses=error_responses(_404="No such page"))
def revoke_share(token: str) -> None:
    """Revoke a page: its address stops working."""
    shares.revoke(opened(), token)


def _shared(share: Share) -> Shared:
    return Shared(
        token=share.token,
        path=share.path,
        title=share.title,
        runs=list(share.run_ids),
        created_at=share.created_at.isoformat(),
        expires_at=share.expires_at.isoformat() if share.expires_at else None,
        texts=share.texts,
    )

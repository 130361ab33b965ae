"""/api/shares: pages of runs for whoever has their link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from api.bodies import Route, takes_json
from api.errors import says
from db import shares
from db.database import opened
from db.shares import Share

router = APIRouter(route_class=Route)


class NewShare(BaseModel):
    """Runs whose page is to be shared with whoever has the link."""

    model_config = ConfigDict(extra="forbid")

    runs: tuple[StrictInt, ...] = Field(description="Their numbers, the baseline first")
    days: StrictInt | None = Field(30, description="So long it is good; null: until it is revoked")
    texts: StrictBool = Field(False, description="With prompts and answers")


class Shared(BaseModel):
    """A page that is shared. It stays as it was when it was made."""

    token: str = Field(description="What revokes it")
    path: str = Field(description="Where it is, below this Paceline's address")
    title: str
    runs: list[int]
    created_at: str = Field(description="ISO 8601")
    expires_at: str | None
    texts: bool


@router.post("/shares", status_code=201, **takes_json(_404="There is no such run"))
def share_runs(new: NewShare) -> Shared:
    """Make a page of runs that anybody with its address may see, until it is revoked."""
    return _shared(shares.publish(opened(), new.runs, new.days, new.texts))


@router.get("/shares")
def list_shares(
    runs: Annotated[str, Query(pattern=r"^[\d,]*$", max_length=200, description="12,15")] = "",
) -> list[Shared]:
    """List what is shared of exactly these runs in this order, or of any, the newest first."""
    wanted = [int(run_id) for run_id in runs.split(",") if run_id]
    return [_shared(share) for share in shares.listed(opened(), wanted)]


@router.delete("/shares/{token}", status_code=204, responses=says(_404="There is no such page"))
def revoke_share(token: str) -> None:
    """Revoke a page: from now on nothing is behind its address."""
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

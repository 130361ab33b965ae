"""/api/tokens: who may use the API, and for how long."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.bodies import By, Route, json_body_route
from api.errors import says
from db import tokens
from db.database import opened
from db.tokens import LONGEST_DAYS, LONGEST_NAME, USUAL_DAYS, Token
from services.base.roles import Role

router = APIRouter(route_class=Route)
TokenId = Annotated[int, Field(description="Number of the token")]


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="Who or what uses it")
    role: Literal["viewer", "runner", "admin"] = Field("viewer", description="What it may do")
    days: StrictInt = Field(
        USUAL_DAYS, ge=1, le=LONGEST_DAYS, description="Days until the token expires"
    )


class MadeToken(BaseModel):
    """A new token with its text, which is shown once."""

    id: int
    name: str
    role: str
    created_at: datetime
    expires_at: datetime
    made_by: str | None = Field(None, description="Who made it, where people sign in")
    token: str = Field(description="Send it as Authorization: Bearer. It is not shown again")


@router.post("/tokens", status_code=201, **json_body_route())
def make_token(new: NewToken, by: By) -> MadeToken:
    """Make a token. Its text is in this answer only: the database keeps a hash of it. It ends with
    the role of whoever makes it, or has made the token that makes it."""
    maker = None if by is None else by.name if by.token is None else by.maker
    made, secret = tokens.create(opened(), new.name, Role[new.role], new.days, maker)
    return MadeToken(**asdict(made), token=secret)


@router.get("/tokens")
def list_tokens() -> list[Token]:
    """List the tokens, newest first, without their texts."""
    return tokens.list_all(opened())


@router.delete("/tokens/{token_id}", status_code=204, responses=says(_404="No such token"))
def revoke_token(token_id: TokenId) -> None:
    """Revoke a token: it lets nobody in from now on."""
    tokens.revoke(opened(), token_id)

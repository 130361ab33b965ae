"""/api/tokens: who may use the API, and for how long."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.bodies import By, Route, json_body_route
from api.errors import error_responses
from db import tokens
from db.database import opened
from db.tokens import DEFAULT_DAYS, LONGEST_DAYS, LONGEST_NAME, Token
from services.base.roles import Role

router = APIRouter(route_class=Route)
TokenId = Annotated[int, Field(description="Number of the token")]


class NewToken(BaseModel):
    """A token to create."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="Who or what uses it")
    role: Literal["viewer", "runner", "admin"] = Field("viewer", description="What it may do")
    days: StrictInt = Field(
        DEFAULT_DAYS, ge=1, le=LONGEST_DAYS, description="Days until the token expires"
    )


class MadeToken(BaseModel):
    """A new token with its secret, which is shown only once."""

    id: int
    name: str
    role: str
    created_at: datetime
    expires_at: datetime
    made_by: str | None = Field(None, description="Who created it, if sign-in is on")
    token: str = Field(description="Send it as Authorization: Bearer. It will not be shown again")


@router.post("/tokens", status_code=201, **json_body_route())
def make_token(new: NewToken, by: By) -> MadeToken:
    """Create a token. Its secret is only in this response: the database stores its hash. It stops
    working when its owner loses the role; a token created with another token belongs to that
    token's owner."""
    maker = None if by is None else by.name if by.token is None else by.maker
    made, secret = tokens.create(opened(), new.name, Role[new.role], new.days, maker)
    return MadeToken(**asdict(made), token=secret)


@router.get("/tokens")
def list_tokens() -> list[Token]:
    """List the tokens, newest first, without their secrets."""
    return tokens.list_all(opened())


@router.delete(
    "/tokens/{token_id}", status_code=204, responses=error_responses(_404="No such token")
)
def revoke_token(token_id: TokenId) -> None:
    """Revoke a token: it stops working immediately."""
    tokens.revoke(opened(), token_id)

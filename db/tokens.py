"""Tokens for the API: whoever has one may do what its role allows, until it expires or is revoked.

Only the SHA-256 of a token is stored. A token is as random as a key, so a slow hash would not
protect it better; someone who reads the database cannot use it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, insert, select
from sqlalchemy import delete as delete_from

from db import schema
from db.database import writing
from services.base.errors import Invalid, NotFound
from services.base.roles import Person, Role
from services.base.surrogates import clean

table = schema.api_tokens
PREFIX = "paceline-"  # so that secret scanners recognise it
BYTES = 32  # too many to guess
LONGEST_DAYS = 366
DEFAULT_DAYS = 90
LONGEST_NAME = 100
MOST = 1000
SHOWN = ("id", "name", "role", "created_at", "expires_at", "made_by")


class InvalidToken(Invalid):
    """The token cannot be created; the message is a sentence."""


class TokenNotFound(NotFound):
    """No token has this id."""

    def __init__(self, token_id: int) -> None:
        super().__init__(f"There is no token {token_id}. It may have been revoked already.")


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is shown: without its secret."""

    id: int
    name: str
    role: str
    created_at: datetime
    expires_at: datetime
    made_by: str | None = None  # who made it; None: an admin, before sign-in was on


def create(
    database: Engine,
    name: str,
    role: Role,
    days: int = DEFAULT_DAYS,
    made_by: str | None = None,
) -> tuple[Token, str]:
    """Create a token; return it and its secret, which is not stored. Its role never exceeds the
    current role of the person `made_by`.

    Raises:
        InvalidToken: the name or the number of days is invalid, or there are too many tokens.
    """
    name = clean(name).strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidToken(f"A token needs a name of at most {LONGEST_NAME} characters.")
    if not 0 < days <= LONGEST_DAYS:
        raise InvalidToken(f"A token expires after 1 to {LONGEST_DAYS} days.")
    secret, now = PREFIX + secrets.token_urlsafe(BYTES), datetime.now(UTC)
    expires = now + timedelta(days=days)
    row = {
        "hash": hash_of(secret),
        "name": name,
        "role": role.name,
        "created_at": now,
        "expires_at": expires,
        "made_by": made_by,
    }
    with writing(database) as connection:
        connection.execute(delete_from(table).where(table.c.expires_at <= now))
        if (connection.scalar(select(func.count()).select_from(table)) or 0) >= MOST:
            raise InvalidToken(f"There are {MOST} tokens. Revoke one first.")
        created = insert(table).values(row).returning(table.c.id)
        token_id: int = connection.execute(created).scalar_one()
    return Token(token_id, name, role.name, now, expires, made_by), secret


def find(database: Engine, secret: str) -> Token | None:
    """Return the token with this secret; None if there is none, or it has expired."""
    if not secret.startswith(PREFIX):
        return None
    columns = (table.c[name] for name in SHOWN)
    valid = (table.c.hash == hash_of(secret)) & (table.c.expires_at > datetime.now(UTC))
    with database.connect() as connection:
        row = connection.execute(select(*columns).where(valid)).first()
    return Token(*row) if row else None


def person_of(token: Token) -> Person:
    """Return the person that a token stands for."""
    return Person(f"{token.name} (token)", Role[token.role], token.id, token.made_by)


def list_all(database: Engine, made_by: str | None = None) -> list[Token]:
    """Return the tokens, newest first, including expired ones; `made_by`: only this person's."""
    query = select(*(table.c[name] for name in SHOWN)).order_by(table.c.id.desc())
    if made_by is not None:
        query = query.where(table.c.made_by == made_by)
    with database.connect() as connection:
        return [Token(*row) for row in connection.execute(query)]


def revoke(database: Engine, token_id: int, made_by: str | None = None) -> None:
    """Revoke a token: it stops working immediately. `made_by`: only if it is that person's. Raises
    TokenNotFound."""
    this = delete_from(table).where(table.c.id == token_id)
    if made_by is not None:
        this = this.where(table.c.made_by == made_by)
    with writing(database) as connection:
        if not connection.execute(this).rowcount:
            raise TokenNotFound(token_id)


def hash_of(secret: str) -> str:
    """Return the hash of a token's secret, which is what is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()

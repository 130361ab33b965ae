"""Tokens for the API: stored as a hash, good until they expire or are revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update

from db import tokens
from db.tokens import InvalidToken, TokenNotFound
from services.base.roles import Role


def test_a_token_is_found_by_its_text_and_only_its_hash_is_stored(database: Engine) -> None:
    made, secret = tokens.create(database, " ci ", Role.runner, 30)
    assert (made.name, made.role) == ("ci", "runner")
    assert made.expires_at - made.created_at == timedelta(days=30)
    assert tokens.find(database, secret) == made
    assert tokens.find(database, secret[:-1]) is None
    assert tokens.find(database, made.name) is None
    with database.connect() as connection:
        assert secret not in str(connection.execute(select(tokens.table)).all())


def test_a_revoked_or_expired_token_is_refused(database: Engine) -> None:
    (one, first), (two, second) = (tokens.create(database, name, Role.viewer) for name in "ab")
    assert tokens.list_all(database) == [two, one]
    tokens.revoke(database, one.id)
    assert tokens.find(database, first) is None
    with pytest.raises(TokenNotFound, match="There is no token 1"):
        tokens.revoke(database, one.id)
    with database.begin() as connection:
        connection.execute(update(tokens.table).values(expires_at=datetime.now(UTC)))
    assert tokens.find(database, second) is None


@pytest.mark.parametrize("token_id", [0, -1, 2**31, 10**29])
def test_a_number_that_no_token_can_have_is_not_found(database: Engine, token_id: int) -> None:
    with pytest.raises(TokenNotFound, match=f"There is no token {token_id}"):
        tokens.revoke(database, token_id)


def test_a_token_is_distinct_from_a_revoked_one_with_its_name(database: Engine) -> None:
    """Tasks and runs belong to a token by its name and number: also when that token is gone."""
    callers = []
    for maker in ("ada@example.org", "bob@example.org"):
        made, _ = tokens.create(database, "nightly", Role.runner, made_by=maker)
        callers.append(tokens.person_of(made).caller)
        tokens.revoke(database, made.id)
    assert len(set(callers)) == 2


@pytest.mark.parametrize(
    ("name", "days"), [("", 1), (" ", 1), ("x" * 101, 1), ("x", 0), ("x", 367)]
)
def test_an_invalid_token_is_refused(database: Engine, name: str, days: int) -> None:
    with pytest.raises(InvalidToken):
        tokens.create(database, name, Role.viewer, days)
    assert tokens.list_all(database) == []

"""Shares over HTTP: created, listed, revoked, refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.conftest import call, problem
from tests.stored import store


@pytest.mark.long
def test_a_page_is_shared_listed_and_revoked(database: Engine) -> None:
    first, second = store(database), store(database)
    response = call("POST", "/shares", json={"runs": [first, second], "days": 7})
    share = response.json()
    assert response.status_code == 201
    assert share["path"] == f"/share/{share['token']}"
    assert (share["runs"], share["texts"]) == ([first, second], False)
    listed = call("GET", "/shares", params={"runs": f"{first},{second}"}).json()
    assert listed == call("GET", "/shares").json() == [share]
    assert call("GET", "/shares", params={"runs": f"{second},{first}"}).json() == []
    assert call("DELETE", f"/shares/{share['token']}").status_code == 204
    assert "may have been revoked already" in call("DELETE", f"/shares/{share['token']}").text
    assert call("GET", "/shares").json() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"runs": []}, 422),
        ({"runs": [1, 1]}, 422),
        ({"runs": list(range(1, 10))}, 422),
        ({"runs": [True]}, 422),
        ({"runs": ["1"]}, 422),
        ({"runs": "1"}, 422),
        ({"runs": [1], "days": 0}, 422),
        ({"runs": [1], "days": 10**30}, 422),
        ({"runs": [1], "days": "long"}, 422),
        ({"runs": [1], "texts": "perhaps"}, 422),
        ({"runs": [1], "texts": "yes"}, 422),
        ({"runs": [1], "password": "x"}, 422),
        ({"runs": [2]}, 404),
        ({"runs": [10**30]}, 404),
    ],
)
def test_an_error_says_why_runs_cannot_be_shared(
    database: Engine, body: dict[str, Any], status: int
) -> None:
    store(database)
    problem(call("POST", "/shares", json=body), status)
    assert call("GET", "/shares").json() == []


def test_listing_the_shares_of_no_runs_returns_none(database: Engine) -> None:
    problem(call("GET", "/shares?runs=one"), 422)
    problem(call("DELETE", "/shares/nothing"), 404)
    problem(call("POST", "/shares", content=b"{}", headers={"content-type": "text/plain"}), 415)

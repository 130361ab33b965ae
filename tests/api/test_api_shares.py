"""Shares over HTTP: created, listed, revoked, refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.conftest import ask, problem
from tests.stored import store


def test_a_page_is_shared_listed_and_revoked(database: Engine) -> None:
    one, two = store(database), store(database)
    answer = ask("POST", "/shares", json={"runs": [one, two], "days": 7})
    made = answer.json()
    assert answer.status_code == 201
    assert made["path"] == f"/share/{made['token']}"
    assert (made["runs"], made["texts"]) == ([one, two], False)
    listed = ask("GET", "/shares", params={"runs": f"{one},{two}"}).json()
    assert listed == ask("GET", "/shares").json() == [made]
    assert ask("GET", "/shares", params={"runs": f"{two},{one}"}).json() == []
    assert ask("DELETE", f"/shares/{made['token']}").status_code == 204
    assert "may have been revoked already" in ask("DELETE", f"/shares/{made['token']}").text
    assert ask("GET", "/shares").json() == []


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
def test_what_cannot_be_shared_is_said_in_a_sentence(
    database: Engine, body: dict[str, Any], status: int
) -> None:
    store(database)
    problem(ask("POST", "/shares", json=body), status)
    assert ask("GET", "/shares").json() == []


def test_shares_of_no_runs_are_asked_for_in_vain(database: Engine) -> None:
    problem(ask("GET", "/shares?runs=one"), 422)
    problem(ask("DELETE", "/shares/nothing"), 404)
    problem(ask("POST", "/shares", content=b"{}", headers={"content-type": "text/plain"}), 415)

"""Tokens over HTTP: made, listed without their texts, revoked."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import runs, tokens
from tests.api.conftest import call, problem


def test_a_token_is_shown_once(database: Engine) -> None:
    made = call("POST", "/tokens", json={"name": "ci", "role": "runner", "days": 7})
    assert made.status_code == 201
    secret = made.json().pop("token")
    assert tokens.find(database, secret)
    listed = call("GET", "/tokens")
    assert secret not in listed.text
    assert listed.json() == [{k: v for k, v in made.json().items() if k != "token"}]
    assert call("DELETE", "/tokens/1").status_code == 204
    problem(call("DELETE", "/tokens/1"), 404)


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "a", "role": "root"}, {"name": "a", "days": 0}]
)
def test_an_invalid_token_is_refused(database: Engine, body: dict[str, object]) -> None:
    problem(call("POST", "/tokens", json=body), 422)
    assert tokens.list_all(database) == []


@pytest.mark.parametrize("path", ["/runs", "/comparisons"])
def test_a_runner_names_a_saved_server(database: Engine, path: str) -> None:
    run = {"backend": "url", "base_url": "http://127.0.0.1:9", "requests": 1}
    body = run if path == "/runs" else {"candidates": [{}, run]}
    refused = call("POST", path, json=body, headers={"X-Paceline-Role": "runner"})
    problem(refused, 403)
    assert "base_url can only be set by an admin" in refused.json()["error"]
    assert runs.count(database) == 0

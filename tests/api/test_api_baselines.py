"""Baselines over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.conftest import call, problem
from tests.stored import store


def test_a_run_is_pinned_listed_against_and_unpinned(database: Engine) -> None:
    for _ in range(2):
        store(database, model="org/Model 1")
    path = "/baselines/model/org/Model%201"
    assert call("GET", "/baselines").json() == []
    pinned = call("PUT", path, json={"run": 1})
    assert (pinned.status_code, pinned.json()["value"], pinned.json()["run_id"]) == (
        200,
        "org/Model 1",
        1,
    )
    assert call("GET", "/baselines").json() == [pinned.json()]
    later, first = (run["against"] for run in call("GET", "/runs").json())
    assert (first["word"], first["baseline"], first["speed"]) == ("baseline", 1, None)
    assert (later["word"], later["baseline"], later["kind"]) == ("no verdict", 1, "model")
    assert later["speed"] == pytest.approx(1)
    assert call("DELETE", path).status_code == 204
    assert "No run is the baseline of model org/Model 1" in call("DELETE", path).json()["error"]
    assert [run["against"] for run in call("GET", "/runs").json()] == [None, None]


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("model/huge", {"run": 1}, 422, "Run 1 does not have the model 'huge'"),
        ("model/tiny", {"run": 9}, 404, "There is no run 9."),
        ("colour/tiny", {"run": 1}, 422, "kind must be one of 'model' or 'tag'"),
        ("model/tiny", {"run": "one"}, 422, "run must be a whole number"),
        ("model/tiny", {}, 422, "run is missing"),
    ],
)
def test_invalid_baselines_are_refused_with_a_reason(
    database: Engine, path: str, body: dict[str, Any], status: int, reason: str
) -> None:
    store(database)
    response = call("PUT", f"/baselines/{path}", json=body)
    problem(response, status)
    assert reason in response.json()["error"]
    problem(call("PUT", "/baselines/model/tiny", content="{}"), 415)

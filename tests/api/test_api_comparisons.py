"""Comparisons and further repeats over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from db import runs
from tests.api.conftest import call, problem
from tests.conftest import ReferenceServer, Submit, finished


@pytest.mark.long
def test_a_comparison_is_started_shown_repeated_and_cancelled(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    config = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    candidates = [{**config, "mode": mode, "requests": 1} for mode in ("batch", "staggered")]
    new = {"candidates": candidates, "repeats": 3, "seed": 1, "margin": 0.1, "name": "Mine"}
    response = call("POST", "/comparisons", json=new)
    trial = response.json()
    assert response.status_code == 202, trial
    assert (trial["asked"]["most"], trial["page"]) == (3, "/compare?runs=1,2")
    for run_id in (1, 2):
        assert finished(database, run_id).status == "done"
    assert call("GET", f"/comparisons/{trial['id']}").json()["runs"] == {"1": "done", "2": "done"}
    assert runs.load(database, 1).name == "Mine · batch 1"
    assert call("POST", "/runs/1/more", json={"repeats": 1}).status_code == 202
    assert len(finished(database, 1).repeats) == 4
    problem(call("POST", "/runs/1/more", json={"repeats": 50}), 409)
    assert call("POST", f"/comparisons/{trial['id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/comparisons", {"candidates": [{}]}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {"max_tokens": 0}]}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "margin": 0.0005}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "margin": True}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "repeats": True}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "seed": "1"}, 422),
        ("POST", "/runs/7/more", {"repeats": True}, 422),
        ("PUT", "/baselines/model/tiny", {"run": True}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {"backend": "nobody"}]}, 422),
        ("GET", "/comparisons/7", None, 404),
        ("POST", "/comparisons/7/cancel", None, 404),
        ("POST", "/runs/7/more", {"repeats": 1}, 404),
        ("POST", "/runs/7/more", {"repeats": 0}, 422),
    ],
)
def test_an_invalid_comparison_is_refused(
    database: Engine, method: str, path: str, body: Any, status: int
) -> None:
    problem(call(method, path, **({"json": body} if body is not None else {})), status)
    assert not runs.count(database)

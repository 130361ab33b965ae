"""/api/servers: saved under a name, picked as a run's backend, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from db import runs, servers
from services.ask.saved_server import FIELDS
from tests.api.conftest import call, problem
from tests.conftest import ReferenceServer, finished


def test_a_server_is_saved_listed_and_deleted(database: Engine) -> None:
    body = {"backend": "vllm", "base_url": "http://gpu-7:8000/v1", "usd_per_hour": 3.5}
    saved = call("PUT", "/servers/prod", json=body).json()
    assert saved["name"] == "prod" and set(saved["fields"]) == set(FIELDS)
    assert {name: saved["fields"][name] for name in body} == body
    assert call("GET", "/servers").json() == [saved]
    assert call("DELETE", "/servers/prod").status_code == 204
    assert call("GET", "/servers").json() == []
    problem(call("DELETE", "/servers/prod"), 404)


@pytest.mark.long
def test_a_run_and_a_comparison_use_a_saved_server_by_name(
    database: Engine, reference: ReferenceServer
) -> None:
    body = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    call("PUT", "/servers/lab", json=body)
    own = {"requests": 1, "warmup": 0}
    run_id = call("POST", "/runs", json={"backend": "lab", **own}).json()["id"]
    assert finished(database, run_id).status == "done"
    candidates = [{"backend": "lab", **own}, {"backend": "lab", "model": "ref tokens=4", **own}]
    started = call("POST", "/comparisons", json={"candidates": candidates, "repeats": 1}).json()
    configs = [runs.load(database, int(number)).config for number in started["runs"]]
    assert [config.model for config in configs] == ["ref tokens=3", "ref tokens=4"]
    assert {config.base_url for config in configs} == {reference.base_url}
    for number in started["runs"]:
        assert finished(database, int(number)).status == "done"


def test_a_study_uses_a_saved_server_by_name(database: Engine) -> None:
    call("PUT", "/servers/lab", json={"backend": "url", "base_url": "http://127.0.0.1:9/v1"})
    study = {"preset": "custom", "run": {"backend": "lab"}, "batches": [1, 2]}
    answer = call("POST", "/studies/plan", json=study)
    assert answer.status_code == 200, answer.text
    problem(call("POST", "/studies/plan", json={**study, "run": {"backend": "lib"}}), 422)
    counted = call(
        "POST", "/studies/plan", json={**study, "run": {"backend": "lab", "requests": 3}}
    )
    problem(counted, 422)
    assert "requests has no effect: the study sets it in every run." in counted.text


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("vllm", {}),
        ("A", {}),
        ("a", {"backend": "nope"}),
        ("a", {"requests": 3}),
        ("a", {"nonsense": 3}),
        ("a", {"headers": {"Authorization": "Bearer sk-hunter2"}}),
        ("a", {"key_env": "sk-hunter2"}),
    ],
)
def test_an_invalid_server_is_not_saved(database: Engine, name: str, body: dict[str, Any]) -> None:
    answer = call("PUT", f"/servers/{name}", json=body)
    problem(answer, 422)
    assert "hunter2" not in answer.text and servers.list_all(database) == {}


def test_an_unknown_backend_name_is_refused(database: Engine) -> None:
    answer = call("POST", "/runs", json={"backend": "nowhere"})
    problem(answer, 422)
    assert "There is no backend 'nowhere'" in answer.json()["error"]

"""Runners cancel what they started, and nobody else's."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import jobs
from db import runs, tokens
from services.base.roles import Person, Role, headers_of
from tests.api.conftest import JSON, call, problem

RAY, UMA = (Person(f"{name}@example.org", Role.runner) for name in ("ray", "uma"))
ADA = Person("ada@example.org", Role.admin)


@pytest.fixture
def at_rest(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(jobs, "ensure", lambda database: None)  # nothing is measured
    return database


def token(database: Engine, made_by: str | None = None) -> Person:
    made, _ = tokens.create(database, "nightly", Role.runner, made_by=made_by)
    return tokens.person_of(made)


def started(who: Person, kind: str = "runs") -> str:
    body = {"runs": {"requests": 1}, "comparisons": {"candidates": [{}, {"mode": "batch"}]}}[kind]
    answer = call("POST", f"/{kind}", json=body, headers=headers_of(who) | JSON)
    assert answer.status_code == 202, answer.text
    return f"/{kind}/{answer.json()['id']}/cancel"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["runs", "comparisons"])
def test_a_runner_cancels_their_own_and_admins_all(at_rest: Engine, kind: str) -> None:
    mine, other = started(RAY, kind), started(RAY, kind)
    refused = problem(call("POST", mine, headers=headers_of(UMA)), 403)
    assert refused == {}
    assert runs.load(at_rest, 1).status == "queued"
    assert call("POST", mine, headers=headers_of(RAY)).status_code == 200
    assert runs.load(at_rest, 1).status == "cancelled"
    assert call("POST", other, headers=headers_of(ADA)).status_code == 200


def test_a_person_cancels_what_their_tokens_started_and_a_token_its_own(at_rest: Engine) -> None:
    rays, umas, another = (token(at_rest, who.name) for who in (RAY, UMA, RAY))
    first, second = started(rays), started(rays)
    for other in (umas, another, UMA):  # two tokens have one name
        problem(call("POST", first, headers=headers_of(other)), 403)
    assert call("POST", first, headers=headers_of(rays)).status_code == 200
    assert call("POST", second, headers=headers_of(RAY)).status_code == 200


def test_a_former_runner_who_is_now_a_viewer_cancels_nothing(at_rest: Engine) -> None:
    path = started(RAY)
    problem(call("POST", path, headers=headers_of(RAY._replace(role=Role.viewer))), 403)
    problem(call("POST", "/runs/77/cancel", headers=headers_of(RAY)), 404)


def test_a_token_created_over_the_api_records_who_created_it(at_rest: Engine) -> None:
    body = {"name": "ci", "role": "runner"}
    admins, _ = tokens.create(at_rest, "root", Role.admin, made_by=ADA.name)
    for who in (ADA, tokens.person_of(admins)):
        answer = call("POST", "/tokens", json=body, headers=headers_of(who) | JSON)
        assert answer.json()["made_by"] == ADA.name
    assert call("POST", "/tokens", json=body, headers=JSON).json()["made_by"] is None


@pytest.mark.parametrize("kind", ["runs", "comparisons"])
def test_a_person_cancels_what_their_revoked_token_started(at_rest: Engine, kind: str) -> None:
    rays = token(at_rest, RAY.name)
    path = started(rays, kind)
    assert rays.token is not None
    tokens.revoke(at_rest, rays.token)
    for other in (UMA, token(at_rest, UMA.name), token(at_rest, RAY.name)):
        problem(call("POST", path, headers=headers_of(other)), 403)
    assert call("POST", path, headers=headers_of(RAY)).status_code == 200
    assert call("GET", "/runs/1").json()["run"]["started_by"] == f"nightly (token) of {RAY.name}"


def test_a_person_sees_and_cancels_the_tasks_of_their_revoked_token(at_rest: Engine) -> None:
    rays = token(at_rest, RAY.name)
    body, headers = [{"prompt": "a"}, {"prompt": "b"}], headers_of(rays) | JSON
    batch = call("POST", "/inference/batch", json=body, headers=headers).json()
    tokens.revoke(at_rest, rays.token or 0)
    task, its_batch = f"/tasks/{batch['task_ids'][0]}", f"/inference/batch/{batch['batch_id']}"
    paths = (task, its_batch, f"{its_batch}/output.jsonl", f"/tasks?batch={batch['batch_id']}")
    for path in paths:
        assert call("GET", path, headers=headers_of(RAY)).status_code == 200
        for other in (UMA, token(at_rest, UMA.name), token(at_rest, RAY.name)):
            problem(call("GET", path, headers=headers_of(other)), 404)
    assert len(call("GET", "/inference/batch", headers=headers_of(RAY)).json()) == 1
    assert len(call("GET", "/tasks", headers=headers_of(RAY)).json()["tasks"]) == 2
    problem(call("DELETE", task, headers=headers_of(UMA)), 404)
    for path in (task, its_batch):
        assert call("DELETE", path, headers=headers_of(RAY)).status_code == 200
    assert call("GET", its_batch, headers=headers_of(ADA)).json()["counts"] == {"cancelled": 2}


def test_a_person_cancels_what_a_token_created_by_their_token_started(at_rest: Engine) -> None:
    """What a token of a token starts is the person's, too."""
    admins, _ = tokens.create(at_rest, "root", Role.admin, made_by=RAY.name)
    headers = headers_of(tokens.person_of(admins)) | JSON
    call("POST", "/tokens", json={"name": "ci", "role": "runner"}, headers=headers)
    (made, _) = tokens.list_all(at_rest)
    path = started(tokens.person_of(made))
    tokens.revoke(at_rest, made.id)
    assert call("POST", path, headers=headers_of(RAY)).status_code == 200

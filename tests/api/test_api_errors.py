"""Every refusal and every fault has one shape."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy import Engine, text, update

from api import api
from db import runs, schema
from jobs.supervisor_lock import supervisor_file
from services.ask.config import RunConfig
from tests.api.conftest import call, problem


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /nothing", 404),
        ("GET /", 404),
        ("GET /runs/", 404),
        ("GET /docs", 404),
        ("GET /runs/1", 404),
        ("GET /runs/-1", 404),
        ("GET /runs/0", 404),
        (f"GET /runs/{10**30}", 404),
        ("GET /runs/1/requests.csv", 404),
        ("GET /runs/1/nothing", 404),
        ("POST /runs/1/cancel", 404),
        ("GET /runs/one", 422),
        ("GET /runs/1.5", 422),
        ("GET /runs/one/requests.csv", 422),
        ("POST /runs/one/cancel", 422),
        ("PUT /runs", 405),
        ("DELETE /runs/1", 405),
        ("POST /runs/1", 405),
        ("GET /runs/1/cancel", 405),
        ("GET /runs?limit=0", 422),
        ("GET /runs?limit=1001", 422),
        ("GET /runs?limit=few", 422),
        ("GET /runs?offset=-1", 422),
        (f"GET /runs?offset={2**63}", 422),
        ("GET /runs?status=lost", 422),
        ("GET /runs?mode=warp", 422),
        ("GET /runs?backend=nowhere", 422),
        ("GET /runs?order=name", 422),
    ],
)
def test_unknown_resources_get_errors_of_the_same_shape(
    database: Engine, request_line: str, status: int
) -> None:
    problem(call(*request_line.split()), status)


def test_a_missing_run_is_reported_with_the_route_that_lists_runs(database: Engine) -> None:
    error = call("GET", "/runs/7").json()["error"]
    assert error.startswith("There is no run 7. ")
    assert error.endswith(" GET /api/runs lists all runs.")


def test_an_unreachable_database_is_reported_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/x")
    response = call("GET", "/runs")
    problem(response, 503)
    assert "topsecret" not in response.text


def test_a_database_that_fails_later_is_reported_too(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("DROP TABLE run_tags"))
        connection.execute(text("DROP TABLE requests"))
    run_id = runs.create(database, RunConfig(), "embedded")
    response = call("GET", f"/runs/{run_id}")
    problem(response, 503)
    assert response.json()["error"].startswith("The database cannot be used: no such table: ")


def test_a_queue_that_cannot_be_processed_is_reported(database: Engine) -> None:
    supervisor_file(database, "lock").mkdir()
    response = call("POST", "/runs", json={"requests": 1})
    problem(response, 503)
    assert "The queue cannot be processed: Is a directory" in response.json()["error"]
    assert runs.count(database) == 0


def test_an_internal_error_has_the_same_response_format(database: Engine) -> None:
    run_id = runs.create(database, RunConfig(), "embedded")
    with database.begin() as connection:
        connection.execute(update(schema.runs).values(config={"mode": "of a later Paceline"}))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(f"/runs/{run_id}")

    assert problem(asyncio.run(send()), 500) == {}

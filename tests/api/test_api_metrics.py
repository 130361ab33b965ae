"""GET /metrics, as Prometheus asks for it."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Route

from api.metrics import metrics
from db import new_tasks
from db.new_tasks import NewSettings
from jobs.supervisor_lock import acquire_lock
from services.ask.tasks import NewTask
from tests.conftest import Submit, finished
from tests.stored import store

LINE = re.compile(r'([a-z_0-9]+)(?:\{(?:server=".*",)?status="([a-z]+)"\})? (\S+)')


def scrape() -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=[Route("/metrics", endpoint=metrics)]))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/metrics")

    return asyncio.run(ask())


def values() -> dict[tuple[str, str], float]:
    """What was scraped, by name and status; every other line is a HELP or a TYPE."""
    answer = scrape()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    matches = [match for line in lines if (match := LINE.fullmatch(line))]
    names = {match[1] for match in matches}
    heads = {f"# TYPE {name} gauge" for name in names}
    others = [line for line in lines if not LINE.fullmatch(line)]
    assert {line for line in others if line.startswith("# TYPE")} == heads
    assert len(others) == 2 * len(names) and all(line.startswith("# ") for line in others)
    return {(match[1], match[2] or ""): float(match[3]) for match in matches}


def test_queued_and_ended_runs_are_counted_by_status(database: Engine) -> None:
    store(database)
    store(database, status="cancelled")
    store(database, status="queued")
    seen = values()
    assert seen["paceline_queue_runs", "queued"] == 1
    assert seen["paceline_ended_runs", "done"] == seen["paceline_ended_runs", "cancelled"] == 1
    assert seen["paceline_ended_runs", "failed"] == 0


def test_tasks_are_counted_by_status_and_server(database: Engine) -> None:
    settings = NewSettings({"backend": "url"}, 'api"1', "m", {"target": {}})
    new_tasks.create(database, "me", [settings], [(NewTask("x", {}), 0)] * 2)
    seen = values()
    assert seen["paceline_queue_tasks", "queued"] == 2
    assert seen["paceline_queue_tasks", "running"] == seen["paceline_ended_tasks", "failed"] == 0
    assert 'paceline_server_tasks{server="api\\"1",status="queued"} 2\n' in scrape().text


def test_the_supervisor_is_up_while_its_lock_is_held(database: Engine) -> None:
    assert values()["paceline_supervisor_up", ""] == 0
    with acquire_lock(database):
        assert values()["paceline_supervisor_up", ""] == 1
    assert values()["paceline_supervisor_up", ""] == 0


def test_the_client_health_of_the_last_run_is_exported(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=30 gap=0.05", mode="batch", requests=4, warmup=0)
    finished(database, run_id)
    seen = values()
    assert seen["paceline_client_run", ""] == run_id
    assert 0 <= seen["paceline_client_sent_late_p99_seconds", ""] < 60
    assert 0 <= seen["paceline_client_loop_lag_p99_seconds", ""] < 60


def test_a_database_that_cannot_be_used_is_a_failed_scrape(
    database: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", f"sqlite:///{tmp_path}")  # a folder
    answer = scrape()
    assert answer.status_code == 503
    assert answer.text.endswith(".\n") and "Traceback" not in answer.text

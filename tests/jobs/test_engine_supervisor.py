"""Engines at work: started, measured, stopped, and gone with their supervisor."""

from __future__ import annotations

import signal

import httpx
import pytest
from sqlalchemy import Engine

import jobs
from db import engines
from jobs import serving
from services.ask.config import parse
from services.servers.engines import EngineProblem
from services.servers.engines.instance import UP
from tests.conftest import finished, until
from tests.jobs.conftest import (
    ANSWER_S,
    LLAMA,
    processes,
    ready,
    supervisors,
)

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("nothing_stays")]


@pytest.mark.long
def test_an_engine_is_started_measured_and_stopped(database: Engine) -> None:
    engine_id = serving.start(database, LLAMA)
    server = ready(database, engine_id)
    assert server.base_url and server.command and server.pid
    assert server.facts["engine"] == "llama.cpp"
    config = {"backend": "url", "base_url": server.base_url, "requests": 2, "mode": "batch"}
    run_id = jobs.submit(database, parse({**config, "max_tokens": 4, "warmup": 0}))
    assert finished(database, run_id, ANSWER_S).status == "done"
    assert engines.load(database, engine_id).status == "ready", "it stays until it is stopped"
    assert processes(database, engine_id)
    serving.stop(database, engine_id)
    until(lambda: engines.load(database, engine_id).status == "stopped", 60)
    assert not processes(database, engine_id)
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.base_url)


@pytest.mark.long
def test_a_start_that_fails_says_why_and_leaves_nothing(database: Engine) -> None:
    broken = LLAMA.model_copy(update={"model": "/there/is/no/such/model.gguf"})
    with pytest.raises(EngineProblem, match="Leave model empty"):
        serving.start(database, broken)
    engine_id = engines.create(database, broken)  # as if it could not have been seen beforehand
    jobs.ensure(database)
    until(lambda: engines.load(database, engine_id).status == "failed", ANSWER_S)
    server = engines.load(database, engine_id)
    assert server.error and server.error.endswith(".")
    assert not processes(database, engine_id)


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_engines_end_with_their_supervisor(database: Engine, sign: signal.Signals) -> None:
    engine_id = serving.start(database, LLAMA)
    ready(database, engine_id)
    (supervisor,) = supervisors()
    supervisor.send_signal(sign)
    supervisor.wait(60)
    until(lambda: not processes(database, engine_id), 60)
    if sign is signal.SIGTERM:
        assert engines.load(database, engine_id).status not in UP

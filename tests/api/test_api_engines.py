"""Engines over HTTP: started, shown, stopped, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db import engines as stored_engines
from services.servers.engines.instance import UP
from tests.api.conftest import KEY, call, pretended, problem
from tests.conftest import until

pytestmark = pytest.mark.usefixtures("no_engine_left")


@pytest.mark.timeout(700)  # the engine shares its cores with whatever else runs
def test_an_engine_is_started_shown_used_and_stopped(database: Engine) -> None:
    response = call("POST", "/engines", json={"engine": "llamacpp", "max_seqs": 2})
    assert response.status_code == 202
    assert response.json() == {"id": 1, "url": "/api/engines/1", "page": "/engines"}
    until(lambda: call("GET", "/engines/1").json()["status"] not in ("planned", "starting"), 300)
    facts = call("GET", "/engines/1").json()
    assert (facts["status"], facts["error"], facts["study_id"]) == ("ready", None, None)
    assert "services.servers.embedded 2 2048" in facts["command"]
    assert facts["log"].startswith("http://127.0.0.1:")
    assert [engine["id"] for engine in call("GET", "/engines").json()] == [1]
    assert call("POST", "/engines/1/stop").json()["stop_requested"]
    until(lambda: stored_engines.load(database, 1).status == "stopped", 60)


@pytest.mark.long
def test_no_response_contains_the_environment(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "VLLM_API_KEY", "GROQ_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("MY_OWN_THING", KEY)
    monkeypatch.setenv("PACELINE_DATABASE_URL", str(database.url))
    config = pretended(tmp_path, monkeypatch, "env | grep API_KEY; env | grep -c DATABASE; exit 3")
    assert call("POST", "/engines", json=config).status_code == 202
    until(lambda: stored_engines.load(database, 1).status == "failed", 60)
    facts = call("GET", "/engines/1")
    assert facts.json()["log"].strip() == "0", "an engine is told what is none of its business"
    assert facts.json()["error"]
    for response in (facts, call("GET", "/engines")):
        assert KEY not in response.text
    dump = "".join(database.raw_connection().driver_connection.iterdump())  # type: ignore[union-attr]
    assert "org/model" in dump and KEY not in dump


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"engine": "ollama"}, "engine must be one of"),
        ({"tp": 0}, "tp must be at least 1"),
        ({"tp": True}, "tp must be a number, not true or false"),
        ({"speed": 1}, "speed is not a known field"),
        ({"engine": "llamacpp", "tp": 8}, "does not support tp=8"),
        ({"engine": "llamacpp", "model": "/etc"}, "serves smollm2-135m-instruct only"),
        ({"engine": "vllm", "tp": 64}, "It needs 64 "),
        ({"extra": "--host 0.0.0.0"}, "Paceline sets --host itself"),
        ({"extra": "--max-logprobs 5 --"}, "extra may not contain a bare --"),
        ({"model": f"--api-key={KEY}"}, "model may not begin with -"),
        ({"model": f" -{KEY}"}, "model may not begin with -"),
        ({"quantization": f"--api-key={KEY}"}, "quantization may not begin with -"),
        ({"extra": f"--api-key {KEY}"}, "extra must not contain a key"),
        ({"extra": f"--api_k={KEY}"}, "extra must not contain a key"),
        ({"extra": f"--hf-token {KEY}"}, "extra must not contain a key"),
    ],
)
def test_an_invalid_engine_is_refused_and_not_stored(
    database: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, Any],
    reason: str,
) -> None:
    config = {**pretended(tmp_path, monkeypatch, "exit 1"), **body}
    response = call("POST", "/engines", json=config)
    problem(response, 422)
    assert reason in response.json()["error"]
    assert KEY not in response.text
    assert stored_engines.list_all(database) == []


@pytest.mark.parametrize("path", ["/engines", "/studies"])
def test_engines_that_are_turned_off_are_refused(
    database: Engine, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("PACELINE_ENGINES", "off")
    start = {"engine": {"engine": "llamacpp"}, "run": {"max_tokens": 1}}
    response = call("POST", path, json=start if path == "/studies" else start["engine"])
    problem(response, 422)
    assert "PACELINE_ENGINES=off" in response.json()["error"]
    assert stored_engines.list_all(database) == []


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /engines/7", 404),
        ("POST /engines/7/stop", 404),
        ("GET /engines/one", 422),
        ("DELETE /engines", 405),
    ],
)
def test_an_engine_that_does_not_exist_is_reported(
    database: Engine, request_line: str, status: int
) -> None:
    problem(call(*request_line.split()), status)
    assert not [engine for engine in stored_engines.list_running(database) if engine.status in UP]

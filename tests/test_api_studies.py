"""The door over HTTP to studies and engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db import engines as stored_engines
from db import queue, runs, studies
from jobs import studies as at_work
from services.report.export.study_shape import StudyDocument
from services.servers.engines.instance import UP
from services.studies.feasible import NothingToResume
from tests.conftest import ReferenceServer, started_engines_end, until
from tests.test_api import ask, problem

JSON = {"content-type": "application/json"}
KEY = "fake-0123456789abcdefghij"
SLOW = "ref ttft=0.05 gap=0.05 tokens=2000"  # 100 s an answer


@pytest.fixture(autouse=True)
def nothing_left(database: Engine) -> Iterator[None]:
    yield
    started_engines_end(database)


def sweep(reference: ReferenceServer, model: str = "ref tokens=3", **more: Any) -> dict[str, Any]:
    """A concurrency study of two cells."""
    run = {"backend": "url", "base_url": reference.base_url, "model": model, "requests": 2}
    own = {"preset": "concurrency", "concurrencies": [1, 2]}
    return {**own, "run": {**run, "warmup": 0, "repeats": 1}, **more}


def over(database: Engine, study_id: int) -> bool:
    return not studies.load(database, study_id).active


def test_a_study_is_planned_started_shown_reported_and_deleted(
    database: Engine, reference: ReferenceServer
) -> None:
    asked = sweep(reference)
    plan = ask("POST", "/studies/plan", json=asked).json()
    assert [cell["run"]["concurrency"] for cell in plan["cells"]] == [1, None]
    assert [cell["engine"] for cell in plan["cells"]] == [None, None]
    assert plan["sentence"].startswith("2 cells. It takes ")
    assert ask("GET", "/studies").json() == []
    answer = ask("POST", "/studies", json={**asked, "name": "Door", "tags": ["http"]})
    assert answer.status_code == 202
    assert answer.json() == {"id": 1, "url": "/api/studies/1", "page": "/study?study=1"}
    until(lambda: over(database, 1), 90)
    facts = ask("GET", "/studies/1").json()
    assert (facts["name"], facts["active"], facts["counts"]) == ("Door", False, {"done": 2})
    assert [(c["place"], c["status"], c["problem"]) for c in facts["cells"]] == [
        (0, "done", None),
        (1, "done", None),
    ]
    assert runs.load(database, facts["cells"][0]["run"]).tags == ("http",)
    report = ask("GET", "/studies/1/report").json()
    StudyDocument.model_validate(report)
    assert (report["name"], len(report["cells"]), report["device"]) == ("Door", 2, "device")
    (row,) = ask("GET", "/studies").json()
    assert (row["id"], row["cells"], row["done"], row["active"]) == (1, 2, 2, 0)
    assert ask("DELETE", "/studies/1").status_code == 204
    problem(ask("GET", "/studies/1"), 404)
    assert runs.count(database) == 0


def test_a_study_is_cancelled_and_resumed(database: Engine, reference: ReferenceServer) -> None:
    assert ask("POST", "/studies", json=sweep(reference, SLOW)).status_code == 202
    until(lambda: studies.load(database, 1).runs[0].status == "running", 60)
    problem(ask("DELETE", "/studies/1"), 409)
    assert ask("POST", "/studies/1/cancel").status_code == 200
    until(lambda: over(database, 1), 60)
    assert ask("GET", "/studies/1").json()["counts"] == {"cancelled": 2}
    problem(ask("POST", "/studies/1/resume"), 415)
    again = ask("POST", "/studies/1/resume", json={})
    assert (again.status_code, again.json()["active"]) == (202, True)
    assert [cell["run"] for cell in again.json()["cells"]] == [3, 4]
    ask("POST", "/studies/1/cancel")
    until(lambda: over(database, 1), 60)


def test_a_study_of_which_nothing_can_run_here_is_refused_as_its_engine_is(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "none"))
    engine = {"engine": "vllm", "model": "org/model"}
    study = {"preset": "tensor", "engine": engine, "parallel": [[1, 1, 1], [2, 1, 1]]}
    answer = ask("POST", "/studies", json=study)
    problem(answer, 422)
    assert answer.json() == ask("POST", "/engines", json=engine).json()
    assert "vLLM is not installed: " in answer.json()["error"]
    assert ask("POST", "/studies/plan", json=study).json()["impossible"] == 6
    assert studies.listed(database) == [] and runs.count(database) == 0


def test_resume_says_at_every_door_what_it_cannot_do(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work.jobs, "ensure", lambda engine: None)
    engine = pretended(tmp_path, monkeypatch, "exit 1")
    study = {"engine": engine, "parallel": [[1, 1, 1]], "batches": [1, 2]}
    assert ask("POST", "/studies", json=study).status_code == 202
    for run in studies.load(database, 1).runs:
        queue.finish(database, run.id, "failed", "It broke.")
    for body, words in (
        ({}, "Study 1 has no cell that was cut short. Its 2 failed cells can be tried again with "),
        ({"failed": True}, "vLLM is not installed: "),
    ):
        monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "none"))
        answer = ask("POST", "/studies/1/resume", json=body)
        problem(answer, 409)
        assert answer.json()["error"].startswith(words)
        with pytest.raises(NothingToResume) as raised:  # what the page shows
            at_work.resume(database, 1, bool(body))
        assert str(raised.value) == answer.json()["error"]
    assert [run.status for run in studies.load(database, 1).runs] == ["failed"] * 2


def test_what_a_study_does_not_say_is_as_its_preset_begins(database: Engine) -> None:
    engine = {"engine": "llamacpp"}
    plan = ask("POST", "/studies/plan", json={"preset": "tensor", "engine": engine}).json()
    assert [cell["engine"]["tp"] for cell in plan["cells"]][::3] == [1, 2, 4, 8]
    assert {cell["run"]["repeats"] for cell in plan["cells"]} == {3}
    assert [bool(cell["obstacle"]) for cell in plan["cells"]] == [False] * 3 + [True] * 9
    run = {"input_tokens": 64}
    plan = ask("POST", "/studies/plan", json={"preset": "clients", "run": run}).json()
    assert {cell["run"]["workload"] for cell in plan["cells"]} == {"synthetic"}


def test_no_prompt_is_told(database: Engine) -> None:
    asked = {"preset": "concurrency", "concurrencies": [1], "run": {"prompt": "my secret plan"}}
    answers = [ask("POST", "/studies/plan", json=asked), ask("POST", "/studies", json=asked)]
    answers += [ask("POST", "/studies/1/cancel"), ask("GET", "/studies/1"), ask("GET", "/studies")]
    until(lambda: over(database, 1), 90)
    answers.append(ask("GET", "/studies/1/report"))
    assert all(answer.status_code in (200, 202) for answer in answers)
    assert not any("secret plan" in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"preset": "none"}, ["preset"]),
        ({"preset": 5}, ["preset"]),
        ({"preset": "tensor", "engine": None}, ["engine"]),
        ({"engine": {"tp": 99}, "run": {"requests": 0}}, ["tp", "requests"]),
        ({"engine": {"engine": "ollama"}}, ["engine"]),
        ({"engine": {"extra": "'"}}, ["extra"]),
        ({"run": {"workload": "text"}}, ["prompt"]),
        ({"run": 5}, ["run"]),
        ({"batches": ["a"]}, ["batches"]),
        ({"batches": [0]}, ["batches"]),
        ({"parallel": [[0, 1, 1]]}, ["parallel"]),
        ({"parallel": []}, ["parallel"]),
        ({"usd_per_gpu_hour": 0}, ["usd_per_gpu_hour"]),
        ({"usd_per_gpu_hour": True}, ["usd_per_gpu_hour"]),
        ({"speed": 1}, ["speed"]),
        ({"preset": "clients", "run": {"backend": "url"}}, []),
        ({"preset": "clients", "tags": ["a,b"]}, []),
        ({"batches": [*range(1, 51)], "input_lengths": [*range(1, 51)]}, []),
        ([1], []),
    ],
)
def test_a_study_that_cannot_be_is_refused_by_its_field(
    database: Engine, monkeypatch: pytest.MonkeyPatch, body: Any, fields: list[str]
) -> None:
    monkeypatch.setenv("PACELINE_URL", "")
    assert list(problem(ask("POST", "/studies", json=body), 422)) == fields
    assert studies.listed(database) == []


@pytest.mark.timeout(700)  # the engine shares its cores with whatever else runs
def test_an_engine_is_started_shown_used_and_stopped(database: Engine) -> None:
    answer = ask("POST", "/engines", json={"engine": "llamacpp", "max_seqs": 2})
    assert answer.status_code == 202
    assert answer.json() == {"id": 1, "url": "/api/engines/1", "page": "/engines"}
    until(lambda: ask("GET", "/engines/1").json()["status"] not in ("planned", "starting"), 300)
    facts = ask("GET", "/engines/1").json()
    assert (facts["status"], facts["error"], facts["study_id"]) == ("ready", None, None)
    assert "services.servers.embedded 2 2048" in facts["command"]
    assert facts["log"].startswith("http://127.0.0.1:")
    assert [one["id"] for one in ask("GET", "/engines").json()] == [1]
    assert ask("POST", "/engines/1/stop").json()["stop_requested"]
    until(lambda: stored_engines.load(database, 1).status == "stopped", 60)


def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> dict[str, Any]:
    """An engine whose interpreter does what `script` says."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(python))
    return {"engine": "vllm", "model": "org/model"}


def test_no_answer_holds_what_is_in_the_environment(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "VLLM_API_KEY", "GROQ_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("MY_OWN_THING", KEY)
    monkeypatch.setenv("PACELINE_DATABASE_URL", str(database.url))
    asked = pretended(tmp_path, monkeypatch, "env | grep API_KEY; env | grep -c DATABASE; exit 3")
    assert ask("POST", "/engines", json=asked).status_code == 202
    until(lambda: stored_engines.load(database, 1).status == "failed", 60)
    facts = ask("GET", "/engines/1")
    assert facts.json()["log"].strip() == "0", "an engine is told what is none of its business"
    assert facts.json()["error"]
    for answer in (facts, ask("GET", "/engines")):
        assert KEY not in answer.text
    kept = "".join(database.raw_connection().driver_connection.iterdump())  # type: ignore[union-attr]
    assert "org/model" in kept and KEY not in kept


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"engine": "ollama"}, "engine must be one of"),
        ({"tp": 0}, "tp must be at least 1"),
        ({"tp": True}, "tp must be a number, not true or false"),
        ({"speed": 1}, "speed is not a known field"),
        ({"engine": "llamacpp", "tp": 8}, "does not know tp=8"),
        ({"engine": "llamacpp", "model": "/etc"}, "serves smollm2-135m-instruct only"),
        ({"engine": "vllm", "tp": 64}, "It needs 64 "),
        ({"extra": "--host 0.0.0.0"}, "Paceline sets --host itself"),
        ({"extra": "--max-logprobs 5 --"}, "extra may not contain a bare --"),
        ({"model": f"--api-key={KEY}"}, "model may not begin with -"),
        ({"model": f" -{KEY}"}, "model may not begin with -"),
        ({"quantization": f"--api-key={KEY}"}, "quantization may not begin with -"),
        ({"extra": f"--api-key {KEY}"}, "extra may hold no key"),
        ({"extra": f"--api_k={KEY}"}, "extra may hold no key"),
        ({"extra": f"--hf-token {KEY}"}, "extra may hold no key"),
    ],
)
def test_an_engine_that_cannot_be_is_refused_and_nothing_is_stored(
    database: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, Any],
    words: str,
) -> None:
    asked = {**pretended(tmp_path, monkeypatch, "exit 1"), **body}
    answer = ask("POST", "/engines", json=asked)
    problem(answer, 422)
    assert words in answer.json()["error"]
    assert KEY not in answer.text
    assert stored_engines.listed(database) == []


@pytest.mark.parametrize("path", ["/engines", "/studies", "/studies/plan", "/studies/1/resume"])
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_a_form_could_send_starts_nothing(
    database: Engine, path: str, kind: str
) -> None:
    body = json.dumps({"engine": "llamacpp"}) if path == "/engines" else "{}"
    problem(ask("POST", path, content=body, headers={"content-type": kind}), 415)
    assert stored_engines.listed(database) == [] and studies.listed(database) == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("GET /studies/7", 404),
        ("GET /studies/7/report", 404),
        ("POST /studies/7/cancel", 404),
        ("DELETE /studies/7", 404),
        ("GET /studies/one", 422),
        ("GET /studies?limit=0", 422),
        ("GET /engines/7", 404),
        ("POST /engines/7/stop", 404),
        ("GET /engines/one", 422),
        ("DELETE /engines", 405),
    ],
)
def test_what_is_not_there_is_said(database: Engine, asked: str, status: int) -> None:
    problem(ask(*asked.split()), status)
    assert not [one for one in stored_engines.up(database) if one.status in UP]

"""Studies over HTTP: planned, started, cancelled, resumed, reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db import queue, runs, studies
from jobs import studies as study_jobs
from services.report.export.study_shape import StudyDocument
from services.studies.feasible import NothingToResume
from tests.api.conftest import call, pretended, problem
from tests.conftest import SLOW, ReferenceServer, until

pytestmark = pytest.mark.usefixtures("no_engine_left")


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
    config = sweep(reference)
    plan = call("POST", "/studies/plan", json=config).json()
    assert [cell["run"]["concurrency"] for cell in plan["cells"]] == [1, None]
    assert [cell["engine"] for cell in plan["cells"]] == [None, None]
    assert plan["sentence"].startswith("2 cells. It takes ")
    assert call("GET", "/studies").json() == []
    response = call("POST", "/studies", json={**config, "name": "Door", "tags": ["http"]})
    assert response.status_code == 202
    assert response.json() == {"id": 1, "url": "/api/studies/1", "page": "/study?study=1"}
    until(lambda: over(database, 1), 90)
    facts = call("GET", "/studies/1").json()
    assert (facts["name"], facts["active"], facts["counts"]) == ("Door", False, {"done": 2})
    assert [(c["place"], c["status"], c["problem"]) for c in facts["cells"]] == [
        (0, "done", None),
        (1, "done", None),
    ]
    assert runs.load(database, facts["cells"][0]["run"]).tags == ("http",)
    report = call("GET", "/studies/1/report").json()
    StudyDocument.model_validate(report)
    assert (report["name"], len(report["cells"]), report["device"]) == ("Door", 2, "device")
    (row,) = call("GET", "/studies").json()
    assert (row["id"], row["cells"], row["done"], row["active"]) == (1, 2, 2, 0)
    assert call("DELETE", "/studies/1").status_code == 204
    problem(call("GET", "/studies/1"), 404)
    assert runs.count(database) == 0


@pytest.mark.long
def test_a_study_is_cancelled_and_resumed(database: Engine, reference: ReferenceServer) -> None:
    assert call("POST", "/studies", json=sweep(reference, SLOW)).status_code == 202
    until(lambda: studies.load(database, 1).runs[0].status == "running", 60)
    problem(call("DELETE", "/studies/1"), 409)
    assert call("POST", "/studies/1/cancel").status_code == 200
    until(lambda: over(database, 1), 60)
    assert call("GET", "/studies/1").json()["counts"] == {"cancelled": 2}
    problem(call("POST", "/studies/1/resume"), 415)
    again = call("POST", "/studies/1/resume", json={})
    assert (again.status_code, again.json()["active"]) == (202, True)
    assert [cell["run"] for cell in again.json()["cells"]] == [3, 4]
    call("POST", "/studies/1/cancel")
    until(lambda: over(database, 1), 60)


def test_a_study_without_a_runnable_cell_gets_the_error_of_its_engine(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "none"))
    engine = {"engine": "vllm", "model": "org/model"}
    study = {"preset": "tensor", "engine": engine, "parallel": [[1, 1, 1], [2, 1, 1]]}
    response = call("POST", "/studies", json=study)
    problem(response, 422)
    assert response.json() == call("POST", "/engines", json=engine).json()
    assert "vLLM is not installed: " in response.json()["error"]
    assert call("POST", "/studies/plan", json=study).json()["impossible"] == 6
    assert studies.list_all(database) == [] and runs.count(database) == 0


def test_resume_reports_in_every_interface_why_it_is_refused(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_jobs.jobs, "ensure", lambda engine: None)
    engine = pretended(tmp_path, monkeypatch, "exit 1")
    study = {"engine": engine, "parallel": [[1, 1, 1]], "batches": [1, 2]}
    assert call("POST", "/studies", json=study).status_code == 202
    for run in studies.load(database, 1).runs:
        queue.finish(database, run.id, "failed", "It broke.")
    for body, reason in (
        (
            {},
            "Study 1 has no cell that was interrupted. Its 2 failed cells can be retried with ",
        ),
        ({"failed": True}, "vLLM is not installed: "),
    ):
        monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "none"))
        response = call("POST", "/studies/1/resume", json=body)
        problem(response, 409)
        assert response.json()["error"].startswith(reason)
        with pytest.raises(NothingToResume) as raised:  # what the page shows
            study_jobs.resume(database, 1, bool(body))
        assert str(raised.value) == response.json()["error"]
    assert [run.status for run in studies.load(database, 1).runs] == ["failed"] * 2


@pytest.mark.long
def test_omitted_fields_of_a_study_use_the_defaults_of_its_preset(database: Engine) -> None:
    engine = {"engine": "llamacpp"}
    plan = call("POST", "/studies/plan", json={"preset": "tensor", "engine": engine}).json()
    assert [cell["engine"]["tp"] for cell in plan["cells"]][::3] == [1, 2, 4, 8]
    assert {cell["run"]["repeats"] for cell in plan["cells"]} == {3}
    assert [bool(cell["obstacle"]) for cell in plan["cells"]] == [False] * 3 + [True] * 9
    run = {"input_tokens": 64}
    plan = call("POST", "/studies/plan", json={"preset": "clients", "run": run}).json()
    assert {cell["run"]["workload"] for cell in plan["cells"]} == {"synthetic"}


def test_responses_about_a_study_contain_no_prompt(database: Engine) -> None:
    config = {"preset": "concurrency", "concurrencies": [1], "run": {"prompt": "my secret plan"}}
    responses = [call("POST", "/studies/plan", json=config), call("POST", "/studies", json=config)]
    responses += [
        call("POST", "/studies/1/cancel"),
        call("GET", "/studies/1"),
        call("GET", "/studies"),
    ]
    until(lambda: over(database, 1), 90)
    responses.append(call("GET", "/studies/1/report"))
    assert all(response.status_code in (200, 202) for response in responses)
    assert not any("secret plan" in response.text for response in responses)


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
def test_an_invalid_study_is_refused_with_its_fields(
    database: Engine, monkeypatch: pytest.MonkeyPatch, body: Any, fields: list[str]
) -> None:
    monkeypatch.setenv("PACELINE_URL", "")
    assert list(problem(call("POST", "/studies", json=body), 422)) == fields
    assert studies.list_all(database) == []


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /studies/7", 404),
        ("GET /studies/7/report", 404),
        ("POST /studies/7/cancel", 404),
        ("DELETE /studies/7", 404),
        ("GET /studies/one", 422),
        ("GET /studies?limit=0", 422),
    ],
)
def test_a_study_that_does_not_exist_is_reported(
    database: Engine, request_line: str, status: int
) -> None:
    problem(call(*request_line.split()), status)

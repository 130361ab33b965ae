"""Scenarios over HTTP: started as YAML or JSON, returned of what is stored, or refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

import jobs
from db import comparisons, runs, studies
from services.report.scenario import MAX_BYTES, MIME
from tests.api.conftest import JSON, call, problem
from tests.conftest import ReferenceServer, finished
from tests.stored import store

YAML = {"content-type": MIME}


def of_server(reference: ReferenceServer, **more: Any) -> dict[str, Any]:
    server = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    return {"version": 1, **server, "requests": 2, "pause_s": 0, "warmup": 0, **more}


def start(values: dict[str, Any]) -> dict[str, Any]:
    response = call("POST", "/scenarios", content=yaml.safe_dump(values), headers=YAML)
    assert response.status_code == 202, response.text
    started: dict[str, Any] = response.json()
    return started


def again(path: str) -> dict[str, Any]:
    """Start what a stored scenario describes."""
    response = call("GET", f"{path}/scenario?own_prompts=true")
    assert response.headers["content-type"] == MIME
    assert response.headers["content-disposition"].endswith('.yaml"')
    return call("POST", "/scenarios", content=response.content, headers=YAML).json()


@pytest.mark.long
def test_a_run_is_started_and_its_scenario_starts_the_same(
    database: Engine, reference: ReferenceServer
) -> None:
    own = {"prompts": ["Who?"], "name": "Mine", "tags": ["a"], "slo": ["ttft:median<5"]}
    assert start(of_server(reference, **own)) == {
        "kind": "run",
        "id": 1,
        "runs": [1],
        "url": "/api/runs/1",
        "page": "/result?run=1",
        "not_checked": ["slo"],
        "notes": [],
    }
    first = finished(database, 1)
    assert (first.status, first.name, first.tags) == ("done", "Mine", ("a",))
    assert "Who?" not in call("GET", "/runs/1/scenario").text
    assert again("/runs/1")["id"] == 2
    assert finished(database, 2).config == first.config


@pytest.fixture
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started waits: that runs of a comparison and a study are measured, others show."""
    monkeypatch.setattr(jobs, "ensure", lambda engine: None)


@pytest.mark.usefixtures("nobody_works")
def test_a_comparison_is_started_and_its_scenario_starts_the_same(
    database: Engine, reference: ReferenceServer
) -> None:
    values = of_server(reference, repeats=1, order_seed=3, compare=[{"mode": "batch"}])
    response = call("POST", "/scenarios", json=values)
    assert response.json() | {"kind": "comparison", "runs": [1, 2]} == response.json()
    assert again("/comparisons/1")["page"] == "/compare?runs=3,4"
    first, second = (comparisons.load(database, number) for number in (1, 2))
    assert first.design == second.design
    for before, after in zip(first.run_ids, second.run_ids, strict=True):
        assert runs.load(database, after).config == runs.load(database, before).config


@pytest.mark.long
@pytest.mark.usefixtures("nobody_works")
def test_a_study_is_started_and_its_scenario_starts_the_same(
    database: Engine, reference: ReferenceServer
) -> None:
    run = {name: value for name, value in of_server(reference).items() if name != "version"}
    study = {"version": 1, "preset": "concurrency", "concurrencies": [1, 2], "run": run}
    assert start(study)["page"] == "/study?study=1"
    assert again("/studies/1")["runs"] == [3, 4]
    assert studies.load(database, 2).config == studies.load(database, 1).config
    assert [runs.load(database, run_id).status for run_id in (1, 2, 3, 4)] == ["queued"] * 4


WRONG = {
    "version: 1\nmax-tokens: 3": "The scenario, line 2: max-tokens is not a key of a run. Did you "
    "mean max_tokens?",
    "version: 1\nmax_tokens: 0": "The scenario, line 2: max_tokens must be at least 1 (got 0).",
    "version: 1\nprompts_file: a.txt": "The scenario, line 2: prompts_file can only be read on the "
    "command line. Write the prompts into the scenario, as a list `prompts`.",
    "version: 1\nbackend: nope": "The scenario, line 2: There is no backend 'nope'.",
    "a: *b": "The scenario, line 1: has an anchor (&) or an alias (*). Write the value out.",
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.items())
def test_an_error_names_its_line(database: Engine, text: str, sentence: str) -> None:
    response = call("POST", "/scenarios", content=text, headers=YAML)
    assert problem(response, 422) == {}
    assert response.json()["error"].startswith(sentence)
    assert runs.count(database) == 0


def test_invalid_json_other_content_types_and_long_bodies_are_refused(database: Engine) -> None:
    for body in (b"[]", b"3", b"{", b"null"):
        problem(call("POST", "/scenarios", content=body, headers=JSON), 422)
    response = call("POST", "/scenarios", json={"version": 1, "compare": [{}, {"mode": "x"}]})
    problem(response, 422)
    assert response.json()["error"].startswith("The scenario, entry 2 of compare: mode must")
    problem(call("POST", "/scenarios", content="version: 1", headers={"content-type": "x/y"}), 415)
    long = b"x" * (MAX_BYTES + 1)
    problem(call("POST", "/scenarios", content=long, headers=YAML), 413)


def test_an_unknown_id_has_no_scenario(database: Engine) -> None:
    for path in ("/runs/9", "/comparisons/9", "/studies/9"):
        problem(call("GET", f"{path}/scenario"), 404)
    run_id = store(database)
    assert call("GET", f"/runs/{run_id}/scenario").status_code == 200


def test_a_field_without_effect_is_noted(database: Engine, reference: ReferenceServer) -> None:
    assert start(of_server(reference, think_s=3))["notes"] == [
        "think_s has no effect with mode sequential. It requires mode users."
    ]

"""Runs over HTTP: started, listed, shown, cancelled; what a run refuses."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import Engine

from api.bodies import config_of
from api.runs import NewRun
from db import results, runs
from services.analysis.metrics import FIELDS
from services.ask.config import RunConfig
from services.ask.sessions import sessions_of
from services.report.export import EXPORTS, page_html
from services.report.export.document import REQUEST_FIELDS
from services.report.export.shape import RunDocument
from tests.api.conftest import JSON, call, problem
from tests.conftest import ReferenceServer, Submit, finished, until
from tests.stored import store
from tests.values import measured as made


def test_a_run_is_started_listed_and_shown(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    config = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    about = {"name": "Door", "tags": ["http", "a"], "note": "by hand"}
    response = call("POST", "/runs", json={**config, "requests": 2, "pause_s": 0, **about})
    started = response.json()
    assert response.status_code == 202
    run_id = started["id"]
    assert started == {
        "id": run_id,
        "url": f"/api/runs/{run_id}",
        "page": f"/result?run={run_id}",
    }
    finished(database, run_id)
    document = call("GET", f"/runs/{run_id}").json()
    required = RunDocument.model_json_schema()["required"]
    assert list(document) == [*required, "samples"]
    assert document["run"]["name"] == "Door"
    assert document["run"]["tags"] == ["a", "http"]
    assert document["run"]["config"]["pause_s"] == 0
    assert document["summary"]["ok"] == 2
    assert [tuple(row) for row in document["requests"]] == [REQUEST_FIELDS] * 2
    assert [row["output_tokens"] for row in document["requests"]] == [3, 3]
    (listed,) = call("GET", "/runs", params={"tag": "http", "status": "done"}).json()
    assert (listed["id"], listed["note"], listed["headline"]["ok"]) == (run_id, "by hand", 2)


@pytest.mark.long
def test_a_request_is_the_same_in_json_and_csv(measured: int) -> None:
    response = call("GET", f"/runs/{measured}/requests.csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"paceline-run-{measured}-requests.csv" in response.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert tuple(rows[0])[: len(FIELDS)] == FIELDS
    for row, request in zip(rows, call("GET", f"/runs/{measured}").json()["requests"], strict=True):
        expected = {name: "" if request[name] is None else str(request[name]) for name in FIELDS}
        assert {name: row[name] for name in FIELDS} == expected


@pytest.mark.long
def test_a_run_is_shown_as_its_exported_document(database: Engine, measured: int) -> None:
    (kind,) = [entry for entry in EXPORTS if entry.name == "run.json"]
    exported = json.loads(kind.write([results.candidate(database, measured)]))
    assert call("GET", f"/runs/{measured}").json() == exported


def test_the_time_slices_of_a_run_are_listed(database: Engine) -> None:
    run_id = store(database, [made(i, send=float(i), e2e=2.0) for i in range(20)])
    slices = call("GET", f"/runs/{run_id}/slices").json()
    assert [(each["from_s"], each["sent"]) for each in slices] == [
        (0.0, 6),
        (5.25, 5),
        (10.5, 5),
        (15.75, 4),
    ]
    problem(call("GET", "/runs/99/slices"), 404)


@pytest.mark.long
def test_a_run_can_be_cancelled_only_once(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run("ref gap=0.05 tokens=2000", requests=1, warmup=0)
    until(lambda: runs.load(database, run_id).status == "running", 15)
    response = call("POST", f"/runs/{run_id}/cancel")
    assert response.json() == {"id": run_id, "status": "running", "cancel_requested": True}
    assert finished(database, run_id, 5).status == "cancelled"
    assert problem(call("POST", f"/runs/{run_id}/cancel"), 409) == {}


def test_the_newest_run_is_listed_first_and_pages_do_not_overlap(database: Engine) -> None:
    ids = [runs.create(database, RunConfig(), "embedded", name=str(n)) for n in range(3)]
    pages = [call("GET", "/runs", params={"limit": 2, "offset": n}).json() for n in (0, 2, 4)]
    assert [[run["id"] for run in page] for page in pages] == [[ids[2], ids[1]], [ids[0]], []]


def test_a_search_for_special_characters_finds_no_runs(database: Engine) -> None:
    for nothing in ("%", "\0", "\ufffd", "'; --"):
        for name in ("text", "tag", "model"):
            assert call("GET", "/runs", params={name: nothing}).json() == []


def test_a_prompt_entry_can_limit_the_tokens_of_its_answer() -> None:
    entries = [{"prompt": "a", "output_tokens": 5}, "b"]
    assert NewRun.model_validate({"prompts": entries}).prompt_max_tokens == (5, 0)
    wrong = call("POST", "/runs", json={"prompts": [{"prompt": "a", "output_tokens": -1}]})
    assert wrong.status_code == 422
    assert "entry 1 has output_tokens that is not a number of tokens" in wrong.text


def test_a_prompt_alone_selects_the_text_workload() -> None:
    assert config_of(NewRun.model_validate({"prompt": "Why?"})).workload == "text"


def test_prompts_may_be_entries_of_a_prompt_file() -> None:
    said = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    row = {"conversations": [*said, {"from": "human", "value": "Bye"}]}
    config = config_of(NewRun.model_validate({"prompts": ["plain", row], "history": "answered"}))
    assert config.workload == "file" and config.prompts[0] == "plain"
    assert sessions_of(config) is not None


WRONG = [
    ("backend", 5),
    ("base_url", "127.0.0.1:8000"),
    ("base_url", "http://"),
    ("base_url", 5),
    ("model", "x" * 301),
    ("model", None),
    ("key_env", "sk-0123"),
    ("key_env", 5),
    ("client", "curl"),
    ("mode", "warp"),
    ("mode", None),
    ("requests", 0),
    ("requests", 1_000_001),
    ("requests", 1.5),
    ("requests", "many"),
    ("requests", True),
    ("requests", None),
    ("requests", [1]),
    ("requests", {"a": 1}),
    ("requests", 10**30),
    ("pause_s", -0.1),
    ("pause_s", 3601),
    ("pause_s", None),
    ("pause_s", False),
    ("interval_s", "soon"),
    ("interval_s", -1),
    ("concurrency", 0),
    ("concurrency", 10001),
    ("dialect", "morse"),
    ("users", 0),
    ("users", 10001),
    ("think_s", -1),
    ("random_think", "perhaps"),
    ("ramp_up_s", -1),
    ("ramp_up_steps", 0),
    ("rate", 0),
    ("rate", 100_001),
    ("end_rate", 0),
    ("rate_steps", 1),
    ("arrival_seed", -1),
    ("burstiness", 0),
    ("min_tokens", 0),
    ("text_style", "verse"),
    ("prefix_share", 0.96),
    ("empty_cache", "perhaps"),
    ("prefix_count", 0),
    ("prefix_system_tokens", -1),
    ("input_distribution", "zipf"),
    ("input_spread", 0),
    ("output_distribution", "zipf"),
    ("output_spread", 5.1),
    ("random_arrivals", "perhaps"),
    ("duration_s", 0),
    ("drain_s", -1),
    ("load_warmup_s", -1),
    ("retries", 21),
    ("prompt_max_tokens", [0.5]),
    ("trace", "one"),
    ("trace", [[0, 0, 1]]),
    ("trace_speed", 0),
    ("trace_from_s", -1),
    ("trace_to_s", 0),
    ("workload", "poem"),
    ("prompt", 5),
    ("prompt", "  "),
    ("prompt", "x" * 200_001),
    ("prompts", "one"),
    ("prompts", []),
    ("prompts", ["a", " "]),
    ("prompts", ["a", 5]),
    ("prompts", ["a"] * 10001),
    ("prompts", ["a", {"messages": []}]),
    ("input_tokens", 0),
    ("input_tokens", 131_073),
    ("long_input_tokens", 511),
    ("long_every", 1),
    ("long_every", 6),
    ("long_max_tokens", 0),
    ("turns", 0),
    ("turns", 1001),
    ("turn_by_turn", "perhaps"),
    ("history", "invented"),
    ("turn_delay_s", -1),
    ("turn_delay_scale", 101),
    ("unique_prompts", "perhaps"),
    ("max_tokens", 0),
    ("max_tokens", 131_073),
    ("temperature", 2.1),
    ("temperature", -1),
    ("top_p", 0),
    ("top_p", 1.1),
    ("seed", -1),
    ("seed", 2**31),
    ("ignore_eos", "sometimes"),
    ("warmup", 101),
    ("warmup", -1),
    ("repeats", 0),
    ("repeats", 51),
    ("timeout_s", 0),
    ("timeout_s", 1e9),
    ("stop_after_s", 0),
    ("connect_timeout_s", 0),
    ("first_token_timeout_s", 0),
    ("chunk_timeout_s", -1),
    ("processes", 0),
    ("processes", 65),
    ("on", "10.0.0.1:10001"),
    ("calibrate", "perhaps"),
    ("stop_after_errors", 0),
    ("ttft_limit_s", 0),
    ("tpot_limit_s", -1),
    ("e2e_limit_s", "soon"),
    ("usd_per_hour", 0),
    ("omit", ["model"]),
    ("max_tokens_field", "length"),
    ("extra_body", []),
    ("extra_body", {"model": "m"}),
    ("headers", ["no colon"]),
    ("headers", {"api-key": "sk-secret-00"}),
    ("ca_file", 5),
    ("ca_file", "x" * 1001),
    ("insecure_tls", "perhaps"),
    ("name", "x" * 201),
    ("name", 5),
    ("tags", "one"),
    ("tags", ["a", 5]),
    ("tags", [f"t{n}" for n in range(21)]),
    ("note", "x" * 10_001),
    ("speed", 9),
    ("id", 1),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    database: Engine, field: str, value: Any
) -> None:
    problems = problem(call("POST", "/runs", json={field: value}), 422)
    assert list(problems) == [field]
    assert problems[field].startswith(f"{field} ")
    assert runs.count(database) == 0


def test_every_field_of_a_run_has_a_wrong_value_above() -> None:
    assert set(NewRun.model_fields) <= {field for field, _ in WRONG}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nan_and_infinity_are_refused(database: Engine, number: str) -> None:
    response = call("POST", "/runs", content=f'{{"pause_s": {number}}}', headers=JSON)
    assert list(problem(response, 422)) == ["pause_s"]
    assert runs.count(database) == 0


@pytest.mark.parametrize(
    "config",
    [
        {"backend": "nowhere"},
        {"backend": "url"},
        {"backend": "groq", "ignore_eos": True},
        {"backend": "openai", "model": "x"},
        {"base_url": "http://127.0.0.1:9"},
        {"model": "another"},
        {"tags": ["a,b"]},
        {"tags": ["x" * 51]},
    ],
)
def test_a_run_that_cannot_be_measured_is_refused(
    database: Engine, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    for name in ("PACELINE_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "")
    problem(call("POST", "/runs", json=config), 422)
    assert runs.count(database) == 0


@pytest.mark.long
def test_no_response_contains_a_key(
    database: Engine,
    reference: ReferenceServer,
    reference_run: Submit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    config = {"backend": "openai", "model": "ref fault=needs-key", "requests": 2, "pause_s": 0}
    run_id = call("POST", "/runs", json=config).json()["id"]
    run = finished(database, run_id)
    assert run.status == "failed"
    assert "401" in str(run.error)
    paths = ("/runs", f"/runs/{run_id}", f"/runs/{run_id}/requests.csv")
    for response in [call("GET", path) for path in paths]:
        assert response.status_code == 200
        assert key not in response.text
    measured = [results.candidate(database, run_id)]
    for entry in EXPORTS:
        if entry.takes(1):
            assert key.encode() not in entry.write(measured), entry.name
    assert key.encode() not in page_html(measured, texts=True)
    dump = "".join(database.raw_connection().driver_connection.iterdump())  # type: ignore[union-attr]
    assert "Incorrect API key" in dump
    assert key not in dump


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "sk-topsecret-123456"},
        {"base_url": "http://me:sk-topsecret-123456@127.0.0.1"},
        {"base_url": "me:sk-topsecret-123456@127.0.0.1"},
        {"base_url": "http://127.0.0.1/v1?key=sk-topsecret-123456"},
        {"base_url": "http://[sk-topsecret-123456"},
        {"prompts": "sk-topsecret-123456"},
    ],
)
def test_a_secret_in_the_wrong_place_is_not_echoed(database: Engine, body: dict[str, Any]) -> None:
    response = call("POST", "/runs", json={"backend": "url", **body})
    problem(response, 422)
    assert "topsecret" not in response.text


@pytest.mark.parametrize(
    ("path", "body", "begins"),
    [
        ("/runs", {"mode": "users", "concurrency": 2}, "concurrency has no effect with mode user"),
        (
            "/runs",
            {"trace": [[0, 9, 3]], "requests": 9},
            "requests has no effect in a trace replay",
        ),
        ("/runs", {"drain_s": 2}, "drain_s has no effect without duration_s."),
        ("/comparisons", {"candidates": [{"rate": 2}, {"mode": "batch"}]}, "rate has no effect"),
        ("/capacities", {"servers": [{"pause_s": 0}]}, "pause_s has no effect with mode poisson"),
        ("/capacities", {"servers": [{"rate": 2}]}, "rate is set by the search for each probe"),
        ("/studies", {"preset": "clients", "run": {"think_s": 3}}, "think_s has no effect with"),
        ("/studies/plan", {"preset": "clients", "run": {"rate": 3}}, "rate has no effect with"),
    ],
)
def test_a_field_without_effect_is_refused(
    database: Engine, path: str, body: dict[str, Any], begins: str
) -> None:
    (sentence,) = problem(call("POST", path, json=body), 422).values()
    assert sentence.startswith(begins)
    assert not runs.count(database)


def test_a_config_of_a_run_may_be_sent_back_with_all_its_fields(database: Engine) -> None:
    config = RunConfig(mode="users").model_dump(mode="json")
    assert call("POST", "/runs", json=config).status_code == 202

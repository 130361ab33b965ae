"""The door over HTTP: the object that Streamlit's server mounts, asked without a server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import Engine, text, update

from api import api
from api.bodies import BODY_MOST
from api.runs import NewRun
from db import results, runs, schema
from jobs.place import beside
from services.analysis.metrics import FIELDS
from services.ask import about
from services.ask.config import RunConfig
from services.report.export import EXPORTS, page_html
from services.report.export.document import REQUEST_FIELDS
from services.report.export.shape import RunDocument
from tests.conftest import ROOT, ReferenceServer, finished, until
from tests.stored import store

Submit = Callable[..., int]
JSON = {"content-type": "application/json"}


def ask(method: str, path: str, **what: Any) -> httpx.Response:
    """Send a request; an error inside the API is raised here."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **what)

    return asyncio.run(send())


def problem(answer: httpx.Response, status: int) -> dict[str, str]:
    """What is wrong with which field; an answer that says so has one shape."""
    said = answer.json()
    assert answer.status_code == status, said
    assert set(said) == {"error", "problems"}
    assert said["error"].endswith("."), said
    assert "Traceback" not in answer.text
    problems: dict[str, str] = said["problems"]
    return problems


# --- a run from its start to its numbers -----------------------------------------------------


@pytest.fixture
def measured(database: Engine, reference_run: Submit) -> int:
    """A finished run of four requests."""
    run_id = reference_run("ref tokens=3", mode="batch", requests=4, warmup=0)
    assert finished(database, run_id).status == "done"
    return run_id


def test_a_run_is_started_listed_and_shown(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    config = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    about = {"name": "Door", "tags": ["http", "a"], "note": "by hand"}
    answer = ask("POST", "/runs", json={**config, "requests": 2, "pause_s": 0, **about})
    started = answer.json()
    assert answer.status_code == 202
    run_id = started["id"]
    assert started == {
        "id": run_id,
        "url": f"/api/runs/{run_id}",
        "page": f"/result?run={run_id}",
    }
    finished(database, run_id)
    document = ask("GET", f"/runs/{run_id}").json()
    required = RunDocument.model_json_schema()["required"]
    assert list(document) == [*required, "samples"]
    assert document["run"]["name"] == "Door"
    assert document["run"]["tags"] == ["a", "http"]
    assert document["run"]["config"]["pause_s"] == 0
    assert document["summary"]["ok"] == 2
    assert [tuple(row) for row in document["requests"]] == [REQUEST_FIELDS] * 2
    assert [row["output_tokens"] for row in document["requests"]] == [3, 3]
    (listed,) = ask("GET", "/runs", params={"tag": "http", "status": "done"}).json()
    assert (listed["id"], listed["note"], listed["headline"]["ok"]) == (run_id, "by hand", 2)


def test_a_request_is_the_same_in_json_and_csv(measured: int) -> None:
    answer = ask("GET", f"/runs/{measured}/requests.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"paceline-run-{measured}-requests.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0])[: len(FIELDS)] == FIELDS
    for row, request in zip(rows, ask("GET", f"/runs/{measured}").json()["requests"], strict=True):
        said = {name: "" if request[name] is None else str(request[name]) for name in FIELDS}
        assert {name: row[name] for name in FIELDS} == said


def test_a_run_is_cancelled_once(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run("ref gap=0.05 tokens=2000", requests=1, warmup=0)
    until(lambda: runs.load(database, run_id).status == "running", 15)
    answer = ask("POST", f"/runs/{run_id}/cancel")
    assert answer.json() == {"id": run_id, "status": "running", "cancel_requested": True}
    assert finished(database, run_id, 5).status == "cancelled"
    assert problem(ask("POST", f"/runs/{run_id}/cancel"), 409) == {}


def test_the_newest_run_is_listed_first_and_pages_do_not_overlap(database: Engine) -> None:
    ids = [runs.create(database, RunConfig(), "embedded", name=str(n)) for n in range(3)]
    pages = [ask("GET", "/runs", params={"limit": 2, "offset": n}).json() for n in (0, 2, 4)]
    assert [[run["id"] for run in page] for page in pages] == [[ids[2], ids[1]], [ids[0]], []]


def test_a_prompt_says_where_prompts_come_from() -> None:
    assert NewRun.model_validate({"prompt": "Why?"}).config().workload == "text"


# --- a page for others -----------------------------------------------------------------------


def test_a_page_is_shared_listed_and_revoked(database: Engine) -> None:
    one, two = store(database), store(database)
    answer = ask("POST", "/shares", json={"runs": [one, two], "days": 7})
    made = answer.json()
    assert answer.status_code == 201
    assert made["path"] == f"/share/{made['token']}"
    assert (made["runs"], made["texts"]) == ([one, two], False)
    listed = ask("GET", "/shares", params={"runs": f"{one},{two}"}).json()
    assert listed == ask("GET", "/shares").json() == [made]
    assert ask("GET", "/shares", params={"runs": f"{two},{one}"}).json() == []
    assert ask("DELETE", f"/shares/{made['token']}").status_code == 204
    assert "may have been revoked already" in ask("DELETE", f"/shares/{made['token']}").text
    assert ask("GET", "/shares").json() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"runs": []}, 422),
        ({"runs": [1, 1]}, 422),
        ({"runs": list(range(1, 10))}, 422),
        ({"runs": [True]}, 422),
        ({"runs": ["1"]}, 422),
        ({"runs": "1"}, 422),
        ({"runs": [1], "days": 0}, 422),
        ({"runs": [1], "days": 10**30}, 422),
        ({"runs": [1], "days": "long"}, 422),
        ({"runs": [1], "texts": "perhaps"}, 422),
        ({"runs": [1], "texts": "yes"}, 422),
        ({"runs": [1], "password": "x"}, 422),
        ({"runs": [2]}, 404),
        ({"runs": [10**30]}, 404),
    ],
)
def test_what_cannot_be_shared_is_said_in_a_sentence(
    database: Engine, body: dict[str, Any], status: int
) -> None:
    store(database)
    problem(ask("POST", "/shares", json=body), status)
    assert ask("GET", "/shares").json() == []


def test_shares_of_no_runs_are_asked_for_in_vain(database: Engine) -> None:
    problem(ask("GET", "/shares?runs=one"), 422)
    problem(ask("DELETE", "/shares/nothing"), 404)
    problem(ask("POST", "/shares", content=b"{}", headers={"content-type": "text/plain"}), 415)


# --- what is wrong ---------------------------------------------------------------------------

WRONG = [
    ("backend", 5),
    ("base_url", "127.0.0.1:8000"),
    ("base_url", "http://"),
    ("base_url", 5),
    ("model", "x" * 301),
    ("model", None),
    ("client", "curl"),
    ("mode", "warp"),
    ("mode", None),
    ("requests", 0),
    ("requests", 10001),
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
    ("workload", "poem"),
    ("prompt", 5),
    ("prompt", "  "),
    ("prompt", "x" * 200_001),
    ("prompts", "one"),
    ("prompts", []),
    ("prompts", ["a", " "]),
    ("prompts", ["a", 5]),
    ("prompts", ["a"] * 10001),
    ("input_tokens", 0),
    ("input_tokens", 131_073),
    ("long_input_tokens", 511),
    ("long_every", 1),
    ("long_every", 6),
    ("long_max_tokens", 0),
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
    problems = problem(ask("POST", "/runs", json={field: value}), 422)
    assert list(problems) == [field]
    assert problems[field].startswith(f"{field} ")
    assert runs.count(database) == 0


def test_every_field_of_a_run_has_a_wrong_value_above() -> None:
    assert set(NewRun.model_fields) <= {field for field, _ in WRONG}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(database: Engine, number: str) -> None:
    answer = ask("POST", "/runs", content=f'{{"pause_s": {number}}}', headers=JSON)
    assert list(problem(answer, 422)) == ["pause_s"]
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
def test_a_run_that_cannot_be_carried_out_is_refused_in_a_sentence(
    database: Engine, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    for name in ("PACELINE_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "")
    problem(ask("POST", "/runs", json=config), 422)
    assert runs.count(database) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'"run"',
        b"5",
        b"[" * 900,
        b'{"requests": ' + b"1" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:10]),
)
def test_a_body_that_is_no_run_is_refused(database: Engine, body: bytes) -> None:
    problem(ask("POST", "/runs", content=body, headers=JSON), 422)
    assert runs.count(database) == 0


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_a_body_of_another_type_is_refused(database: Engine, kind: str) -> None:
    answer = ask("POST", "/runs", content=b"{}", headers={"content-type": kind})
    problem(answer, 415)
    assert runs.count(database) == 0


def test_a_body_that_is_too_long_is_refused_before_it_is_read() -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 10**6
            yield b" " * 10**6

    problem(ask("POST", "/runs", content=pieces(), headers=JSON), 413)
    assert read <= BODY_MOST + 10**6
    announced = {**JSON, "content-length": str(50 * 10**6)}
    read = 0
    problem(ask("PUT", "/baselines/tag/import", content=pieces(), headers=announced), 413)
    problem(ask("POST", "/runs", content=pieces(), headers=announced), 413)
    assert read == 0


@pytest.mark.parametrize(
    ("asked", "status"),
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
def test_what_is_not_there_is_said_in_the_same_shape(
    database: Engine, asked: str, status: int
) -> None:
    method, path = asked.split()
    problem(ask(method, path), status)


def test_a_search_for_anything_at_all_is_answered(database: Engine) -> None:
    for nothing in ("%", "\0", "\ufffd", "'; --"):
        for name in ("text", "tag", "model"):
            assert ask("GET", "/runs", params={name: nothing}).json() == []


def test_a_database_that_is_gone_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/x")
    answer = ask("GET", "/runs")
    problem(answer, 503)
    assert "topsecret" not in answer.text


def test_a_database_that_fails_later_is_said_too(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("DROP TABLE run_tags"))
        connection.execute(text("DROP TABLE requests"))
    run_id = runs.create(database, RunConfig(), "embedded")
    answer = ask("GET", f"/runs/{run_id}")
    problem(answer, 503)
    assert answer.json()["error"].startswith("The database cannot be used: no such table: ")


def test_a_run_that_is_not_there_is_said_with_where_the_others_are(database: Engine) -> None:
    said = ask("GET", "/runs/7").json()["error"]
    assert said.startswith("There is no run 7. ")
    assert said.endswith(" GET /api/runs lists the runs there are.")


def test_a_queue_that_cannot_be_worked_off_is_said(database: Engine) -> None:
    beside(database, "lock").mkdir()
    answer = ask("POST", "/runs", json={"requests": 1})
    problem(answer, 503)
    assert "The queue cannot be worked off: Is a directory" in answer.json()["error"]
    assert runs.count(database) == 0


def test_a_fault_of_our_own_is_said_in_the_same_shape(database: Engine) -> None:
    run_id = runs.create(database, RunConfig(), "embedded")
    with database.begin() as connection:
        connection.execute(update(schema.runs).values(config={"mode": "of a later Paceline"}))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(f"/runs/{run_id}")

    assert problem(asyncio.run(send()), 500) == {}


# --- keys ------------------------------------------------------------------------------------


def test_no_answer_holds_a_key(
    database: Engine,
    reference: ReferenceServer,
    reference_run: Submit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    asked = {"backend": "openai", "model": "ref fault=needs-key", "requests": 2, "pause_s": 0}
    run_id = ask("POST", "/runs", json=asked).json()["id"]
    run = finished(database, run_id)
    assert run.status == "failed"
    assert "401" in str(run.error)
    paths = ("/runs", f"/runs/{run_id}", f"/runs/{run_id}/requests.csv")
    for answer in [ask("GET", path) for path in paths]:
        assert answer.status_code == 200
        assert key not in answer.text
    measured = [results.candidate(database, run_id)]
    for entry in EXPORTS:
        if entry.takes(1):
            assert key.encode() not in entry.write(measured), entry.name
    assert key.encode() not in page_html(measured, texts=True)
    kept = "".join(database.raw_connection().driver_connection.iterdump())  # type: ignore[union-attr]
    assert "Incorrect API key" in kept
    assert key not in kept


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
def test_a_secret_in_the_wrong_place_is_not_said_again(
    database: Engine, body: dict[str, Any]
) -> None:
    answer = ask("POST", "/runs", json={"backend": "url", **body})
    problem(answer, 422)
    assert "topsecret" not in answer.text


# --- the schema ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    found: dict[str, Any] = ask("GET", "/openapi.json").json()
    return found


def test_the_schema_says_where_the_api_is_and_what_it_has(openapi: dict[str, Any]) -> None:
    assert openapi["servers"] == [{"url": "/api"}]
    operations = {(path, method) for path, of in openapi["paths"].items() for method in of}
    assert operations == {
        ("/import", "post"),
        ("/runs", "get"),
        ("/runs", "post"),
        ("/runs/{run_id}", "get"),
        ("/runs/{run_id}/requests.csv", "get"),
        ("/runs/{run_id}/cancel", "post"),
        ("/runs/{run_id}/more", "post"),
        ("/comparisons", "post"),
        ("/comparisons/{comparison_id}", "get"),
        ("/comparisons/{comparison_id}/cancel", "post"),
        ("/shares", "get"),
        ("/shares", "post"),
        ("/shares/{token}", "delete"),
        ("/studies", "get"),
        ("/studies", "post"),
        ("/studies/plan", "post"),
        ("/studies/{study_id}", "get"),
        ("/studies/{study_id}", "delete"),
        ("/studies/{study_id}/report", "get"),
        ("/studies/{study_id}/cancel", "post"),
        ("/studies/{study_id}/resume", "post"),
        ("/engines", "get"),
        ("/engines", "post"),
        ("/engines/{engine_id}", "get"),
        ("/engines/{engine_id}/stop", "post"),
        ("/baselines", "get"),
        ("/baselines/{kind}/{value}", "put"),
        ("/baselines/{kind}/{value}", "delete"),
    }


def test_every_schema_is_one_and_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    for found in openapi["components"]["schemas"].values():
        Draft202012Validator.check_schema(found)
    named = set(openapi["components"]["schemas"])
    parts = json.dumps(openapi).split('"$ref": "#/components/schemas/')[1:]
    assert {part.partition('"')[0] for part in parts} == named


def test_every_field_of_a_run_is_described(openapi: dict[str, Any]) -> None:
    fields = openapi["components"]["schemas"]["NewRun"]["properties"]
    assert set(fields) == {*RunConfig.model_fields, "name", "tags", "note"}
    for name, field in about.fields(RunConfig).items():
        assert fields[name]["description"] == field.help
    described = openapi["components"]["schemas"]["RequestRow"]["properties"]
    assert tuple(described) == REQUEST_FIELDS


def test_every_refusal_is_described_as_what_it_is(openapi: dict[str, Any]) -> None:
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    found = answer["content"]["application/json"]["schema"]
                    assert found == {"$ref": "#/components/schemas/Problem"}


def test_every_route_with_a_body_says_what_it_refuses_of_it(openapi: dict[str, Any]) -> None:
    taking = [
        each for of in openapi["paths"].values() for each in of.values() if "requestBody" in each
    ]
    assert len(taking) == 10
    for operation in taking:
        assert {"413", "415", "422"} <= set(operation["responses"]), operation["operationId"]


def test_what_is_answered_is_what_the_schema_says(measured: int, openapi: dict[str, Any]) -> None:
    def check(name: str, answer: Any) -> None:
        whole = {"$ref": f"#/components/schemas/{name}", "components": openapi["components"]}
        Draft202012Validator(whole).validate(answer)

    check("RunDocument", ask("GET", f"/runs/{measured}").json())
    check("Problem", ask("GET", "/runs/99").json())
    for row in ask("GET", "/runs").json():
        check("ListedRun", row)


def test_the_document_is_the_one_that_is_exported(database: Engine, measured: int) -> None:
    (kind,) = [entry for entry in EXPORTS if entry.name == "run.json"]
    exported = json.loads(kind.write([results.candidate(database, measured)]))
    assert ask("GET", f"/runs/{measured}").json() == exported


# --- references ------------------------------------------------------------------------------


def test_a_run_is_pinned_listed_against_and_unpinned(database: Engine) -> None:
    for _ in range(2):
        store(database, model="org/Model 1")
    path = "/baselines/model/org/Model%201"
    assert ask("GET", "/baselines").json() == []
    made = ask("PUT", path, json={"run": 1})
    assert (made.status_code, made.json()["value"], made.json()["run_id"]) == (
        200,
        "org/Model 1",
        1,
    )
    assert ask("GET", "/baselines").json() == [made.json()]
    later, first = (run["against"] for run in ask("GET", "/runs").json())
    assert (first["word"], first["baseline"], first["speed"]) == ("baseline", 1, None)
    assert (later["word"], later["baseline"], later["kind"]) == ("no verdict", 1, "model")
    assert later["speed"] == pytest.approx(1)
    assert ask("DELETE", path).status_code == 204
    assert "No run is the baseline of model org/Model 1" in ask("DELETE", path).json()["error"]
    assert [run["against"] for run in ask("GET", "/runs").json()] == [None, None]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("model/huge", {"run": 1}, 422, "Run 1 does not have the model 'huge'"),
        ("model/tiny", {"run": 9}, 404, "There is no run 9."),
        ("colour/tiny", {"run": 1}, 422, "kind must be one of 'model' or 'tag'"),
        ("model/tiny", {"run": "one"}, 422, "run must be a whole number"),
        ("model/tiny", {}, 422, "run is missing"),
    ],
)
def test_what_cannot_be_pinned_is_said(
    database: Engine, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    store(database)
    answer = ask("PUT", f"/baselines/{path}", json=body)
    problem(answer, status)
    assert words in answer.json()["error"]
    problem(ask("PUT", "/baselines/model/tiny", content="{}"), 415)


# --- comparisons and further repeats ---------------------------------------------------------


def test_a_trial_is_started_watched_and_repeated(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    config = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    candidates = [{**config, "mode": mode, "requests": 1} for mode in ("batch", "staggered")]
    new = {"candidates": candidates, "repeats": 3, "seed": 1, "margin": 0.1, "name": "Mine"}
    answer = ask("POST", "/comparisons", json=new)
    trial = answer.json()
    assert answer.status_code == 202, trial
    assert (trial["asked"]["most"], trial["page"]) == (3, "/compare?runs=1,2")
    for run_id in (1, 2):
        assert finished(database, run_id).status == "done"
    assert ask("GET", f"/comparisons/{trial['id']}").json()["runs"] == {"1": "done", "2": "done"}
    assert runs.load(database, 1).name == "Mine · batch"
    assert ask("POST", "/runs/1/more", json={"repeats": 1}).status_code == 202
    assert len(finished(database, 1).repeats) == 4
    problem(ask("POST", "/runs/1/more", json={"repeats": 50}), 409)
    assert ask("POST", f"/comparisons/{trial['id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/comparisons", {"candidates": [{}]}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {"max_tokens": 0}]}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "margin": 0.0005}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "margin": True}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "repeats": True}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {}], "seed": "1"}, 422),
        ("POST", "/runs/7/more", {"repeats": True}, 422),
        ("PUT", "/baselines/model/tiny", {"run": True}, 422),
        ("POST", "/comparisons", {"candidates": [{}, {"backend": "nobody"}]}, 422),
        ("GET", "/comparisons/7", None, 404),
        ("POST", "/comparisons/7/cancel", None, 404),
        ("POST", "/runs/7/more", {"repeats": 1}, 404),
        ("POST", "/runs/7/more", {"repeats": 0}, 422),
    ],
)
def test_a_trial_that_cannot_be_is_refused_in_a_sentence(
    database: Engine, method: str, path: str, body: Any, status: int
) -> None:
    problem(ask(method, path, **({"json": body} if body is not None else {})), status)
    assert not runs.count(database)


def test_a_file_of_another_tool_is_imported_once(database: Engine) -> None:
    data = (ROOT / "tests" / "data" / "imports" / "vllm" / "result.json").read_bytes()
    kind = {"content-type": "application/octet-stream"}
    answer = ask("POST", "/import?name=result.json", content=data, headers=kind)
    assert answer.status_code == 201
    assert answer.json() == [{"id": 1, "url": "/api/runs/1", "page": "/result?run=1"}]
    again = ask("POST", "/import", content=data, headers=kind)
    assert not problem(again, 409)
    assert "imported already, as run 1" in again.json()["error"]
    forced = ask("POST", "/import?again=true", content=data, headers=kind)
    assert forced.json()[0]["id"] == 2
    assert ask("GET", "/runs?backend=import").json()[0]["headline"]["via"]


def test_a_file_that_is_none_is_refused_in_a_sentence(database: Engine) -> None:
    kind = {"content-type": "application/json"}
    answer = ask("POST", "/import?name=x", content=b"{}", headers=kind)
    assert not problem(answer, 422)
    assert "Paceline does not recognize this file" in answer.json()["error"]
    for other in ("text/plain", "multipart/form-data", ""):
        answer = ask("POST", "/import", content=b"{}", headers={"content-type": other})
        assert not problem(answer, 415)
    large = {**kind, "content-length": str(300 * 10**6)}
    assert not problem(ask("POST", "/import", content=b"{}", headers=large), 413)

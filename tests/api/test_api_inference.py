"""Tasks over HTTP: queued, listed, cancelled; whose they are; OpenAI's files in and out."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

import jobs
from db import task_queue, tasks
from tests.api.conftest import JSON, call, problem
from tests.conftest import ReferenceServer, until
from tests.stored import task_counts

LINES = {"content-type": "application/jsonl"}


@pytest.fixture
def at_rest(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A queue that no supervisor processes."""
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    return database


def queue(path: str, body: Any, **headers: str) -> httpx.Response:
    return call("POST", path, content=json.dumps(body).encode(), headers=JSON | headers)


def signed_in(role: str, caller: str) -> dict[str, str]:
    """The headers that the gate sets."""
    return {"x-paceline-role": role, "x-paceline-person": caller}


def line(custom_id: str, prompt: str, **body: Any) -> str:
    messages = [{"role": "user", "content": prompt}]
    request = {"method": "POST", "url": "/v1/chat/completions"}
    return json.dumps({"custom_id": custom_id, **request, "body": {"messages": messages, **body}})


@pytest.mark.slow
def test_the_examples_of_the_parallel_inference_api_work_as_written(
    database: Engine, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = queue("/inference/async", {"prompt": "What is Python?", **to(reference)})
    assert one.status_code == 202
    assert one.json() | {"status": "queued", "message": "Task queued"} == one.json()
    prompts = [{"prompt": f"Request {n}", **to(reference)} for n in (1, 2, 3)]
    many = queue("/inference/batch", prompts)
    assert many.status_code == 202 and many.json()["count"] == 3 == len(many.json()["task_ids"])
    path = f"/tasks/{one.json()['task_id']}"
    until(lambda: call("GET", path).json()["status"] == "completed", 60)
    task = call("GET", path).json()
    assert task["task_id"] == one.json()["task_id"]
    assert task["result"]["answer"] == " w0 w1 w2" and task["result"]["output_tokens"] == 3
    assert 0 < task["result"]["ttft_s"] <= task["result"]["e2e_s"]
    batch = many.json()["batch_id"]
    until(lambda: call("GET", f"/inference/batch/{batch}").json()["ended"], 60)
    listed = call("GET", "/tasks", params={"batch": batch}).json()["tasks"]
    assert [task["task_id"] for task in listed] == many.json()["task_ids"]


@pytest.mark.long
@pytest.mark.slow
def test_an_openai_batch_file_is_queued_and_its_output_downloaded(
    database: Engine, reference: ReferenceServer
) -> None:
    settings = to(reference)
    call("PUT", "/servers/here", json={n: settings[n] for n in ("backend", "base_url")})
    file = "\n".join([line("b", "Second", model="ref tokens=2"), line("a", "x", model="ref gap=a")])
    path = "/inference/batch.jsonl?backend=here"
    queued = call("POST", path, content=file.encode(), headers=LINES).json()
    batch = queued["batch_id"]
    until(lambda: call("GET", f"/inference/batch/{batch}").json()["ended"], 60)
    out = call("GET", f"/inference/batch/{batch}/output.jsonl")
    first, second = map(json.loads, out.text.splitlines())
    assert (first["custom_id"], second["custom_id"]) == ("b", "a")
    body = first["response"]["body"]
    assert body["choices"][0]["message"] == {"role": "assistant", "content": " w0 w1"}
    assert body["usage"] == {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
    assert second["response"] is None and second["error"]["message"].endswith(".")
    assert out.headers["content-disposition"].endswith(f'"paceline-{batch}.jsonl"')
    table = call("GET", f"/inference/batch/{batch}/output.csv")
    answered, failed = csv.DictReader(io.StringIO(table.text, newline=""))
    assert (answered["prompt"], answered["answer"]) == ("Second", " w0 w1")
    assert failed["error"] == second["error"]["message"]
    assert table.headers["content-disposition"].endswith(f'"paceline-{batch}.csv"')


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "asked", "expected"),
    [
        (
            "/v1/completions",
            {"prompt": "x"},
            {
                "object": "text_completion",
                "choices": [
                    {"index": 0, "text": " w0 w1", "logprobs": None, "finish_reason": "length"}
                ],
            },
        ),
        (
            "/v1/responses",
            {"input": "x", "instructions": "Be brief."},
            {
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
            },
        ),
    ],
)
def test_an_answer_has_the_format_of_its_line_in_the_batch_output(
    database: Engine,
    reference: ReferenceServer,
    url: str,
    asked: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    call("PUT", "/servers/here", json={"backend": "url", "base_url": reference.base_url})
    body = {"model": "ref tokens=2", **asked}
    file = json.dumps({"custom_id": "a", "url": url, "body": body})
    path = "/inference/batch.jsonl?backend=here"
    batch = call("POST", path, content=file.encode(), headers=LINES).json()["batch_id"]
    until(lambda: call("GET", f"/inference/batch/{batch}").json()["ended"], 60)
    answer = call("GET", f"/inference/batch/{batch}/output.jsonl").json()["response"]["body"]
    assert answer | expected == answer and answer["usage"]["total_tokens"] > 2
    assert " w0 w1" in json.dumps(answer)


def to(reference: ReferenceServer) -> dict[str, Any]:
    model = {"model": "ref tokens=3", "retries": 0}
    return {"backend": "url", "base_url": reference.base_url, **model}


def test_two_requests_with_one_idempotency_key_queue_tasks_once(at_rest: Engine) -> None:
    once, twice = (
        queue("/inference/batch", {"tasks": ["a", "b"]}, **{"idempotency-key": "k"})
        for _ in range(2)
    )
    assert once.json() == twice.json() and once.status_code == twice.status_code == 202
    assert task_counts(at_rest) == {"queued": 2}
    other = queue("/inference/batch", {"tasks": ["c"]}, **{"idempotency-key": "k"})
    problem(other, 422)
    somebody = signed_in("admin", "somebody") | {"idempotency-key": "k"}
    assert queue("/inference/batch", {"tasks": ["c"]}, **somebody).status_code == 202


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([{"prompt": "a"}, {"prompt": 3}], "prompt (entry 2) must be text."),
        ([{"prompt": "a"}, {}], "prompt (entry 2) is missing. Give either a prompt or messages."),
        ([{"messages": "a"}], "messages (entry 1) must be a list."),
        (
            ["a", {"prompt": " "}],
            "prompt (entry 2) cannot be sent: the entry has an empty prompt. Write it, or",
        ),
        (
            [{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}],
            "prompt (entry 1) cannot be combined with messages. Leave one of them out.",
        ),
        ([3], "prompt (entry 1) must be a JSON object."),
        ([{"prompt": "a", "custom_id": "1"}] * 2, "custom_id '1' is that of several tasks."),
        ([{"promt": "a"}], "promt (entry 1) is not a known field."),
        ([], "tasks must have 1 or more entries."),
        (7, "body must be a list of prompts, or an object with tasks."),
        ({"tasks": ["a"], "backend": "nix"}, "There is no backend 'nix'."),
        ({"tasks": ["a"], "temperature": 9}, "temperature must be at most 2"),
        ({"tasks": ["a" * 200_001]}, "The limit is 200,000: shorten it."),
        ({"tasks": ["a"] * 10_001}, "must have at most 10000 entries."),
    ],
)
def test_invalid_tasks_are_refused_with_a_message(
    at_rest: Engine, body: Any, sentence: str
) -> None:
    response = queue("/inference/batch", body)
    problem(response, 422)
    assert sentence in response.json()["error"]
    assert body in ([], {"tasks": []}) or "1 or more" not in response.json()["error"]
    assert task_counts(at_rest) == {}


def test_an_empty_idempotency_key_is_refused_by_its_name(at_rest: Engine) -> None:
    response = queue("/inference/async", {"prompt": "a"}, **{"idempotency-key": ""})
    problem(response, 422)
    assert response.json()["error"].startswith("idempotency-key must be")


@pytest.mark.parametrize("body", [["a", {"prompt": "b"}], {"tasks": ["a", {"prompt": "b"}]}])
def test_prompts_of_a_batch_are_texts_or_objects(at_rest: Engine, body: Any) -> None:
    queued = queue("/inference/batch", body).json()
    assert queued["count"] == 2
    texts = tasks.prompts(at_rest, queued["task_ids"])
    assert [texts[each] for each in queued["task_ids"]] == ["a", "b"]


def test_ten_thousand_prompts_are_queued_at_once_in_their_order(at_rest: Engine) -> None:
    queued = queue("/inference/batch", [{"prompt": f"Number {n}"} for n in range(10_000)]).json()
    assert queued["count"] == 10_000 == len(set(queued["task_ids"]))
    page = call("GET", "/tasks", params={"batch": queued["batch_id"], "limit": 1000}).json()
    assert [task["task_id"] for task in page["tasks"]] == queued["task_ids"][:1000]
    more = {"batch": queued["batch_id"], "limit": 1, "after": page["next"]}
    (after,) = call("GET", "/tasks", params=more).json()["tasks"]
    assert after["task_id"] == queued["task_ids"][1000]


def test_people_see_their_own_tasks_and_admins_see_all(at_rest: Engine) -> None:
    one, two = signed_in("runner", "one%40x.org"), signed_in("runner", "two%40x.org")
    mine = queue("/inference/async", {"prompt": "Mine"}, **one).json()
    path, batch = f"/tasks/{mine['task_id']}", f"/inference/batch/{mine['batch_id']}"
    for other in (
        path,
        batch,
        f"{batch}/output.jsonl",
        f"{batch}/output.csv",
        f"/tasks?batch={mine['batch_id']}",
    ):
        assert call("GET", other, headers=one).status_code == 200
        assert call("GET", other, headers=two).status_code == 404
        assert call("GET", other, headers=signed_in("admin", "boss")).status_code == 200
    for each in (path, batch):
        assert call("DELETE", each, headers=two).status_code == 404
    assert call("GET", "/tasks", headers=two).json()["tasks"] == []
    assert call("GET", "/inference/batch", headers=two).json() == []


def test_a_runner_names_saved_servers_only(at_rest: Engine) -> None:
    runner = signed_in("runner", "one")
    elsewhere = {"prompt": "x", "backend": "url", "base_url": "http://127.0.0.1:9/v1"}
    for path, body in (
        ("/inference/async", elsewhere),
        ("/inference/batch", [elsewhere]),
        ("/inference/batch", {"tasks": [elsewhere]}),
    ):
        problem(queue(path, body, **runner), 403)
    file = line("a", "x", some_field=1).encode()
    problem(call("POST", "/inference/batch.jsonl", content=file, headers=LINES | runner), 403)
    assert task_counts(at_rest) == {}


def test_a_cancelled_task_cannot_be_cancelled_again(at_rest: Engine) -> None:
    queued = queue("/inference/batch", [{"prompt": "a"}, {"prompt": "b"}]).json()
    path = f"/tasks/{queued['task_ids'][0]}"
    assert call("DELETE", path).json()["status"] == "cancelled"
    problem(call("DELETE", path), 409)
    batch = call("DELETE", f"/inference/batch/{queued['batch_id']}").json()
    assert batch["counts"] == {"cancelled": 2} and batch["ended"]
    assert task_queue.waiting_servers(at_rest, "") == []


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("", "contains no requests."),
        ("{", "line 1: is not JSON"),
        ('{"body": 1}', "line 1: is not a request."),
        (line("a", "x") + "\n" + line("a", "y"), "line 2: has the custom_id of an earlier line."),
        (line("a", "x", n=2), "asks for several answers (n)."),
        (line("a", ""), "has an empty prompt."),
        ('{"url": "/v1/embeddings", "body": {"input": "x"}}', "has POST /v1/embeddings."),
    ],
)
def test_an_error_in_a_batch_file_names_its_line(at_rest: Engine, file: str, sentence: str) -> None:
    response = call("POST", "/inference/batch.jsonl", content=file.encode(), headers=LINES)
    problem(response, 422)
    assert sentence in response.json()["error"]


def test_an_invalid_concurrency_limit_in_the_settings_is_reported(
    at_rest: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_MAX_CONCURRENT_REQUESTS", "many")
    response = queue("/inference/async", {"prompt": "a"})
    problem(response, 503)
    assert response.json()["error"].startswith("PACELINE_MAX_CONCURRENT_REQUESTS is 'many'")

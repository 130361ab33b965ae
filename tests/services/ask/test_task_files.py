"""Files of prompts become tasks; tasks become CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.ask import dialogue
from services.ask.tasks import NewTask, Task, TaskResult, openai_batch, prompt_files
from services.ask.workloads.lines import InvalidFile
from services.report.export.tasks import COLUMNS, tasks_csv

AT = datetime(2026, 1, 2, tzinfo=UTC)


def test_an_openai_batch_file_keeps_its_ids_and_settings() -> None:
    line = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Hi"}]}}
    line["body"] |= {"max_tokens": 3, "seed": 1, "model": "gpt"}  # type: ignore[operator]
    (task,) = prompt_files.read(f"\n{json.dumps(line)}\n".encode(), "in.jsonl")
    assert task == NewTask("Hi", {"max_tokens": 3, "seed": 1, "model": "gpt"}, "a")


@pytest.mark.parametrize("sign", ["\u2028", "\x85"])  # line ends to splitlines()
def test_a_line_ends_at_its_line_break_only(sign: str) -> None:
    text = f"One{sign}two"
    line = {"custom_id": "a", "body": {"prompt": text, "model": "gpt"}}
    (task,) = prompt_files.read(json.dumps(line, ensure_ascii=False).encode(), "in.jsonl")
    assert task == NewTask(text, {"model": "gpt"}, "a")
    assert prompt_files.of_lines(f"{text}\r\nThree\n") == [NewTask(text, {}), NewTask("Three", {})]


@pytest.mark.parametrize(
    ("name", "data", "tasks"),
    [
        ("p.txt", "One\nTwo\n", [NewTask("One", {}), NewTask("Two", {})]),
        ("p.csv", "prompt,n\nOne,1\n", [NewTask("One", {})]),
        ("p.jsonl", '{"prompt": "One", "max_tokens": 7}\n', [NewTask("One", {"max_tokens": 7})]),
        ("p.json", '[{"prompt": "One"}]', [NewTask("One", {})]),
    ],
)
def test_prompt_files_of_runs_are_taken_too(name: str, data: str, tasks: list[NewTask]) -> None:
    assert prompt_files.read(data.encode(), name) == tasks


def test_a_conversation_of_several_turns_is_refused_with_a_way_out() -> None:
    turns = [{"from": who, "value": who} for who in ("human", "gpt", "human", "gpt")]
    data = json.dumps([{"conversations": turns}]).encode()
    with pytest.raises(
        InvalidFile, match="1 conversation of several turns, but a task is a single request"
    ):
        prompt_files.read(data, "share.json")


def test_too_many_tasks_in_a_batch_are_refused() -> None:
    with pytest.raises(InvalidFile, match="more than 10,000 prompts"):
        prompt_files.read(b"x\n" * 10_001, "many.txt")


def test_a_csv_contains_prompts_and_answers_but_no_formulas() -> None:
    result = TaskResult("=1+1", "m", "stop", 5, 2, ttft_s=0.25)
    task = Task(
        *("t", "b", "me", "completed", "a", "url", "h:1"), *(AT,) * 3, 1, 200, None, None, result
    )
    row, *others = csv.DictReader(io.StringIO(b"".join(tasks_csv([(task, "Why?")])).decode()))
    assert others == [] and tuple(row) == COLUMNS
    assert (row["prompt"], row["answer"], row["ttft_s"]) == ("Why?", "'=1+1", "0.25")
    assert row["ended_at"] == "2026-01-02T00:00:00+00:00" and row["error"] == ""


RESPONSES = {"custom_id": "a", "url": "/v1/responses"}


def test_a_request_to_the_responses_api_is_a_task_in_that_format() -> None:
    body = {"model": "m", "instructions": "Be brief.", "input": "Hi", "max_output_tokens": 5}
    text = {"format": {"type": "json_object"}}
    line = json.dumps({**RESPONSES, "body": {**body, "text": text}}).encode()
    (task,) = prompt_files.read(line, "in.jsonl")
    assert dialogue.messages_of(task.prompt) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    settings = {"model": "m", "max_tokens": 5, "dialect": "responses"}
    assert task.values == {**settings, "extra_body": {"text": text}}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            {**RESPONSES, "body": {"messages": [{"role": "user", "content": "Hi"}]}},
            'has its prompt in "input". Add it.',
        ),
        (
            {**RESPONSES, "body": {"input": "Hi", "prompt": {"id": "p1"}}},
            'Remove "messages" and "prompt".',
        ),
        (
            {**RESPONSES, "url": "/v1/embeddings", "body": {"input": "Hi"}},
            "Supported: POST /v1/chat/completions, /v1/completions and /v1/responses",
        ),
    ],
)
def test_a_line_that_no_task_can_be_is_refused(line: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidFile, match=sentence):
        prompt_files.read(json.dumps(line).encode(), "in.jsonl")


def test_an_answer_of_the_responses_api_is_one_in_the_batch_output() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = TaskResult("Yes.", "m", "length", 5, 2, tool_calls=[call])
    task = Task(
        *("t", "b", "me", "completed", "a", "url", "h:1"), *(AT,) * 3, 1, 200, None, None, result
    )
    (line,) = map(json.loads, openai_batch.output_lines([replace(task, dialect="responses")]))
    body = line["response"]["body"]
    message, function = body["output"]
    assert body["object"] == "response" and body["status"] == message["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert message["content"] == [{"type": "output_text", "text": "Yes.", "annotations": []}]
    assert (function["call_id"], function["name"], function["arguments"]) == ("c1", "f", "{}")
    assert body["usage"] == {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}

"""Files of prompts become tasks; tasks become CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from services.ask.tasks import NewTask, Task, TaskResult, prompt_files
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

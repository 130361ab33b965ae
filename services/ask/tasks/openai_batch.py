"""OpenAI's batch files: input with one line of JSON per request, output with one per answer.

https://platform.openai.com/docs/api-reference/batch
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.ask.tasks import CUSTOM_ID_CHARACTERS, MAX_TASKS, NewTask, Task, TaskResult
from services.ask.tasks.submission import checked_prompt
from services.ask.workloads.entries import LIMITS, Notes, UnusableEntry, limit_of, prompt_of
from services.ask.workloads.lines import InvalidFile, check_size, decoded, json_lines, problem

FORM = 'Each line must be a request: {"custom_id": …, "body": {"messages": …}}.'
PATHS = {  # the `url` of a line, and the dialect of its body
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
}
SETTINGS = ("model", "temperature", "top_p", "seed")  # of a body, with the same names in a run
OF_PROMPT = ("messages", "prompt", "tools", "tool_choice")
IGNORED = ("stream", "stream_options", "n", "user")  # Paceline always streams, with one answer each


def read(data: bytes, name: str) -> list[NewTask]:
    """Return the tasks of a file.

    Raises:
        InvalidFile: the message names the file and the line, and says what to do.
    """
    check_size(data, name)
    tasks: list[NewTask] = []
    custom_ids: set[str] = set()
    for location, value in json_lines(decoded(data, name, []), name, FORM):
        if len(tasks) == MAX_TASKS:
            raise InvalidFile(f"{name} has more than {MAX_TASKS:,} requests. Split the file.")
        try:
            task = _task(value)
        except UnusableEntry as error:
            raise problem(name, location, str(error)) from None
        if task.custom_id in custom_ids:
            raise problem(name, location, "has the custom_id of an earlier line. Change it.")
        if task.custom_id is not None:
            custom_ids.add(task.custom_id)
        tasks.append(task)
    if not tasks:
        raise InvalidFile(f"{name} contains no requests. {FORM}")
    return tasks


def _task(line: Any) -> NewTask:
    if not isinstance(line, dict) or not isinstance(line.get("body"), dict):
        raise UnusableEntry(f"is not a request. {FORM}")
    url, method = line.get("url", "/v1/chat/completions"), line.get("method", "POST")
    if method != "POST" or url not in PATHS:
        raise UnusableEntry(f"has {method} {str(url)[:60]}. Supported: POST {' and '.join(PATHS)}.")
    body = line["body"]
    if body.get("n") not in (None, 1):
        raise UnusableEntry("asks for several answers (n). Write one line for each.")
    prompt = checked_prompt(prompt_of(body, Notes()))
    return NewTask(prompt, _values(body, PATHS[url]), _custom_id(line.get("custom_id")))


def _values(body: Mapping[str, Any], dialect: str) -> dict[str, Any]:
    values = {name: body[name] for name in SETTINGS if body.get(name) is not None}
    if limit := limit_of(body):
        values["max_tokens"] = limit
    known = {*SETTINGS, *OF_PROMPT, *IGNORED, *LIMITS}
    if extra := {name: value for name, value in body.items() if name not in known}:
        values["extra_body"] = extra
    if dialect != "chat":
        values["dialect"] = dialect
    return values


def _custom_id(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= CUSTOM_ID_CHARACTERS:
        raise UnusableEntry(
            f"has a custom_id that is not text of 1 to {CUSTOM_ID_CHARACTERS} characters."
        )
    return value


def output_lines(tasks: Iterable[Task]) -> Iterator[bytes]:
    """Return the lines of OpenAI's output file, for the tasks that have ended."""
    for task in tasks:
        yield json.dumps(_line(task), ensure_ascii=False).encode() + b"\n"


def _line(task: Task) -> dict[str, Any]:
    line = {"id": f"batch_req_{task.task_id}", "custom_id": task.custom_id or task.task_id}
    if task.status != "completed":
        code = task.error_class or task.status
        message = task.error or f"The task was {task.status}."
        return {**line, "response": None, "error": {"code": code, "message": message}}
    response = {"status_code": 200, "request_id": task.task_id, "body": _completion(task)}
    return {**line, "response": response, "error": None}


def _completion(task: Task) -> dict[str, Any]:
    result = task.result
    text = task.dialect == "completions"
    sent, received = result.prompt_tokens, result.output_tokens
    usage = None
    if sent is not None and received is not None:
        usage = {"prompt_tokens": sent, "completion_tokens": received}
        usage["total_tokens"] = sent + received
    choice = {"text": result.answer or "", "logprobs": None} if text else _message(result)
    return {
        "id": f"{'cmpl' if text else 'chatcmpl'}-{task.task_id}",
        "object": "text_completion" if text else "chat.completion",
        "created": int((task.ended_at or task.created_at).timestamp()),
        "model": result.model,
        "choices": [{"index": 0, **choice, "finish_reason": result.finish_reason}],
        "usage": usage,
    }


def _message(result: TaskResult) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": result.answer or ""}
    if result.tool_calls:
        message |= {"content": result.answer, "tool_calls": result.tool_calls}
    return {"message": message}

"""OpenAI's batch files: input with one line of JSON per request, output with one per answer.

https://platform.openai.com/docs/api-reference/batch
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from services.ask.tasks import CUSTOM_ID_CHARACTERS, MAX_TASKS, NewTask, Task, TaskResult
from services.ask.tasks.submission import checked_prompt
from services.ask.workloads import entry_responses
from services.ask.workloads.entries import LIMITS, Notes, UnusableEntry, limit_of, prompt_of
from services.ask.workloads.lines import InvalidFile, check_size, decoded, json_lines, problem
from services.base.units import listed

FORM = 'Each line must be a request: {"custom_id": …, "body": {"messages": …}}.'
PATHS = {  # the `url` of a line, and the dialect of its body
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
}
SETTINGS = ("model", "temperature", "top_p", "seed")  # of a body, with the same names in a run
OF_PROMPT = ("messages", "prompt", "tools", "tool_choice")
OF_RESPONSES = ("input", "instructions")
WHOLE = (None, "stop", "tool_calls")  # why a whole answer ended
CUT = {"length": "max_output_tokens"}  # why another one did, as the Responses API calls it
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
        raise UnusableEntry(f"has {method} {str(url)[:60]}. Supported: POST {listed(PATHS)}.")
    body = line["body"]
    if body.get("n") not in (None, 1):
        raise UnusableEntry("asks for several answers (n). Write one line for each.")
    prompt = checked_prompt(prompt_of(_as_entry(body, PATHS[url]), Notes()))
    return NewTask(prompt, _values(body, PATHS[url]), _custom_id(line.get("custom_id")))


def _as_entry(body: Mapping[str, Any], dialect: str) -> Mapping[str, Any]:
    if dialect != "responses":
        return body
    if not entry_responses.is_request(body):
        more = 'Remove "messages" and "prompt".' if "input" in body else "Add it."
        raise UnusableEntry(f'has /v1/responses, whose body has its prompt in "input". {more}')
    return entry_responses.as_chat(body)


def _values(body: Mapping[str, Any], dialect: str) -> dict[str, Any]:
    values = {name: body[name] for name in SETTINGS if body.get(name) is not None}
    if limit := limit_of(body):
        values["max_tokens"] = limit
    known = {*SETTINGS, *OF_PROMPT, *IGNORED, *LIMITS}
    known |= {*OF_RESPONSES} if dialect == "responses" else set()
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
    body = _BODIES.get(task.dialect or "", _completion)
    response = {"status_code": 200, "request_id": task.task_id, "body": body(task)}
    return {**line, "response": response, "error": None}


def _completion(task: Task) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{task.task_id}",
        "object": "chat.completion",
        **_choices(task, _message(task.result)),
    }


def _text_completion(task: Task) -> dict[str, Any]:
    return {
        "id": f"cmpl-{task.task_id}",
        "object": "text_completion",
        **_choices(task, {"text": task.result.answer or "", "logprobs": None}),
    }


def _choices(task: Task, choice: dict[str, Any]) -> dict[str, Any]:
    result = task.result
    return {
        "created": _created(task),
        "model": result.model,
        "choices": [{"index": 0, **choice, "finish_reason": result.finish_reason}],
        "usage": _usage(result, ("prompt_tokens", "completion_tokens")),
    }


def _message(result: TaskResult) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": result.answer or ""}
    if result.tool_calls:
        message |= {"content": result.answer, "tool_calls": result.tool_calls}
    return {"message": message}


def _response(task: Task) -> dict[str, Any]:
    result = task.result
    why = None if result.finish_reason in WHOLE else result.finish_reason
    return {
        "id": f"resp_{task.task_id}",
        "object": "response",
        "created_at": _created(task),
        "status": (status := "incomplete" if why else "completed"),
        "incomplete_details": {"reason": CUT.get(why, why)} if why else None,
        "model": result.model,
        "output": list(_items(task, status)),
        "usage": _usage(result, ("input_tokens", "output_tokens")),
    }


def _items(task: Task, status: str) -> Iterator[dict[str, Any]]:
    result = task.result
    if result.answer or not result.tool_calls:
        part = {"type": "output_text", "text": result.answer or "", "annotations": []}
        content = {"role": "assistant", "content": [part]}
        yield {"id": f"msg_{task.task_id}", "type": "message", "status": status, **content}
    for call in result.tool_calls or ():
        function = {"type": "function_call", "status": "completed", **call["function"]}
        yield {"id": f"fc_{call['id']}", "call_id": call["id"], **function}


def _created(task: Task) -> int:
    return int((task.ended_at or task.created_at).timestamp())


def _usage(result: TaskResult, names: tuple[str, str]) -> dict[str, int] | None:
    """The usage under the API's names of sent and received tokens; None if unknown."""
    sent, received = result.prompt_tokens, result.output_tokens
    if sent is None or received is None:
        return None
    return {names[0]: sent, names[1]: received, "total_tokens": sent + received}


_BODIES: dict[str, Callable[[Task], dict[str, Any]]] = {  # of other dialects: chat completions
    "completions": _text_completion,
    "responses": _response,
}

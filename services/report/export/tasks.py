"""The tasks of a batch as CSV, with prompts and answers, for people who may see those."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from services.ask.tasks import Task, TaskResult
from services.report.export.tables import csv_pieces
from services.report.prompt_text import transcript

AT_ONCE = 100  # tasks, whose texts may be long
OWN = (
    *("task_id", "custom_id", "status", "created_at", "started_at", "ended_at", "asked"),
    *("http_status", "error_class", "error"),
)
TEXTS = ("answer", "tool_calls")
RESULT = tuple(each.name for each in fields(TaskResult) if each.name not in TEXTS)
COLUMNS = (*OWN, *RESULT, "tool_calls", "prompt", "answer")


def tasks_csv(tasks: Iterable[tuple[Task, str]]) -> Iterator[bytes]:
    """Return tasks with their prompts as CSV, in pieces. Durations are in seconds, times in ISO
    8601."""
    return csv_pieces(COLUMNS, (_row(task, prompt) for task, prompt in tasks), AT_ONCE)


def _row(task: Task, prompt: str) -> list[Any]:
    own = [getattr(task, name) for name in OWN]
    moments = [value.isoformat() if hasattr(value, "isoformat") else value for value in own]
    result = [getattr(task.result, name) for name in RESULT]
    calls = json.dumps(task.result.tool_calls) if task.result.tool_calls else None
    return [*moments, *result, calls, transcript(prompt), task.result.answer]

"""Tasks: single prompts that are answered rather than measured.

`settings` says where and how a task is sent, `submission` reads what is submitted, and
`openai_batch` reads OpenAI's batch files. `db/tasks.py` stores tasks, and `jobs/task_worker.py`
works on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.base.errors import Invalid

TaskStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
STATUSES: tuple[TaskStatus, ...] = ("queued", "running", "completed", "failed", "cancelled")
OPEN: tuple[TaskStatus, ...] = ("queued", "running")

MAX_TASKS = 10_000  # in one batch
MAX_WAITING = 100_000  # tasks of one caller that have not ended
MAX_SETTINGS = 1_000  # different ones in one batch
PROMPT_CHARACTERS = 200_000
CUSTOM_ID_CHARACTERS = 200


class InvalidTask(Invalid):
    """Tasks that cannot be accepted; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """One prompt as submitted. `prompt`: in the format of `dialogue`; `values`: fields of its
    settings, by name; `custom_id`: the caller's id for it."""

    prompt: str
    values: Mapping[str, Any]
    custom_id: str | None = None


@dataclass(frozen=True, slots=True)
class TaskResult:
    """An answer. Times are seconds since the successful attempt was sent; None: not seen.
    `tool_calls` are as in a message of chat completions, whatever the API format."""

    answer: str | None = None
    model: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    ttft_s: float | None = None
    e2e_s: float | None = None
    attempts: int | None = None
    tool_calls: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A stored task. `server` is its host and port, or `embedded`. `asked` counts how often it was
    started: more than once if the process that had it ended. `result` is what is known of its
    answer, including the model while it is running. `dialect`: the API format that its settings
    name, which only the export of a batch reads."""

    task_id: str
    batch_id: str
    caller: str
    status: TaskStatus
    custom_id: str | None
    backend: str
    server: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    asked: int
    http_status: int | None
    error_class: str | None
    error: str | None
    result: TaskResult
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """Tasks that were submitted together: how many there are, how many have each status, their
    servers and models, when the first began, and when the last ended if all have."""

    batch_id: str
    caller: str
    created_at: datetime
    count: int
    counts: Mapping[str, int]
    servers: tuple[str, ...]
    models: tuple[str, ...]
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether every task has ended."""
        return not any(self.counts.get(status) for status in OPEN)


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a task ended, as stored; the fields are those of `Task`."""

    status: TaskStatus
    http_status: int | None = None
    error_class: str | None = None
    error: str | None = None
    result: TaskResult = TaskResult()

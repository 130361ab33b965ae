"""Request and response bodies of tasks and batches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Header
from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, model_validator

from api.bodies import BATCH
from db.new_tasks import Accepted
from services.ask.config.request import RequestFields
from services.ask.tasks import (
    CUSTOM_ID_CHARACTERS,
    MAX_TASKS,
    NewTask,
    Task,
    TaskBatch,
    TaskResult,
    TaskStatus,
    settings,
)
from services.ask.tasks.submission import prompt_from
from services.ask.workloads.entries import UnusableEntry

OF_PROMPT = ("prompt", "messages", "tools", "tool_choice")
KEY_CHARACTERS = 255


class TaskSettings(RequestFields):
    """Server and options of a task; omitted fields use the defaults."""

    backend: str = Field("embedded", description="Name of a backend, or of a saved server")
    base_url: str | None = Field(None, description="Address of the server; empty: its own")
    model: str = Field("", max_length=300, description="Model; empty: the first one listed")
    client: str = Field("wire", description="HTTP client: wire or litellm")
    max_tokens: int = Field(1024, ge=1, description="Maximum number of tokens in the answer")
    timeout_s: float = Field(300.0, gt=0, le=86_400, description="Maximum time for one attempt")
    connect_timeout_s: float = Field(30.0, gt=0, le=86_400, description="Maximum time to connect")
    first_token_timeout_s: float | None = Field(None, gt=0, le=86_400)
    chunk_timeout_s: float | None = Field(None, gt=0, le=86_400)
    retries: int = Field(
        3,
        ge=0,
        le=20,
        description="Maximum number of retries after 429, 5xx or a failed connection",
    )

    @model_validator(mode="after")
    def _one_length(self) -> TaskSettings:
        for name in ("output_distribution", "output_spread"):
            if name in self.model_fields_set:
                raise ValueError(
                    f"{name}: only applies to runs. Give each task its own max_tokens."
                )
        return self

    def given(self) -> dict[str, Any]:
        """Return the settings that were given."""
        names = self.model_fields_set & set(settings.FIELDS)
        return {name: getattr(self, name) for name in names}


class NewPrompt(TaskSettings):
    """A prompt to answer."""

    prompt: str | None = Field(
        None, description="The prompt, as text; alternatively, give messages"
    )
    messages: list[dict[str, Any]] | None = Field(
        None, description="A conversation, as in chat completions"
    )
    tools: list[dict[str, Any]] | None = Field(None, description="Tools, as in chat completions")
    tool_choice: str | dict[str, Any] | None = Field(
        None, description="Which tool to call, as in chat completions"
    )
    custom_id: str | None = Field(
        None,
        min_length=1,
        max_length=CUSTOM_ID_CHARACTERS,
        description="Your own identifier for the task",
    )

    @model_validator(mode="after")
    def _one_prompt(self) -> NewPrompt:
        if self.prompt is None and self.messages is None:
            raise ValueError("prompt: is missing. Give either a prompt or messages.")
        if self.prompt is not None and self.messages is not None:
            raise ValueError("prompt: cannot be combined with messages. Leave one of them out.")
        self.text()
        return self

    def text(self) -> str:
        """Return the prompt in the format of `dialogue`."""
        entry = {name: getattr(self, name) for name in OF_PROMPT}
        try:
            return prompt_from({name: value for name, value in entry.items() if value is not None})
        except UnusableEntry as error:
            field = "prompt" if self.messages is None else "messages"
            raise ValueError(f"{field}: cannot be sent: the entry {error}") from None

    def as_task(self, common: Mapping[str, Any]) -> NewTask:
        """Return the task; omitted fields are taken from `common`."""
        return NewTask(self.text(), {**common, **self.given()}, self.custom_id)


def _of_text(entry: Any) -> Any:
    return {"prompt": entry} if isinstance(entry, str) else entry


Entry = Annotated[
    NewPrompt,
    BeforeValidator(_of_text, json_schema_input_type=str | NewPrompt),
]
Prompts = Annotated[
    tuple[Entry, ...],
    Field(min_length=1, max_length=MAX_TASKS, description="The prompts, as texts or objects"),
]


class NewBatch(TaskSettings):
    """Prompts with common settings."""

    tasks: Prompts


def _kind(body: Any) -> str | None:
    if isinstance(body, list):
        return "list"
    return "object" if isinstance(body, dict) else None


Batch = Annotated[
    Annotated[Prompts, Tag("list")] | Annotated[NewBatch, Tag("object")],
    Discriminator(
        _kind,
        custom_error_type="batch_type",
        custom_error_message="body: must be a list of prompts, or an object with tasks",
    ),
    Body(),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=KEY_CHARACTERS,
        description="Repeating a request with the same key returns the same tasks",
    ),
]
TaskId = Annotated[str, "Identifier of the task"]


class Queued(BaseModel):
    """A task that was queued."""

    task_id: str
    status: TaskStatus
    message: str
    batch_id: str
    url: str = Field(description="Its address")


class QueuedBatch(BaseModel):
    """Tasks that were queued, in the order of their prompts."""

    task_ids: tuple[str, ...]
    count: int
    batch_id: str
    url: str = Field(description="The address of its tasks")

    @classmethod
    def of(cls, accepted: Accepted) -> QueuedBatch:
        return cls(
            task_ids=accepted.task_ids,
            count=len(accepted.task_ids),
            batch_id=accepted.batch_id,
            url=f"/tasks?batch={accepted.batch_id}",
        )


class TaskFacts(BaseModel):
    """A task; `result` is set once it is completed."""

    task_id: str
    status: TaskStatus
    batch_id: str
    custom_id: str | None
    backend: str
    server: str = Field(description="Its host and port, or embedded")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    asked: int = Field(
        description="Number of times it was started: a task is restarted if its process ends"
    )
    result: TaskResult | None
    error: str | None
    error_class: str | None
    http_status: int | None

    @classmethod
    def of(cls, task: Task) -> TaskFacts:
        values = {name: getattr(task, name) for name in cls.model_fields if name != "result"}
        return cls(**values, result=task.result if task.status == "completed" else None)


class BatchFacts(BaseModel):
    """A batch, with the number of its tasks by status."""

    batch_id: str
    created_at: datetime
    count: int
    counts: dict[str, int]
    ended: bool
    servers: tuple[str, ...] = Field(description="The servers that its tasks go to")
    models: tuple[str, ...]
    started_at: datetime | None = Field(description="When its first task began")
    ended_at: datetime | None = Field(description="When its last task ended")
    output: str = Field(description="The address of its answers, as OpenAI's batch file")

    @classmethod
    def of(cls, batch: TaskBatch) -> BatchFacts:
        own = {name: getattr(batch, name) for name in cls.model_fields if name != "output"}
        return cls(**own, output=f"{BATCH}/{batch.batch_id}/output.jsonl")


class TaskList(BaseModel):
    """One page of tasks."""

    tasks: list[TaskFacts]
    next: str | None = Field(
        description="Pass as `after` to get the next page; null: this is the last one"
    )

"""/api/inference and /api/tasks: prompts that are answered in the background, one or many.

The paths work without /api, too: /inference/async, /inference/batch, /tasks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.bodies import BATCH, BATCH_FILE, Route, asking, json_body_route, only_lines
from api.errors import says
from db import servers, tasks
from db.database import opened
from db.tasks import Accepted, Repetition, Wanted
from jobs import inference
from services.ask.config import RunConfig, parse
from services.ask.config.request import RequestFields
from services.ask.only_saved import beyond_saved
from services.ask.tasks import (
    CUSTOM_ID_CHARACTERS,
    MOST_TASKS,
    NewTask,
    Task,
    TaskBatch,
    TaskStatus,
    openai_batch,
    settings,
)
from services.ask.tasks.submission import prompt_from
from services.ask.workloads.entries import Unusable
from services.base.roles import Role

router = APIRouter(route_class=Route)
OF_PROMPT = ("prompt", "messages", "tools", "tool_choice")
KEY_CHARACTERS = 255


class TaskSettings(RequestFields):
    """To whom a task goes and how it is answered; omitted fields use the defaults."""

    backend: str = Field("embedded", description="Name of a backend, or of a saved server")
    base_url: str | None = Field(None, description="Address of the server; empty: its own")
    model: str = Field("", max_length=300, description="Model; empty: the first one listed")
    client: str = Field("wire", description="wire, or litellm")
    max_tokens: int = Field(1024, ge=1, description="Maximum number of tokens in the answer")
    timeout_s: float = Field(300.0, gt=0, le=86_400, description="Maximum time for one attempt")
    connect_timeout_s: float = Field(30.0, gt=0, le=86_400, description="Maximum time to connect")
    first_token_timeout_s: float | None = Field(None, gt=0, le=86_400)
    chunk_timeout_s: float | None = Field(None, gt=0, le=86_400)
    retries: int = Field(3, ge=0, le=20, description="How often it is asked again after a refusal")

    @model_validator(mode="after")
    def _one_length(self) -> TaskSettings:
        for name in ("output_distribution", "output_spread"):
            if name in self.model_fields_set:
                raise ValueError(f"{name}: is for runs. Give each task its max_tokens.")
        return self

    def given(self) -> dict[str, Any]:
        """Return the settings that were given."""
        names = self.model_fields_set & set(settings.FIELDS)
        return {name: getattr(self, name) for name in names}


class NewPrompt(TaskSettings):
    """A prompt to be answered."""

    prompt: str | None = Field(None, description="The prompt, or give messages")
    messages: list[dict[str, Any]] | None = Field(
        None, description="A conversation, as in chat completions"
    )
    tools: list[dict[str, Any]] | None = Field(None, description="Tools, as in chat completions")
    tool_choice: str | dict[str, Any] | None = Field(None, description="Which of these it uses")
    custom_id: str | None = Field(
        None, min_length=1, max_length=CUSTOM_ID_CHARACTERS, description="What you call it"
    )

    @model_validator(mode="after")
    def _one_prompt(self) -> NewPrompt:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("prompt: is missing. Give either a prompt or messages.")
        self.text()
        return self

    def text(self) -> str:
        """Return the prompt in the format of `dialogue`."""
        entry = {name: getattr(self, name) for name in OF_PROMPT}
        try:
            return prompt_from({name: value for name, value in entry.items() if value is not None})
        except Unusable as error:
            field = "prompt" if self.messages is None else "messages"
            raise ValueError(f"{field}: {error}") from None

    def as_task(self, common: Mapping[str, Any]) -> NewTask:
        """Return the task; what it does not say is as in `common`."""
        return NewTask(self.text(), {**common, **self.given()}, self.custom_id)


class NewBatch(TaskSettings):
    """Prompts with the settings that they have in common."""

    tasks: tuple[NewPrompt, ...] = Field(
        min_length=1, max_length=MOST_TASKS, description="The prompts: texts, or as objects"
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"prompt": each} if isinstance(each, str) else each for each in value]


def _kind(body: Any) -> str | None:
    if isinstance(body, list):
        return "list"
    return "object" if isinstance(body, dict) else None


Prompts = Annotated[tuple[NewPrompt, ...], Field(min_length=1, max_length=MOST_TASKS)]
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
        description="The same key and body again queue nothing more",
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


class Result(BaseModel):
    """An answer. Times are seconds from when the attempt that was answered was sent."""

    answer: str | None
    model: str
    finish_reason: str | None
    prompt_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cached_tokens: int | None
    ttft_s: float | None
    e2e_s: float | None
    attempts: int | None


class TaskFacts(BaseModel):
    """A task; `result` once it is completed."""

    task_id: str
    status: TaskStatus
    batch_id: str
    custom_id: str | None
    backend: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    asked: int = Field(description="How often it was taken up: again if that process ended")
    result: Result | None
    error: str | None
    error_class: str | None
    http_status: int | None


class BatchFacts(BaseModel):
    """A batch and how many of its tasks have which status."""

    batch_id: str
    created_at: datetime
    count: int
    counts: dict[str, int]
    ended: bool
    output: str = Field(description="The address of its answers, as OpenAI's batch file")


class TaskList(BaseModel):
    """Tasks, and behind which one the list goes on."""

    tasks: list[TaskFacts]
    next: str | None = Field(description="Give it as `after` for those that follow; empty: none")


@router.post("/inference/async", status_code=202, **json_body_route())
def queue_task(request: Request, new: NewPrompt, idempotency_key: IdempotencyKey = None) -> Queued:
    """Queue a prompt and return at once. GET /tasks/{task_id} has the answer."""
    accepted = _submit(request, [new.as_task({})], idempotency_key)
    (task_id,) = accepted.task_ids
    return Queued(
        task_id=task_id,
        status=tasks.load(opened(), task_id).status if accepted.again else "queued",
        message="This task was queued before" if accepted.again else "Task queued",
        batch_id=accepted.batch_id,
        url=f"/tasks/{task_id}",
    )


@router.post(BATCH, status_code=202, **json_body_route())
def queue_batch(
    request: Request, new: Batch, idempotency_key: IdempotencyKey = None
) -> QueuedBatch:
    """Queue up to 10,000 prompts: a list of them, or an object with `tasks` and the settings that
    they have in common."""
    common = new.given() if isinstance(new, NewBatch) else {}
    prompts = new.tasks if isinstance(new, NewBatch) else new
    return _queued(_submit(request, [each.as_task(common) for each in prompts], idempotency_key))


@router.post(
    BATCH_FILE,
    status_code=202,
    dependencies=[Depends(only_lines)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/jsonl": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {"format": "binary"}},
            },
        }
    },
    responses=says(_413="The file is too long", _415="The body is not a file"),
)
async def queue_batch_file(
    request: Request,
    backend: Annotated[str, Query(max_length=100, description="Backend or saved server")] = "",
    model: Annotated[str, Query(max_length=300, description="In place of the lines' own")] = "",
    name: Annotated[str, Query(max_length=300, description="Name of the file")] = "The file",
    idempotency_key: IdempotencyKey = None,
) -> QueuedBatch:
    """Queue the requests of an OpenAI batch file. GET /inference/batch/{batch_id}/output.jsonl has
    the answers in its format."""
    data = await request.body()
    chosen = {"backend": backend} if backend else {}

    def queued() -> QueuedBatch:
        own = {"model": model} if model else {}
        new = [
            NewTask(task.prompt, {**chosen, **task.values, **own}, task.custom_id)
            for task in openai_batch.read(data, name)
        ]
        return _queued(_submit(request, new, idempotency_key))

    return await run_in_threadpool(queued)


@router.get(BATCH)
def list_batches(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[BatchFacts]:
    """List the batches that you have queued, the newest first."""
    return [_batch(each) for each in tasks.batches(opened(), _whose(request), limit)]


@router.get(f"{BATCH}/{{batch_id}}", responses=says(_404="No such batch"))
def show_batch(request: Request, batch_id: str) -> BatchFacts:
    """Return how many tasks of a batch have which status."""
    return _batch(tasks.batch(opened(), batch_id, _whose(request)))


@router.delete(f"{BATCH}/{{batch_id}}", responses=says(_404="No such batch"))
def cancel_batch(request: Request, batch_id: str) -> BatchFacts:
    """Cancel the tasks of a batch that have not ended."""
    return _batch(tasks.cancel_batch(opened(), batch_id, _whose(request)))


@router.get(
    f"{BATCH}/{{batch_id}}/output.jsonl",
    response_class=Response,
    responses={
        200: {"content": {"application/jsonl": {}}, "description": "A line for each answer"},
        **says(_404="No such batch"),
    },
)
def batch_output(request: Request, batch_id: str) -> StreamingResponse:
    """Return the answers of a batch so far, in the order of its prompts, as OpenAI writes them."""
    whose = _whose(request)
    tasks.batch(opened(), batch_id, whose)
    lines: Iterator[bytes] = openai_batch.written(tasks.ended(opened(), batch_id, whose))
    return StreamingResponse(lines, media_type="application/jsonl")


@router.get("/tasks", responses=says(_404="No such batch or task"))
def list_tasks(
    request: Request,
    batch: Annotated[str | None, Query(description="Only those of this batch, in order")] = None,
    status: Annotated[TaskStatus | None, Query(description="Only these")] = None,
    after: Annotated[str | None, Query(description="Those behind this task")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TaskList:
    """List tasks that you have queued: those of a batch in order, or all, the newest first."""
    wanted = Wanted(batch, status, _whose(request), after, limit)
    found = [_facts(task) for task in tasks.listed(opened(), wanted)]
    return TaskList(tasks=found, next=found[-1].task_id if len(found) == limit else None)


@router.get("/tasks/{task_id}", responses=says(_404="No such task"))
def show_task(request: Request, task_id: TaskId) -> TaskFacts:
    """Return a task: its status, and its answer once it is completed."""
    return _facts(tasks.load(opened(), task_id, _whose(request)))


@router.delete(
    "/tasks/{task_id}", responses=says(_404="No such task", _409="The task has ended already")
)
def cancel_task(request: Request, task_id: TaskId) -> TaskFacts:
    """Cancel a task: nobody waits for its answer any more."""
    return _facts(tasks.cancel(opened(), task_id, _whose(request)))


def _submit(request: Request, new: list[NewTask], key: str | None) -> Accepted:
    """Queue tasks, with a role that may.

    Raises:
        HTTPException: a runner asks for more than saved servers.
    """
    by = asking(request)
    if by is not None and by.role is Role.runner:
        saved = servers.listed(opened())
        for values in {settings.key_of(task.values): task.values for task in new}.values():
            if sentence := beyond_saved(values, saved):
                raise HTTPException(403, sentence)
    content = json.dumps([[task.prompt, task.values, task.custom_id] for task in new])
    repetition = Repetition.of(key, content.encode()) if key else None
    return inference.submit(opened(), caller_of(request), new, _config, repetition)


def _config(given: Mapping[str, Any]) -> RunConfig:
    return parse(servers.expand(opened(), settings.values_of(given)))


def caller_of(request: Request) -> str:
    """Return who asks: the person or token that the gate has let in, else from where they ask."""
    if person := asking(request):
        return person.caller
    return f"address {request.client.host if request.client else 'unknown'}"


def _whose(request: Request) -> str | None:
    """Return whose tasks are shown; None: anybody's, for admins and where nobody signs in."""
    person = asking(request)
    return None if person is None or person.role is Role.admin else person.caller


def _queued(accepted: Accepted) -> QueuedBatch:
    return QueuedBatch(
        task_ids=accepted.task_ids,
        count=len(accepted.task_ids),
        batch_id=accepted.batch_id,
        url=f"/tasks?batch={accepted.batch_id}",
    )


def _batch(batch: TaskBatch) -> BatchFacts:
    return BatchFacts(
        batch_id=batch.batch_id,
        created_at=batch.created_at,
        count=batch.count,
        counts=dict(batch.counts),
        ended=batch.ended,
        output=f"{BATCH}/{batch.batch_id}/output.jsonl",
    )


def _facts(task: Task) -> TaskFacts:
    values = {name: getattr(task, name) for name in TaskFacts.model_fields if name != "result"}
    result = {name: getattr(task, name) for name in Result.model_fields}
    completed = task.status == "completed"
    return TaskFacts(**values, result=Result(**result) if completed else None)


PATHS = tuple(dict.fromkeys(route.path for route in router.routes if isinstance(route, Route)))

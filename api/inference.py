"""/api/inference and /api/tasks: prompts that are answered in the background, one or many.

The paths work without /api, too: /inference/async, /inference/batch, /tasks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.bodies import BATCH, BATCH_FILE, Route, json_body_route, only_lines, person_of
from api.errors import error_responses
from api.task_shapes import (
    Batch,
    BatchFacts,
    IdempotencyKey,
    NewBatch,
    NewPrompt,
    Queued,
    QueuedBatch,
    TaskFacts,
    TaskId,
    TaskList,
)
from db import servers, task_batches, tasks
from db.database import opened
from db.new_tasks import Accepted, IdempotentRequest
from db.tasks import TaskFilter
from jobs import inference
from services.ask.only_saved import why_admin_only
from services.ask.tasks import NewTask, TaskStatus, openai_batch, settings
from services.base.roles import Role, whose_tasks
from services.report.export.tasks import tasks_csv

router = APIRouter(route_class=Route)


@router.post("/inference/async", status_code=202, **json_body_route())
def queue_task(request: Request, new: NewPrompt, idempotency_key: IdempotencyKey = None) -> Queued:
    """Queue a prompt and return immediately. GET /tasks/{task_id} returns the answer."""
    accepted = _submit(request, [new.as_task({})], idempotency_key)
    (task_id,) = accepted.task_ids
    return Queued(
        task_id=task_id,
        status=tasks.load(opened(), task_id).status if accepted.again else "queued",
        message="This task was queued earlier" if accepted.again else "Task queued",
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
    return QueuedBatch.of(
        _submit(request, [each.as_task(common) for each in prompts], idempotency_key)
    )


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
    responses=error_responses(_413="The file is too long", _415="The body is not a file"),
)
async def queue_batch_file(
    request: Request,
    backend: Annotated[str, Query(max_length=100, description="Backend or saved server")] = "",
    model: Annotated[
        str, Query(max_length=300, description="Replaces the model of each line")
    ] = "",
    name: Annotated[str, Query(max_length=300, description="Name of the file")] = "The file",
    idempotency_key: IdempotencyKey = None,
) -> QueuedBatch:
    """Queue the requests of an OpenAI batch file. GET /inference/batch/{batch_id}/output.jsonl
    returns the answers in OpenAI's format."""
    data = await request.body()
    chosen = {"backend": backend} if backend else {}

    def queued() -> QueuedBatch:
        own = {"model": model} if model else {}
        new = [
            NewTask(task.prompt, {**chosen, **task.values, **own}, task.custom_id)
            for task in openai_batch.read(data, name)
        ]
        return QueuedBatch.of(_submit(request, new, idempotency_key))

    return await run_in_threadpool(queued)


@router.get(BATCH)
def list_batches(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[BatchFacts]:
    """List the batches that you have queued, newest first."""
    return [
        BatchFacts.of(each)
        for each in task_batches.list_all(opened(), _visible_caller(request), limit)
    ]


@router.get(f"{BATCH}/{{batch_id}}", responses=error_responses(_404="No such batch"))
def show_batch(request: Request, batch_id: str) -> BatchFacts:
    """Return the number of tasks of a batch by status."""
    return BatchFacts.of(task_batches.load(opened(), batch_id, _visible_caller(request)))


@router.delete(f"{BATCH}/{{batch_id}}", responses=error_responses(_404="No such batch"))
def cancel_batch(request: Request, batch_id: str) -> BatchFacts:
    """Cancel the tasks of a batch that have not ended."""
    return BatchFacts.of(task_batches.cancel(opened(), batch_id, _visible_caller(request)))


@router.get(
    f"{BATCH}/{{batch_id}}/output.jsonl",
    response_class=Response,
    responses={
        200: {"content": {"application/jsonl": {}}, "description": "One line for each answer"},
        **error_responses(_404="No such batch"),
    },
)
def batch_output(request: Request, batch_id: str) -> StreamingResponse:
    """Return the answers of a batch so far, in the order of its prompts, as an OpenAI batch output
    file."""
    whose = _visible_caller(request)
    task_batches.load(opened(), batch_id, whose)
    lines = openai_batch.output_lines(tasks.ended(opened(), batch_id, whose))
    return _file(f"{batch_id}.jsonl", lines, "application/jsonl")


@router.get(
    f"{BATCH}/{{batch_id}}/output.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **error_responses(_404="No such batch")},
)
def batch_as_csv(request: Request, batch_id: str) -> StreamingResponse:
    """Return the tasks of a batch that have ended as CSV, with prompts and answers."""
    whose = _visible_caller(request)
    task_batches.load(opened(), batch_id, whose)
    pieces = tasks_csv(tasks.ended_with_prompts(opened(), batch_id, whose))
    return _file(f"{batch_id}.csv", pieces, "text/csv; charset=utf-8")


def _file(name: str, pieces: Iterator[bytes], mime: str) -> StreamingResponse:
    """Return a file that is sent while it is made."""
    disposition = {"Content-Disposition": f'attachment; filename="paceline-{name}"'}
    return StreamingResponse(pieces, media_type=mime, headers=disposition)


@router.get("/tasks", responses=error_responses(_404="No such batch or task"))
def list_tasks(
    request: Request,
    batch: Annotated[str | None, Query(description="Only tasks of this batch, in order")] = None,
    status: Annotated[TaskStatus | None, Query(description="Only tasks with this status")] = None,
    after: Annotated[str | None, Query(description="Only tasks after this one")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TaskList:
    """List the tasks that you have queued: those of a batch in order, or all, newest first."""
    wanted = TaskFilter(batch, status, _visible_caller(request), after, limit)
    found = [TaskFacts.of(task) for task in tasks.find(opened(), wanted)]
    return TaskList(tasks=found, next=found[-1].task_id if len(found) == limit else None)


@router.get("/tasks/{task_id}", responses=error_responses(_404="No such task"))
def show_task(request: Request, task_id: TaskId) -> TaskFacts:
    """Return a task: its status, and its answer once it is completed."""
    return TaskFacts.of(tasks.load(opened(), task_id, _visible_caller(request)))


@router.delete(
    "/tasks/{task_id}",
    responses=error_responses(_404="No such task", _409="The task has already ended"),
)
def cancel_task(request: Request, task_id: TaskId) -> TaskFacts:
    """Cancel a task, even if it is running."""
    return TaskFacts.of(tasks.cancel(opened(), task_id, _visible_caller(request)))


def _submit(request: Request, new: list[NewTask], key: str | None) -> Accepted:
    """Queue tasks, with a role that may.

    Raises:
        HTTPException: a runner may use only saved servers.
    """
    by = person_of(request)
    if by is not None and by.role is Role.runner:
        saved = servers.list_all(opened())
        for values in {settings.key_of(task.values): task.values for task in new}.values():
            if sentence := why_admin_only(values, saved):
                raise HTTPException(403, sentence)
    content = json.dumps([[task.prompt, task.values, task.custom_id] for task in new])
    repetition = IdempotentRequest.of(key, content.encode()) if key else None
    return inference.submit(opened(), caller_of(request), new, repetition, by)


def caller_of(request: Request) -> str:
    """Return the caller: the person or token that the gate let in, else the address of the
    client."""
    if person := person_of(request):
        return person.caller
    return f"address {request.client.host if request.client else 'unknown'}"


def _visible_caller(request: Request) -> str | None:
    return whose_tasks(person_of(request))


PATHS = tuple(dict.fromkeys(route.path for route in router.routes if isinstance(route, Route)))

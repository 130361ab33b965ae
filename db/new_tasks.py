"""Submission: prompts of a caller become the tasks of a batch, once for each idempotency key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from db.database import writing
from db.schema import task_batches, task_settings, tasks
from services.ask.tasks import MAX_WAITING, InvalidTask, NewTask
from services.base.surrogates import clean


class IdempotencyKeyReused(InvalidTask):
    """An idempotency key was used again with a different request."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request. Choose a new key, or send the same "
            "request again."
        )


@dataclass(frozen=True, slots=True)
class NewSettings:
    """Where tasks are sent, see `jobs/destination.py`. `server`: all of its tasks are handled by
    one process; `machine`: the only machine that can reach it, None: any."""

    config: Mapping[str, Any]
    server: str
    model: str
    destination: Mapping[str, Any] = field(repr=False)
    ticket: str | None = None
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored submission: the batch, its tasks in order, and whether it had been stored before."""

    batch_id: str
    task_ids: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """An idempotency key and the request sent with it, both as hashes."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, content: bytes) -> IdempotentRequest:
        return cls(_hash(key.encode("utf-8", "surrogatepass")), _hash(content))


def create(
    database: Engine,
    caller: str,
    settings: Sequence[NewSettings],
    new: Sequence[tuple[NewTask, int]],
    repetition: IdempotentRequest | None = None,
    maker: str | None = None,
) -> Accepted:
    """Store tasks, each with the number of its settings, in one transaction. If `repetition` has a
    key that was used before, what was stored then is returned instead. `maker`: the owner of the
    token that the caller is.

    Raises:
        InvalidTask: too many tasks of this caller are waiting.
        IdempotencyKeyReused: the key was used before with a different request.
    """
    try:
        with writing(database) as connection:
            return _create(connection, clean(caller), settings, new, repetition, maker)
    except IntegrityError:  # the same key at the same moment
        accepted = repetition and find_earlier(database, caller, repetition)
        if not accepted:
            raise
        return accepted


def _create(
    connection: Connection,
    caller: str,
    settings: Sequence[NewSettings],
    new: Sequence[tuple[NewTask, int]],
    repetition: IdempotentRequest | None,
    maker: str | None,
) -> Accepted:
    _check_waiting(connection, caller, len(new))
    batch_id, moment = f"batch_{uuid4().hex}", datetime.now(UTC)
    row = {"batch_id": batch_id, "caller": caller, "created_at": moment, "count": len(new)}
    row["maker"] = maker
    if repetition:
        row |= {"idempotency": repetition.key, "fingerprint": repetition.fingerprint}
    made = insert(task_batches).values(row).returning(task_batches.c.id)
    batch: int = connection.execute(made).scalar_one()
    numbers = [_settings(connection, batch, each) for each in settings]
    task_ids = tuple(str(uuid4()) for _ in new)
    rows = [
        {
            "task_id": task_id,
            "batch": batch,
            "settings": numbers[which],
            "caller": caller,
            "server": settings[which].server,
            "machine": settings[which].machine,
            "backend": settings[which].config["backend"],
            "model": settings[which].model,
            "custom_id": task.custom_id,
            "status": "queued",
            "prompt": task.prompt,
        }
        for task_id, (task, which) in zip(task_ids, new, strict=True)
    ]
    connection.execute(insert(tasks), rows)
    return Accepted(batch_id, task_ids)


def _settings(connection: Connection, batch: int, new: NewSettings) -> int:
    values = {"batch": batch, "config": new.config, "destination": new.destination}
    row = insert(task_settings).values(values | {"ticket": new.ticket})
    number: int = connection.execute(row.returning(task_settings.c.id)).scalar_one()
    return number


def _check_waiting(connection: Connection, caller: str, more: int) -> None:
    waiting = tasks.c.status == "queued", tasks.c.caller == caller
    count = connection.scalar(select(func.count()).select_from(tasks).where(*waiting)) or 0
    if count + more > MAX_WAITING:
        raise InvalidTask(
            f"{count:,} of your tasks are waiting; the maximum is {MAX_WAITING:,}. Wait until "
            "some have ended, or cancel them."
        )


def find_earlier(database: Engine, caller: str, repetition: IdempotentRequest) -> Accepted | None:
    """Return what was stored with an idempotency key of this caller, or None.

    Raises:
        IdempotencyKeyReused: it was used with a different request.
    """
    key = task_batches.c.caller == clean(caller), task_batches.c.idempotency == repetition.key
    with database.connect() as connection:
        batch = connection.execute(select(task_batches).where(*key)).first()
        if batch is None:
            return None
        if batch.fingerprint != repetition.fingerprint:
            raise IdempotencyKeyReused
        ids = select(tasks.c.task_id).where(tasks.c.batch == batch.id).order_by(tasks.c.id)
        return Accepted(batch.batch_id, tuple(connection.scalars(ids)), again=True)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Submitting tasks: single prompts that are answered in the background.

As for a run, the environment of whoever submits a task decides where it is sent, and its secrets
wait in the supervisor's memory. One process of the supervisor, `jobs/task_worker.py`, sends all of
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

import jobs
from db import new_tasks, servers
from db.database import on_one_machine
from db.new_tasks import Accepted, IdempotentRequest, NewSettings
from db.task_batches import AT
from jobs.destination import Destination, resolve
from jobs.keys import hand_over
from jobs.supervisor_lock import check_lock_file, machine_id
from services.ask.backends import NO_KEYS, TypedKeys
from services.ask.config import RunConfig, parse
from services.ask.tasks import MAX_TASKS, InvalidTask, NewTask, limits, settings
from services.ask.tasks.submission import submission
from services.base import settings as environment
from services.base.roles import Person


def submit(
    database: Engine,
    caller: str,
    new: Sequence[NewTask],
    repetition: IdempotentRequest | None = None,
    by: Person | None = None,
    typed: TypedKeys = NO_KEYS,
) -> Accepted:
    """Queue tasks of a caller as one batch, and start a supervisor if need be. If `repetition` has
    a key that was used before, what it queued then is returned instead. `by`: the person who
    submits them, if sign-in is on. `typed`: see `jobs.submit`.

    Raises:
        NotASavedServer: the person may use only saved servers, see `only_saved`.
        InvalidTask: there are no tasks, too many, or too many are waiting.
        InvalidConfig, BackendProblem: their settings cannot be used; see `jobs.submit`.
        InvalidLimit, InvalidSettings: a setting is invalid, or .env cannot be read.
        QueueProblem: the queue cannot be processed.
    """
    limits.at_once(environment.environment())
    if repetition and (accepted := new_tasks.find_earlier(database, caller, repetition)):
        jobs.ensure(database)
        return accepted
    if not 1 <= len(new) <= MAX_TASKS:
        raise InvalidTask(
            f"A batch can have 1 to {MAX_TASKS:,} tasks, but this one has {len(new):,}."
        )
    submitted = submission(new, lambda given: _config(database, given))
    jobs.check_person(database, submitted.configs, by)
    destinations = [resolve(config, typed) for config in submitted.configs]
    check_lock_file(database)
    hand_over(database, jobs.secrets_by_ticket(destinations))
    stored = [
        _settings(database, config, destination)
        for config, destination in zip(submitted.configs, destinations, strict=True)
    ]
    pairs = list(zip(submitted.tasks, submitted.which, strict=True))
    accepted = new_tasks.create(
        database, caller, stored, pairs, repetition, by.maker if by else None
    )
    jobs.ensure(database)
    return accepted


def _config(database: Engine, given: Mapping[str, Any]) -> RunConfig:
    """Return the config for the settings of a task, whose backend may be a saved server."""
    return parse(servers.expand(database, settings.values_of(given)))


def _settings(database: Engine, config: RunConfig, destination: Destination) -> NewSettings:
    """Return the settings to store for a destination. One with a key is left to the machine that
    holds the key in memory."""
    new = NewSettings(
        settings.to_dict(config),
        destination.lane,
        destination.model,
        destination.stored,
        destination.ticket,
        machine_id() if destination.ticket else destination.machine,
    )
    if destination.machine is None or on_one_machine(database):
        return new
    return replace(new, server=f"{destination.lane}{AT}{destination.machine}")

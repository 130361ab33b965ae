"""The job queue and its supervisor: connects `services`, which measure, and `db`, which stores.

The runs table is the queue. A run waits there as `queued`; a supervisor process (`python -m jobs`)
claims it, starts `python -m services.load.worker` for it, and stores what the worker reports. The
database itself allows one running run per lane (a unique index), so that two supervisors cannot
break the rule. There is no second list of jobs that could disagree with the runs, which is why no
workflow engine is used: an interrupted run must be marked and kept, never silently run again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import randbelow
from typing import Any

from sqlalchemy import Engine

from db import (
    comparisons,
    counts,
    engines,
    queue,
    retention,
    runs,
    servers,
    span_exports,
    task_batches,
    tasks,
)
from db.capacities import any_running as is_searching
from db.runs import AlreadyFinished, NewRun
from jobs.destination import Destination, resolve
from jobs.keys import hand_over
from jobs.starting import start
from jobs.supervisor_lock import QueueProblem, acquire_lock, check_lock_file, machine_id
from services.analysis import candidates
from services.analysis.comparison_design import ComparisonDesign, StoredComparison, check
from services.ask import backends, run_names
from services.ask.answer_times import Pace
from services.ask.answer_times import pace as expected_pace
from services.ask.backends import NO_KEYS, TypedKeys
from services.ask.config import RunConfig
from services.ask.measurement import Run
from services.ask.only_saved import check_only_saved
from services.ask.tasks import limits
from services.base import settings
from services.base.errors import Forbidden
from services.base.roles import NOBODY, Person, Role, belongs_to, origin_of

__all__ = [
    "NotOwner",
    "QueueProblem",
    "cancel",
    "cancel_comparison",
    "ensure",
    "may_cancel",
    "more",
    "pace",
    "submit",
    "submit_comparison",
]


class NotOwner(Forbidden):
    """A runner cancels their own runs only."""

    def __init__(self) -> None:
        super().__init__(
            "Runners can cancel only the runs that they started. Ask whoever started this one, or "
            "an admin."
        )


def submit(
    database: Engine,
    config: RunConfig,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    typed: TypedKeys = NO_KEYS,
    by: Person | None = None,
) -> int:
    """Queue a run, start a supervisor if need be, and return the run's id.

    `typed`: keys typed by the user, by the origin they are for; they override the environment's.
    They are kept in memory only, until the run has ended. `by`: the person who submits it, if
    sign-in is on.

    Raises:
        NotASavedServer: the person may use only saved servers, see `only_saved`.
        BackendProblem: no such backend, no key, no address.
        InvalidSettings: .env cannot be read.
        InvalidEdit: the name, a tag or the note is invalid.
        QueueProblem: the queue cannot be processed.
    """
    check_person(database, [config], by)
    destination = resolve(config, typed)
    check_lock_file(database)  # before the run is stored: if it fails, nothing has been done
    hand_over(database, secrets_by_ticket([destination]))
    run_id = runs.enqueue(database, _new(config, destination, name, tags, note, by))
    ensure(database)
    return run_id


def submit_comparison(
    database: Engine,
    configs: Sequence[RunConfig],
    design: ComparisonDesign,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    typed: TypedKeys = NO_KEYS,
    by: Person | None = None,
) -> StoredComparison:
    """Queue the runs of a comparison, the baseline first. Each has the comparison's repeats,
    whatever its config says. Their names consist of `name`, or else their backend, and of what
    differs.

    Raises:
        InvalidComparison: there are too few or too many, or the design is invalid.
        BackendProblem, NotASavedServer, InvalidEdit, QueueProblem: see `submit`. Nothing is queued.
    """
    check(design, configs)
    check_person(database, configs, by)
    if design.seed is None:
        design = replace(design, seed=randbelow(2**31))
    configs = [config.model_copy(update={"repeats": design.repeats}) for config in configs]
    destinations = [resolve(config, typed) for config in configs]
    new = [
        _new(config, destination, "", tags, note, by)
        for config, destination in zip(configs, destinations, strict=True)
    ]
    names = candidates.names(configs, name.strip(), [run.name for run in new])
    check_lock_file(database)
    hand_over(database, secrets_by_ticket(destinations))
    comparison = comparisons.create(
        database, design, [replace(run, name=each) for run, each in zip(new, names, strict=True)]
    )
    ensure(database)
    return comparison


def more(database: Engine, run_ids: Sequence[int], count: int, typed: TypedKeys = NO_KEYS) -> None:
    """Add `count` repeats to each of these finished runs, sent to the same destinations. The runs
    of a comparison are interleaved again.

    Raises:
        CannotRepeat: one of them is not done, or would have too many.
        BackendProblem, InvalidSettings: see `submit`.
        RunNotFound, QueueProblem.
    """
    comparisons.check_more(database, run_ids, count)
    destinations = earlier_destinations(database, runs.load_many(database, run_ids), typed)
    check_lock_file(database)
    hand_over(database, secrets_by_ticket(destinations.values()))
    stored = {run_id: destinations[run_id].stored_as for run_id in destinations}
    comparisons.repeat_more(database, run_ids, count, stored)
    ensure(database)


def cancel_comparison(database: Engine, comparison_id: int, by: Person | None = None) -> None:
    """Cancel every run of a comparison that has not ended. `by`: the person who asks, if sign-in is
    on.

    Raises:
        NotOwner: they belong to someone else. ComparisonNotFound, QueueProblem.
    """
    run_ids = comparisons.load(database, comparison_id).run_ids
    check_owner(database, run_ids, by)
    for run_id in run_ids:
        with suppress(AlreadyFinished):
            queue.request_cancel(database, run_id)
    ensure(database)


def secrets_by_ticket(destinations: Iterable[Destination]) -> Mapping[str, Any]:
    """Return the secrets to hand over for these runs, by ticket."""
    return {each.ticket: each.secrets for each in destinations if each.ticket is not None}


def earlier_destinations(
    database: Engine, again: Iterable[Run], typed: TypedKeys
) -> dict[int, Destination]:
    """Return the destinations of runs that are measured again, by run id: the same as before. Runs
    on an engine that Paceline starts have none. Raises BackendProblem, InvalidSettings."""
    return {
        run.id: resolve(run.config, typed, queue.destination(database, run.id)[0])
        for run in again
        if run.engine_id is None
    }


def check_person(database: Engine, configs: Iterable[RunConfig], by: Person | None) -> None:
    """Check that the person `by` may start these runs. Raises NotASavedServer."""
    if by is not None and by.role != Role.admin:
        saved = [server.values for server in servers.list_all(database).values()]
        check_only_saved(configs, saved)


def may_cancel(database: Engine, run_ids: Sequence[int], by: Person | None) -> bool:
    """Whether the person `by` may cancel these runs: an admin any; a runner those that they or
    their tokens, including revoked ones, started; a token those that it started."""
    if by is None or by.role is Role.admin:
        return True
    origins, caller = runs.origins(database, run_ids), by.caller
    own = (belongs_to(origins.get(each, NOBODY), caller) for each in run_ids)
    return by.role is Role.runner and all(own)


def check_owner(database: Engine, run_ids: Sequence[int], by: Person | None) -> None:
    """Check that the person `by` may cancel these runs. Raises NotOwner; RunNotFound: one does not
    exist."""
    if may_cancel(database, run_ids, by):
        return
    runs.load_many(database, run_ids)
    raise NotOwner


def _new(
    config: RunConfig,
    destination: Destination,
    name: str,
    tags: Sequence[str],
    note: str,
    by: Person | None,
) -> NewRun:
    lane, model = destination.lane, destination.model
    name = name if name.strip() else run_names.default_name(config, lane, model)
    stored, ticket = destination.stored_as
    return NewRun(
        config,
        lane,
        name,
        tuple(tags),
        note,
        stored,
        ticket,
        destination.machine,
        origin_of(by),
    )


def pace(database: Engine, config: RunConfig, typed: TypedKeys = NO_KEYS) -> Pace | None:
    """Return the expected pace of a run's answers, from earlier runs on its server."""
    env = settings.environment()
    try:
        model, lane = backends.target(config, env, typed).model, backends.lane(config, env)
    except backends.BackendProblem:
        return expected_pace(config, ())
    return expected_pace(config, counts.earlier_runs(database, config.backend, model, lane))


def cancel(database: Engine, run_id: int, by: Person | None = None) -> Run:
    """Request a run to stop; what it has measured is kept. `by`: the person who asks, if sign-in is
    on.

    Raises:
        NotOwner: it belongs to someone else. RunNotFound, AlreadyFinished, QueueProblem.
    """
    check_owner(database, [run_id], by)
    run = queue.request_cancel(database, run_id)
    ensure(database)
    return run


def ensure(database: Engine) -> None:
    """Start a supervisor if there is work, or data that is too old, and none is running.

    Raises:
        QueueProblem: its files cannot be written.
    """
    searching = is_searching(database, machine_id())
    waits = span_exports.next_waiting(database, machine_id()) is not None
    waits = waits or _has_old_token_times(database) or _has_old_batches(database)
    waits = waits or searching or tasks.active(database)
    if not (waits or queue.active(database) or engines.active(database)):
        return
    with acquire_lock(database) as lock:
        if lock is not None:
            start(database, lock)


def _has_old_token_times(database: Engine) -> bool:
    """Whether token times are due to be removed and the setting for it is valid."""
    with suppress(retention.InvalidRetention):
        days = retention.days_of(os.environ)
        return days is not None and retention.due(database, days) is not None
    return False


def _has_old_batches(database: Engine) -> bool:
    """Whether a batch is due to be deleted and the setting for it is valid."""
    with suppress(limits.InvalidLimit):
        return task_batches.due(database, limits.kept(os.environ))
    return False

"""The queue and who works it off: joins `services`, which measure, and `db`, which remembers.

The runs table is the queue. A run waits there as `queued`; a supervisor process (`python -m jobs`)
claims it, starts `python -m services.load.worker` for it, and writes what the worker tells. The
database itself allows one running run per lane (a unique index), so that two supervisors cannot
break the rule. There is no second list of jobs that could disagree with the runs, which is why this
is not a workflow engine: a run that was cut short is to be marked and kept, never silently run
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import randbelow
from typing import Any

from sqlalchemy import Engine

from db import comparisons, counts, engines, queue, runs
from db.runs import AlreadyFinished, NewRun
from jobs.keys import hand_over
from jobs.place import QueueProblem, place, see_to_place
from jobs.sent import Sent, sent
from jobs.starting import start
from services.analysis import candidates
from services.analysis.comparison_design import ComparisonDesign, StoredComparison, check
from services.ask import backends
from services.ask.answer_times import Pace
from services.ask.answer_times import pace as foreseen
from services.ask.backends import NO_KEYS, TypedKeys
from services.ask.config import RunConfig
from services.ask.measurement import Run
from services.base import settings

__all__ = [
    "QueueProblem",
    "cancel",
    "cancel_comparison",
    "ensure",
    "more",
    "pace",
    "submit",
    "submit_comparison",
]


def submit(
    database: Engine,
    config: RunConfig,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    typed: TypedKeys = NO_KEYS,
) -> int:
    """Queue a run, see that somebody works the queue off, and return the run's id.

    `typed`: keys by the origin that each was typed for. There they go before the environment's;
    they are in memory only, and gone when the run is over.

    Raises:
        BackendProblem: no such backend, no key, no address.
        InvalidSettings: .env cannot be read.
        InvalidEdit: a name, tag or note that cannot be kept.
        QueueProblem: nobody could work it off.
    """
    to = sent(config, typed)
    see_to_place(database)  # before the run is stored: where it fails, nothing has been done
    hand_over(database, kept_of([to]))
    run_id = runs.enqueue(database, _new(config, to, name, tags, note))
    ensure(database)
    return run_id


def submit_comparison(
    database: Engine,
    configs: Sequence[RunConfig],
    asked: ComparisonDesign,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    typed: TypedKeys = NO_KEYS,
) -> StoredComparison:
    """Queue runs that take turns, the reference first. Each has the comparison's repeats, whatever
    its config says. They are named by `name`, or by what they are, and by what differs.

    Raises:
        InvalidComparison: there are too few or too many, or the comparison itself cannot be.
        BackendProblem, InvalidEdit, QueueProblem: see `submit`; nothing is queued then.
    """
    check(asked, configs)
    if asked.seed is None:
        asked = replace(asked, seed=randbelow(2**31))
    configs = [config.model_copy(update={"repeats": asked.repeats}) for config in configs]
    to = [sent(config, typed) for config in configs]
    new = [_new(config, each, "", tags, note) for config, each in zip(configs, to, strict=True)]
    called = candidates.names(configs, name.strip(), [one.name for one in new])
    see_to_place(database)
    hand_over(database, kept_of(to))
    comparison = comparisons.create(
        database, asked, [replace(one, name=text) for one, text in zip(new, called, strict=True)]
    )
    ensure(database)
    return comparison


def more(database: Engine, run_ids: Sequence[int], count: int, typed: TypedKeys = NO_KEYS) -> None:
    """Measure finished runs again, `count` times each: further repeats of the same runs, sent to
    where they went. The runs of a comparison take turns once more.

    Raises:
        CannotRepeat: one of them is not done, or would have too many.
        BackendProblem, InvalidSettings: see `submit`.
        RunNotFound, QueueProblem.
    """
    comparisons.check_more(database, run_ids, count)
    to = sent_again(database, runs.load_many(database, run_ids), typed)
    see_to_place(database)
    hand_over(database, kept_of(to.values()))
    comparisons.repeat_more(
        database, run_ids, count, {run_id: to[run_id].stored_as for run_id in to}
    )
    ensure(database)


def cancel_comparison(database: Engine, comparison_id: int) -> None:
    """Cancel every run of a comparison that has not ended.

    Raises:
        ComparisonNotFound, QueueProblem.
    """
    for run_id in comparisons.load(database, comparison_id).run_ids:
        with suppress(AlreadyFinished):
            queue.request_cancel(database, run_id)
    ensure(database)


def kept_of(to: Iterable[Sent]) -> Mapping[str, Any]:
    """Return what is to be handed over for these runs, by ticket."""
    return {one.ticket: one.kept for one in to if one.ticket is not None}


def sent_again(database: Engine, again: Iterable[Run], typed: TypedKeys) -> dict[int, Sent]:
    """Return to whom runs go that are measured again: to where they went. Not those for which an
    engine is started. Raises BackendProblem, InvalidSettings."""
    return {
        run.id: sent(run.config, typed, queue.destination(database, run.id)[0])
        for run in again
        if run.engine_id is None
    }


def _new(config: RunConfig, to: Sent, name: str, tags: Sequence[str], note: str) -> NewRun:
    named = name if name.strip() else runs.default_name(config, to.lane, to.model)
    return NewRun(config, to.lane, named, tuple(tags), note, to.stored, to.ticket)


def pace(database: Engine, config: RunConfig, typed: TypedKeys = NO_KEYS) -> Pace | None:
    """Return how fast the answers of a run will come, by earlier runs on its server."""
    env = settings.environment()
    try:
        model, lane = backends.target(config, env, typed).model, backends.lane(config, env)
    except backends.BackendProblem:
        return foreseen(config, ())
    return foreseen(config, counts.seen(database, config.backend, model, lane))


def cancel(database: Engine, run_id: int) -> Run:
    """Ask for a run to be stopped; what it has measured is kept.

    Raises:
        RunNotFound, AlreadyFinished, QueueProblem.
    """
    run = queue.request_cancel(database, run_id)
    ensure(database)
    return run


def ensure(database: Engine) -> None:
    """Start a supervisor if there is work and none at it.

    Raises:
        QueueProblem: its files cannot be written.
    """
    if not (queue.active(database) or engines.active(database)):
        return
    with place(database) as held:
        if held is not None:
            start(database, held)

"""The queue and who works it off: joins `services`, which measure, and `db`, which remembers.

The runs table is the queue. A run waits there as `queued`; a supervisor process (`python -m jobs`)
claims it, starts `python -m services.worker` for it, and writes what the worker tells. The database
itself allows one running run per lane (a unique index), so that two supervisors cannot break the
rule. There is no second list of jobs that could disagree with the runs, which is why this is not a
workflow engine: a run that was cut short is to be marked and kept, never silently run again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import randbelow
from threading import Thread

from sqlalchemy import Engine

from db import engines, queue, runs, trials
from db.runs import AlreadyFinished, NewRun
from jobs.place import ROOT, QueueProblem, log_of, place, see_to_place
from services import backends, settings, versus
from services.config import RunConfig
from services.measurement import Run
from services.trial import Asked, Trial, check

__all__ = [
    "QueueProblem", "cancel", "cancel_trial", "ensure", "more", "submit", "submit_trial",
]  # fmt: skip


def submit(
    engine: Engine, config: RunConfig, name: str = "", tags: Sequence[str] = (), note: str = ""
) -> int:
    """Queue a run, see that somebody works the queue off, and return the run's id.

    Raises:
        BackendProblem: no such backend, no key, no address.
        InvalidEdit: a name, tag or note that cannot be kept.
        QueueProblem: nobody could work it off.
    """
    new = _new(config, name, tags, note)
    see_to_place(engine)  # before the run is stored: where it fails, nothing has been done
    run_id = runs.create(engine, config, new.lane, new.name, new.tags, new.note)
    ensure(engine)
    return run_id


def submit_trial(
    engine: Engine,
    configs: Sequence[RunConfig],
    asked: Asked,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
) -> Trial:
    """Queue runs that take turns, the reference first; each has the trial's repeats, whatever its
    config says. They are called by `name`, or by what they are, and by what differs between them.

    Raises:
        InvalidTrial: there are too few or too many, or the trial itself cannot be.
        BackendProblem, InvalidEdit, QueueProblem: see `submit`; nothing is queued then.
    """
    check(asked, configs)
    if asked.seed is None:
        asked = replace(asked, seed=randbelow(2**31))
    new = [
        _new(config.model_copy(update={"repeats": asked.repeats}), "", tags, note)
        for config in configs
    ]
    called = versus.names(configs, name.strip(), [one.name for one in new])
    see_to_place(engine)
    trial = trials.create(
        engine, asked, [replace(one, name=text) for one, text in zip(new, called, strict=True)]
    )
    ensure(engine)
    return trial


def more(engine: Engine, run_ids: Sequence[int], count: int) -> None:
    """Measure finished runs again, `count` times each: further repeats of the same runs. The runs
    of a trial take turns once more.

    Raises:
        CannotRepeat: one of them is not done, or would have too many.
        RunNotFound, QueueProblem.
    """
    see_to_place(engine)
    trials.repeat_more(engine, run_ids, count)
    ensure(engine)


def cancel_trial(engine: Engine, trial_id: int) -> None:
    """Cancel every run of a trial that has not ended.

    Raises:
        TrialNotFound, QueueProblem.
    """
    for run_id in trials.load(engine, trial_id).run_ids:
        with suppress(AlreadyFinished):
            queue.request_cancel(engine, run_id)
    ensure(engine)


def _new(config: RunConfig, name: str, tags: Sequence[str], note: str) -> NewRun:
    model = backends.target(config, settings.environment()).model
    lane = backends.lane(config, settings.environment())
    named = name if name.strip() else runs.default_name(config, lane, model)
    return NewRun(config, lane, named, tuple(tags), note)


def cancel(engine: Engine, run_id: int) -> Run:
    """Ask for a run to be stopped; what it has measured is kept.

    Raises:
        RunNotFound, AlreadyFinished, QueueProblem.
    """
    run = queue.request_cancel(engine, run_id)
    ensure(engine)
    return run


def ensure(engine: Engine) -> None:
    """Start a supervisor if there is work and none at it.

    Raises:
        QueueProblem: its files cannot be written.
    """
    if not (queue.active(engine) or engines.active(engine)):
        return
    with place(engine) as held:
        if held is not None:
            _start(engine, held)


def _start(engine: Engine, held: int) -> None:
    """Start a supervisor that has the place `held`, so that nobody starts another meanwhile."""
    url = engine.url.render_as_string(hide_password=False)
    with log_of(engine) as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs", str(held)],
            cwd=ROOT,
            env={**settings.without_file(), "PACELINE_DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=[held],
            start_new_session=True,  # it outlives the terminal and the web server
        )
    Thread(target=process.wait, daemon=True).start()  # or its end leaves a zombie with us

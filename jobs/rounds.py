"""Which turn a run of a trial has next, and whether the trial goes on for another round."""

from __future__ import annotations

from sqlalchemy import Engine

from db import results, runs, trials
from services.analysis.trial import Asked, goes_on
from services.ask.measurement import ACTIVE, Run


def next_turn(database: Engine, run_id: int) -> int | None:
    """Return the turn in which a running run is measured next; None: it has had all.

    The last of a trial to have its repeats asks whether the interval is narrow enough. If it is
    not, every run that is done is queued for one more, while this one still counts as running: at
    no time does the trial look as if it were over. A trial goes on by whole rounds: where one run
    was given more repeats than the others, it does not.
    """
    run = runs.load(database, run_id)
    if run.trial_id is None:
        return None
    if len(run.repeats) >= run.config.repeats:
        trial = trials.load(database, run.trial_id)
        others = [one for one in runs.load_many(database, trial.run_ids) if one.id != run_id]
        if run.cancel_requested or not _goes_on(database, trial.asked, run, others):
            return None
        trials.another_round(database, run, [one for one in others if one.status == "done"])
        run = runs.load(database, run_id)
    return trials.next_turn(database, run)


def _goes_on(database: Engine, asked: Asked, run: Run, others: list[Run]) -> bool:
    done = [other for other in others if other.status == "done"]
    waiting = any(other.status in ACTIVE for other in others)
    level = all(len(other.repeats) == len(run.repeats) for other in done)
    if asked.target is None or waiting or not level or not done:
        return False
    candidates = results.candidates(database, sorted([run.id, *(other.id for other in done)]))
    return goes_on(asked, len(run.repeats), candidates)

"""Which turn a run of a trial has next, and whether the trial goes on for another round."""

from __future__ import annotations

from sqlalchemy import Engine

from db import results, runs, trials
from services.compare.verdicts import deciding
from services.measurement import ACTIVE, Run
from services.trial import goes_on


def next_turn(engine: Engine, run_id: int) -> int | None:
    """Return the turn in which a running run is measured next; None: it has had all.

    The last of a trial to have its repeats asks whether the interval is narrow enough. If it is
    not, every run that is done is queued for one more, while this one still counts as running: at
    no time does the trial look as if it were over. A trial goes on by whole rounds: where one run
    was given more repeats than the others, it does not.
    """
    run = runs.load(engine, run_id)
    if run.trial_id is None:
        return None
    if len(run.repeats) >= run.config.repeats:
        others = [other for other in _others(engine, run) if other.status == "done"]
        if not _goes_on(engine, run, others):
            return None
        trials.another_round(engine, run, others)
        run = runs.load(engine, run_id)
    return trials.next_turn(engine, run)


def _goes_on(engine: Engine, run: Run, others: list[Run]) -> bool:
    assert run.trial_id is not None
    trial = trials.load(engine, run.trial_id)
    waiting = any(other.status in ACTIVE for other in _others(engine, run))
    level = all(len(other.repeats) == len(run.repeats) for other in others)
    if trial.asked.target is None or waiting or not level or not others:
        return False
    candidates = results.candidates(engine, sorted([run.id, *(other.id for other in others)]))
    repeats = min(len(each.run.repeats) for each in candidates)
    return goes_on(
        trial.asked, repeats, candidates, deciding(each.run.config.mode for each in candidates)
    )


def _others(engine: Engine, run: Run) -> list[Run]:
    assert run.trial_id is not None
    ids = trials.load(engine, run.trial_id).run_ids
    return [other for other in runs.load_many(engine, ids) if other.id != run.id]

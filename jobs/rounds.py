"""Whether a trial goes on when all of its runs have had their repeats."""

from __future__ import annotations

from sqlalchemy import Engine

from db import results, runs, trials
from services.compare.verdicts import deciding
from services.measurement import ACTIVE
from services.trial import goes_on


def go_on(engine: Engine, trial_id: int) -> None:
    """Give each run that is done one more repeat, if their interval is to be narrower than it is.

    Does nothing while one of them is still to be measured, or where the trial has no target.
    """
    trial = trials.load(engine, trial_id)
    found = runs.load_many(engine, trial.run_ids)
    if trial.asked.target is None or any(run.status in ACTIVE for run in found):
        return
    done = [run.id for run in found if run.status == "done"]
    candidates = results.candidates(engine, done)
    repeats = min((len(run.repeats) for run in found if run.status == "done"), default=0)
    decides = deciding(run.config.mode for run in found if run.id in done)
    if candidates and goes_on(trial.asked, repeats, candidates, decides):
        trials.repeat_more(engine, done, 1)

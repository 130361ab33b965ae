"""Decides when a run of a comparison is measured next, and whether there is another round."""

from __future__ import annotations

from sqlalchemy import Engine

from db import comparisons, results, runs
from services.analysis.comparison_design import ComparisonDesign, needs_another_round
from services.ask.measurement import ACTIVE, Run


def next_item(database: Engine, run_id: int) -> int | None:
    """Return the index of a running run's next work item; None: it has none left.

    The last run of a comparison to finish its repeats checks whether the interval is narrow enough.
    If not, every run that is done is queued for one more while this one still counts as running, so
    the comparison never looks finished in between. Only whole rounds are added: where one run was
    given more repeats than the others, none is.
    """
    run = runs.load(database, run_id)
    if run.comparison_id is None:
        return None
    if len(run.repeats) >= run.config.repeats:
        comparison = comparisons.load(database, run.comparison_id)
        others = [
            other for other in runs.load_many(database, comparison.run_ids) if other.id != run_id
        ]
        if run.cancel_requested or not _needs_another_round(
            database, comparison.design, run, others
        ):
            return None
        done = [other for other in others if other.status == "done"]
        comparisons.another_round(database, run, done)
        run = runs.load(database, run_id)
    return comparisons.next_item(database, run)


def _needs_another_round(
    database: Engine, design: ComparisonDesign, run: Run, others: list[Run]
) -> bool:
    done = [other for other in others if other.status == "done"]
    waiting = any(other.status in ACTIVE for other in others)
    level = all(len(other.repeats) == len(run.repeats) for other in done)
    if design.target is None or waiting or not level or not done:
        return False
    candidates = results.candidates(database, sorted([run.id, *(other.id for other in done)]))
    return needs_another_round(design, len(run.repeats), candidates)

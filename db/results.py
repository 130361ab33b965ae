"""A run with its measurements and its numbers, as pages, exports and comparisons take it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from sqlalchemy import Engine

from db import runs
from services.compare import Candidate
from services.measurement import ACTIVE, Measurement, Run
from services.prices import price
from services.summary import Summary, summarize

MOST_KNOWN = 200  # summaries, of a few kB each
_known: dict[Hashable, Summary] = {}  # of this process


def candidate(engine: Engine, run_id: int, texts: bool = False) -> Candidate:
    """Load one run whole; `texts`: with the answers.

    Raises:
        RunNotFound: there is no such run.
    """
    run = runs.load(engine, run_id)
    measured = runs.measurements(engine, run_id, texts)
    return Candidate(run, measured, _summary(engine, run, measured))


def _summary(engine: Engine, run: Run, measured: Sequence[Measurement]) -> Summary:
    """Work a run out; one that has ended, once: its numbers stay the same, until more repeats of it
    are measured."""
    cost = price(run.config.backend, run.config.model)
    if run.status in ACTIVE:
        return summarize(measured, cost)
    key = (engine, run.id, run.status, run.ended_at, len(run.repeats), len(measured), cost)
    found = _known.get(key) or summarize(measured, cost)
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[key] = found
    return found


def candidates(engine: Engine, run_ids: Sequence[int]) -> list[Candidate]:
    """Load several runs, in the order asked for.

    Raises:
        RunNotFound: for the first that is missing.
    """
    return [candidate(engine, run_id) for run_id in run_ids]

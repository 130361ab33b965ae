"""A run with its measurements and its numbers, as pages, exports and comparisons take it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from db import runs
from services.compare import Candidate
from services.prices import price_of
from services.summary import summarize


def candidate(engine: Engine, run_id: int, texts: bool = False) -> Candidate:
    """Load one run whole; `texts`: with the answers.

    Raises:
        RunNotFound: there is no such run.
    """
    run = runs.load(engine, run_id)
    measured = runs.measurements(engine, run_id, texts)
    return Candidate(run, measured, summarize(measured, price_of(run.config)))


def candidates(engine: Engine, run_ids: Sequence[int]) -> list[Candidate]:
    """Load several runs, in the order asked for.

    Raises:
        RunNotFound: for the first that is missing.
    """
    return [candidate(engine, run_id) for run_id in run_ids]

"""A run with its measurements and its numbers, as pages, exports and comparisons take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from db import runs
from services.compare import Candidate
from services.imports.stated import placed
from services.objectives import judged, objectives_of
from services.prices import price_of
from services.summary import summarize


def candidate(
    engine: Engine, run_id: int, texts: bool = False, judgement: Mapping[str, Any] | None = None
) -> Candidate:
    """Load one run whole; `texts`: with the answers. `judgement` holds objectives and price to
    judge it by instead of its own (see `JUDGEMENT`).

    Raises:
        RunNotFound: there is no such run.
    """
    run = runs.load(engine, run_id)
    measured = runs.measurements(engine, run_id, texts)
    config = judged(run.config, judgement or {})
    summary = summarize(measured, price_of(config), objectives_of(config))
    return Candidate(run, measured, placed(run, summary))


def candidates(
    engine: Engine, run_ids: Sequence[int], judgement: Mapping[str, Any] | None = None
) -> list[Candidate]:
    """Load several runs, in the order asked for, to be judged alike.

    Raises:
        RunNotFound: for the first that is missing.
    """
    return [candidate(engine, run_id, judgement=judgement) for run_id in run_ids]

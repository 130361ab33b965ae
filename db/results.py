"""A run with its measurements and its numbers, as pages, exports and comparisons take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from db import runs
from services.compare import Candidate
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
    summary = summarize(measured, price_of(config), objectives_of(config), run.placed)
    return Candidate(run, measured, summary)


def candidates(
    engine: Engine,
    run_ids: Sequence[int],
    judgement: Mapping[str, Any] | None = None,
    margin: float | None = None,
    texts: bool = False,
) -> list[Candidate]:
    """Load several runs, in the order asked for, to be judged alike; `margin`: the share within
    which differences do not matter, instead of what was chosen before they were measured.

    Raises:
        RunNotFound: for the first that is missing.
    """
    found = [candidate(engine, run_id, texts, judgement) for run_id in run_ids]
    if margin is None:
        return found
    return [replace(each, run=replace(each.run, margin=margin)) for each in found]

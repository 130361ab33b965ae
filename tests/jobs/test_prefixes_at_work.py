"""What prompts share is found in the cache of a real engine, as much as is planned."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import jobs
from db import results
from services.analysis.diagnostics import diagnostics
from services.analysis.summary.cached import cached_share
from services.ask.config import parse
from services.ask.prefixes import prefixes_of
from tests.conftest import finished


@pytest.mark.long
@pytest.mark.slow
def test_the_embedded_engine_caches_the_planned_share_of_two_documents(
    database: Engine,
) -> None:
    load = {"requests": 6, "pause_s": 0, "warmup": 0, "max_tokens": 1}
    shared = {"prefix_share": 0.6, "prefix_count": 2, "input_tokens": 300}
    config = parse({**load, **shared})
    run = finished(database, jobs.submit(database, config), 240)
    assert run.error is None
    candidate = results.candidate(database, run.id)
    planned, observed = prefixes_of(config), cached_share(candidate.measurements)
    assert planned is not None and observed is not None
    assert observed == pytest.approx(planned.planned, abs=0.02)
    found = diagnostics(run, candidate.measurements, candidate.summary)
    assert not [each.title for each in found if "prefix cache" in each.title]

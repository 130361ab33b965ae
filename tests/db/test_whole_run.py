"""The queue and its processes on both databases, given by their URL alone."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import jobs
from db import results, runs
from services.ask.config import parse
from tests.conftest import ReferenceServer, finished


@pytest.mark.long
def test_a_run_is_queued_measured_and_read_back(
    database: Engine, url: str, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", url)  # for the processes that are started
    fields = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=4"}
    config = parse({**fields, "mode": "batch", "requests": 30, "repeats": 2, "warmup": 0})
    run_id = jobs.submit(database, config, "both", ["a", "b"], "noted")
    run = finished(database, run_id)
    assert (run.status, run.name, run.tags, run.note) == ("done", "both", ("a", "b"), "noted")
    candidate = results.candidate(database, run_id, texts=True)
    assert candidate.summary.ok == 60
    assert {m.answer for m in candidate.measurements} == {" w0 w1 w2 w3"}
    assert all(
        len(m.token_times) == 4 and m.t_first == m.token_times[0] for m in candidate.measurements
    )
    assert runs.search(database)[0].headline["output_tokens"] == 240

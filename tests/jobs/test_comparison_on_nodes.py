"""A comparison from the nodes of a cluster, as far as it goes without one: `tests/engines` has it
with a real Ray."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import jobs
from db import runs
from services.analysis.comparison_design import ComparisonDesign
from services.ask.backends import BackendProblem
from services.ask.config import parse

ON = "ray://127.0.0.1:10001"


def test_both_candidates_of_a_comparison_are_sent_from_the_cluster(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ensure", lambda database: None)  # nothing is measured
    values = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m", "on": ON}
    configs = [parse(values), parse({**values, "mode": "batch"})]
    with pytest.raises(BackendProblem, match="is not a configured Ray cluster"):
        jobs.submit_comparison(database, configs, ComparisonDesign())
    assert runs.count(database) == 0, "neither is queued"
    monkeypatch.setenv("PACELINE_RAY_CLUSTERS", ON)
    compared = jobs.submit_comparison(database, configs, ComparisonDesign())
    queued = runs.load_many(database, compared.run_ids)
    assert [run.config.on for run in queued] == [ON, ON]
    with pytest.raises(BackendProblem, match="is not a configured Ray cluster"):
        jobs.submit_comparison(
            database,
            [configs[0], parse({**values, "on": "ray://127.0.0.1:10002"})],
            ComparisonDesign(),
        )

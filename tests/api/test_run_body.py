"""A run in a request body has the same fields, and the same refusals, wherever it is given."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from api.capacities import NewCapacity
from api.comparisons import NewComparison
from api.run_body import RunBody
from api.runs import NewRun
from api.studies import NewStudy
from services.ask.config import RunConfig
from services.ask.sessions import sessions_of
from tests.api.conftest import call, problem

SAID = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
SESSION = {"conversations": [*SAID, {"from": "human", "value": "Bye"}]}
REPLAY = {"mode": "replay", "trace": [[0, 9, 3], [1, 9, 3]]}


def bodies(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The bodies that contain a run, by path."""
    return {
        "/runs": run,
        "/comparisons": {"candidates": [run, {**run, "seed": 1}]},
        "/studies": {"preset": "concurrency", "concurrencies": [1, 2], "run": run},
        "/capacities": {"servers": [run]},
    }


def runs_in(run: dict[str, Any]) -> list[RunConfig]:
    given = bodies(run)
    return [
        NewRun.model_validate(given["/runs"]),
        NewComparison.model_validate(given["/comparisons"]).candidates[0],
        NewStudy.model_validate(given["/studies"]).run,
        NewCapacity.model_validate(given["/capacities"]).servers[0],
    ]


def test_entries_of_a_prompt_file_are_prompts_everywhere() -> None:
    for run in runs_in({"prompts": [{"prompt": "a", "output_tokens": 5}, SESSION]}):
        assert isinstance(run, RunBody)
        assert run.workload == "file" and run.prompts[0] == "a" and run.prompt_max_tokens == (5, 0)
        assert sessions_of(run) is not None


def test_a_replay_has_as_many_requests_as_rows_everywhere() -> None:
    assert [run.requests for run in runs_in(REPLAY)] == [2, 2, 2, 2]


@pytest.mark.parametrize("path", bodies({}))
def test_another_number_of_requests_in_a_replay_is_refused(database: Engine, path: str) -> None:
    refused = call("POST", path, json=bodies({**REPLAY, "requests": 9})[path])
    problem(refused, 422)
    assert "has no effect in a trace replay" in refused.text

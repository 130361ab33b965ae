"""Every mode, workload and API format through every door: chosen and explained in the form, watched
while it runs, read again on Result and Compare, exported, and started again by the command line
from its scenario and by the API from its config."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

import cli
from db import results
from services.ask import modes
from services.ask.backends.dialects import DIALECTS
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.ask.workloads import WORKLOADS
from tests.api.conftest import call
from tests.conftest import ReferenceServer, finished
from tests.pages.conftest import Visit, sound, text_of

SHORT = {"max_tokens": "4", "warmup": "0", "requests": "4"}
TURNS = b'{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, \
{"from": "human", "value": "c"}]}'


@dataclass(frozen=True)
class Choice:
    """What is chosen in the form, and what else it begins with so that the run is short."""

    field: str
    value: str
    begins: dict[str, str] = field(default_factory=dict)


SETTINGS = {  # of a mode or a workload
    "sequential": {"pause_s": "0"},
    "users": {"users": "2", "think_s": "0.01"},
    "constant": {"rate": "50"},
    "poisson": {"rate": "50"},
    "gamma": {"rate": "50", "burstiness": "0.5"},
    "ramp": {"rate": "10", "end_rate": "50", "duration_s": "1"},
    "steps": {"rate": "10", "end_rate": "50", "duration_s": "1"},
    "replay": {"trace_speed": "10", "trace_to_s": "5"},
    "trace": {"trace_to_s": "5"},
    "synthetic": {"input_tokens": "20", "turns": "2"},
    "mixed": {"input_tokens": "20", "long_input_tokens": "50", "long_max_tokens": "5"},
}
CHOICES = {
    "mode": [Choice("mode", name, SETTINGS.get(name, {})) for name in MODES],
    "workload": [
        Choice("workload", name, SETTINGS.get(name, {}) | {"mode": "batch"}) for name in WORKLOADS
    ],
    "dialect": [Choice("dialect", name, {"mode": "batch"}) for name in DIALECTS],
}
CONTROLS: dict[str, Callable[[AppTest, str], Any]] = {
    "mode": lambda at, value: at.segmented_control(key="run-mode").set_value(value),
    "workload": lambda at, value: at.segmented_control(key="run-workload").set_value(value),
    "dialect": lambda at, value: at.selectbox(key="run-dialect").set_value(value),
}
MORE: dict[str, Callable[[AppTest], Any]] = {  # without which a workload is not complete
    "text": lambda at: at.text_area(key="run-prompt").set_value("Why?"),
    "file": lambda at: at.file_uploader[0].upload("a.jsonl", TURNS, "text/plain"),
}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("field", list(CHOICES))
def test_each_is_chosen_explained_run_watched_compared_and_exported(
    visit: Visit, database: Engine, reference: ReferenceServer, tmp_path: Path, field: str
) -> None:
    numbers = range(1, len(CHOICES[field]) + 1)
    for number, choice in zip(numbers, CHOICES[field], strict=True):
        started_in_the_form(visit, reference, choice)
        sound(visit("live", run=str(number)))
    for number, choice in zip(numbers, CHOICES[field], strict=True):
        run = finished(database, number)
        assert (run.status, run.error, getattr(run.config, field)) == ("done", None, choice.value)
        started_by_a_scenario(number, tmp_path / f"{number}.yaml")
        started_by_the_api(run.config)
    for number in numbers:
        config = finished(database, number).config
        same = [number, *(len(numbers) + 2 * number + each for each in (-1, 0))]
        for run_id in same:
            again = finished(database, run_id)
            assert (again.status, again.config) == ("done", config)
            exported_in_full(database, run_id)
        sound(visit("result", run=str(number)))
        sound(visit("compare", runs=",".join(map(str, same))))


def started_in_the_form(visit: Visit, reference: ReferenceServer, choice: Choice) -> None:
    server = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    at = visit("run", **server, **SHORT, **choice.begins)
    CONTROLS[choice.field](at, choice.value)
    at = sound(at.run())
    if more := MORE.get(choice.value):
        more(at)
        at = sound(at.run())
    assert "Sends " in text_of(at)
    assert "Assumes " in text_of(at), "there is no picture of the schedule"
    start = next(button for button in at.button if button.label == "Start")
    assert not start.disabled, text_of(at)
    sound(start.click().run())


def started_by_a_scenario(run_id: int, file: Path) -> None:
    written = cli.main(["scenario", "run", str(run_id), "--own-prompts", "--output", str(file)])
    assert (written, cli.main(["run", str(file)])) == (0, 0)


def started_by_the_api(config: RunConfig) -> None:
    body = config.model_dump(mode="json", exclude_unset=True)
    assert call("POST", "/runs", json=body).status_code == 202


def exported_in_full(database: Engine, run_id: int) -> None:
    """Every request was answered, and has a row in the file."""
    candidate = results.candidate(database, run_id)
    config, measurements = candidate.run.config, candidate.measurements
    assert {m.status for m in measurements} == {"ok"}
    assert config.duration_s or len(measurements) == modes.max_requests(config)
    rows = csv.DictReader(io.StringIO(call("GET", f"/runs/{run_id}/requests.csv").text))
    assert sum(1 for _ in rows) == len(measurements)

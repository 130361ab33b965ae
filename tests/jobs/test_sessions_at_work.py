"""Sessions measured for real: by the embedded engine, whose cache knows the history."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Engine

import jobs
from db import results, runs
from services.ask.config import parse
from tests.conftest import finished

pytestmark = pytest.mark.slow

TURNS, SAID, ANSWERED = 3, 80, 8  # turns of a session, and the tokens of what is said in each


@pytest.mark.long
def test_each_session_is_sent_by_one_process(
    database: Engine, reference_run: Callable[..., int]
) -> None:
    values = {"workload": "synthetic", "turns": 3, "input_tokens": 8, "history": "answered"}
    load = {"mode": "batch", "requests": 14, "processes": 2, "max_tokens": 3, "turn_delay_s": 0.05}
    run = finished(database, reference_run("ref ttft=0.01 most_messages=3", **values, **load))
    assert (run.status, run.repeats[0].health["processes"]) == ("done", 2)
    measured = runs.measurements(database, run.id)
    assert [m.index for m in measured] == list(range(14))
    assert [m.index for m in measured if m.status == "failed"] == [2, 5, 8, 11]
    for before, m in pairwise(measured):
        if m.index % 3:
            assert m.t_due == pytest.approx(before.t_end + 0.05, abs=1e-6)  # type: ignore[operator]
    longer = reference_run("ref most_messages=3", **{**values, **load, "turns": 7})
    health = finished(database, longer).repeats[0].health
    assert health["unsent_turns"] == {"failed": 8}, "of both processes together"


@pytest.mark.long
@pytest.mark.parametrize("history", ["recorded", "answered"])
def test_earlier_turns_are_in_the_prefix_cache_of_later_ones(
    database: Engine, history: str
) -> None:
    values = {"turns": TURNS, "input_tokens": SAID, "max_tokens": ANSWERED, "ignore_eos": True}
    load = {"requests": 6, "pause_s": 0.0, "turn_delay_s": 0.1, "warmup": 0, "history": history}
    run = finished(database, jobs.submit(database, parse({**values, **load})), 180)
    assert (run.status, run.error) == ("done", None)
    measured = runs.measurements(database, run.id)
    assert [(m.index, m.status) for m in measured] == [(index, "ok") for index in range(6)]
    for before, m in pairwise(measured):
        if m.index % TURNS:
            assert m.t_due == pytest.approx(before.t_end + 0.1, abs=1e-6)  # type: ignore[operator]
            assert m.t_send >= m.t_due  # type: ignore[operator]
            assert m.prompt_tokens > before.prompt_tokens + SAID / 2  # type: ignore[operator]
            # What it sent before is known; the answer is only as the engine itself wrote it.
            assert m.cached_tokens >= 0.9 * before.prompt_tokens  # type: ignore[operator]
    summary = results.candidate(database, run.id).summary
    assert summary.session_s is not None and summary.session_s.n == 2
    later, first = summary.classes["later"].cached_share, summary.classes["first"].cached_share
    assert (later or 0) > 0.4 > (first or 0)

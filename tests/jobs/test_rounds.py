"""Runs of a comparison take turns, round by round."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

import jobs
from db import comparisons, queue, recording, runs
from db.database import opened
from db.runs import NewRun
from jobs import rounds
from services.analysis.comparison_design import ComparisonDesign, StoredComparison, order
from services.analysis.samples import repeat_start_s
from services.ask.config import parse
from services.ask.measurement import Repeat, Run
from tests.conftest import SLOW, ReferenceServer, finished, until
from tests.values import NOON
from tests.values import measured as answered


def comparison_of(
    reference: ReferenceServer, *models: str, **asked: Any
) -> tuple[StoredComparison, list[Run]]:
    """Measure a comparison to its end, one request a repeat."""
    database = opened()
    shared = {"backend": "url", "base_url": reference.base_url, "requests": 1, "warmup": 0}
    configs = [parse({**shared, "mode": "batch", "model": model}) for model in models]
    comparison = jobs.submit_comparison(database, configs, ComparisonDesign(**asked))
    ended = [finished(database, run_id) for run_id in comparison.run_ids]
    return comparisons.load(database, comparison.id), ended


def in_turn(measured: list[Run]) -> list[int]:
    """Which of the runs was measured first, second, …, by when their repeats began."""
    began = [
        (repeat.began_at, place) for place, run in enumerate(measured) for repeat in run.repeats
    ]
    return [place for _, place in sorted(began)]


@pytest.mark.long
def test_runs_of_a_comparison_are_interleaved_in_the_order_of_its_seed(
    database: Engine, reference: ReferenceServer
) -> None:
    comparison, measured = comparison_of(
        reference, "ref tokens=2", "ref tokens=3", seed=5, repeats=3, most=3
    )
    wanted = [place for repeat in range(3) for place in order(5, repeat, 2)]
    assert in_turn(measured) == wanted
    for run, tokens in zip(measured, (2, 3), strict=True):
        assert run.status == "done"
        found = runs.measurements(database, run.id)
        assert [(m.repeat, m.output_tokens) for m in found] == [(i, tokens) for i in range(3)]
    assert len({run.environment["prompt_mark"] for run in measured}) == 2
    prompts = {p for p in reference.log() if p}
    assert len(prompts) >= 6, "every repeat has prompts of its own"
    assert comparison.design.repeats == 3
    for run in measured:  # on one time axis, a turn after the other
        moments = [repeat_start_s(repeat) or 0.0 for repeat in run.repeats]
        ends = [t + (r.duration_s or 0.0) for t, r in zip(moments, run.repeats, strict=True)]
        assert all(0 < end <= t for end, t in zip(ends, moments[1:], strict=False))
    assert [run.margin for run in measured] == [0.05, 0.05]


@pytest.mark.long
def test_a_comparison_continues_until_its_interval_is_narrow(
    database: Engine, reference: ReferenceServer
) -> None:
    models = ("ref tokens=2 ttft=0.05", "ref tokens=2 ttft=0.1")
    comparison, measured = comparison_of(reference, *models, repeats=3, most=5, target=1e-9)
    until(lambda: comparisons.load(database, comparison.id).design.repeats == 5, 30)
    measured = [finished(database, run.id) for run in measured]
    until(lambda: not queue.active(database), 30)
    assert [len(runs.load(database, run.id).repeats) for run in measured] == [5, 5]


def wide_comparison(database: Engine) -> StoredComparison:
    """Two runs that are done, and whose interval is far wider than the target."""
    asked = ComparisonDesign(seed=1, repeats=3, most=10, target=1e-9)
    new = [NewRun(parse({"mode": "batch", "repeats": 3}), lane) for lane in "ab"]
    comparison = comparisons.create(database, asked, new)
    for run_id in comparison.run_ids:
        for repeat in range(3):
            measure(database, run_id, repeat)
        queue.finish(database, run_id, "done")
    return comparison


def measure(database: Engine, run_id: int, repeat: int) -> None:
    recording.add_repeat(database, run_id, Repeat(repeat, NOON, 1.0, {}))
    recording.add_measurements(
        database, run_id, [answered(repeat=repeat, e2e=2.0 + repeat**run_id)]
    )


@pytest.mark.long
def test_a_comparison_adds_only_whole_rounds(database: Engine) -> None:
    one, other = wide_comparison(database).run_ids
    assert rounds.next_item(database, one) is not None
    assert runs.load(database, other).status == "queued", "another round, for both"
    for run_id in (one, other):
        measure(database, run_id, 3)
        queue.finish(database, run_id, "done")
    comparisons.repeat_more(database, [one], 1)
    measure(database, one, 4)
    assert rounds.next_item(database, one) is None, "one alone was asked for more"
    assert runs.load(database, other).status == "done"


def test_a_comparison_cancelled_at_the_last_moment_does_not_continue(database: Engine) -> None:
    one, other = wide_comparison(database).run_ids
    comparisons.repeat_more(database, [one, other], 1)
    measure(database, other, 3)
    queue.finish(database, other, "done")
    running = queue.claim(database)
    assert running is not None and running.id == one
    measure(database, one, 3)
    queue.request_cancel(database, one)
    assert rounds.next_item(database, one) is None
    assert runs.load(database, other).status == "done"


def test_a_failed_run_does_not_stop_its_comparison(
    database: Engine, reference: ReferenceServer
) -> None:
    _, (broken, sound) = comparison_of(
        reference, "ref status=500", "ref tokens=2", repeats=2, most=2
    )
    assert (broken.status, len(broken.repeats)) == ("failed", 1)
    assert (sound.status, len(sound.repeats)) == ("done", 2)


@pytest.mark.long
def test_a_cancelled_comparison_leaves_nothing_queued(
    database: Engine, reference: ReferenceServer
) -> None:
    configs = [
        parse({"backend": "url", "base_url": reference.base_url, "model": SLOW, "requests": 1})
        for _ in range(2)
    ]
    comparison = jobs.submit_comparison(database, configs, ComparisonDesign())
    first = until(lambda: [r for r in runs.search(database) if r.status == "running"], 15)
    assert len(first) == 1, "both at once"
    jobs.cancel_comparison(database, comparison.id)
    assert {finished(database, run_id).status for run_id in comparison.run_ids} == {"cancelled"}

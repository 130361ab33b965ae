"""Interleaved runs: which is next, whatever happens to the others."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, update

from db import comparisons, queue, recording, runs, schema
from db.comparisons import CannotRepeat, ComparisonNotFound
from db.database import writing
from db.runs import NewRun
from services.analysis.comparison_design import ComparisonDesign, StoredComparison
from services.ask.config import RunConfig
from services.ask.measurement import Repeat, Run, RunStatus
from tests.values import NOON


def comparison_of(database: Engine, *lanes: str, repeats: int = 3) -> StoredComparison:
    config = RunConfig(repeats=repeats)
    return comparisons.create(
        database, ComparisonDesign(5, repeats, repeats), [NewRun(config, x) for x in lanes]
    )


def measure(database: Engine, run: Run) -> None:
    """Process one work item of a claimed run."""
    recording.add_repeat(database, run.id, Repeat(len(run.repeats), NOON, 1.0, {}))
    index = comparisons.next_item(database, runs.load(database, run.id))
    if index is None:
        queue.finish(database, run.id, "done")
    else:
        assert queue.requeue(database, run.id, index, {})


def measured(database: Engine, most: int = 100) -> list[int]:
    """Process the queue, one work item at a time; return the run of each."""
    work_items = []
    while len(work_items) < most and (run := queue.claim(database)) is not None:
        assert queue.claim(database) is None or run.comparison_id is None, (
            "two of a comparison at once"
        )
        work_items.append(run.id)
        measure(database, run)
    return work_items


def rounds(claimed: Sequence[int], candidates: int) -> list[list[int]]:
    return [sorted(claimed[i : i + candidates]) for i in range(0, len(claimed), candidates)]


@pytest.mark.parametrize("lanes", [("a", "a", "a"), ("a", "b", "c"), ("a", "b", "a")])
def test_every_round_has_every_candidate_once(database: Engine, lanes: tuple[str, ...]) -> None:
    comparison = comparison_of(database, *lanes)
    assert rounds(measured(database), 3) == [list(comparison.run_ids)] * 3


@pytest.mark.parametrize("status", ["cancelled", "interrupted", "failed"])
def test_a_run_that_drops_out_does_not_delay_the_others(
    database: Engine, status: RunStatus
) -> None:
    comparison = comparison_of(database, "a", "b", "a")
    gone, *rest = comparison.run_ids
    measured(database, 4)
    queue.finish(database, gone, status)
    after = measured(database)
    assert gone not in after
    assert [len(run.repeats) for run in runs.load_many(database, rest)] == [3, 3]


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("done", [0, 1, 4, 5])
def test_after_a_run_is_deleted_the_others_continue_in_rounds(
    database: Engine, index: int, done: int
) -> None:
    comparison = comparison_of(database, "a", "a", "a", repeats=4)
    measured(database, done)
    runs.delete(database, comparison.run_ids[index])
    left = comparisons.load(database, comparison.id).run_ids
    while (run := queue.claim(database)) is not None:
        others = [other for other in runs.load_many(database, left) if other.id != run.id]
        assert len(run.repeats) <= min(len(other.repeats) for other in others), "out of its round"
        measure(database, run)
    assert [len(run.repeats) for run in runs.load_many(database, left)] == [4, 4]


def test_a_comparison_that_waits_for_a_lane_does_not_block_the_other_lanes(
    database: Engine,
) -> None:
    alone = runs.create(database, RunConfig(), "a")
    assert queue.claim(database) is not None
    comparison = comparison_of(database, "a", "b")
    later = runs.create(database, RunConfig(), "b")
    claimed = [run.id for run in (queue.claim(database), queue.claim(database)) if run]
    assert claimed == [later]
    for run_id in (alone, later):
        queue.finish(database, run_id, "done")
    following = queue.claim(database)
    assert following is not None and following.comparison_id == comparison.id


def test_more_repeats_of_one_run_do_not_repeat_the_others(database: Engine) -> None:
    comparison = comparison_of(database, "a", "b")
    first, second = comparison.run_ids
    measured(database)
    comparisons.repeat_more(database, [first], 2)
    assert measured(database) == [first, first]
    assert [len(run.repeats) for run in runs.load_many(database, [first, second])] == [5, 3]
    comparisons.repeat_more(database, [first, second], 2)
    claimed = measured(database)
    assert claimed == [second, second, first, first], "those of earlier rounds come first"
    with pytest.raises(CannotRepeat, match="1 to 43 more"):
        comparisons.repeat_more(database, [first, second], 44)


def test_an_unknown_comparison_is_not_found(database: Engine) -> None:
    with pytest.raises(ComparisonNotFound, match="no comparison 1"):
        comparisons.load(database, 1)


def test_a_comparison_without_remaining_runs_is_not_found(database: Engine) -> None:
    comparison = comparison_of(database, "a", "b")
    for run_id in comparison.run_ids:
        runs.delete(database, run_id)
    with pytest.raises(ComparisonNotFound, match="There is no comparison 1"):
        comparisons.load(database, comparison.id)


def test_a_cancel_while_a_work_item_ends_is_not_lost(database: Engine) -> None:
    comparison_of(database, "a", "b")
    run = queue.claim(database)
    assert run is not None
    errors: list[BaseException] = []

    def cancel() -> None:
        try:
            queue.request_cancel(database, run.id)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=cancel)
    with writing(database) as connection:
        ends = update(schema.runs).where(schema.runs.c.id == run.id)
        connection.execute(ends.values(status="queued"))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it waits for what is being written"
    thread.join(10)
    assert not errors
    loaded = runs.load(database, run.id)
    assert (loaded.status, loaded.cancel_requested) == ("cancelled", True)
    assert loaded.ended_at is not None


def test_the_second_of_two_simultaneous_requests_for_more_fails(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = comparison_of(database, "a", "a")
    measured(database)
    as_both_saw_them = runs.load_many(database, comparison.run_ids)
    comparisons.repeat_more(database, comparison.run_ids, 1)
    monkeypatch.setattr(comparisons, "load_many", lambda *_: as_both_saw_them)
    with pytest.raises(CannotRepeat, match="already being measured again"):
        comparisons.repeat_more(database, comparison.run_ids, 2)
    monkeypatch.undo()
    assert {run.config.repeats for run in runs.load_many(database, comparison.run_ids)} == {4}

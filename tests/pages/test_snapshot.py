"""What is shown of a run at a moment is worked out once for all who watch it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from db import queue, recording, runs
from pages.widgets.snapshot import latest, snapshot
from services.ask.measurement import Progress
from tests.stored import store
from tests.values import measured


def test_a_snapshot_is_computed_once_for_twenty_viewers(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store(database, [measured(0)], status="running", requests=4)
    recording.add_progress(database, run_id, Progress(1.0, 0, 3, 1, 1, 1, 10))
    calls: list[int] = []
    stored = runs.progress

    def counted(*arguments: Any, **more: Any) -> list[Progress]:
        calls.append(run_id)
        return stored(*arguments, **more)

    monkeypatch.setattr(runs, "progress", counted)
    run = runs.load(database, run_id)
    seen = [snapshot(run, dark=False) for _ in range(20)]
    assert len(calls) == 1
    assert seen[0].standing.in_flight == 1 and seen[0].chart is not None
    queue.heartbeat(database, run_id, "Another phase")
    snapshot(runs.load(database, run_id), dark=False)
    snapshot(run, dark=True)
    assert len(calls) == 3


def test_a_run_is_cached_unless_a_fresh_one_is_requested(
    database: Engine,
) -> None:
    run_id = store(database, [measured(0)], status="running", requests=4)
    assert not latest(run_id)[0].phase
    queue.heartbeat(database, run_id, "Another phase")
    assert not latest(run_id)[0].phase
    assert latest(run_id, fresh=True)[0].phase == "Another phase"
    assert latest(run_id)[0].phase == "Another phase"
    with pytest.raises(runs.RunNotFound):
        latest(run_id, run_id + 1)


def test_each_run_has_its_own_snapshot(database: Engine) -> None:
    first = store(database, [measured(0)], status="running", requests=4)
    other = store(database, [], status="queued", requests=7)
    shown = [snapshot(runs.load(database, run_id), dark=False) for run_id in (first, other)]
    assert [snapshot_.standing.total for snapshot_ in shown] == [4, 7]

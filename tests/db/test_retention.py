"""Token times of old runs are removed, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from db import baselines, request_columns, results, retention, runs, schema, shares
from db.database import now, writing
from db.retention import InvalidRetention, days_of, due, remove_some
from services.analysis.diagnostics import diagnostics
from services.report.export.document import run_document
from tests.stored import store

DAYS = 30


def age(database: Engine, run_id: int, days: int = DAYS + 1) -> int:
    """Let a run have ended so long ago."""
    this = update(schema.runs).where(schema.runs.c.id == run_id)
    with writing(database) as connection:
        connection.execute(this.values(ended_at=now(connection, timedelta(days=days))))
    return run_id


def remove_all(database: Engine) -> int:
    steps = 0
    while remove_some(database, DAYS):
        steps += 1
        assert steps < 1000
    return steps


def times(database: Engine, run_id: int) -> list[int]:
    return [len(m.token_times) for m in runs.measurements(database, run_id)]


def test_an_old_run_loses_its_token_times_and_keeps_all_else(database: Engine) -> None:
    old, new = age(database, store(database)), store(database)
    before, headline = results.candidate(database, old), runs.headlines(database, [old])
    assert all(times(database, old)) and remove_all(database) == 2
    assert not any(times(database, old)) and all(times(database, new))
    after = results.candidate(database, old)
    for was, now_is in zip(before.measurements, after.measurements, strict=True):
        assert (was.t_send, was.t_first, was.t_last, was.output_tokens) == (
            now_is.t_send,
            now_is.t_first,
            now_is.t_last,
            now_is.output_tokens,
        )
    assert runs.headlines(database, [old]) == headline
    assert after.run.token_times_removed_at is not None
    found = diagnostics(after.run, after.measurements, after.summary, after.samples)
    assert "Token times were removed" in {diagnostic.title for diagnostic in found}
    document = run_document(after)
    assert document["run"]["token_times_removed_at"]
    assert [row["chunks_s"] for row in document["requests"]] == [[], [], []]
    assert remove_all(database) == 0


def test_baselines_shared_and_running_runs_keep_their_token_times(database: Engine) -> None:
    baseline, shared = (age(database, store(database)) for _ in range(2))
    running = age(database, store(database, status="running"))
    baselines.save(database, "model", "tiny", baseline)
    shares.publish(database, [shared], None)
    assert due(database, DAYS) is None and not remove_some(database, DAYS)
    assert all(all(times(database, run_id)) for run_id in (baseline, shared, running))


def test_token_times_are_removed_in_batches(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    old = age(database, store(database))
    assert remove_some(database, DAYS)
    assert [bool(count) for count in times(database, old)] == [False, False, True]
    assert runs.load(database, old).token_times_removed_at is None
    remove_all(database)
    assert not any(times(database, old))


def test_a_large_run_without_token_times_can_be_read(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("SMALL", "LARGE"):
        monkeypatch.setattr(request_columns, limit, 2)
    old = store(database)
    request_columns.store(database, old)
    age(database, old)
    remove_all(database)
    results._known.clear()
    after = results.candidate(database, old)
    assert after.summary.ok == 3 and after.table.timed()[1] == []


@pytest.mark.parametrize("written", ["0", "-1", "1.5", "a", "999999"])
def test_an_invalid_number_of_days_is_refused(written: str) -> None:
    with pytest.raises(InvalidRetention, match="whole number of days"):
        days_of({"PACELINE_TOKEN_TIMES_DAYS": written})
    assert days_of({}) is None and days_of({"PACELINE_TOKEN_TIMES_DAYS": " 90 "}) == 90

"""A large run is read by its fields, and says the same as a small one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine, delete, select, update

from db import recording, request_columns, results, runs, schema
from db.request_columns import StoredRequests
from services.analysis.compare import Candidate
from services.analysis.diagnostics import diagnostics
from services.analysis.summary import serialize
from services.ask.measurement import Measurement
from services.ask.measurements import NUMBERS, TEXTS, Measurements, as_table
from services.report import tables
from services.report.charts import CHARTS, spec
from tests.services.ask.test_measurements import some
from tests.stored import store


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(request_columns, "SMALL", 50)
    monkeypatch.setattr(request_columns, "LARGE", 100)
    monkeypatch.setattr(request_columns, "PART", 60)
    monkeypatch.setattr(request_columns, "SAMPLED", 1_000)  # more than there are: all
    results._known.clear()
    yield
    results._known.clear()


def large(database: Engine) -> tuple[int, list[Measurement]]:
    """A run of 400 requests of every kind, in three repeats."""
    rows = [replace(m, index=m.index % 150, answer=f"answer {m.index}") for m in some()]
    run_id = store(database, rows)
    return run_id, runs.measurements(database, run_id)


def test_the_fields_of_a_large_run_are_those_of_its_requests(database: Engine) -> None:
    run_id, rows = large(database)
    candidate = results.candidate(database, run_id)
    stored, listed = candidate.table, as_table(rows)
    assert isinstance(stored.source, StoredRequests)
    for name in NUMBERS:
        np.testing.assert_array_equal(stored.numbers(name), listed.numbers(name))
    for name in TEXTS:
        words = [
            [t.words[code] for code in t.codes] for t in (stored.texts(name), listed.texts(name))
        ]
        assert words[0] == words[1]
    assert list(stored) == rows
    assert [tuple(times) for times in stored.timed()[1]] == [tuple(m.token_times) for m in rows]


def test_a_field_that_came_after_the_arrays_of_a_run_is_not_known(database: Engine) -> None:
    run_id, _ = large(database)
    assert np.nansum(results.candidate(database, run_id).table.numbers("prefill_s")) > 0
    table = schema.request_columns
    with database.begin() as connection:
        connection.execute(delete(table).where(table.c.name == "prefill_s"))
    source = StoredRequests(database, run_id, 400, texts=False, under_way=False)
    assert np.isnan(source.numbers("prefill_s")).all()
    assert len(source.numbers("prefill_s")) == 400


def test_single_requests_of_a_large_run_can_be_read(database: Engine) -> None:
    run_id, rows = large(database)
    stored = results.candidate(database, run_id).measurements
    assert stored[7] == rows[7]
    assert stored[-1] == rows[-1]
    assert list(stored[300:320]) == rows[300:320]
    assert [m.index for m in as_table(stored).at(np.array([399, 3, 151]))] == [99, 3, 1]
    with_answers = results.candidate(database, run_id, texts=True).measurements
    assert with_answers[160].answer == "answer 160"


def test_numbers_and_charts_of_the_arrays_equal_those_of_the_requests(database: Engine) -> None:
    run_id, rows = large(database)
    stored = results.candidate(database, run_id)
    small = Candidate(stored.run, rows, results.summarize(rows, config=stored.run.config))
    assert serialize.to_dict(stored.summary) == serialize.to_dict(small.summary)
    assert diagnostics(stored.run, stored.measurements, stored.summary) == diagnostics(
        small.run, small.measurements, small.summary
    )
    for entry in CHARTS:
        if entry.least == 1:
            one, other = (entry.draw([each]) for each in (stored, small))
            assert (one and spec(one)) == (other and spec(other))


def test_a_smaller_run_is_read_from_its_arrays_once_they_exist(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_columns, "LARGE", 1_000)
    run_id, rows = large(database)
    before = results.candidate(database, run_id)
    assert not isinstance(before.table.source, StoredRequests)
    request_columns.store(database, run_id)
    results._known.clear()
    after = results.candidate(database, run_id)
    assert isinstance(after.table.source, StoredRequests) and after.table.complete
    assert after.summary == before.summary
    assert list(after.measurements) == rows
    recording.add_measurements(database, run_id, [replace(m, repeat=9) for m in rows[:50]])
    more = results.candidate(database, run_id)
    assert not isinstance(more.table.source, StoredRequests) and len(more.measurements) == 450


def test_the_summary_of_a_smaller_run_is_stored_once_it_has_arrays(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_columns, "LARGE", 1_000)
    run_id = store(database, some(), status="running")
    request_columns.store(database, run_id)  # as the supervisor does before it finishes a run
    results.candidate(database, run_id)
    assert "summary" in _kept_names(database)


def test_arrays_whose_token_times_were_removed_meanwhile_are_not_complete(
    database: Engine,
) -> None:
    run_id, _ = large(database)
    results.candidate(database, run_id)
    requests = schema.requests
    with database.begin() as connection:
        connection.execute(update(requests).where(requests.c.repeat == 0).values(token_times=()))
    source = StoredRequests(database, run_id, 400, texts=False, under_way=False)
    assert not source.complete
    assert source.timed()[1] == []


def test_a_sample_of_the_token_times_is_spread_over_the_run(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_columns, "SAMPLED", 57)  # of 400: every seventh
    run_id, rows = large(database)
    table = results.candidate(database, run_id).table
    timed, times = table.timed()
    assert list(timed) == rows[::7]
    assert [tuple(each) for each in times] == [tuple(m.token_times) for m in rows[::7]]
    note = tables.distributions(results.candidate(database, run_id)).note
    assert "Inter-chunk latency: of 58 requests, evenly spaced" in note
    good = table.where(table.are("ok"))
    assert list(good.timed()[0]) == [m for m in rows[::7] if m.status == "ok"]


def test_a_running_run_is_read_with_its_newest_requests(database: Engine) -> None:
    rows = some()
    run_id = store(database, rows[:300], status="running")
    assert len(results.candidate(database, run_id).measurements) == 300
    recording.add_measurements(database, run_id, rows[300:])
    now = results.candidate(database, run_id).measurements
    assert list(now) == runs.measurements(database, run_id)
    assert not _kept_names(database)


def test_more_repeats_rebuild_the_arrays(database: Engine) -> None:
    run_id, rows = large(database)
    assert len(results.candidate(database, run_id).measurements) == 400
    recording.add_measurements(database, run_id, [replace(m, repeat=9) for m in rows[:50]])
    now = results.candidate(database, run_id).measurements
    assert len(now) == 450
    assert list(now) == runs.measurements(database, run_id)


@pytest.mark.long
def test_the_summary_is_computed_once_for_all_processes(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = large(database)
    first = results.candidate(database, run_id).summary
    assert "summary" in _kept_names(database)
    results._known.clear()  # as in another process
    with monkeypatch.context() as patch:
        patch.delattr(results, "summarize")
        again = results.candidate(database, run_id)
    assert isinstance(again.table.source, StoredRequests)
    assert again.summary == first
    judged = results.candidate(database, run_id, judgement={"ttft_limit_s": 0.5}).summary
    assert judged.attainment is not None


def test_deleting_a_run_deletes_its_arrays(database: Engine) -> None:
    run_id, _ = large(database)
    results.candidate(database, run_id)
    assert _kept_names(database)
    runs.delete(database, run_id)
    assert not _kept_names(database)


def test_a_small_run_has_no_arrays(database: Engine) -> None:
    run_id = store(database)
    assert results.candidate(database, run_id).table.complete
    assert not _kept_names(database)


def test_an_empty_selection_has_no_measurements(database: Engine) -> None:
    run_id, _ = large(database)
    table = results.candidate(database, run_id).table
    assert list(table.where(np.zeros(400, dtype=bool))) == []
    assert isinstance(table[0:0], Measurements)


def _kept_names(database: Engine) -> set[str]:
    with database.connect() as connection:
        return set(connection.scalars(select(schema.request_columns.c.name)))

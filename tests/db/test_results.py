"""What pages take of a run: its numbers are worked out once it has ended, and anew when they can
have changed."""

from sqlalchemy import Engine

from db import recording, results
from services.analysis.summary import summarize
from services.ask.measurement import Repeat
from tests.stored import store
from tests.values import NOON, measured


def test_a_run_that_has_ended_is_worked_out_once(database: Engine) -> None:
    run_id = store(database)
    first = results.candidate(database, run_id)
    assert results.candidate(database, run_id).summary is first.summary
    assert first.summary == summarize(first.measurements)


def test_more_repeats_update_the_result(database: Engine) -> None:
    run_id = store(database)
    assert len(results.candidate(database, run_id).summary.repeats) == 1
    recording.add_repeat(database, run_id, Repeat(1, NOON, 1.0, {}))
    recording.add_measurements(database, run_id, [measured(0, repeat=1)])
    assert len(results.candidate(database, run_id).summary.repeats) == 2


def test_a_running_run_is_computed_on_each_request(database: Engine) -> None:
    run_id = store(database, status="running")
    first = results.candidate(database, run_id)
    assert results.candidate(database, run_id).summary is not first.summary

"""Engines that wait, start, die, and are wanted no more; the runs that wait for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from db import engines, queue, runs, schema, shares, studies
from db.database import writing
from db.engines import EngineBusy, EngineNotFound
from db.runs import NewRun, RunBusy
from db.studies import NewCell, StudyNotFound
from services.ask.config import RunConfig
from services.servers.engines import EngineConfig
from services.studies.cell import Cell
from services.studies.grid import cells
from services.studies.study import progress_sentence
from services.studies.study_config import StudyConfig, parse_study

TWO = StudyConfig(
    engine=EngineConfig(), parallel=((1, 1, 1), (2, 1, 1)), batches=(1, 2), preset="tensor"
)


def new(study: StudyConfig, problem: str | None = None) -> list[NewCell]:
    return [
        NewCell(cell, NewRun(cell.config, "", f"cell {cell.index}"), problem)
        for cell in cells(study)
    ]


def submitted(database: Engine, study: StudyConfig = TWO) -> int:
    return studies.create(database, study, "Does it scale?", new(study))


def stale(database: Engine, engine_id: int, seconds: float = 30) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=seconds)
    with writing(database) as connection:
        this = update(schema.engines).where(schema.engines.c.id == engine_id)
        connection.execute(this.values(heartbeat_at=long_ago))


def statuses(database: Engine, study_id: int) -> list[str]:
    return [run.status for run in studies.load(database, study_id).runs]


def test_an_engine_started_by_a_person_does_not_wait(database: Engine) -> None:
    first, second = (engines.create(database, EngineConfig(tp=size)) for size in (1, 2))
    assert engines.active(database) == 2
    one, two = engines.claim(database), engines.claim(database)
    assert one and two and (one.id, two.id) == (first, second)
    assert (one.status, one.starts, two.config.tp) == ("starting", 1, 2)
    assert engines.claim(database) is None
    assert [server.id for server in engines.list_running(database)] == [first, second]


def test_a_run_waits_for_its_engine_and_engines_of_studies_for_each_other(database: Engine) -> None:
    submitted(database)
    assert queue.claim(database) is None, "no engine is ready"
    first = engines.claim(database)
    assert first and engines.claim(database) is None, "two would share the devices"
    engines.ready(database, first.id, {"tensor_parallel": 1})
    run = queue.claim(database)
    assert run and run.engine_id == first.id and run.study_id and run.cell == 0
    assert queue.claim(database) is None, "one run at a time on an engine"
    assert not engines.heartbeat(database, first.id)
    queue.finish(database, run.id, "done")
    second_run = queue.claim(database)
    assert second_run and second_run.cell == 1
    assert not engines.heartbeat(database, first.id), "its last run is being measured"
    queue.finish(database, second_run.id, "done")
    assert engines.heartbeat(database, first.id), "no run is left for it"
    engines.ended(database, first.id)
    second = engines.claim(database)
    assert second and second.config.tp == 2
    assert engines.load(database, first.id).status == "stopped"


def test_a_failed_start_fails_its_cells_with_its_reason(database: Engine) -> None:
    study_id = submitted(database)
    first = engines.claim(database)
    assert first
    engines.ended(database, first.id, "There is no such model.", "Check its name.")
    engines.give_up_runs(database)
    study = studies.load(database, study_id)
    assert [run.status for run in study.runs] == ["failed", "failed", "queued", "queued"]
    assert study.runs[0].error == "There is no such model."
    assert study.engines[0].hint == "Check its name."
    second = engines.claim(database)
    assert second and second.config.tp == 2, "the study goes on"


def test_an_engine_that_dies_is_restarted_a_limited_number_of_times(database: Engine) -> None:
    submitted(database)
    for start in range(1, engines.MAX_STARTS + 1):
        server = engines.claim(database)
        assert server and server.starts == start
        engines.ready(database, server.id, {})
        again = engines.restart(database, server.id, "It was killed.")
        assert again == (start < engines.MAX_STARTS)


def test_engines_without_heartbeat_are_lost_or_planned_again(database: Engine) -> None:
    own = engines.create(database, EngineConfig())
    assert engines.claim(database)
    submitted(database)
    of_study = engines.claim(database)
    assert of_study
    silent = engines.heartbeats(database)
    stale(database, own)
    stale(database, of_study.id)
    assert engines.end_lost(database, silent) == [], "they have been heard of since"
    assert sorted(engines.end_lost(database, engines.heartbeats(database))) == [own, of_study.id]
    assert engines.load(database, own).status == "failed"
    assert engines.load(database, own).error == engines.LOST
    assert engines.load(database, of_study.id).status == "planned"
    assert engines.heartbeat(database, own), "whoever still has it must end it"


def test_stopping_an_engine_fails_its_waiting_runs(database: Engine) -> None:
    study_id = submitted(database)
    server = engines.claim(database)
    assert server
    engines.request_stop(database, server.id)
    assert engines.heartbeat(database, server.id)
    engines.ended(database, server.id)
    engines.give_up_runs(database)
    assert statuses(database, study_id) == ["failed", "failed", "queued", "queued"]
    assert studies.load(database, study_id).runs[0].error == "Its engine was stopped."


def test_an_engine_that_waits_is_stopped_at_once(database: Engine) -> None:
    engine_id = engines.create(database, EngineConfig())
    assert engines.request_stop(database, engine_id).status == "stopped"
    assert engines.claim(database) is None
    assert engines.active(database) == 0
    engines.delete(database, engine_id)
    with pytest.raises(EngineNotFound):
        engines.load(database, engine_id)


def test_an_engine_that_is_up_cannot_be_deleted(database: Engine) -> None:
    engine_id = engines.create(database, EngineConfig())
    assert engines.claim(database)
    with pytest.raises(EngineBusy, match="Stop it first"):
        engines.delete(database, engine_id)


def test_the_time_to_ready_is_remembered_by_engine(database: Engine) -> None:
    assert engines.seconds_to_ready(database, "vllm") is None
    engines.create(database, EngineConfig(engine="vllm"))
    server = engines.claim(database)
    assert server
    engines.ready(database, server.id, {})
    took = engines.seconds_to_ready(database, "vllm")
    assert took is not None and 0 <= took < 60
    assert engines.seconds_to_ready(database, "sglang") is None


def test_a_resumed_study_measures_what_was_cut_short_and_keeps_the_rest(database: Engine) -> None:
    study_id = submitted(database)
    server = engines.claim(database)
    assert server
    engines.ready(database, server.id, {})
    done = queue.claim(database)
    assert done
    queue.finish(database, done.id, "done")
    cut = queue.claim(database)
    assert cut
    queue.finish(database, cut.id, "interrupted")
    engines.ended(database, server.id, engines.LOST)
    before = studies.load(database, study_id)
    assert progress_sentence(before.runs) == "1 of 4 cells measured, 2 queued, 1 interrupted"
    studies.resume(database, study_id, [run.id for run in before.to_resume])
    after = studies.load(database, study_id)
    assert [run.status for run in after.runs] == ["done", "queued", "queued", "queued"]
    assert after.runs[0].id == done.id and after.runs[1].id > cut.id
    assert after.runs[1].config == cut.config
    assert runs.load(database, cut.id).status == "interrupted", "the first try is kept"
    assert [one.status for one in after.engines] == ["planned", "planned"]


def test_added_cells_use_the_existing_engines(database: Engine) -> None:
    study_id = submitted(database)
    wider = parse_study({**TWO.model_dump(), "batches": [4]})
    studies.extend(database, study_id, wider, new(wider))
    study = studies.load(database, study_id)
    assert [run.config.requests for run in study.runs] == [1, 2, 1, 2, 4, 4]
    assert [run.cell for run in study.runs] == [0, 1, 2, 3, 4, 5]
    assert len(study.engines) == 2
    assert study.config == wider


def test_a_cell_that_cannot_run_is_stored_with_its_reason(database: Engine) -> None:
    why = "It needs 8 GPUs, and this machine has none."
    study_id = studies.create(database, TWO, "x", new(TWO, why))
    study = studies.load(database, study_id)
    assert {(run.status, run.error) for run in study.runs} == {("failed", why)}
    assert engines.active(database) == 0, "no engine starts for it"


def test_the_runs_of_a_study_without_engines_share_a_lane(database: Engine) -> None:
    config = RunConfig(backend="embedded")
    study = StudyConfig(preset="concurrency", run=config, concurrencies=(1, 2))
    made = [
        NewCell(Cell(i, None, one.config), NewRun(one.config, "embedded"))
        for i, one in enumerate(cells(study))
    ]
    study_id = studies.create(database, study, "sweep", made)
    first = queue.claim(database)
    assert first and first.study_id == study_id and queue.claim(database) is None
    assert not studies.load(database, study_id).engines


def test_studies_are_listed_and_deleted_with_all_they_measured(database: Engine) -> None:
    first, second = submitted(database), submitted(database)
    rows = studies.list_all(database)
    assert [(row.id, row.cells, row.done, row.active) for row in rows] == [
        (second, 4, 0, 4),
        (first, 4, 0, 4),
    ]
    server = engines.claim(database)
    assert server
    engines.ready(database, server.id, {})
    run = queue.claim(database)
    assert run
    with pytest.raises(RunBusy):
        studies.delete(database, first)
    queue.finish(database, run.id, "done")
    engines.ended(database, server.id)
    studies.delete(database, first)
    assert [row.id for row in studies.list_all(database)] == [second]
    with pytest.raises(StudyNotFound):
        studies.load(database, first)
    with pytest.raises(runs.RunNotFound):
        runs.load(database, run.id)


def test_an_engine_stopped_too_soon_starts_again_for_waiting_runs(database: Engine) -> None:
    study_id = submitted(database)
    server = engines.claim(database)
    assert server
    engines.ready(database, server.id, {})
    engines.ended(database, server.id)  # the supervisor was told to end
    assert engines.load(database, server.id).status == "planned"
    engines.give_up_runs(database)
    assert statuses(database, study_id) == ["queued"] * 4
    again = engines.claim(database)
    assert again and again.id == server.id


def test_a_requested_stop_outlives_a_lost_supervisor(database: Engine) -> None:
    study_id = submitted(database)
    server = engines.claim(database)
    assert server
    engines.request_stop(database, server.id)
    stale(database, server.id)
    assert engines.end_lost(database, engines.heartbeats(database)) == [server.id]
    found = engines.load(database, server.id)
    assert (found.status, found.error) == ("stopped", None)
    engines.give_up_runs(database)
    assert statuses(database, study_id) == ["failed", "failed", "queued", "queued"]


def test_an_engine_that_kills_its_supervisor_is_restarted_a_limited_number_of_times(
    database: Engine,
) -> None:
    submitted(database)
    for _ in range(engines.MAX_STARTS):
        server = engines.claim(database)
        assert server and server.config.tp == 1
        stale(database, server.id)
        assert engines.end_lost(database, engines.heartbeats(database)) == [server.id]
    assert engines.load(database, server.id).status == "failed"
    engines.give_up_runs(database)
    after = engines.claim(database)
    assert after and after.config.tp == 2, "the study goes on"


def test_runs_of_an_engine_are_claimed_only_on_its_machine(database: Engine) -> None:
    submitted(database)
    there = engines.claim(database, "there")
    assert there
    assert queue.claim(database, "here") is None
    other = submitted(database)
    here = engines.claim(database, "here")
    assert here and here.study_id in (there.study_id, other), "it does not share that one's devices"
    engines.ready(database, there.id, {})
    assert queue.claim(database, "here") is None
    run = queue.claim(database, "there")
    assert run and run.engine_id == there.id
    assert [beat.machine for beat in engines.heartbeats(database)] == ["there", "here"]


def test_runs_of_a_deleted_engine_fail(database: Engine) -> None:
    study_id = submitted(database)
    for server in studies.load(database, study_id).engines:
        engines.delete(database, server.id)
    engines.give_up_runs(database)
    assert statuses(database, study_id) == ["failed"] * 4


def test_deleting_a_study_deletes_its_shared_pages(database: Engine) -> None:
    study_id = submitted(database)
    study = studies.load(database, study_id)
    kept = shares.create(database, [study.runs[0].id], "one run", b"<html>")
    shares.publish_study(database, study)
    assert len(shares.list_all(database)) == 2
    studies.delete(database, study_id)
    assert shares.list_all(database) == [] and shares.load(database, kept.token) is None

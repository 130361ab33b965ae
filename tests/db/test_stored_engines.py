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
from services.studies.asked import StudyConfig, parse_study
from services.studies.cell import Cell
from services.studies.grid import cells
from services.studies.study import standing_of

TWO = StudyConfig(
    engine=EngineConfig(), parallel=((1, 1, 1), (2, 1, 1)), batches=(1, 2), preset="tensor"
)


def new(study: StudyConfig, problem: str | None = None) -> list[NewCell]:
    return [NewCell(cell, NewRun(cell.config, "", f"cell {cell.place}"), problem)
            for cell in cells(study)]  # fmt: skip


def submitted(engine: Engine, study: StudyConfig = TWO) -> int:
    return studies.create(engine, study, "Does it scale?", new(study))


def stale(engine: Engine, engine_id: int, seconds: float = 30) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=seconds)
    with writing(engine) as connection:
        this = update(schema.engines).where(schema.engines.c.id == engine_id)
        connection.execute(this.values(heartbeat_at=long_ago))


def statuses(engine: Engine, study_id: int) -> list[str]:
    return [run.status for run in studies.load(engine, study_id).runs]


def test_an_engine_that_a_person_starts_waits_for_nobody(engine: Engine) -> None:
    first, second = (engines.create(engine, EngineConfig(tp=size)) for size in (1, 2))
    assert engines.active(engine) == 2
    one, two = engines.claim(engine), engines.claim(engine)
    assert one and two and (one.id, two.id) == (first, second)
    assert (one.status, one.starts, two.config.tp) == ("starting", 1, 2)
    assert engines.claim(engine) is None
    assert [server.id for server in engines.up(engine)] == [first, second]


def test_a_run_waits_for_its_engine_and_engines_of_studies_for_each_other(engine: Engine) -> None:
    submitted(engine)
    assert queue.claim(engine) is None, "no engine is ready"
    first = engines.claim(engine)
    assert first and engines.claim(engine) is None, "two would share the devices"
    engines.ready(engine, first.id, {"tensor_parallel": 1})
    run = queue.claim(engine)
    assert run and run.engine_id == first.id and run.study_id and run.cell == 0
    assert queue.claim(engine) is None, "one run at a time on an engine"
    assert not engines.heartbeat(engine, first.id)
    queue.finish(engine, run.id, "done")
    second_run = queue.claim(engine)
    assert second_run and second_run.cell == 1
    assert not engines.heartbeat(engine, first.id), "its last run is being measured"
    queue.finish(engine, second_run.id, "done")
    assert engines.heartbeat(engine, first.id), "no run is left for it"
    engines.ended(engine, first.id)
    second = engines.claim(engine)
    assert second and second.config.tp == 2
    assert engines.load(engine, first.id).status == "stopped"


def test_a_start_that_fails_is_a_result_of_its_cells(engine: Engine) -> None:
    study_id = submitted(engine)
    first = engines.claim(engine)
    assert first
    engines.ended(engine, first.id, "There is no such model.", "Check its name.")
    engines.give_up_runs(engine)
    study = studies.load(engine, study_id)
    assert [run.status for run in study.runs] == ["failed", "failed", "queued", "queued"]
    assert study.runs[0].error == "There is no such model."
    assert study.servers[0].hint == "Check its name."
    second = engines.claim(engine)
    assert second and second.config.tp == 2, "the study goes on"


def test_an_engine_that_dies_is_started_again_but_not_for_ever(engine: Engine) -> None:
    submitted(engine)
    for start in range(1, engines.MOST_STARTS + 1):
        server = engines.claim(engine)
        assert server and server.starts == start
        engines.ready(engine, server.id, {})
        again = engines.again(engine, server.id, "It was killed.")
        assert again == (start < engines.MOST_STARTS)


def test_what_nobody_looks_after_is_lost_or_planned_anew(engine: Engine) -> None:
    own = engines.create(engine, EngineConfig())
    assert engines.claim(engine)
    submitted(engine)
    of_study = engines.claim(engine)
    assert of_study
    silent = engines.beats(engine)
    stale(engine, own)
    stale(engine, of_study.id)
    assert engines.lost(engine, silent) == [], "they have been heard of since"
    assert sorted(engines.lost(engine, engines.beats(engine))) == [own, of_study.id]
    assert engines.load(engine, own).status == "failed"
    assert engines.load(engine, own).error == engines.LOST
    assert engines.load(engine, of_study.id).status == "planned"
    assert engines.heartbeat(engine, own), "whoever still has it must end it"


def test_stopping_an_engine_gives_its_waiting_runs_up(engine: Engine) -> None:
    study_id = submitted(engine)
    server = engines.claim(engine)
    assert server
    engines.request_stop(engine, server.id)
    assert engines.heartbeat(engine, server.id)
    engines.ended(engine, server.id)
    engines.give_up_runs(engine)
    assert statuses(engine, study_id) == ["failed", "failed", "queued", "queued"]
    assert studies.load(engine, study_id).runs[0].error == "Its engine was stopped."


def test_an_engine_that_waits_is_stopped_at_once(engine: Engine) -> None:
    engine_id = engines.create(engine, EngineConfig())
    assert engines.request_stop(engine, engine_id).status == "stopped"
    assert engines.claim(engine) is None
    assert engines.active(engine) == 0
    engines.delete(engine, engine_id)
    with pytest.raises(EngineNotFound):
        engines.load(engine, engine_id)


def test_an_engine_that_is_up_cannot_be_deleted(engine: Engine) -> None:
    engine_id = engines.create(engine, EngineConfig())
    assert engines.claim(engine)
    with pytest.raises(EngineBusy, match="Stop it first"):
        engines.delete(engine, engine_id)


def test_the_time_to_ready_is_remembered_by_engine(engine: Engine) -> None:
    assert engines.seconds_to_ready(engine, "vllm") is None
    engines.create(engine, EngineConfig(engine="vllm"))
    server = engines.claim(engine)
    assert server
    engines.ready(engine, server.id, {})
    took = engines.seconds_to_ready(engine, "vllm")
    assert took is not None and 0 <= took < 60
    assert engines.seconds_to_ready(engine, "sglang") is None


def test_a_resumed_study_measures_what_was_cut_short_and_keeps_the_rest(engine: Engine) -> None:
    study_id = submitted(engine)
    server = engines.claim(engine)
    assert server
    engines.ready(engine, server.id, {})
    done = queue.claim(engine)
    assert done
    queue.finish(engine, done.id, "done")
    cut = queue.claim(engine)
    assert cut
    queue.finish(engine, cut.id, "interrupted")
    engines.ended(engine, server.id, engines.LOST)
    before = studies.load(engine, study_id)
    assert standing_of(before.runs) == "1 of 4 cells measured, 2 waiting, 1 interrupted"
    studies.resume(engine, study_id, [run.id for run in before.to_resume])
    after = studies.load(engine, study_id)
    assert [run.status for run in after.runs] == ["done", "queued", "queued", "queued"]
    assert after.runs[0].id == done.id and after.runs[1].id > cut.id
    assert after.runs[1].config == cut.config
    assert runs.load(engine, cut.id).status == "interrupted", "the first try is kept"
    assert [one.status for one in after.servers] == ["planned", "planned"]


def test_cells_are_added_on_the_engines_that_are_there(engine: Engine) -> None:
    study_id = submitted(engine)
    wider = parse_study({**TWO.model_dump(), "batches": [4]})
    studies.extend(engine, study_id, wider, new(wider))
    study = studies.load(engine, study_id)
    assert [run.config.requests for run in study.runs] == [1, 2, 1, 2, 4, 4]
    assert [run.cell for run in study.runs] == [0, 1, 2, 3, 4, 5]
    assert len(study.servers) == 2
    assert study.config == wider


def test_a_cell_that_cannot_be_is_kept_with_its_reason(engine: Engine) -> None:
    why = "It needs 8 GPUs, and this machine has none."
    study_id = studies.create(engine, TWO, "x", new(TWO, why))
    study = studies.load(engine, study_id)
    assert {(run.status, run.error) for run in study.runs} == {("failed", why)}
    assert engines.active(engine) == 0, "no engine starts for it"


def test_a_study_without_engines_is_runs_of_one_lane(engine: Engine) -> None:
    config = RunConfig(backend="embedded")
    study = StudyConfig(preset="concurrency", run=config, concurrencies=(1, 2))
    made = [
        NewCell(Cell(i, None, one.config), NewRun(one.config, "embedded"))
        for i, one in enumerate(cells(study))
    ]
    study_id = studies.create(engine, study, "sweep", made)
    first = queue.claim(engine)
    assert first and first.study_id == study_id and queue.claim(engine) is None
    assert not studies.load(engine, study_id).servers


def test_studies_are_listed_and_deleted_with_all_they_measured(engine: Engine) -> None:
    first, second = submitted(engine), submitted(engine)
    rows = studies.listed(engine)
    assert [(row.id, row.cells, row.done, row.active) for row in rows] == [
        (second, 4, 0, 4), (first, 4, 0, 4),
    ]  # fmt: skip
    server = engines.claim(engine)
    assert server
    engines.ready(engine, server.id, {})
    run = queue.claim(engine)
    assert run
    with pytest.raises(RunBusy):
        studies.delete(engine, first)
    queue.finish(engine, run.id, "done")
    engines.ended(engine, server.id)
    studies.delete(engine, first)
    assert [row.id for row in studies.listed(engine)] == [second]
    with pytest.raises(StudyNotFound):
        studies.load(engine, first)
    with pytest.raises(runs.RunNotFound):
        runs.load(engine, run.id)


def test_an_engine_stopped_too_soon_starts_anew_for_what_waits(engine: Engine) -> None:
    study_id = submitted(engine)
    server = engines.claim(engine)
    assert server
    engines.ready(engine, server.id, {})
    engines.ended(engine, server.id)  # the supervisor was told to end
    assert engines.load(engine, server.id).status == "planned"
    engines.give_up_runs(engine)
    assert statuses(engine, study_id) == ["queued"] * 4
    again = engines.claim(engine)
    assert again and again.id == server.id


def test_a_stop_that_was_asked_for_outlives_whoever_was_to_do_it(engine: Engine) -> None:
    study_id = submitted(engine)
    server = engines.claim(engine)
    assert server
    engines.request_stop(engine, server.id)
    stale(engine, server.id)
    assert engines.lost(engine, engines.beats(engine)) == [server.id]
    found = engines.load(engine, server.id)
    assert (found.status, found.error) == ("stopped", None)
    engines.give_up_runs(engine)
    assert statuses(engine, study_id) == ["failed", "failed", "queued", "queued"]


def test_an_engine_that_takes_its_supervisor_along_is_not_started_for_ever(engine: Engine) -> None:
    submitted(engine)
    for _ in range(engines.MOST_STARTS):
        server = engines.claim(engine)
        assert server and server.config.tp == 1
        stale(engine, server.id)
        assert engines.lost(engine, engines.beats(engine)) == [server.id]
    assert engines.load(engine, server.id).status == "failed"
    engines.give_up_runs(engine)
    after = engines.claim(engine)
    assert after and after.config.tp == 2, "the study goes on"


def test_another_machines_engine_is_its_own_until_that_machine_is_gone(engine: Engine) -> None:
    submitted(engine)
    there = engines.claim(engine, "there")
    assert there
    assert queue.claim(engine, "here") is None
    other = submitted(engine)
    here = engines.claim(engine, "here")
    assert here and here.study_id in (there.study_id, other), "it does not share that one's devices"
    engines.ready(engine, there.id, {})
    assert queue.claim(engine, "here") is None
    run = queue.claim(engine, "there")
    assert run and run.engine_id == there.id
    assert [beat.machine for beat in engines.beats(engine)] == ["there", "here"]


def test_runs_of_an_engine_that_is_not_there_do_not_wait_for_ever(engine: Engine) -> None:
    study_id = submitted(engine)
    for server in studies.load(engine, study_id).servers:
        engines.delete(engine, server.id)
    engines.give_up_runs(engine)
    assert statuses(engine, study_id) == ["failed"] * 4


def test_a_deleted_study_is_shared_no_more(engine: Engine) -> None:
    study_id = submitted(engine)
    study = studies.load(engine, study_id)
    kept = shares.create(engine, [study.runs[0].id], "one run", b"<html>")
    shares.publish_study(engine, study)
    assert len(shares.listed(engine)) == 2
    studies.delete(engine, study_id)
    assert shares.listed(engine) == [] and shares.load(engine, kept.token) is None

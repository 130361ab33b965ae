"""Studies at work: engines started in turn, killed, cancelled and resumed."""

from __future__ import annotations

import signal

import pytest
from sqlalchemy import Engine

from db import engines, queue, runs, studies
from jobs import studies as study_jobs
from services.studies.parallel import Parallel
from services.studies.study_config import StudyConfig
from services.studies.study_link import read
from tests.conftest import ReferenceServer, finished, until
from tests.jobs.conftest import (
    ANSWER_S,
    LLAMA,
    processes,
    supervisors,
)

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("nothing_stays")]

SMALL = {"engine": "llamacpp", "max_seqs": "2", "max_model_len": "512", "start_timeout_s": "120"}


def over(database: Engine, study_id: int) -> None:
    until(lambda: not studies.load(database, study_id).active, 2 * ANSWER_S)
    until(lambda: not [s for s in engines.list_running(database) if s.study_id == study_id], 60)


def study(**texts: str) -> StudyConfig:
    load = {"max_tokens": "4", "repeats": "1", "warmup": "0"}
    return read({"preset": "custom", "batches": "1,2", **SMALL, **load, **texts})


@pytest.mark.long
def test_a_study_starts_each_engine_once_and_measures_all_its_cells(database: Engine) -> None:
    study_id = study_jobs.submit(database, study(), "small", ["t"], "a note")
    over(database, study_id)
    found = studies.load(database, study_id)
    assert [run.status for run in found.runs] == ["done", "done"]
    assert [run.config.requests for run in found.runs] == [1, 2]
    assert {run.tags for run in found.runs} == {("t",)}
    (server,) = found.engines
    assert (server.status, server.starts) == ("stopped", 1)
    assert not processes(database, server.id)
    cells = studies.measured_cells(database, found)
    assert all(cell.candidate and cell.candidate.summary.ok for cell in cells)
    assert [cell.cell.engine for cell in cells] == [LLAMA, LLAMA]
    assert study_jobs.report_inputs(database, found)[2] == "core", "also where there are GPUs"


@pytest.mark.long
def test_a_cell_that_cannot_run_here_fails_and_the_others_continue(database: Engine) -> None:
    asked = study(batches="1").model_copy(update={"parallel": (Parallel(), Parallel(tp=8))})
    assert [one.obstacle is None for one in study_jobs.plan(asked)] == [True, False]
    study_id = study_jobs.submit(database, asked)
    over(database, study_id)
    first, second = studies.load(database, study_id).runs
    assert first.status == "done"
    assert second.status == "failed" and "tp=8" in (second.error or "")


@pytest.mark.long
def test_an_engine_killed_during_a_run_fails_only_that_run(
    database: Engine,
) -> None:
    long = study(batches="2", max_tokens="160", ignore_eos="true", repeats="2")
    study_id = study_jobs.submit(database, at_and(long, batches=(2, 1)))
    run = until(lambda: measuring(database, study_id), ANSWER_S)
    (server,) = studies.load(database, study_id).engines
    for process in processes(database, server.id):
        process.send_signal(signal.SIGKILL)
    hit = finished(database, run, ANSWER_S)
    measured = runs.measurements(database, run)
    assert hit.status in ("failed", "done")
    assert {m.status for m in measured} >= {"failed"}, "its requests are accounted for"
    assert len(measured) == hit.config.requests * hit.config.repeats
    second = studies.load(database, study_id).runs[1]
    until(lambda: runs.load(database, second.id).status == "running", ANSWER_S)
    assert engines.load(database, server.id).starts == 2
    over(database, study_id)
    assert runs.load(database, second.id).status == "done"


def at_and(config: StudyConfig, **changes: object) -> StudyConfig:
    return config.model_copy(update=changes)


def measuring(database: Engine, study_id: int) -> int | None:
    """The run that is being measured and has sent its requests."""
    for run in studies.load(database, study_id).runs:
        if run.status == "running" and any(p.in_flight for p in runs.progress(database, run.id)):
            return run.id
    return None


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_study_resumes_at_the_interrupted_cell(database: Engine, sign: signal.Signals) -> None:
    long = study(batches="1,2,3", max_tokens="64", ignore_eos="true")
    study_id = study_jobs.submit(database, long)
    until(lambda: studies.load(database, study_id).runs[1].status == "running", 2 * ANSWER_S)
    (supervisor,) = supervisors()
    (server,) = studies.load(database, study_id).engines
    supervisor.send_signal(sign)
    supervisor.wait(60)
    until(lambda: not processes(database, server.id), 60)
    first, cut, waiting = studies.load(database, study_id).runs
    assert first.status == "done"
    until(lambda: _interrupted(database, cut.id), 30)
    assert study_jobs.resume(database, study_id) == 1
    over(database, study_id)
    after = studies.load(database, study_id)
    assert [run.status for run in after.runs] == ["done"] * 3
    assert after.runs[0].id == first.id, "what was measured is not measured again"
    assert after.runs[1].id != cut.id and after.runs[2].id == waiting.id


def _interrupted(database: Engine, run_id: int) -> bool:
    queue.interrupt(database, queue.heartbeats(database))  # no supervisor sends heartbeats
    return runs.load(database, run_id).status == "interrupted"


@pytest.mark.long
def test_a_cancelled_study_stops_its_engine(database: Engine) -> None:
    study_id = study_jobs.submit(database, study(max_tokens="480", ignore_eos="true"))
    until(lambda: measuring(database, study_id), ANSWER_S)
    study_jobs.cancel(database, study_id)
    over(database, study_id)
    found = studies.load(database, study_id)
    assert {run.status for run in found.runs} == {"cancelled"}
    assert not processes(database, found.engines[0].id)


@pytest.mark.long
def test_cells_are_added_to_a_finished_study(database: Engine) -> None:
    study_id = study_jobs.submit(database, study(batches="1"))
    over(database, study_id)
    (first,) = studies.load(database, study_id).runs
    assert study_jobs.extend(database, study_id, study(batches="1,2")) == 1
    over(database, study_id)
    after = studies.load(database, study_id)
    assert [run.config.requests for run in after.runs] == [1, 2]
    assert after.runs[0].id == first.id and after.runs[1].status == "done"


@pytest.mark.long
def test_a_study_of_an_existing_server_starts_no_engine(
    database: Engine, reference: ReferenceServer
) -> None:
    server = {"engine": "", "backend": "url", "base_url": reference.base_url}
    texts = {"preset": "concurrency", **server}
    asked = read({**texts, "concurrencies": "1,2", "requests": "4", "max_tokens": "2"})
    study_id = study_jobs.submit(database, asked)
    over(database, study_id)
    found = studies.load(database, study_id)
    assert [run.status for run in found.runs] == ["done", "done"]
    assert not found.engines

"""Studies that search for the configuration with the highest capacity, with real engines."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine

import jobs
from db import capacity_list, engines, queue, runs, studies
from jobs import studies as study_jobs
from jobs import study_searches
from services.ask.problems import InvalidConfig
from services.studies.highest import StudySearch, highest
from services.studies.parallel import Parallel
from services.studies.study import Study
from services.studies.study_config import StudyConfig
from services.studies.study_link import read
from tests.conftest import until
from tests.jobs.conftest import ANSWER_S, processes, supervisors

pytestmark = [pytest.mark.timeout(1800), pytest.mark.usefixtures("nothing_stays")]


def asked(**texts: str) -> StudyConfig:
    engine = {"engine": "llamacpp", "max_model_len": "512", "start_timeout_s": "120"}
    load = {"max_tokens": "2", "warmup": "0", "think_s": "0"}
    search = {"load": "users", "highest": "8", "window_s": "2", "probes": "4", "starts": "2"}
    fixed = {"preset": "capacity", "objectives": "e2e:p50<2", "parallel": "TP=1"}
    return read({**fixed, **engine, **load, **search, **texts})


def over(database: Engine, study_id: int) -> Study:
    def ended() -> bool:
        jobs.ensure(database)  # as the web server and the command line do, again and again
        return not studies.load(database, study_id).active

    until(ended, 900)
    until(lambda: not [s for s in engines.list_running(database) if s.study_id == study_id], 60)
    return studies.load(database, study_id)


@pytest.mark.long
def test_each_configuration_is_searched_and_the_two_best_again_on_fresh_starts(
    database: Engine,
) -> None:
    config = asked(axes="max_seqs=1,2")
    study_id = study_jobs.submit(
        database, config.model_copy(update={"parallel": (Parallel(), Parallel(tp=8))})
    )
    found = over(database, study_id)
    first = [one for one in found.searches if one.capacity.start == 0]
    assert [one.engine.max_seqs for one in first] == [1, 2, 1, 2]
    assert [one.capacity.status for one in first] == ["done", "done", "failed", "failed"]
    assert "tp=8" in (first[3].capacity.error or ""), "what cannot run is a result"
    probes = [probe for one in first for probe in one.capacity.probes]
    measured = runs.load_many(database, [probe.run_id for probe in probes])
    assert {run.status for run in measured} == {"done"}
    assert all(f"study {study_id}" in run.tags for run in measured)
    assert not capacity_list.list_all(database), "they are listed with their study"
    assert config.search is not None
    (best,) = highest(found.searches, config.search)
    if best.finalists is None:  # four probes of two seconds may leave an interval open
        assert best.problem
        return
    again = [one for one in found.searches if one.capacity.start > 0]
    a, b = best.finalists
    assert [one.engine for one in again] == [a.engine, b.engine, b.engine, a.engine]
    started = [one.capacity.engine_id for one in (*first[:2], *again)]
    assert len(set(started)) == len(started), "each on a start of its own"


@pytest.mark.long
def test_configurations_are_added_to_a_study_that_has_ended(database: Engine) -> None:
    config = asked(axes="max_seqs=1")
    study_id = study_jobs.submit(database, config)
    before = over(database, study_id)
    with pytest.raises(InvalidConfig, match="under the same objectives"):
        study_jobs.extend(database, study_id, asked(axes="max_seqs=2", objectives="e2e:p50<9"))
    assert study_jobs.extend(database, study_id, asked(axes="max_seqs=1,2")) == 1

    def first() -> list[StudySearch]:
        found = studies.load(database, study_id).searches
        return [one for one in found if one.capacity.start == 0]

    until(lambda: first()[1].capacity.status == "done", 300)
    study_jobs.cancel(database, study_id)  # its fresh starts are another test's
    found = over(database, study_id)
    assert [one.engine.max_seqs for one in first()] == [1, 2]
    assert [one.capacity.status for one in first()] == ["done", "done"]
    assert found.config.axes == ("max_seqs=1,2",)
    wider = asked(axes="max_seqs=1,2")
    grid = study_jobs.plan(wider)
    assert not study_searches.extend(database, before, wider, grid, None), "seen too early"
    assert len(studies.load(database, study_id).searches) == len(found.searches)


@pytest.mark.long
def test_a_killed_study_continues_and_can_be_cancelled(database: Engine) -> None:
    study_id = study_jobs.submit(database, asked(axes="max_seqs=1,2"))
    until(lambda: len(studies.load(database, study_id).searches[0].capacity.probes) > 1, 300)
    before = studies.load(database, study_id).searches[0].capacity.probes[0]
    (supervisor,) = supervisors()
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait(60)
    server = studies.load(database, study_id).engines[0]
    until(lambda: not processes(database, server.id), 60)

    def cut_short() -> bool:
        jobs.ensure(database)
        queue.interrupt(database, queue.heartbeats(database))  # no supervisor sends heartbeats
        return studies.load(database, study_id).searches[0].capacity.status == "interrupted"

    until(cut_short, 60)
    assert study_jobs.resume(database, study_id) == 1
    until(lambda: len(studies.load(database, study_id).searches[0].capacity.probes) > 1, 300)
    assert studies.load(database, study_id).searches[0].capacity.probes[0] == before
    study_jobs.cancel(database, study_id)
    found = over(database, study_id)
    assert {one.capacity.status for one in found.searches} == {"cancelled"}
    assert not [one for one in found.searches if one.capacity.start > 0], "no fresh starts follow"
    study_jobs.delete(database, study_id)
    with pytest.raises(studies.StudyNotFound):
        studies.load(database, study_id)


@pytest.mark.long
def test_a_configuration_that_cannot_start_is_a_result(database: Engine, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF, and then nothing")
    asks = asked(axes=f"model={broken},default", load="users")
    study_id = study_jobs.submit(database, asks)
    until(lambda: studies.load(database, study_id).searches[0].capacity.status == "failed", 300)
    assert studies.load(database, study_id).searches[0].capacity.error
    until(lambda: studies.load(database, study_id).searches[1].capacity.probes, ANSWER_S)
    study_jobs.cancel(database, study_id)
    over(database, study_id)

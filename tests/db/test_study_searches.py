"""Stored studies that search for capacities: what is ended, resumed or deleted by two at once."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from db import capacities, engines, queue, runs, schema, studies, study_searches
from db.database import writing
from db.runs import NewRun, RunBusy, RunNotFound
from db.study_searches import NewSearch
from services.ask.config import RunConfig
from services.base.roles import NOBODY, Origin
from services.servers.engines import EngineConfig
from services.studies.capacity import Capacity
from services.studies.capacity_probe import Probe
from services.studies.highest import PlannedSearch, search_config
from services.studies.study import Study
from services.studies.study_link import read

ENGINES = [EngineConfig(max_seqs=size) for size in (1, 2)]
CONFIG = read({"preset": "capacity", "engine": "vllm", "parallel": "TP=1"})


def planned(start: int = 0) -> list[NewSearch]:
    assert CONFIG.search is not None
    config = search_config(CONFIG.search, RunConfig())
    return [NewSearch(PlannedSearch(engine, config, start), "one") for engine in ENGINES]


def study(database: Engine) -> Study:
    number = study_searches.create(database, CONFIG, "Which?", planned())
    return studies.load(database, number)


def begun(database: Engine, capacity: Capacity, machine: str | None = None) -> int:
    known = capacities.load(database, capacity.id)
    new = NewRun(RunConfig(), f"engine {capacity.engine_id}", machine=machine)
    run_id = capacities.begin(database, known, Probe(0, 1.0, 60.0, 0), new)
    assert run_id is not None
    return run_id


def test_fresh_starts_follow_a_finished_search_but_not_a_cancelled_one(
    database: Engine,
) -> None:
    first = study(database)
    ending = first.searches[1].capacity
    capacities.end(database, ending.id, "cancelled")
    study_searches.add_finals(database, ending, 2, planned(1), None, NOBODY)
    assert len(studies.load(database, first.id).searches) == 2
    second = study(database)
    ending = second.searches[1].capacity
    for _ in range(2):  # as by a second supervisor
        study_searches.add_finals(database, ending, 2, planned(1), None, NOBODY)
    assert [one.capacity.start for one in studies.load(database, second.id).searches] == [
        0,
        0,
        1,
        1,
    ]


def test_configurations_are_added_each_on_an_engine_of_its_own(database: Engine) -> None:
    stored = study(database)
    wider = CONFIG.model_copy(update={"axes": ("max_seqs=1,2",)})
    assert study_searches.extend(database, stored.id, wider, 2, planned(), None, Origin("me"))
    more = studies.load(database, stored.id)
    assert more.config.axes == wider.axes and len(more.searches) == 4
    assert len({one.capacity.engine_id for one in more.searches}) == 4
    assert more.searches[-1].capacity.started_by == "me"
    with pytest.raises(studies.StudyNotFound):
        study_searches.extend(database, 99, wider, 0, planned(), None)


def test_the_second_of_two_simultaneous_extensions_adds_nothing(database: Engine) -> None:
    """The second gets an error, and nothing of theirs is stored: they look again at what is
    missing."""
    stored = study(database)
    wider = CONFIG.model_copy(update={"axes": ("max_seqs=1,2",)})
    assert study_searches.extend(database, stored.id, wider, 2, planned(), None)
    other = CONFIG.model_copy(update={"axes": ("max_seqs=1,4",)})
    assert not study_searches.extend(database, stored.id, other, 2, planned(), None)
    found = studies.load(database, stored.id)
    assert len(found.searches) == 4 and found.config.axes == wider.axes


def test_a_running_search_cannot_be_resumed(database: Engine) -> None:
    """Two people press Resume: the probe that the first one's search has begun stays its own."""
    stored = study(database)
    (one, _) = stored.searches
    begun(database, one.capacity)
    capacities.end(database, one.capacity.id, "interrupted")
    study_searches.resume(database, stored.id, [one], None)
    assert capacities.load(database, one.capacity.id).probes == (), "to be made again"
    run_id = begun(database, one.capacity)
    study_searches.resume(database, stored.id, [one], None)
    assert [probe.run_id for probe in capacities.load(database, one.capacity.id).probes] == [run_id]


def test_resumed_searches_go_to_another_machine_with_their_engines(
    database: Engine, kind: str
) -> None:
    number = study_searches.create(database, CONFIG, "Which?", planned(), machine="former")
    stored = studies.load(database, number)
    one, two = (search.capacity for search in stored.searches)
    capacities.end(database, one.id, "interrupted")
    waits = begun(database, two, "former")
    study_searches.resume(database, number, stored.searches[:1], "new")
    assert [each.id for each in capacities.waiting(database, "new")] == [one.id]
    first, second = engines.claim(database, "new"), engines.claim(database, "new")
    assert first and first.id == one.engine_id and second is None, "one after the other"
    assert not engines.heartbeat(database, first.id), "it need not stop"
    engines.ended(database, first.id, "It broke.")
    capacities.end(database, one.id, "failed")
    second = engines.claim(database, "new")
    assert second and second.id == two.engine_id
    engines.ready(database, second.id, {})
    run = queue.claim(database, "new")
    assert run and run.id == waits
    if kind == "postgresql":
        assert not capacities.any_running(database, "former")


def test_a_study_is_deleted_with_all_probes_and_not_while_one_runs(database: Engine) -> None:
    """Also with those that were cut short, and made again."""
    stored = study(database)
    cut = begun(database, stored.searches[0].capacity)
    for one in stored.searches:
        capacities.end(database, one.capacity.id, "interrupted")
    study_searches.resume(database, stored.id, stored.searches[:1], None)
    again = begun(database, stored.searches[0].capacity)
    with writing(database) as connection:
        connection.execute(
            update(schema.runs).values(status="running").where(schema.runs.c.id == again)
        )
    capacities.end(database, stored.searches[0].capacity.id, "cancelled")
    with pytest.raises(RunBusy):
        studies.delete(database, stored.id)
    queue.finish(database, again, "cancelled")
    queue.finish(database, cut, "interrupted")
    studies.delete(database, stored.id)
    for run_id in (cut, again):
        with pytest.raises(RunNotFound):
            runs.load(database, run_id)

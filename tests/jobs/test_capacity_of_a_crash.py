"""An engine that ends while its capacity is searched: its reason is the search's."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import capacities, engines, queue, recording, studies, study_searches
from db.engines import ended, restart
from db.study_searches import NewSearch
from jobs import capacities as capacity_jobs
from jobs.supervisor_lock import machine_id
from services.ask.config import RunConfig
from services.ask.measurement import ALL_CUT
from services.base.fault import fault
from services.base.roles import NOBODY
from services.servers.engines import EngineConfig
from services.studies.capacity_config import parse_capacity
from services.studies.highest import PlannedSearch, search_config
from services.studies.study_link import read
from tests.values import failed, measured

KILLED = "It was killed, probably because the machine ran out of memory."
REFUSED = "No request succeeded. The first one: Connection refused"


@pytest.mark.parametrize("comes_again", [True, False, None])
def test_a_search_reports_why_its_engine_crashed(
    database: Engine, comes_again: bool | None
) -> None:
    search_id, engine_id, run_id = measuring(database)
    crash(database, engine_id, comes_again)
    queue.finish(database, run_id, "failed", error=REFUSED)
    capacity_jobs.advance(database)
    found = capacities.load(database, search_id)
    why = REFUSED if comes_again is None else f"{KILLED} It ended during run {run_id}."
    assert (found.status, found.error) == ("failed", why)


@pytest.mark.parametrize("comes_again", [True, False, None])
@pytest.mark.parametrize("failures", [0, 5])
def test_a_crash_after_some_answers_is_not_an_overload(
    database: Engine, comes_again: bool | None, failures: int
) -> None:
    """An engine that ends once all have been answered has crashed after the probe."""
    search_id, engine_id, run_id = measuring(database)
    answers = [measured(n, send=20 + n / 10) for n in range(20)]
    refused = [failed(n, t_due=23.0, t_send=23.0) for n in range(20, 20 + failures)]
    recording.add_measurements(database, run_id, answers + refused)
    crash(database, engine_id, comes_again)
    queue.finish(database, run_id, "done")
    capacity_jobs.advance(database)
    found = capacities.load(database, search_id)
    if failures and comes_again is not None:
        why = f"{KILLED} It ended during run {run_id}."
        assert (found.status, found.error) == ("failed", why)
        assert found.probes[0].observation is None, "nothing is known of that load"
    else:
        assert found.error is None
        assert found.probes[0].observation is not None


def measuring(database: Engine) -> tuple[int, int, int]:
    """A study's search whose first probe is measured: its number, its engine's, and its run's."""
    config = read({"preset": "capacity", "engine": "llamacpp", "parallel": "TP=1"})
    assert config.search is not None
    asked = search_config(config.search, RunConfig())
    planned = PlannedSearch(EngineConfig(engine="llamacpp"), asked)
    number = study_searches.create(
        database, config, "Which?", [NewSearch(planned, "one")], "", machine_id()
    )
    (search,) = studies.load(database, number).searches
    engine_id = search.capacity.engine_id or 0
    assert engines.claim(database, machine_id()) is not None
    engines.ready(database, engine_id, {})
    capacity_jobs.advance(database)
    run_id = capacities.load(database, search.capacity.id).probes[0].run_id
    assert queue.claim(database, machine_id()) is not None
    return search.capacity.id, engine_id, run_id


def crash(database: Engine, engine_id: int, comes_again: bool | None) -> None:
    """The engine is killed, and started again or not; None: it is not killed."""
    if comes_again:
        assert restart(database, engine_id, KILLED)
    elif comes_again is False:
        ended(database, engine_id, KILLED, "Use a smaller model.")


@pytest.mark.parametrize("error", [ALL_CUT, fault(ValueError("of its own"))])
def test_answers_cut_by_the_end_are_misses_and_other_errors_fail_the_search(
    database: Engine, error: str
) -> None:
    server = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    asked = {"servers": [server], "lowest": 20, "highest": 40, "window_s": 1}
    config = parse_capacity(asked)
    number = capacities.create(database, config, "How much?", "", None, NOBODY)
    capacity_jobs.advance(database)
    run_id = capacities.load(database, number).probes[0].run_id
    assert queue.claim(database, machine_id()) is not None
    cut = [measured(n, send=0.3 + n / 100, status="cancelled") for n in range(20)]
    recording.add_measurements(database, run_id, cut)
    queue.finish(database, run_id, "failed", error=error)
    capacity_jobs.advance(database)
    found = capacities.load(database, number)
    known = found.probes[0].observation is not None
    assert known == (error == ALL_CUT)
    assert (found.status, found.error) == (("done", None) if known else ("failed", error))

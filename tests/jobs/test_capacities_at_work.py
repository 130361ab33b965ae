"""Searches for a capacity at work: probes that are runs, kept across a killed supervisor."""

from __future__ import annotations

import os
import signal

import pytest
from sqlalchemy import Engine

import jobs
from db import capacities, queue, runs
from jobs import capacities as capacity_jobs
from services.ask.measurement import ALL_CUT
from services.ask.prices import price, price_of
from services.report.capacity import capacity_document, reasons
from services.studies.capacity_config import CapacityConfig, parse_capacity
from tests.conftest import ReferenceServer, until
from tests.jobs.conftest import supervisors

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("nothing_stays")]

# Two slots of 0.3 s: two users are answered at once, of three somebody waits.
MODEL = "ref slots=2 service=0.3 ttft=0.001 gap=0.1 tokens=2"


def config(reference: ReferenceServer, **more: object) -> CapacityConfig:
    server = {"backend": "url", "base_url": reference.base_url, "model": MODEL, "warmup": 0}
    return parse_capacity(
        {
            "servers": [{**server, "think_s": 0.0, "client": "wire", "max_tokens": 2}],
            "objectives": ["e2e:p50<0.45"],
            "load": "users",
            "lowest": 1,
            "highest": 8,
            "window_s": 1,
            "probes": 5,
            **more,
        }
    )


def ended(database: Engine, capacity_id: int) -> None:
    def over() -> bool:
        jobs.ensure(database)  # as the web server and the command line do, again and again
        return capacities.load(database, capacity_id).status != "running"

    until(over, 300)


def test_a_search_keeps_the_model_that_the_environment_names(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its price is that of its config, and its later probes ask the same model."""
    monkeypatch.setattr(jobs, "ensure", lambda database: None)  # nothing is measured
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-4o-mini")
    servers = [{"backend": "openai"}, {"backend": "openai", "model": "gpt-4o"}, {}]
    asked = [
        capacity_jobs.submit(database, parse_capacity({"servers": servers[i : i + 2]}))
        for i in (0, 1)
    ]
    found = [capacities.load(database, number).config.servers for number in asked]
    assert [server.model for pair in found for server in pair] == [
        "gpt-4o-mini",
        "gpt-4o",
        "gpt-4o",
        "",
    ]
    assert price_of(found[0][0]) == price("openai", "gpt-4o-mini") is not None


@pytest.mark.long
def test_a_search_measures_one_load_after_the_other(
    database: Engine, reference: ReferenceServer
) -> None:
    number = capacity_jobs.submit(database, config(reference), "How many?")
    ended(database, number)
    found = capacities.load(database, number)
    assert (found.status, found.error) == ("done", None)
    measured = runs.load_many(database, [probe.run_id for probe in found.probes])
    assert {run.status for run in measured} == {"done"}
    assert [run.config.users for run in measured] == [round(p.load) for p in found.probes]
    assert {run.tags for run in measured} == {(f"capacity {number}",)}
    assert all(run.name.startswith("How many? · ") for run in measured)
    (conclusion,) = found.conclusions
    assert conclusion is not None


@pytest.mark.long
def test_a_server_that_stays_slow_after_an_overload_is_noticed(
    database: Engine, reference: ReferenceServer
) -> None:
    """Once six wait it takes four times as long: one user was answered in 0.3 s, and is in 1.2 s.
    The limit is far from both, for a busy machine."""
    slow = config(reference).servers[0].model_copy(update={"model": f"{MODEL} overload=6 slow=4"})
    asked = {"objectives": ["e2e:p95<0.9"], "window_s": 4}
    search = config(reference, servers=[slow], **asked)
    number = capacity_jobs.submit(database, search)
    ended(database, number)
    found = capacities.load(database, number)
    loads = [probe.load for probe in found.probes]  # more than once where this machine was busy
    assert loads == [*sorted(loads[:-1]), 1] and set(loads) == {1, 8}, found.probes
    repeat = found.recovery(0)
    assert repeat is not None and repeat.stays_slow
    said = "\n".join(reasons(found))
    assert "It stays slow after an overload: it sustained 1 user before 8 users" in said
    assert capacity_document(found)["servers"][0]["stays_slow"] is True


@pytest.mark.long
@pytest.mark.slow
def test_a_load_at_which_no_answer_is_complete_is_not_sustained(
    database: Engine, reference: ReferenceServer
) -> None:
    """An answer takes five minutes: all are cut when the probe has drained."""
    server = config(reference).servers[0].model_copy(update={"model": "ref ttft=300 tokens=2"})
    rate = {"load": "rate", "lowest": 20, "highest": 40}
    number = capacity_jobs.submit(database, config(reference, servers=[server], **rate))
    ended(database, number)
    found = capacities.load(database, number)
    assert (found.status, found.error) == ("done", None)
    first = found.probes[0]  # the only one, unless this machine was too busy to send in time
    assert runs.load(database, first.run_id).error == ALL_CUT
    assert first.observation is not None
    assert all(one.count == one.n > 0 for one in first.observation.misses)


@pytest.mark.long
def test_a_search_continues_after_its_supervisor_was_killed(
    database: Engine, reference: ReferenceServer
) -> None:
    number = capacity_jobs.submit(database, config(reference))
    until(lambda: len(capacities.load(database, number).probes) > 1, 120)
    before = capacities.load(database, number).probes[:1]
    for process in supervisors():
        os.kill(process.pid, signal.SIGKILL)

    def goes_on() -> bool:
        jobs.ensure(database)  # as the web server and the command line do, again and again
        found = capacities.load(database, number)
        if found.status == "interrupted":  # its run was cut short: said, and resumed
            assert "process" in (found.error or "")
            capacity_jobs.resume(database, number)
        return sum(probe.observation is not None for probe in found.probes) > 1

    until(goes_on, 120)
    assert capacities.load(database, number).probes[:1] == before
    capacity_jobs.cancel(database, number)
    until(lambda: not queue.active(database), 60)


@pytest.mark.long
def test_a_search_can_be_cancelled_and_deleted(
    database: Engine, reference: ReferenceServer
) -> None:
    number = capacity_jobs.submit(database, config(reference, window_s=60))
    until(lambda: capacities.load(database, number).probes, 120)
    with pytest.raises(capacities.CapacityBusy):
        capacities.delete(database, number)
    capacity_jobs.cancel(database, number)
    found = capacities.load(database, number)
    assert found.status == "cancelled"
    run_id = found.probes[0].run_id
    until(lambda: runs.load(database, run_id).status == "cancelled", 60)
    capacities.delete(database, number)
    with pytest.raises(capacities.CapacityNotFound):
        capacities.load(database, number)
    assert runs.load(database, run_id).status == "cancelled", "the run is kept"

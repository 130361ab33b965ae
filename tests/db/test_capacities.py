"""Stored searches: who goes on with one, and what happens to one that was ended meanwhile."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select

import jobs
from db import capacities, queue, runs, shares
from db.capacities import CapacityBusy
from db.runs import NewRun
from db.schema import capacities as table
from jobs import capacities as capacity_jobs
from jobs.supervisor_lock import machine_id
from services.analysis.capacity import Misses, Observation
from services.ask.config import RunConfig, parse
from services.studies.capacity_config import CapacityConfig
from services.studies.capacity_probe import Probe
from tests.capacities import config_of_servers, searched, stored

PROBE = Probe(0, 1.0, 60.0, 0)


def begun(database: Engine, number: int) -> int | None:
    """Begin a probe of a search, as it was read before."""
    new = NewRun(RunConfig(), "lane")
    return capacities.begin(database, capacities.load(database, number), PROBE, new)


def test_a_search_waits_only_for_its_own_probe(database: Engine, kind: str) -> None:
    number = capacities.create(database, CapacityConfig(), "one", machine="here")
    assert [one.id for one in capacities.waiting(database, "here")] == [number]
    continued = [one.id for one in capacities.waiting(database, "elsewhere")]
    assert continued == ([number] if kind == "sqlite" else []), "a file's machine has a new name"
    assert capacities.any_running(database, "elsewhere") == (kind == "sqlite")
    run_id = begun(database, number)
    assert run_id is not None and capacities.waiting(database, "here") == []
    queue.finish(database, run_id, "done")
    assert [one.id for one in capacities.waiting(database, "here")] == [number]


def test_an_ended_search_starts_no_probe_until_it_is_resumed(database: Engine) -> None:
    number = capacities.create(database, CapacityConfig(), "one")
    before = capacities.load(database, number)
    capacities.end(database, number, "cancelled")
    assert capacities.begin(database, before, PROBE, NewRun(RunConfig(), "lane")) is None
    assert runs.search(database) == []
    capacities.end(database, number, "done")
    assert capacities.load(database, number).status == "cancelled"
    capacities.resume(database, number)
    assert begun(database, number) is not None


def test_a_search_is_resumed_on_the_machine_that_can_reach_its_server(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    here = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    config = CapacityConfig(servers=(parse(here),))
    number = capacities.create(database, config, "one", machine="former")
    capacities.end(database, number, "interrupted")
    capacity_jobs.resume(database, number)
    with database.connect() as connection:
        assert connection.scalar(select(table.c.machine)) == machine_id()


def test_the_outcome_of_a_probe_is_stored_only_once(database: Engine) -> None:
    """Two supervisors measure the same probe; the slower one takes no later probe away."""
    number = capacities.create(database, CapacityConfig(), "one")
    begun(database, number)
    before = capacities.load(database, number)
    seen = replace(before.probes[0], observation=Observation(1.0, (Misses(0, 60, 1.0),), 60, 60.0))
    assert capacities.save_probes(database, before, [seen])
    begun(database, number)
    assert not capacities.save_probes(database, before, [seen])
    assert len(capacities.load(database, number).probes) == 2


def test_a_running_search_keeps_its_probe_when_resumed(database: Engine) -> None:
    number = capacities.create(database, CapacityConfig(), "one")
    run_id = begun(database, number)
    with pytest.raises(CapacityBusy):
        capacity_jobs.resume(database, number)
    assert [probe.run_id for probe in capacities.load(database, number).probes] == [run_id]


def test_a_probe_that_begins_while_its_search_is_cancelled_is_cancelled_too(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor begins the next probe just before the search is ended."""
    number = capacities.create(database, CapacityConfig(), "one")
    end = capacities.end

    def begins(of: Engine, capacity_id: int, *status: Any) -> bool:
        begun(of, capacity_id)
        return end(of, capacity_id, *status)

    monkeypatch.setattr(capacities, "end", begins)
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    capacity_jobs.cancel(database, number)
    (probe,) = capacities.load(database, number).probes
    assert runs.load(database, probe.run_id).status == "cancelled"


def test_a_deleted_search_does_not_stop_the_others(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor read two searches; one was cancelled and deleted before it went on with it."""
    gone, other = (capacities.create(database, CapacityConfig(), "one") for _ in range(2))
    waiting = capacities.waiting(database, machine_id())
    capacities.end(database, gone, "cancelled")
    capacities.delete(database, gone)
    monkeypatch.setattr(capacities, "waiting", lambda *of: waiting)
    capacity_jobs.advance(database)
    assert capacities.load(database, other).probes or capacities.load(database, other).error


def test_a_probe_without_requests_at_the_lowest_load_fails_the_search(database: Engine) -> None:
    """One user whose answer takes longer than the window: this load is not too high."""
    number = capacities.create(database, CapacityConfig(), "one")
    run_id = begun(database, number)
    assert run_id is not None
    queue.finish(database, run_id, "done")
    capacity_jobs.advance(database)
    ended = capacities.load(database, number)
    assert ended.status == "failed"
    assert f"Run {run_id}, at the lowest load, sent no request" in (ended.error or "")
    assert ended.probes[0].observation is None, "it can be made again"


def test_a_deleted_search_stays_on_its_shared_page(database: Engine) -> None:
    number = stored(database, searched(config_of_servers()))
    capacity = capacities.load(database, number)
    share = shares.publish_capacity(database, capacity, 7)
    assert share.run_ids == tuple(probe.run_id for probe in capacity.probes)
    capacities.delete(database, number)
    packed = shares.load(database, share.token)
    assert packed is not None and b"sustains" in gzip.decompress(packed)
    assert shares.list_all(database, share.run_ids)[0].title == "How many?"

"""Stored searches: who goes on with one, and what happens to one that was ended meanwhile."""

from __future__ import annotations

import gzip

from sqlalchemy import Engine

from db import capacities, queue, runs, shares
from db.runs import NewRun
from services.ask.config import RunConfig
from services.studies.capacity import CapacityConfig, Probe
from tests.capacities import config_of_servers, searched, stored

PROBE = Probe(0, 1.0, 60.0, 0)


def begun(database: Engine, number: int) -> int | None:
    """Begin a probe of a search, as it was read before."""
    new = NewRun(RunConfig(), "lane")
    return capacities.begin(database, capacities.load(database, number), PROBE, new)


def test_a_search_waits_for_nobody_but_its_own_probe(database: Engine) -> None:
    number = capacities.create(database, CapacityConfig(), "one", machine="here")
    assert [one.id for one in capacities.waiting(database, "here")] == [number]
    assert capacities.waiting(database, "elsewhere") == []
    run_id = begun(database, number)
    assert run_id is not None and capacities.waiting(database, "here") == []
    queue.finish(database, run_id, "done")
    assert [one.id for one in capacities.waiting(database, "here")] == [number]


def test_a_search_that_was_ended_begins_no_probe_and_stays_as_it_is(database: Engine) -> None:
    number = capacities.create(database, CapacityConfig(), "one")
    before = capacities.load(database, number)
    capacities.end(database, number, "cancelled")
    assert capacities.begin(database, before, PROBE, NewRun(RunConfig(), "lane")) is None
    assert runs.search(database) == []
    capacities.end(database, number, "done")
    assert capacities.load(database, number).status == "cancelled"
    capacities.resume(database, number)
    assert begun(database, number) is not None


def test_a_search_is_shared_as_it_was(database: Engine) -> None:
    number = stored(database, searched(config_of_servers()))
    capacity = capacities.load(database, number)
    share = shares.publish_capacity(database, capacity, 7)
    assert share.run_ids == tuple(probe.run_id for probe in capacity.probes)
    capacities.delete(database, number)
    packed = shares.load(database, share.token)
    assert packed is not None and b"sustains" in gzip.decompress(packed)
    assert shares.listed(database, share.run_ids)[0].title == "How many?"

"""Searches for capacities whose servers are queues: what a page, a chart or a file is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import Engine

from db import capacities, runs
from db.database import writing
from db.runs import NewRun
from services.ask.config import RunConfig
from services.ask.measurement import Sample
from services.studies.capacity import Capacity, next_probe
from services.studies.capacity_config import CapacityConfig, parse_capacity
from services.studies.capacity_probe import Probe, probe_config, to_dict, with_observation
from tests.services.analysis.capacity.queue import Queue
from tests.values import NOON

FIRST, SECOND = Queue(8, 5.0), Queue(8, 6.5)  # about 35 and 47 requests/s at TTFT p95 ≤ 500 ms
FULL_AT = 45.0  # requests/s, from which on the KV cache of a server is full


def config_of_servers(count: int = 1, **more: Any) -> CapacityConfig:
    """A search of servers that nothing listens at."""
    ports = range(8000, 8000 + count)
    servers = [
        RunConfig(backend="url", base_url=f"http://127.0.0.1:{port}/v1", model="Qwen3-8B")
        for port in ports
    ]
    return parse_capacity({"servers": servers, "window_s": 20, "precision": 0.1, **more})


@cache
def searched(config: CapacityConfig, queues: Sequence[Queue] = (FIRST,)) -> Capacity:
    """Return a search that has ended, of servers that are such queues."""
    random = np.random.default_rng(2)
    capacity = Capacity(1, "How many?", "", NOON, config, "done", (), ended_at=NOON)
    while (following := next_probe(capacity)) is not None:
        server, step = following
        requests = queues[server].requests(random, step.load, 1.25 * step.window_s)
        probe = Probe(server, step.load, step.window_s, len(capacity.probes) + 1)
        seen = with_observation(config, probe, requests, [_sample(step.load)])
        capacity = replace(capacity, probes=(*capacity.probes, seen))
    return capacity


def _sample(load: float) -> Sample:
    full = load >= FULL_AT
    values = {"waiting": 40.0 if full else 0.0, "preemptions": 12.0 if full else 0.0}
    return Sample(1.0, {**values, "kv_cache_share": min(1.0, load / FULL_AT)})


def stored(database: Engine, capacity: Capacity) -> int:
    """Store such a search, whose probes are runs without requests; return its number. It is stored
    at once, so that a supervisor that is up does not advance it meanwhile."""
    about = {"name": capacity.name, "note": capacity.note, "machine": "elsewhere"}
    status = {"status": capacity.status, "error": capacity.error, "ended_at": capacity.ended_at}
    with writing(database) as connection:
        probes = []
        for place, probe in enumerate(capacity.probes):
            config = probe_config(capacity.config, probe.server, probe.step, place)
            lane = f"lane {probe.server}"
            run_id = runs.add(connection, NewRun(config, lane), status="done", ended_at=NOON)
            probes.append(to_dict(replace(probe, run_id=run_id)))
        stored = {**about, **status, "probes": probes}
        return capacities.add_search(connection, capacity.config, **stored)

"""Capacity searches: submit, continue, cancel, resume, delete."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Engine

import jobs
from db import capacities, counts, engines, queue, results, runs
from db.runs import AlreadyFinished, NewRun, RunNotFound
from jobs.destination import resolve
from jobs.finals import begin_finals
from jobs.supervisor_lock import check_lock_file, machine_id
from services.analysis.capacity import Step, label_of
from services.ask import run_names
from services.ask.backends import NO_KEYS, model_of
from services.ask.measurement import ALL_CUT, Run
from services.base import settings
from services.base.errors import NotFound, PacelineError
from services.base.roles import Person, origin_of
from services.base.units import many, significant
from services.servers.engines.instance import UP
from services.studies.capacity import Capacity, Status, next_probe
from services.studies.capacity_config import CapacityConfig
from services.studies.capacity_probe import Probe, nothing_known, probe_config, with_observation

CUT_SHORT: dict[str, Status] = {"cancelled": "cancelled", "interrupted": "interrupted"}


def submit(
    database: Engine,
    config: CapacityConfig,
    name: str = "",
    note: str = "",
    by: Person | None = None,
) -> int:
    """Queue a search and return its id. Keys come from .env: a search continues after its browser
    is closed, so a typed key would be lost. `by`: the person who submits it, if sign-in is on.

    Raises:
        BackendProblem, NotASavedServer, InvalidSettings, QueueProblem: see `jobs.submit`; nothing
            is queued.
    """
    jobs.check_person(database, config.servers, by)
    machine = _only_machine(config)
    config = _with_models(config)
    check_lock_file(database)
    name = name.strip() or default_name(config)
    capacity_id = capacities.create(database, config, name, note, machine, origin_of(by))
    jobs.ensure(database)
    return capacity_id


def _only_machine(config: CapacityConfig) -> str | None:
    """Return this machine if only it can reach one of the servers, else None. Raises
    BackendProblem, InvalidSettings."""
    machines = {resolve(server, NO_KEYS).machine for server in config.servers} - {None}
    return next(iter(machines), None)


def _with_models(config: CapacityConfig) -> CapacityConfig:
    """Return the config with the models that the environment names: a search's price is that of its
    config, and all its probes ask the same model even if the environment changes."""
    env = settings.environment()
    servers = tuple(
        server.model_copy(update={"model": model_of(server, env)}) for server in config.servers
    )
    return config.model_copy(update={"servers": servers})


def default_name(config: CapacityConfig) -> str:
    """Return the default name of a search: "embedded · capacity at TTFT p95 ≤ 500 ms"."""
    first = config.servers[0]
    server = run_names.server_name(first, resolve(first, NO_KEYS).lane, first.model)
    others = len(config.servers) - 1
    more = f" and {many(others, 'other')}" if others else ""
    return f"{server}{more} · capacity at {label_of(config.parsed_objectives)}"


def advance(database: Engine) -> None:
    """Advance each search whose probe has ended: store the outcome, and queue the next probe or end
    the search."""
    for capacity in capacities.waiting(database, machine_id()):
        with suppress(NotFound):  # it or its study was deleted meanwhile
            try:
                _advance_search(database, capacity)
            except PacelineError as error:  # such as a key that is gone: the search's error
                _end(database, capacity, "failed", str(error))


def _end(database: Engine, capacity: Capacity, status: Status, error: str | None = None) -> None:
    """End a search. What follows in its study is queued first, so that nothing is left out if this
    process is killed in between."""
    if capacity.study_id is not None:
        begin_finals(database, replace(capacity, status=status))
    capacities.end(database, capacity.id, status, error)


def _advance_search(database: Engine, capacity: Capacity) -> None:
    if (last := _measured_now(database, capacity)) is not None:
        if (why := _end_reason(database, capacity, last)) is not None:
            _end(database, capacity, CUT_SHORT.get(last.status, "failed"), why)
            return
        probes = _with_last_measured(database, capacity, last)
        if (why := nothing_known(capacity.config, probes[-1])) is not None:
            _end(database, capacity, "failed", why)
            return
        if not capacities.save_probes(database, capacity, probes):
            return
        capacity = replace(capacity, probes=probes)
    following = next_probe(capacity)
    if following is None:
        _end(database, capacity, "done")
        return
    _begin(database, capacity, *following)


def _end_reason(database: Engine, capacity: Capacity, run: Run) -> str | None:
    """Return why the search ends with its last run; None if that run counts as a probe."""
    why = _engine_problem(database, capacity, run)
    if run.status == "done" or run.error == ALL_CUT:  # cut off: that load is not sustained
        return why
    return why or run.error or f"Run {run.id}, one of its probes, was {run.status}."


def _engine_problem(database: Engine, capacity: Capacity, run: Run) -> str | None:
    """Return why a study's engine ended while the run was measured, which made its requests fail;
    None if it did not end. It may have been started again since."""
    if capacity.engine_id is None or run.started_at is None or not _failed(database, run):
        return None
    engine = engines.load(database, capacity.engine_id)
    again = engine.started_at is not None and engine.started_at > run.started_at
    if engine.error is None or (engine.status in UP and not again):
        return None
    return f"{engine.error} It ended during run {run.id}."


def _failed(database: Engine, run: Run) -> bool:
    """Whether the run or any of its requests failed."""
    return run.status == "failed" or bool(counts.request_counts(database, run.id).get("failed"))


def _measured_now(database: Engine, capacity: Capacity) -> Run | None:
    """The run of the last probe, unless the probe's outcome is known or it will be repeated."""
    last = capacity.probes[-1] if capacity.probes else None
    if last is None or last.observation is not None:
        return None
    return runs.load(database, last.run_id)


def _with_last_measured(database: Engine, capacity: Capacity, run: Run) -> tuple[Probe, ...]:
    *earlier, last = capacity.probes
    requests, samples = results.requests_of(database, run), runs.samples(database, run.id)
    return (*earlier, with_observation(capacity.config, last, requests, samples))


def _begin(database: Engine, capacity: Capacity, server: int, step: Step) -> None:
    config = probe_config(capacity.config, server, step, len(capacity.probes))
    name = f"{capacity.name[:150]} · {significant(step.load)} {capacity.config.unit}"
    tags: tuple[str, ...] = (f"capacity {capacity.id}",)
    origin = capacity.origin
    if capacity.engine_id is not None:
        lane, tags = f"engine {capacity.engine_id}", (*tags, f"study {capacity.study_id}")
        new = NewRun(config, lane, name, tags, machine=machine_id(), origin=origin)
    else:
        to = resolve(config, NO_KEYS)  # its secrets are read from this environment again
        new = NewRun(
            config,
            to.lane,
            name,
            tags,
            destination=to.stored,
            machine=to.machine,
            origin=origin,
        )
    capacities.begin(database, capacity, Probe(server, step.load, step.window_s, 0), new)


def cancel(database: Engine, capacity_id: int) -> None:
    """Stop a search; its probes are kept, and it can be resumed.

    Raises:
        CapacityNotFound, QueueProblem.
    """
    if not capacities.end(database, capacity_id, "cancelled"):
        return
    for probe in capacities.load(database, capacity_id).probes[-1:]:  # no further probe begins
        with suppress(AlreadyFinished, RunNotFound):
            queue.request_cancel(database, probe.run_id)
    jobs.ensure(database)


def resume(
    database: Engine,
    capacity_id: int,
    probes: int | None = None,
    precision: float | None = None,
) -> None:
    """Resume a search: finished probes are kept, and an unfinished one is repeated. One that has
    ended continues with more `probes` or a narrower `precision`, or if the client was too busy.

    Raises:
        CapacityNotFound, CapacityBusy, PartOfStudy, NothingToContinue, InvalidConfig.
        BackendProblem, InvalidSettings, QueueProblem: see `jobs.submit`.
    """
    capacity, machine = capacities.load(database, capacity_id), None
    if capacity.study_id is None:
        machine = _only_machine(capacity.config)
        check_lock_file(database)
    capacities.resume(database, capacity_id, machine, probes, precision)
    jobs.ensure(database)

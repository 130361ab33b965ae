"""The supervisor: `python -m jobs`. Whoever queues a run starts it. It outlives the browser and the
web server, and exits when the queue has been empty for a while."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Event
from time import monotonic
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import engines, queue, retention, span_exports, task_batches, task_queue, tasks
from db.capacities import any_running as is_searching
from db.database import UNUSABLE, DatabaseGone, connect, on_one_machine, upgrade
from db.heartbeats import Heartbeat
from jobs import capacities, children
from jobs.engine_supervisor import END_S, EngineSupervisor, clean_up
from jobs.heartbeat_monitor import STALE_S, HeartbeatMonitor
from jobs.keys import Keys, listening
from jobs.removal import Removal
from jobs.run_supervisor import KILL_S, RunSupervisor
from jobs.server_locks import ServerLocks
from jobs.span_supervisor import SpanSupervisor
from jobs.supervisor_lock import QueueProblem, acquire_lock, machine_id
from jobs.task_process import TaskProcess
from services.ask.tasks import limits
from services.base import logs, settings

POLL_S = 0.25
IDLE_S = 5.0  # a supervisor with nothing to do ends after this
WRITE_S = 5.0  # for storing how a killed worker's run ended
NO_PROCESS = (
    "The process that measures this run could not be started: {}. Free memory or raise the limit "
    "of processes (ulimit -u), then start the run again."
)
TRIES = 10  # to get the lock, which a process that looks for a supervisor holds for an instant

T = TypeVar("T")

log = logging.getLogger("paceline.jobs")


def supervise(database: Engine, stopping: Event, keys: Keys) -> None:
    """Process the queue until it has been empty for IDLE_S, or until `stopping` is set. `keys` may
    be handed over before their runs are stored."""
    run_supervisors: list[RunSupervisor] = []
    engine_supervisors: list[EngineSupervisor] = []
    spans = SpanSupervisor(database)
    busy_at, problem = monotonic(), ""
    alone = on_one_machine(database)
    run_monitor, engine_monitor = (HeartbeatMonitor(machine_id(), alone) for _ in range(2))
    locks, days, tasks_for = ServerLocks(), kept(retention.days_of), kept(limits.kept)
    old_times = Removal(lambda: days is not None and retention.remove_some(database, days))
    old_batches = Removal(lambda: task_batches.remove_some(database, tasks_for))
    task_process = TaskProcess(database, keys)
    # A file has one supervisor: any engine that is up belonged to an earlier one.
    stale_s = 0.0 if alone else STALE_S
    unclear: set[Heartbeat] | None = None
    while not stopping.wait(POLL_S):
        try:
            tend_engines(database, engine_supervisors, engine_monitor, stale_s)
            stale_s = STALE_S
            unclear = unclear_engines(database, engine_supervisors, unclear)
            if not unclear:
                tend_runs(database, run_supervisors, keys, run_monitor, locks, spans)
            tend_keys(database, keys)
            task_process.tick()
            capacities.advance(database)
            spans.tick(measuring=bool(run_supervisors))
            busy = run_supervisors or engine_supervisors or spans.sending
            if not busy and old_times.tick():
                busy_at = monotonic()  # never while something is measured
            if not run_supervisors and old_batches.tick():
                busy_at = monotonic()
            if busy or keys or has_work(database):
                busy_at = monotonic()
            problem = ""
        except DBAPIError as error:  # locked, or unreachable for a while: the runs continue
            if str(error.orig) != problem:  # logged once, however long it lasts
                problem = str(error.orig)
                log.warning("the database cannot be used: %s", problem)
            busy_at = monotonic()
        except DatabaseGone as error:  # what is being measured could not be stored
            log.warning("%s", error)
            break
        if monotonic() - busy_at > IDLE_S:
            break
    task_process.stop()
    spans.stop()
    shut_down(run_supervisors, engine_supervisors)


def kept(read: Callable[[Mapping[str, str]], T | None]) -> T | None:
    """Return how long something is kept, as `read` finds it in the environment; None: forever, or
    the setting is invalid."""
    try:
        return read(os.environ)
    except (retention.InvalidRetention, limits.InvalidLimit) as error:
        log.warning("%s", error)
        return None


def has_work(database: Engine) -> bool:
    """Whether a run, an engine or a task is queued or active, a search is running, or a run waits
    to be sent as spans."""
    waits = span_exports.next_waiting(database, machine_id()) is not None
    waits = waits or tasks.active(database) or is_searching(database, machine_id())
    return bool(waits or queue.active(database) or engines.active(database))


def shut_down(
    run_supervisors: list[RunSupervisor], engine_supervisors: list[EngineSupervisor]
) -> None:
    """Stop the runs and engines that are left; a worker that has not ended after KILL_S is
    killed."""
    for engine_supervisor in engine_supervisors:
        engine_supervisor.stop()
    for run_supervisor in run_supervisors:
        run_supervisor.shut_down()
    until = monotonic() + KILL_S
    for run_supervisor in run_supervisors:
        run_supervisor.join(max(0.0, until - monotonic()))
    for run_supervisor in run_supervisors:
        run_supervisor.kill()
    for run_supervisor in run_supervisors:
        run_supervisor.join(WRITE_S)
    for engine_supervisor in engine_supervisors:
        engine_supervisor.join(END_S)


def tend_runs(
    database: Engine,
    run_supervisors: list[RunSupervisor],
    keys: Keys,
    monitor: HeartbeatMonitor,
    locks: ServerLocks,
    spans: SpanSupervisor,
) -> None:
    """Tick the runs of this process, end the runs whose supervisor is gone, and start new ones;
    sending spans stops when a run starts."""
    for (
        run_supervisor
    ) in run_supervisors:  # first: a process that was suspended must not count its own runs as lost
        run_supervisor.tick()
    run_supervisors[:] = [each for each in run_supervisors if each.is_alive()]
    supervised = {each.run_id for each in run_supervisors}
    queue.interrupt(database, monitor.lost(queue.heartbeats(database), supervised))

    def is_free(lane: str) -> bool:
        return not task_queue.is_claimed(database, lane, machine_id()) and locks.acquire(lane)

    while (run := queue.claim(database, machine_id(), is_free)) is not None:
        log.info("run %s: begins", run.id)
        spans.stop()
        try:
            run_supervisors.append(RunSupervisor(database, run, keys))
        except OSError as error:  # such as too many processes: the other runs go on
            log.warning("run %s: no process can be started: %s", run.id, error)
            queue.finish(database, run.id, "failed", NO_PROCESS.format(error.strerror or error))
            break
        run_supervisors[-1].start()
        spans.request(run.id)
    if locks:
        locks.keep(queue.lanes(database, [each.run_id for each in run_supervisors]))


def tend_keys(database: Engine, keys: Keys) -> None:
    """Forget keys that no run needs any more, send heartbeats for the runs that wait for this
    machine, and end those that wait for a machine that is gone."""
    if keys:
        keys.forget(queue.needed_tickets(database) | tasks.tickets(database))
    if keys.heartbeat_due():
        queue.machine_heartbeat(database, machine_id())
        for run_id in queue.end_abandoned(database, machine_id()):
            log.warning("run %s: its machine is gone", run_id)


def tend_engines(
    database: Engine,
    engine_supervisors: list[EngineSupervisor],
    monitor: HeartbeatMonitor,
    stale_s: float,
) -> None:
    """Tick the engines of this process, end the engines whose supervisor is gone, and start new
    ones."""
    children.reap()
    for engine_supervisor in engine_supervisors:
        engine_supervisor.tick()
    engine_supervisors[:] = [each for each in engine_supervisors if each.is_alive()]
    supervised = {each.engine_id for each in engine_supervisors}
    stale = monitor.lost(engines.heartbeats(database), supervised, stale_s)
    elsewhere = {each.id for each in stale if each.machine not in (None, machine_id())}
    for engine_id in engines.end_lost(database, stale):
        # a process here with the number of one over there, or an orphan, is not that engine's
        if engine_id not in elsewhere or on_one_machine(database):
            clean_up(database, engine_id)
    while (server := engines.claim(database, machine_id())) is not None:
        log.info("engine %s: starts", server.id)
        engine_supervisors.append(EngineSupervisor(database, server))
        engine_supervisors[-1].start()
    engines.give_up_runs(database)


def unclear_engines(
    database: Engine, engine_supervisors: list[EngineSupervisor], before: set[Heartbeat] | None
) -> set[Heartbeat]:
    """Return the heartbeats of engines that were up on this machine when this process began, and
    that have neither sent another one nor been ended since. Their supervisor may be gone, so that
    they are about to be stopped and no run may be sent to them; or it may be alive, because
    another checkout on this machine, or another spelling of the URL, uses the same PostgreSQL
    database with a lock file of its own. `before`: the previous result, None at first."""
    if before == set():
        return before
    supervised = {each.engine_id for each in engine_supervisors}
    others = {
        heartbeat
        for heartbeat in engines.heartbeats(database)
        if heartbeat.machine == machine_id() and heartbeat.id not in supervised
    }
    return others if before is None else others & before


def main(descriptor: str | None = None) -> None:
    """Run as the supervisor, unless there is one. `descriptor`: that of the open lock file, which
    was inherited."""
    inherited = None if descriptor is None else int(descriptor)
    if inherited is not None:
        os.set_inheritable(inherited, False)  # a worker that outlives us would keep it
    settings.load()
    logs.setup("supervisor", os.environ)
    database = connect()
    upgrade(database)
    children.adopt_orphans()
    stopping, keys = Event(), Keys()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    for attempt in range(TRIES):
        with acquire_lock(database, inherited if attempt == 0 else None) as lock:
            if lock is not None:
                with listening(keys, lock):
                    supervise(database, stopping, keys)
        if lock is not None and (stopping.is_set() or not (keys or has_work(database))):
            return  # else a run was queued while this process was ending
        stopping.wait(0.1)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except (settings.InvalidSettings, QueueProblem, *UNUSABLE) as problem:
        sys.exit(str(problem))

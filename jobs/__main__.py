"""The supervisor: `python -m jobs`. Started by whoever queues a run, outlives the browser and the
web server, and ends itself when the queue has been empty for a while."""

from __future__ import annotations

import logging
import os
import signal
import sys
from threading import Event
from time import monotonic

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import engines, queue
from db.database import UNUSABLE, DatabaseGone, connect, upgrade
from jobs import children
from jobs.engine_supervisor import END_S, EngineSupervisor, tidied
from jobs.keys import Keys, listening
from jobs.place import QueueProblem, machine, place
from jobs.run_supervisor import KILL_S, RunSupervisor
from jobs.silence import STALE_S, Silence
from services.base import settings

POLL_S = 0.25
IDLE_S = 5.0  # a supervisor with nothing to do ends after this
WRITE_S = 5.0  # for how a killed worker's run ended to be written down
TRIES = 10  # for the place, which whoever looks for a supervisor holds for an instant

log = logging.getLogger("paceline.jobs")


def supervise(database: Engine, stopping: Event, keys: Keys) -> None:
    """Work the queue off until it has been empty for IDLE_S, or until `stopping` is set. `keys`:
    what is handed over for runs, perhaps before they are there."""
    run_supervisors: list[RunSupervisor] = []
    engine_supervisors: list[EngineSupervisor] = []
    busy_at, trouble = monotonic(), ""
    runs_silence, engines_silence = Silence(machine()), Silence(machine())
    stale_s = 0.0  # there was no other supervisor: what engines there are were an earlier one's
    while not stopping.wait(POLL_S):
        try:
            keep(database, engine_supervisors, engines_silence, stale_s)
            stale_s = STALE_S
            work(database, run_supervisors, keys, runs_silence)
            hold(database, keys)
            if run_supervisors or engine_supervisors or keys or wanted(database):
                busy_at = monotonic()
            trouble = ""
        except DBAPIError as error:  # locked, or not there for a while: the runs go on meanwhile
            if str(error.orig) != trouble:  # said once, however long it lasts
                trouble = str(error.orig)
                log.warning("the database cannot be used: %s", trouble)
            busy_at = monotonic()
        except DatabaseGone as error:  # what is measured now could be kept nowhere
            log.warning("%s", error)
            break
        if monotonic() - busy_at > IDLE_S:
            return
    shut_down(run_supervisors, engine_supervisors)


def wanted(database: Engine) -> bool:
    """Whether something waits to be measured or started."""
    return bool(queue.active(database) or engines.active(database))


def shut_down(
    run_supervisors: list[RunSupervisor], engine_supervisors: list[EngineSupervisor]
) -> None:
    """Stop what is still measured, and the engines: a worker that has not ended after KILL_S is
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


def work(
    database: Engine, run_supervisors: list[RunSupervisor], keys: Keys, silence: Silence
) -> None:
    """Look after the runs in hand, then those that lost their process, then begin new ones."""
    for run_supervisor in run_supervisors:  # first: who was suspended must not count itself lost
        run_supervisor.tick()
    run_supervisors[:] = [each for each in run_supervisors if each.is_alive()]
    in_hand = {each.run_id for each in run_supervisors}
    queue.interrupt(database, silence.lost(queue.beats(database), in_hand))
    while (run := queue.claim(database, machine())) is not None:
        log.info("run %s: begins", run.id)
        run_supervisors.append(RunSupervisor(database, run, keys))
        run_supervisors[-1].start()


def hold(database: Engine, keys: Keys) -> None:
    """Forget the keys that no run wants any more, and say that those that wait are held here."""
    if keys:
        keys.forget(queue.tickets(database))
        if keys.to_be_said():
            queue.hold(database, machine())


def keep(
    database: Engine, engine_supervisors: list[EngineSupervisor], silence: Silence, stale_s: float
) -> None:
    """Look after the engines in hand, then those that lost their process, then start new ones."""
    children.bury()
    for engine_supervisor in engine_supervisors:
        engine_supervisor.tick()
    engine_supervisors[:] = [each for each in engine_supervisors if each.is_alive()]
    in_hand = {each.engine_id for each in engine_supervisors}
    silent = silence.lost(engines.beats(database), in_hand, stale_s)
    for engine_id in engines.lost(database, silent):
        tidied(database, engine_id)
    while (server := engines.claim(database, machine())) is not None:
        log.info("engine %s: starts", server.id)
        engine_supervisors.append(EngineSupervisor(database, server))
        engine_supervisors[-1].start()
    engines.give_up_runs(database)


def main(given: str | None = None) -> None:
    """Be the supervisor, unless there is one. `given`: the descriptor of a place held for us."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # an engine is asked twice a second
    held = None if given is None else int(given)
    if held is not None:
        os.set_inheritable(held, False)  # a worker that outlived us would keep the place
    settings.load()
    engine = connect()
    upgrade(engine)
    children.adopt()
    stopping, keys = Event(), Keys()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    for attempt in range(TRIES):
        with place(engine, held if attempt == 0 else None) as have:
            if have is not None:
                with listening(keys, have):
                    supervise(engine, stopping, keys)
        if have is not None and (stopping.is_set() or not (keys or wanted(engine))):
            return  # else a run was queued while this one was ending
        stopping.wait(0.1)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except (settings.InvalidSettings, QueueProblem, *UNUSABLE) as problem:
        sys.exit(str(problem))

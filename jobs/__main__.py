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
from jobs.carrier import KILL_S, Carrier
from jobs.keeper import END_S, Keeper, tidied
from jobs.keys import Keys, listening
from jobs.place import QueueProblem, machine, place
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
    carriers: list[Carrier] = []
    keepers: list[Keeper] = []
    busy_at, trouble = monotonic(), ""
    runs_silence, engines_silence = Silence(machine()), Silence(machine())
    stale_s = 0.0  # there was no other supervisor: what engines there are were an earlier one's
    while not stopping.wait(POLL_S):
        try:
            keep(database, keepers, engines_silence, stale_s)
            stale_s = STALE_S
            work(database, carriers, keys, runs_silence)
            hold(database, keys)
            if carriers or keepers or keys or wanted(database):
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
    shut_down(carriers, keepers)


def wanted(database: Engine) -> bool:
    """Whether something waits to be measured or started."""
    return bool(queue.active(database) or engines.active(database))


def shut_down(carriers: list[Carrier], keepers: list[Keeper]) -> None:
    """Stop what is still measured, and the engines: a worker that has not ended after KILL_S is
    killed."""
    for keeper in keepers:
        keeper.stop()
    for carrier in carriers:
        carrier.shut_down()
    until = monotonic() + KILL_S
    for carrier in carriers:
        carrier.join(max(0.0, until - monotonic()))
    for carrier in carriers:
        carrier.kill()
    for carrier in carriers:
        carrier.join(WRITE_S)
    for keeper in keepers:
        keeper.join(END_S)


def work(database: Engine, carriers: list[Carrier], keys: Keys, silence: Silence) -> None:
    """Look after the runs in hand, then those that lost their process, then begin new ones."""
    for carrier in carriers:  # first: a supervisor that was suspended must not count itself lost
        carrier.tick()
    carriers[:] = [carrier for carrier in carriers if carrier.is_alive()]
    in_hand = {carrier.run_id for carrier in carriers}
    queue.interrupt(database, silence.lost(queue.beats(database), in_hand))
    while (run := queue.claim(database, machine())) is not None:
        log.info("run %s: begins", run.id)
        carriers.append(Carrier(database, run, keys))
        carriers[-1].start()


def hold(database: Engine, keys: Keys) -> None:
    """Forget the keys that no run wants any more, and say that those that wait are held here."""
    if keys:
        keys.forget(queue.tickets(database))
        if keys.to_be_said():
            queue.hold(database, machine())


def keep(database: Engine, keepers: list[Keeper], silence: Silence, stale_s: float) -> None:
    """Look after the engines in hand, then those that lost their process, then start new ones."""
    children.bury()
    for keeper in keepers:
        keeper.tick()
    keepers[:] = [keeper for keeper in keepers if keeper.is_alive()]
    in_hand = {keeper.engine_id for keeper in keepers}
    silent = silence.lost(engines.beats(database), in_hand, stale_s)
    for engine_id in engines.lost(database, silent):
        tidied(database, engine_id)
    while (server := engines.claim(database, machine())) is not None:
        log.info("engine %s: starts", server.id)
        keepers.append(Keeper(database, server))
        keepers[-1].start()
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

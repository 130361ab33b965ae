"""Supervises one work item of a run: its worker process, and the writing of what that says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from time import monotonic
from typing import Any

from sqlalchemy import Engine

from db import engines, queue, results, runs
from db.database import DatabaseProblem
from jobs import children, rounds
from jobs.keys import Keys
from jobs.retry import TROUBLE, reason, retried
from jobs.sent import found
from jobs.watch import Watch
from services.analysis.compare.headline import headline
from services.ask.backends import BackendProblem, Target, target
from services.ask.measurement import Repeat, Run
from services.ask.work_item import WorkItem
from services.base import untrusted
from services.base.fault import fault
from services.base.ipc import Message, ProtocolProblem
from services.base.settings import InvalidSettings
from services.base.units import many
from services.load.protocol import (
    Calibrated,
    End,
    Environment,
    Model,
    Phase,
    ProgressSeen,
    RepeatSeen,
    Requests,
    Served,
    Serving,
    decode,
    encode,
)
from services.servers.engines import ENGINES
from services.servers.engines.instance import EngineInstance
from services.servers.telemetry.target import SamplerTarget

KILL_S = 3.0  # a worker that was told to stop and has not
MEASURED = (RepeatSeen, Requests)  # the messages without which a run is not what it says

log = logging.getLogger("paceline.jobs")


class RunSupervisor(Thread):
    """Supervises one work item of a run, which is often the whole run."""

    def __init__(self, database: Engine, run: Run, keys: Keys) -> None:
        super().__init__(daemon=True, name=f"run-{run.id}")
        self._database, self._run, self._keys = database, run, keys
        self._target: Target | None = None  # once it is known
        self._environment: dict[str, Any] = dict(run.environment)  # of its work items before
        self._spent_s = queue.last_moment(database, run.id)
        self._end: End | None = None
        self._in_flight = 0  # as the worker last said
        self._unkept: str | None = None  # why what was measured could not be stored
        self._told_to_stop: float | None = None
        self._shutting_down = False
        self._watch: Watch | None = None  # of the server, while it is measured
        self._process = children.start("services.load.worker")

    @property
    def run_id(self) -> int:
        return self._run.id

    def run(self) -> None:
        process = self._process
        with process:
            try:
                self._carry()
            except (BackendProblem, InvalidSettings, ProtocolProblem) as problem:
                self._give_up(str(problem))
            except Exception as error:  # nobody foresaw it: the run tells, not the log alone
                self._give_up(fault(error))
        self._watch_no_more()
        retried(lambda: self._finish(process.returncode), f"run {self._run.id}")

    def _carry(self) -> None:
        """Tell the worker what to measure, and keep what it sends."""
        process = self._process
        assert process.stdin and process.stdout
        item = retried(self._work_item, f"run {self._run.id}")
        with suppress(OSError, ValueError):  # stopped or dead already: its end says so
            process.stdin.write(encode(item))
            process.stdin.flush()
        for line in process.stdout:
            if line.endswith(b"\n"):  # a killed worker's last line may be half a line
                self._keep(decode(line))

    def _give_up(self, problem: str) -> None:
        self._end = End(False, problem)
        self._process.kill()

    def _finish(self, code: int) -> None:
        """Write down how it ended, or that it waits for its next turn."""
        run_id = self._run.id
        status, error = self._outcome(code)
        if status == "done" and (turn := rounds.next_turn(self._database, run_id)) is not None:
            if queue.wait_turn(self._database, run_id, turn, self._headline()):
                log.info("run %s: waits for its next turn", run_id)
                return
            status = "cancelled"  # in the last moment of its work item
        queue.finish(self._database, run_id, status, error, self._headline())
        log.info("run %s: %s", run_id, status)

    def _work_item(self) -> WorkItem:
        """What the worker measures now: all repeats that are left, or one in a comparison."""
        run = self._run
        self._target, env = self._to_whom()
        return WorkItem(
            config=run.config,
            first=len(run.repeats),
            count=None if run.comparison_id is None else 1,
            nonce=self._environment.get("prompt_mark", ""),
            calibrate=run.calibration is None,
            target=self._target,
            env=env,
        )

    def _to_whom(self) -> tuple[Target, Mapping[str, str]]:
        """To whom it goes: as it was submitted, or to the engine that was started for it, which has
        no key and serves one model, whatever it is called."""
        server, run = self._server(), self._run
        if server is not None:
            there = run.config.model_copy(update={"base_url": server.base_url, "model": ""})
            return target(there, {}), {}
        stored, ticket = queue.destination(self._database, run.id)
        return found(run.config, stored, self._keys.of(ticket))

    def _server(self) -> EngineInstance | None:
        engine_id = self._run.engine_id
        return None if engine_id is None else engines.load(self._database, engine_id)

    def tick(self) -> None:
        """Say that the run is alive, and stop it if that was asked for."""
        if queue.heartbeat(self._database, self._run.id):
            self.stop()
        if self._told_to_stop is not None and monotonic() - self._told_to_stop > KILL_S:
            self.kill()

    def stop(self) -> None:
        """Tell the worker to stop: the end of its standard input says so."""
        if self._told_to_stop is None and self._process.stdin:
            self._told_to_stop = monotonic()
            self._process.stdin.close()

    def shut_down(self) -> None:
        """Stop because the supervisor is told to end: the run is interrupted, not cancelled."""
        self._shutting_down = True
        self.stop()

    def kill(self) -> None:
        """End the worker whatever it does; nothing if it has ended."""
        self._process.kill()

    def _keep(self, message: Message) -> None:
        """Write a message down, again and again while the database is locked, full or gone. Where
        what was measured cannot be kept, there is no sense in measuring on."""
        if self._unkept is not None and not isinstance(message, End):
            return
        try:
            retried(lambda: self._take(message), f"run {self._run.id}")
        except (*TROUBLE, DatabaseProblem) as error:
            kind = type(message).__name__
            log.warning("run %s: %s is lost: %s", self._run.id, kind, reason(error))
            if isinstance(message, MEASURED):
                self._unkept = reason(error)
                self.stop()

    def _take(self, message: Message) -> None:
        database, run_id = self._database, self._run.id
        match message:
            case Phase(phase):
                queue.heartbeat(database, run_id, phase)
            case Model(model):
                queue.set_model(database, run_id, model)
            case Environment(values):
                self._environment |= untrusted.data(values)
                queue.set_environment(database, run_id, self._environment)
            case Calibrated(calibration):
                queue.set_calibration(database, run_id, untrusted.data(calibration))
            case RepeatSeen(repeat):
                queue.add_repeat(database, run_id, self._placed(repeat))
            case Requests():
                queue.add_measurements(database, run_id, message.measurements())
            case ProgressSeen(progress):
                self._in_flight = progress.in_flight
                placed = replace(progress, t=progress.t + self._spent_s)
                queue.add_progress(database, run_id, placed)
            case Serving():
                self._begin_to_watch(self._sampler_target(message))
            case Served():
                self._watch_no_more()
            case End():
                self._end = message

    def _placed(self, repeat: Repeat) -> Repeat:
        """When a repeat began is counted from the beginning of the run, not of this work item."""
        if "t" not in repeat.health:
            return repeat
        return replace(repeat, health={**repeat.health, "t": repeat.health["t"] + self._spent_s})

    def _sampler_target(self, at: Serving) -> SamplerTarget:
        """What to watch. An engine that was started for this run is seen from its first process:
        the one that listens may be a proxy before those that compute."""
        asked = SamplerTarget(
            self._run.config.backend, at.base_url, at.began_ns, at.pid, to=self._target
        )
        server = self._server()
        if server is None:
            return asked
        on_cores = ENGINES[server.config.engine].on_cores
        return replace(asked, pid=server.pid, on_cores=on_cores)

    def _begin_to_watch(self, asked: SamplerTarget) -> None:
        if asked.worth_it and self._watch is None:
            self._watch = Watch(self._database, self._run.id, asked, self._spent_s)
            self._watch.start()

    def _watch_no_more(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _outcome(self, code: int) -> tuple[Any, str | None]:
        if self._unkept is not None:
            return "interrupted", (
                f"What was measured could not be stored: {self._unkept}. What had been stored "
                "before is kept."
            )
        if self._shutting_down and (self._end is None or self._end.cancelled):
            return "interrupted", "Paceline was stopped while this run was measured."
        if self._end is None:
            if self._told_to_stop is not None:
                return "cancelled", f"It did not stop in time and was killed.{self._lost()}"
            return "interrupted", (
                f"The process that measured this run ended (exit code {code}).{self._lost()}"
            )
        if self._end.cancelled:
            return "cancelled", None
        if self._end.problem:
            return "failed", self._end.problem
        return self._judged()

    def _lost(self) -> str:
        """Say what a killed worker took with it: it alone knew the requests in flight."""
        if not self._in_flight:
            return ""
        return f" {many(self._in_flight, 'request')} in flight ended with it and are not counted."

    def _judged(self) -> tuple[Any, str | None]:
        measured = runs.measurements(self._database, self._run.id)
        if any(measurement.status == "ok" for measurement in measured):
            return "done", None
        first = next((m.error for m in measured if m.error), "nothing was measured")
        return "failed", f"No request succeeded. The first one: {first}"

    def _headline(self) -> dict[str, Any]:
        return headline(results.candidate(self._database, self._run.id))

"""Supervises one work item of a run: its worker process, and the storing of its messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from time import monotonic
from typing import Any

from sqlalchemy import Engine

from db import counts, engines, queue, recording, request_columns, results
from db.database import DatabaseProblem
from jobs import children, rounds
from jobs.destination import restore
from jobs.keys import Keys
from jobs.retry import TRANSIENT, reason, with_retries
from jobs.watch import Watch
from services.analysis.compare.stored_summary import stored_summary
from services.ask.backends import BackendProblem, Target, target
from services.ask.measurement import ALL_CUT, Repeat, Run, RunStatus
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

KILL_S = 3.0  # a worker that has not stopped by then is killed
NONE_DUE = "No request was due before the run ended. Let it run longer, or at a higher rate."
MEASURED = (RepeatSeen, Requests)  # the messages without which a run is incomplete

log = logging.getLogger("paceline.jobs")


class RunSupervisor(Thread):
    """Supervises one work item of a run, which is often the whole run."""

    def __init__(self, database: Engine, run: Run, keys: Keys) -> None:
        super().__init__(daemon=True, name=f"run-{run.id}")
        self._database, self._run, self._keys = database, run, keys
        self._target: Target | None = None  # once it is resolved
        self._environment: dict[str, Any] = dict(run.environment)  # from its earlier work items
        self._spent_s = recording.last_moment(database, run.id)
        self._end: End | None = None
        self._in_flight = 0  # as the worker last reported
        self._storage_error: str | None = None  # why measurements could not be stored
        self._stop_sent_at: float | None = None
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
                self._run_worker()
            except (BackendProblem, InvalidSettings, ProtocolProblem) as problem:
                self._give_up(str(problem))
            except Exception as error:  # unexpected: the run shows it, not only the log
                self._give_up(fault(error))
        self._stop_watch()
        with_retries(lambda: self._finish(process.returncode), f"run {self._run.id}")

    def _run_worker(self) -> None:
        """Send the worker its work item, and store what it sends back."""
        process = self._process
        assert process.stdin and process.stdout
        item = with_retries(self._work_item, f"run {self._run.id}")
        with suppress(OSError, ValueError):  # already stopped or dead: `_finish` handles it
            process.stdin.write(encode(item))
            process.stdin.flush()
        for line in process.stdout:
            if line.endswith(b"\n"):  # a killed worker's last line may be half a line
                self._store(decode(line))

    def _give_up(self, problem: str) -> None:
        self._end = End(False, problem)
        self._process.kill()

    def _finish(self, code: int) -> None:
        """Store how it ended, or requeue it for its next work item."""
        run_id = self._run.id
        status, error = self._outcome(code)
        if status == "done" and (index := rounds.next_item(self._database, run_id)) is not None:
            if queue.requeue(self._database, run_id, index, self._headline(status)):
                log.info("run %s: waits for its next work item", run_id)
                return
            status = "cancelled"  # cancelled just as its work item ended
        queue.finish(self._database, run_id, status, error, self._headline(status))
        log.info("run %s: %s", run_id, status)

    def _work_item(self) -> WorkItem:
        """Return what the worker measures: all repeats that are left, or one in a comparison."""
        run = self._run
        self._target, env = self._resolve_target()
        return WorkItem(
            config=run.config,
            first=len(run.repeats),
            count=None if run.comparison_id is None else 1,
            nonce=self._environment.get("prompt_mark", ""),
            calibrate=run.calibration is None,
            target=self._target,
            env=env,
        )

    def _resolve_target(self) -> tuple[Target, Mapping[str, str]]:
        """Return the target and its variables: as submitted, or those of the engine that was
        started for the run, which has no key and serves one model, whatever its name."""
        server, run = self._server(), self._run
        if server is not None:
            config = run.config.model_copy(update={"base_url": server.base_url, "model": ""})
            return target(config, {}), {}
        stored, ticket = queue.destination(self._database, run.id)
        return restore(run.config, stored, self._keys.get(ticket))

    def _server(self) -> EngineInstance | None:
        engine_id = self._run.engine_id
        return None if engine_id is None else engines.load(self._database, engine_id)

    def tick(self) -> None:
        """Send a heartbeat; stop the worker of a cancelled run, and kill it if it does not stop."""
        if queue.heartbeat(self._database, self._run.id):
            self.stop()
        if self._stop_sent_at is not None and monotonic() - self._stop_sent_at > KILL_S:
            self.kill()

    def stop(self) -> None:
        """Stop the worker, by closing its standard input."""
        if self._stop_sent_at is None and self._process.stdin:
            self._stop_sent_at = monotonic()
            self._process.stdin.close()

    def shut_down(self) -> None:
        """Stop because the supervisor is stopping: the run is interrupted, not cancelled."""
        self._shutting_down = True
        self.stop()

    def kill(self) -> None:
        """Kill the worker; does nothing if it has ended."""
        self._process.kill()

    def _store(self, message: Message) -> None:
        """Store a message, with retries while the database is locked, full or unreachable. If
        measurements cannot be stored, the worker is stopped."""
        if self._storage_error is not None and not isinstance(message, End):
            return
        try:
            with_retries(lambda: self._store_once(message), f"run {self._run.id}")
        except (*TRANSIENT, DatabaseProblem) as error:
            kind = type(message).__name__
            log.warning("run %s: %s is lost: %s", self._run.id, kind, reason(error))
            if isinstance(message, MEASURED):
                self._storage_error = reason(error)
                self.stop()

    def _store_once(self, message: Message) -> None:
        database, run_id = self._database, self._run.id
        match message:
            case Phase(phase):
                queue.heartbeat(database, run_id, phase)
            case Model(model):
                recording.set_model(database, run_id, model)
            case Environment(values):
                self._environment |= untrusted.data(values)
                recording.set_environment(database, run_id, self._environment)
            case Calibrated(calibration):
                recording.set_calibration(database, run_id, untrusted.data(calibration))
            case RepeatSeen(repeat):
                recording.add_repeat(database, run_id, self._in_run_time(repeat))
            case Requests():
                recording.add_measurements(database, run_id, message.measurements())
            case ProgressSeen(progress):
                self._in_flight = progress.in_flight
                moved = replace(progress, t=progress.t + self._spent_s)
                recording.add_progress(database, run_id, moved)
            case Serving():
                self._start_watch(self._sampler_target(message))
            case Served():
                self._stop_watch()
            case End():
                self._end = message

    def _in_run_time(self, repeat: Repeat) -> Repeat:
        """Return a repeat with its start in seconds since the start of the run."""
        if "t" not in repeat.health:
            return repeat
        return replace(repeat, health={**repeat.health, "t": repeat.health["t"] + self._spent_s})

    def _sampler_target(self, at: Serving) -> SamplerTarget:
        """Return what to sample. For an engine that was started for this run, sampling begins at
        its first process: the process that listens may be a proxy for those that compute."""
        sampled = SamplerTarget(
            self._run.config.backend, at.base_url, at.began_ns, at.pid, to=self._target
        )
        server = self._server()
        if server is None:
            return sampled
        on_cores = ENGINES[server.config.engine].on_cores
        return replace(sampled, pid=server.pid, on_cores=on_cores)

    def _start_watch(self, sampled: SamplerTarget) -> None:
        if sampled.may_be_sampled and self._watch is None:
            self._watch = Watch(self._database, self._run.id, sampled, self._spent_s)
            self._watch.start()

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _outcome(self, code: int) -> tuple[Any, str | None]:
        if self._storage_error is not None:
            return "interrupted", (
                f"The measurements could not be stored: {self._storage_error}. Everything stored "
                "before is kept."
            )
        if self._shutting_down and (self._end is None or self._end.cancelled):
            return "interrupted", "Paceline was stopped while this run was being measured."
        if self._end is None:
            if self._stop_sent_at is not None:
                return (
                    "cancelled",
                    f"It did not stop in time and was killed.{self._lost()}",
                )
            return "interrupted", (
                f"The process that measured this run ended (exit code {code}).{self._lost()}"
            )
        if self._end.cancelled:
            return "cancelled", None
        if self._end.problem:
            return "failed", self._end.problem
        return self._result()

    def _lost(self) -> str:
        """Return a sentence on the requests in flight that a killed worker did not report."""
        if not self._in_flight:
            return ""
        return f" {many(self._in_flight, 'request')} in flight ended with it and are not counted."

    def _result(self) -> tuple[Any, str | None]:
        ended = counts.request_counts(self._database, self._run.id)
        if ended.get("ok"):
            return "done", None
        if not ended:
            return "failed", NONE_DUE
        first = counts.first_error(self._database, self._run.id)
        return "failed", f"No request succeeded. The first one: {first}" if first else ALL_CUT

    def _headline(self, status: RunStatus) -> dict[str, Any]:
        request_columns.store(self._database, self._run.id)
        return stored_summary(results.candidate(self._database, self._run.id), status)

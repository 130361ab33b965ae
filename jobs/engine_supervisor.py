"""Supervises one engine: starts it, waits until it is ready, and ensures that it ends."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
from sqlalchemy import Engine

from db import engines as stored
from jobs import children
from jobs.retry import with_retries
from jobs.supervisor_lock import supervisor_file
from services.ask.backends import Target
from services.base import private_file, settings
from services.base.ipc import ProtocolProblem
from services.base.settings import InvalidSettings
from services.servers import engines, protocol
from services.servers.engines import EngineProblem, Launch
from services.servers.engines.instance import EngineInstance
from services.servers.engines.process_tags import end, in_session, kill_tagged, tagged_processes
from services.servers.facts import engine_facts
from services.servers.protocol import EngineEnded, EngineEnding, EngineRefused, EngineStarted

log = logging.getLogger("paceline.jobs")

CLOCKS_S = 60.0  # the most by which a database's clock may differ from this machine's
END_S = 40.0  # what the engine process may take to end the engine


class EngineSupervisor(Thread):
    """Supervises one engine until it ends. Its processes live as long as a pipe from here to the
    engine process is open, so that they end whenever the supervisor does, however it ends."""

    def __init__(self, database: Engine, server: EngineInstance) -> None:
        super().__init__(daemon=True, name=f"engine-{server.id}")
        self._database, self._server = database, server
        self._stopping = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: Thread
        self._code: int | None = None
        self._problem: str | None = None  # what the engine process failed to do

    @property
    def engine_id(self) -> int:
        return self._server.id

    def run(self) -> None:
        try:
            env = settings.environment()
            launch = engines.launch(self._server.config, engines.free_port(), env)
            self._start(launch)
        except (EngineProblem, InvalidSettings, OSError) as error:
            reason = str(error)
            self._write(lambda: stored.ended(self._database, self._server.id, reason))
            return
        try:
            self._until_ready(launch)
        except EngineProblem as error:
            self._end(str(error))
            return
        self._watch()

    def _start(self, launch: Launch) -> None:
        tag = process_tag(self._database, self._server.id)
        kill_tagged(tag)  # processes that an earlier start may have left
        file = log_file(self._database, self._server.id)
        private_file.create_folder(file.parent)
        file.unlink(missing_ok=True)
        self._update(phase="Starting", command=launch.text(), base_url=launch.base_url)
        self._process = children.start("services.servers.engines.engine_process", str(file))
        assert self._process.stdin
        self._process.stdin.write(protocol.encode(launch.job(tag)))
        self._process.stdin.flush()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process and self._process.stdout
        for line in self._process.stdout:
            try:
                message = protocol.decode(line)
            except ProtocolProblem as problem:
                message = EngineRefused(str(problem))
            match message:
                case EngineStarted(pid):
                    self._update(pid=pid)
                case EngineEnding():
                    self._update(status="ending", phase="")
                case EngineEnded(code):
                    self._code = code
                case EngineRefused(sentence):
                    self._problem = sentence

    def _until_ready(self, launch: Launch) -> None:
        """Wait until the engine answers a request. Raises EngineProblem."""
        config = self._server.config
        asyncio.run(engines.ready(launch, config.start_timeout_s, self._alive))
        facts = asyncio.run(engine_facts(Target("url", launch.base_url, launch.model)))
        facts["device"] = engines.ENGINES[config.engine].devices(engines.devices()).rank
        self._write(lambda: stored.ready(self._database, self._server.id, facts))
        log.info("engine %s: ready", self._server.id)

    def _alive(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None and not self._stopping.is_set()

    def _watch(self) -> None:
        """Wait until the engine has ended, by itself or because it was stopped."""
        assert self._process
        self._process.wait()
        self._end(None)

    def _end(self, problem: str | None) -> None:
        """End the remaining processes, and store why."""
        process, server = self._process, self._server
        assert process and process.stdin
        with suppress(OSError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        process.kill()
        self._listener.join()  # its last message says how the engine ended
        clean_up(self._database, server.id)
        if self._stopping.is_set():
            self._write(lambda: stored.ended(self._database, server.id))
            return
        failure = engines.diagnose(
            server.config.engine, engines.tail(log_file(self._database, server.id)), self._code
        )
        diagnosed = failure.sentence if failure.kind != "unknown" else problem or failure.sentence
        reason = self._problem or diagnosed
        log.info("engine %s: %s", server.id, reason)
        self._write(lambda: self._give_up(reason, failure.hint))

    def _give_up(self, reason: str, hint: str) -> None:
        """Restart an engine that was ready; one that never was would only fail again."""
        ready = stored.load(self._database, self._server.id).ready_at is not None
        if not (ready and stored.restart(self._database, self._server.id, reason)):
            stored.ended(self._database, self._server.id, reason, hint)

    def _update(self, **values: Any) -> None:
        self._write(lambda: stored.update_running(self._database, self._server.id, **values))

    def _write(self, write: Callable[[], object]) -> None:
        with_retries(write, f"engine {self._server.id}")

    def tick(self) -> None:
        """Send a heartbeat, and stop the engine if that was requested."""
        if stored.heartbeat(self._database, self._server.id):
            self.stop()

    def stop(self) -> None:
        """Stop the engine, by closing its process's standard input."""
        self._stopping.set()
        if self._process is not None and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()


def clean_up(database: Engine, engine_id: int) -> None:
    """End what is left of an engine: processes with its tag, those in its first process's session,
    and adopted orphans. What cannot be ended yet is looked for at its next start."""
    tag, session = process_tag(database, engine_id), _session(database, engine_id)
    try:
        end(lambda: [*tagged_processes(tag), *session(), *children.orphans()], 0)
    except TimeoutError as error:
        log.warning("engine %s: %s", engine_id, error)


def _session(database: Engine, engine_id: int) -> Callable[[], list[psutil.Process]]:
    """Return a function that finds the processes of the engine's session: only those that started
    while it was up, since session numbers are reused."""
    pid, started, last_seen = stored.last_start(database, engine_id)
    if pid is None or started is None or last_seen is None:
        return list
    since, until = started.timestamp() - CLOCKS_S, last_seen.timestamp() + CLOCKS_S
    return lambda: in_session(pid, since, until)


def process_tag(database: Engine, engine_id: int) -> str:
    """Return the tag that an engine's processes carry in their environment."""
    return f"{supervisor_file(database, 'engine').stem}-{engine_id}"


def log_file(database: Engine, engine_id: int) -> Path:
    """Return the path of an engine's log: next to the database."""
    file = supervisor_file(database, "log")
    return file.with_name(f"{file.stem}-engine-{engine_id}.log")

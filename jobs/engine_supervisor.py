"""Looks after one engine: starts it, says when it is ready, and sees that it ends."""

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
from jobs.place import beside
from jobs.retry import retried
from services.ask.backends import Target
from services.base import private_file, settings
from services.base.ipc import ProtocolProblem
from services.base.settings import InvalidSettings
from services.servers import engines, protocol
from services.servers.engines import EngineProblem, Launch
from services.servers.engines.instance import EngineInstance
from services.servers.engines.process_tags import end, in_session, sweep, tagged
from services.servers.facts import engine_facts
from services.servers.protocol import EngineEnded, EngineEnding, EngineRefused, EngineStarted

log = logging.getLogger("paceline.jobs")

CLOCKS_S = 60.0  # by which a database's clock may differ from this machine's
END_S = 40.0  # what the engine process may take to end the engine


class EngineSupervisor(Thread):
    """Looks after one engine until it ends. Its processes live as long as a pipe from here to the
    engine process is open: a supervisor that dies, however it dies, takes its engines along."""

    def __init__(self, database: Engine, server: EngineInstance) -> None:
        super().__init__(daemon=True, name=f"engine-{server.id}")
        self._database, self._server = database, server
        self._stopping = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: Thread
        self._code: int | None = None
        self._problem: str | None = None  # what the engine process could not do

    @property
    def engine_id(self) -> int:
        return self._server.id

    def run(self) -> None:
        try:
            env = settings.environment()
            launch = engines.launch(self._server.config, engines.free_port(), env)
            self._start(launch)
        except (
            EngineProblem,
            InvalidSettings,
            OSError,
        ) as error:
            why = str(error)
            self._write(lambda: stored.ended(self._database, self._server.id, why))
            return
        try:
            self._until_ready(launch)
        except EngineProblem as error:
            self._end(str(error))
            return
        self._watch()

    def _start(self, launch: Launch) -> None:
        tag = process_tag(self._database, self._server.id)
        sweep(tag)  # what an earlier start may have left
        file = log_file(self._database, self._server.id)
        private_file.create_folder(file.parent)
        file.unlink(missing_ok=True)
        self._keep(phase="Starting", command=launch.text(), base_url=launch.base_url)
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
                    self._keep(pid=pid)
                case EngineEnding():
                    self._keep(status="ending", phase="")
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
        """Return when the engine has ended, by itself or because it was told to."""
        assert self._process
        self._process.wait()
        self._end(None)

    def _end(self, problem: str | None) -> None:
        """End what is left, and write down why."""
        process, server = self._process, self._server
        assert process and process.stdin
        with suppress(OSError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        process.kill()
        self._listener.join()  # how it ended is the last that is told
        tidied(self._database, server.id)
        if self._stopping.is_set():
            self._write(lambda: stored.ended(self._database, server.id))
            return
        found = engines.diagnose(
            server.config.engine, engines.tail(log_file(self._database, server.id)), self._code
        )
        told = found.sentence if found.kind != "unknown" else problem or found.sentence
        said = self._problem or told
        log.info("engine %s: %s", server.id, said)
        self._write(lambda: self._give_up(said, found.hint))

    def _give_up(self, why: str, hint: str) -> None:
        """One that was ready may be started once more; one that never was would fail again."""
        ready = stored.load(self._database, self._server.id).ready_at is not None
        if not (ready and stored.again(self._database, self._server.id, why)):
            stored.ended(self._database, self._server.id, why, hint)

    def _keep(self, **values: Any) -> None:
        self._write(lambda: stored.keep(self._database, self._server.id, **values))

    def _write(self, write: Callable[[], object]) -> None:
        retried(write, f"engine {self._server.id}")

    def tick(self) -> None:
        """Say that the engine is looked after, and stop it if it is wanted no more."""
        if stored.heartbeat(self._database, self._server.id):
            self.stop()

    def stop(self) -> None:
        """Tell the engine to end: the end of its process's standard input says so."""
        self._stopping.set()
        if self._process is not None and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()


def tidied(database: Engine, engine_id: int) -> None:
    """End what is left of an engine: what carries its tag, what is in its first process's session,
    and what its process left to us. What cannot be ended yet is looked for at its next start."""
    tag, session = process_tag(database, engine_id), _session(database, engine_id)
    try:
        end(lambda: [*tagged(tag), *session(), *children.orphans()], 0)
    except TimeoutError as error:
        log.warning("engine %s: %s", engine_id, error)


def _session(database: Engine, engine_id: int) -> Callable[[], list[psutil.Process]]:
    """Return what finds the engine's session: of those who have its number, only what was started
    while it lived. A number may be another's by now."""
    pid, began, heard = stored.lived(database, engine_id)
    if pid is None or began is None or heard is None:
        return list
    since, until = began.timestamp() - CLOCKS_S, heard.timestamp() + CLOCKS_S
    return lambda: in_session(pid, since, until)


def process_tag(database: Engine, engine_id: int) -> str:
    """Return the word that an engine's processes carry in their environment."""
    return f"{beside(database, 'engine').stem}-{engine_id}"


def log_file(database: Engine, engine_id: int) -> Path:
    """Return where an engine's log is kept: beside the database."""
    place = beside(database, "log")
    return place.with_name(f"{place.stem}-engine-{engine_id}.log")

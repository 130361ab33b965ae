"""The parent process of an engine: `python -m services.servers.engines.engine_process LOGFILE`.

It reads one `EngineJob` (see `protocol.py`), starts the engine in its own session and writes its
output to LOGFILE. It reports when the engine has started and ended, or why it could not start. When
its standard input closes, because its own parent died or wants it to stop, it ends the engine.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import psutil

from services.base.ipc import ProtocolProblem, sender
from services.servers.embedded import lower_priority
from services.servers.engines import ports, shared_memory
from services.servers.engines.logfile import LogFile
from services.servers.engines.process_tags import TAG_ENV, end, is_alive, tagged_processes
from services.servers.protocol import (
    PROTOCOL,
    EngineEnded,
    EngineEnding,
    EngineJob,
    EngineRefused,
    EngineStarted,
)

STOP_ENV = "PACELINE_ENGINE_STOP_S"
STOP_S = 30.0  # SGLang took up to 17 with a pipeline
COPY_S = 10.0
GAP = b"\n[Output is missing here: the log could not be written.]\n"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


class CannotStart(Exception):
    """The engine cannot be started; the message is a sentence."""


def main(log: str) -> None:
    """Run one engine until it ends or this process's standard input is closed."""
    send = sender(PROTOCOL)
    if not (line := sys.stdin.buffer.readline()):
        return  # the parent is gone
    stop: SimpleQueue[None] = SimpleQueue()
    _handle_signals(stop)
    began = time.time()
    try:
        job = PROTOCOL.expect(EngineJob, line)
        engine = _start(job)
    except (ProtocolProblem, CannotStart) as problem:
        send(EngineRefused(str(problem)))
        return
    send(EngineStarted(engine.pid))
    copying = _thread(lambda: _copy(engine, Path(log)))
    _thread(lambda: _notify_after(engine.wait, stop))
    _thread(lambda: _notify_after(sys.stdin.buffer.read, stop))
    stop.get()
    send(EngineEnding())  # first, so that no more requests are sent to it
    try:
        code = _end_processes(job, engine, began)
        copying.join(COPY_S)
        send(EngineEnded(code))
    except TimeoutError as error:
        send(EngineRefused(str(error)))
    os._exit(0)  # a thread may still be reading standard input


def _handle_signals(stop: SimpleQueue[None]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: stop.put(None))
    signal.signal(signal.SIGINT, lambda *_: None)  # the parent handles Ctrl-C in the terminal


def _start(job: EngineJob) -> subprocess.Popen[bytes]:
    """Start the engine. Raises CannotStart, with a sentence."""
    if ports.is_taken(job.port):
        raise CannotStart(f"Port {job.port} is in use by another program.")
    try:
        return _spawn(job)
    except OSError as error:
        reason = f"{job.argv[0]}: {error.strerror}"
        raise CannotStart(f"The engine cannot be started: {reason}.") from error


def _end_processes(job: EngineJob, engine: subprocess.Popen[bytes], began: float) -> int:
    """End all processes of the engine, remove their shared memory, and return the exit code.

    Raises:
        TimeoutError: a process cannot be ended.
    """
    grace_s = float(os.environ.get(STOP_ENV, STOP_S))
    memory = shared_memory.files(_processes(job.token))
    end(lambda: _processes(job.token), grace_s, _process(engine.pid))
    shared_memory.remove(memory, began)
    return engine.wait()


def _spawn(job: EngineJob) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # adopt orphaned grandchildren, so none is lost
    parent = os.getpid()

    def before_exec() -> None:
        """Runs in the new process, before exec."""
        if libc:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # in case this process is killed
            if os.getppid() != parent:
                os._exit(1)
        if job.low_priority:
            lower_priority()

    return subprocess.Popen(
        job.argv,
        cwd=job.cwd,
        env=_environment(job),
        stdin=subprocess.PIPE,  # stays open as long as this process lives
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=before_exec,  # safe: no thread has been started yet
    )


def _environment(job: EngineJob) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in job.unset}
    # SPT_NOENV: otherwise setproctitle overwrites the environment, and with it the tag
    return {**inherited, **job.env, TAG_ENV: job.token, "SPT_NOENV": "1"}


def _copy(engine: subprocess.Popen[bytes], path: Path) -> None:
    """Write the engine's output to its log until it ends. What cannot be written, for example to a
    full disk, is dropped: if nobody read its output, the engine would stop at its next line."""
    assert engine.stdout
    gap = b""
    with LogFile(path) as log:
        while part := os.read(engine.stdout.fileno(), 65_536):
            try:
                log.write(gap + part)
                gap = b""
            except OSError:
                gap = GAP


def _processes(token: str) -> list[psutil.Process]:
    """The engine's processes: all descendants, and others with its tag."""
    below = [p for p in psutil.Process().children(recursive=True) if is_alive(p)]
    return list({p.pid: p for p in [*below, *tagged_processes(token)]}.values())


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _notify_after(work: Callable[[], object], queue: SimpleQueue[None]) -> None:
    work()
    queue.put(None)


def _thread(work: Callable[[], object]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    main(sys.argv[1])

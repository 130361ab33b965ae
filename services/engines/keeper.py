"""The process that keeps an engine: `python -m services.engines.keeper LOGFILE`.

It reads one line of JSON (see `Launch.job`), starts the engine in a session of its own and writes
what it says into LOGFILE. It tells `started` and later `ended`, or `problem`, and lives as long as
its standard input is open: a parent that dies, however it dies, takes the engine along.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import orjson
import psutil

from services.embedded import step_back
from services.engines import ports
from services.engines.logfile import LogFile
from services.talk import sender

MARK = "PACELINE_ENGINE"
STOP_ENV = "PACELINE_ENGINE_STOP_S"
STOP_S = 15.0  # an engine on eight GPUs takes some seconds to let go of them
KILL_S = 10.0
LOOK_S = 0.05
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h

Find = Callable[[], list[psutil.Process]]


def main(log: str) -> None:
    """Keep one engine until it ends or nobody holds our standard input any more."""
    send = sender()
    job = orjson.loads(sys.stdin.buffer.readline())
    happened: SimpleQueue[None] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: happened.put(None))
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C in the terminal is for the parent
    if ports.taken(job["port"]):
        send({"type": "problem", "sentence": f"Port {job['port']} is taken by another program."})
        return
    try:
        engine = _start(job)
    except OSError as error:
        why = f"{job['argv'][0]}: {error.strerror}"
        send({"type": "problem", "sentence": f"The engine cannot be started: {why}."})
        return
    send({"type": "started", "pid": engine.pid})
    copying = _thread(lambda: _copy(engine, Path(log)))
    _thread(lambda: _then(engine.wait, happened))
    _thread(lambda: _then(sys.stdin.buffer.read, happened))
    happened.get()
    try:
        end(lambda: _ours(job["token"]), float(os.environ.get(STOP_ENV, STOP_S)))
        copying.join(KILL_S)
        send({"type": "ended", "code": engine.wait()})
    except TimeoutError as error:
        send({"type": "problem", "sentence": str(error)})
    os._exit(0)  # a thread may still be reading standard input


def sweep(token: str) -> None:
    """End every process that carries the mark `token`, at once.

    For an engine whose keeper was killed. Raises TimeoutError where one cannot be ended.
    """
    end(lambda: marked(token), 0)


def marked(token: str) -> list[psutil.Process]:
    """Return the processes whose environment carries the mark `token`."""
    return [p for p in psutil.process_iter() if _environ(p).get(MARK) == token and lives(p)]


def end(find: Find, grace_s: float) -> None:
    """Ask what `find` returns to end, and after `grace_s` seconds make it.

    Raises:
        TimeoutError: something still lives KILL_S after it was killed.
    """
    if grace_s and (asked := find()):
        _signal(asked, signal.SIGTERM)
        if _gone(find, grace_s, lambda _: None):
            return
    if not _gone(find, KILL_S, lambda left: _signal(left, signal.SIGKILL)):
        raise TimeoutError(f"Processes {[p.pid for p in find()]} cannot be ended.")


def _gone(find: Find, seconds: float, do: Callable[[list[psutil.Process]], None]) -> bool:
    """Look twice: while a process becomes another program it shows no environment, so no mark."""
    end, empty = time.monotonic() + seconds, 0
    while empty < 2:
        left = find()
        empty = 0 if left else empty + 1
        if left and time.monotonic() > end:
            return False
        do(left)
        time.sleep(LOOK_S)
    return True


def _start(job: dict[str, Any]) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # whose parent dies becomes ours: none is lost
    parent = os.getpid()

    def before() -> None:
        """In the new process, before it becomes the engine."""
        if libc:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # we may be killed too
            if os.getppid() != parent:
                os._exit(1)
        if job["steps_back"]:
            step_back()

    return subprocess.Popen(
        job["argv"],
        cwd=job["cwd"],
        env=_environment(job),
        stdin=subprocess.PIPE,  # open as long as we are
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=before,  # no thread has been started yet
    )


def _environment(job: dict[str, Any]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in job["unset"]}
    # SPT_NOENV: a process that gives itself a name writes it over its environment, and our mark
    return {**kept, **job["env"], MARK: job["token"], "SPT_NOENV": "1"}


def _copy(engine: subprocess.Popen[bytes], path: Path) -> None:
    assert engine.stdout
    with LogFile(path) as log:
        while part := os.read(engine.stdout.fileno(), 65_536):
            log.write(part)


def _ours(token: str) -> list[psutil.Process]:
    """The engine's processes: all below us, and what got away but for its mark."""
    below = [p for p in psutil.Process().children(recursive=True) if lives(p)]
    return list({p.pid: p for p in [*below, *marked(token)]}.values())


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):  # gone, or another user's
        return {}


def lives(process: psutil.Process) -> bool:
    """Return whether a process still does something: a zombie only waits to be read."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


def _then(work: Callable[[], object], happened: SimpleQueue[None]) -> None:
    work()
    happened.put(None)


def _thread(work: Callable[[], object]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    main(sys.argv[1])

"""An engine lives as long as somebody holds it, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from services.servers.engines import (
    EngineProblem,
    Launch,
    free_port,
    kill_tagged,
    ready,
    tagged_processes,
    tail,
)
from services.servers.engines.logfile import LogFile
from services.servers.engines.process_tags import is_alive
from services.servers.protocol import (
    EngineEnded,
    EngineEnding,
    EngineRefused,
    EngineStarted,
    decode,
    encode,
)
from tests.conftest import ROOT, until

pytestmark = pytest.mark.slow

linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")


class Kept:
    """An engine supervisor with its engine, and the messages it sends."""

    def __init__(self, process: subprocess.Popen[bytes], launch: Launch, token: str) -> None:
        self.process, self.launch, self.token = process, launch, token

    def message(self) -> Any:
        assert self.process.stdout
        return decode(self.process.stdout.readline())

    def end(self) -> Any:
        """Return the last message; the one before says at once that the engine is ending."""
        assert self.message() == EngineEnding()
        return self.message()

    def let_go(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def ready(self, seconds: float = 30) -> None:
        asyncio.run(ready(self.launch, seconds, lambda: self.process.poll() is None))


Keep = Callable[..., Kept]


def launch_of(*habits: str, **values: Any) -> Launch:
    port = free_port()
    argv = [sys.executable, "-m", "tests.engine", str(port), *habits]
    return Launch("Toy", argv, port, "toy", cwd=str(ROOT), **values)


@contextmanager
def supervised(launch: Launch, log: Path) -> Iterator[Kept]:
    """Start a supervisor and give it the job; nothing of it may outlive the test."""
    token = uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-m", "services.servers.engines.engine_process", str(log)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(encode(launch.job(token)))
        process.stdin.flush()
        try:
            yield Kept(process, launch, token)
        finally:
            process.stdin.close()
            process.wait(60)
            kill_tagged(token)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


@pytest.fixture
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ignores SIGTERM gets half a second, not fifteen."""
    monkeypatch.setenv("PACELINE_ENGINE_STOP_S", "0.5")


def family(token: str, log: Path) -> list[psutil.Process]:
    """Wait for the engine, its child and its grandchild, which both ignore SIGTERM by now."""
    until(lambda: tail(log).count("child") == 2, 30)
    processes = tagged_processes(token)
    assert len(processes) == 3
    return processes


@pytest.mark.long
def test_an_engine_starts_answers_and_ends_with_its_holder(log: Path) -> None:
    with supervised(launch_of("slow"), log) as engine:
        assert isinstance(engine.message(), EngineStarted)
        engine.ready()
        assert tail(log) == "serving\n"
        engine.let_go()
        assert engine.end() == EngineEnded(0)
        assert not tagged_processes(engine.token)


def test_children_that_ignore_sigterm_in_another_session_are_killed(
    log: Path, quick_end: None
) -> None:
    with supervised(launch_of("family"), log) as engine:
        engine.message()
        processes = family(engine.token, log)
        assert len({os.getsid(process.pid) for process in processes}) == 2
        engine.let_go()
        assert isinstance(engine.end(), EngineEnded)
        assert not any(map(is_alive, processes))


def test_a_killed_holder_takes_its_engine_along(log: Path, quick_end: None) -> None:
    """The holder is a process of its own here, and dies of SIGKILL."""
    launch, token = launch_of("family"), uuid4().hex
    hold = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'services.servers.engines.engine_process', sys.argv[1]]\n"
        "supervisor = subprocess.Popen(command, stdin=subprocess.PIPE)\n"
        "supervisor.stdin.write(sys.argv[2].encode() + b'\\n')\n"
        "supervisor.stdin.flush()\n"
        "supervisor.wait()"
    )
    arguments = [str(log), encode(launch.job(token)).decode()]
    holder = subprocess.Popen([sys.executable, "-c", hold, *arguments], cwd=ROOT)
    try:
        family(token, log)
        (supervisor,) = psutil.Process(holder.pid).children()
        holder.kill()
        holder.wait(10)
        until(lambda: not tagged_processes(token), 30)
        supervisor.wait(10)
    finally:
        kill_tagged(token)


@linux
def test_a_killed_supervisor_leaves_no_engine_and_a_sweep_takes_the_rest(log: Path) -> None:
    with supervised(launch_of("family"), log) as engine:
        pid = engine.message().pid
        processes = family(engine.token, log)
        engine.process.kill()
        psutil.Process(pid).wait(20)
        left = tagged_processes(engine.token)
        assert {p.pid for p in left} == {p.pid for p in processes} - {pid}
        kill_tagged(engine.token)
        assert not any(map(is_alive, processes))


def test_killing_by_tag_spares_other_processes(log: Path) -> None:
    with supervised(launch_of(), log) as engine:
        pid = engine.message().pid
        kill_tagged(uuid4().hex)
        assert psutil.Process(pid).is_running()


@linux
def test_an_engine_killed_from_outside_is_reported_with_its_signal(
    log: Path, quick_end: None
) -> None:
    with supervised(launch_of("family"), log) as engine:
        pid = engine.message().pid
        family(engine.token, log)
        os.kill(pid, signal.SIGKILL)
        assert engine.end() == EngineEnded(-signal.SIGKILL)
        assert not tagged_processes(engine.token)


@linux
def test_the_shared_memory_that_an_engine_leaves_behind_is_given_back(log: Path) -> None:
    with supervised(launch_of("forgetful"), log) as engine:
        engine.message()
        engine.ready()
        (line,) = [line for line in tail(log).splitlines() if line.startswith("memory ")]
        memory = Path("/dev/shm") / line.split()[1]
        assert memory.exists()
        engine.let_go()
        assert isinstance(engine.end(), EngineEnded)
        assert not memory.exists()


def test_an_engine_that_fails_is_reported_with_its_exit_code(log: Path) -> None:
    with supervised(launch_of("fails"), log) as engine:
        assert isinstance(engine.message(), EngineStarted)
        assert engine.end() == EngineEnded(1)
        assert tail(log) == "ValueError: there is no such model\n"


def test_a_missing_engine_is_reported(log: Path) -> None:
    with supervised(Launch("Toy", ["/no/such/python"], free_port(), "toy"), log) as engine:
        reply = engine.message()
        assert isinstance(reply, EngineRefused)
        assert reply.sentence.endswith("/no/such/python: No such file or directory.")


@pytest.mark.long
def test_a_port_of_another_program_is_not_taken_for_the_engines(log: Path) -> None:
    with supervised(launch_of(), log) as first:
        first.message()
        first.ready()
        with supervised(first.launch, log) as second:
            assert second.message() == EngineRefused(
                f"Port {first.launch.port} is in use by another program."
            )


def test_variables_of_a_launch_are_set_and_unset(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    launch = launch_of(env={"SOME_SETTING": "on"}, unset=("OPENAI_API_KEY",))
    with supervised(launch, log) as engine:
        environ = psutil.Process(engine.message().pid).environ()
        assert environ["SOME_SETTING"] == "on" and environ["PATH"] == os.environ["PATH"]
        assert "OPENAI_API_KEY" not in environ


def test_an_engine_that_says_it_is_well_and_dies_at_its_first_request_is_not_ready(
    log: Path,
) -> None:
    with supervised(launch_of("broken"), log) as engine:
        engine.message()
        with pytest.raises(EngineProblem, match=r"Toy (failed at its first request|ended before)"):
            engine.ready()
        assert engine.end() == EngineEnded(3)
        assert "too much for me" in tail(log)


def test_an_engine_that_refuses_its_first_request_is_not_ready(log: Path) -> None:
    with supervised(launch_of("refuses"), log) as engine:
        engine.message()
        with pytest.raises(EngineProblem, match=r"\(HTTP 400: no chat template\)"):
            engine.ready()


def test_an_engine_that_has_ended_is_not_waited_for() -> None:
    with pytest.raises(EngineProblem, match=r"Toy ended before it was ready\."):
        asyncio.run(ready(launch_of(), 60, lambda: False))


def test_an_engine_that_takes_too_long_is_not_ready() -> None:
    with pytest.raises(EngineProblem, match=r"Toy was not ready within 0\.1 s"):
        asyncio.run(ready(launch_of(), 0.1, lambda: True))


WORDY = """
import sys, time
from pathlib import Path
for step in ("few", "many", "last"):
    while not Path(sys.argv[1], step).exists():
        time.sleep(0.01)
    print((step + " words\\n") * (100_000 if step == "many" else 1), end="", flush=True)
    Path(sys.argv[1], step).unlink()
"""


@linux
def test_an_engine_runs_on_when_its_log_cannot_be_written(log: Path, tmp_path: Path) -> None:
    """A limit on the size of its files stands in for a full disk."""

    def speak(step: str) -> None:
        (tmp_path / step).touch()
        until(lambda: not (tmp_path / step).exists(), 30)

    argv = [sys.executable, "-c", WORDY, str(tmp_path)]
    with supervised(Launch("Toy", argv, free_port(), "toy"), log) as engine:
        engine.message()
        speak("few")
        until(lambda: tail(log) == "few words\n", 30)
        limits = resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, (15, -1))
        speak("many")  # a megabyte, which no pipe holds
        resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, limits)
        speak("last")
        assert engine.end() == EngineEnded(0)
    shown = tail(log).splitlines()
    assert (shown[0], shown[-1]) == ("few words", "last words")
    assert "[Output is missing here: the log could not be written.]" in shown


def test_a_log_that_grows_beyond_its_size_keeps_its_newer_half(log: Path) -> None:
    with LogFile(log, most_bytes=1000) as file:
        for number in range(200):
            file.write(b"line %d\n" % number)
            assert log.stat().st_size < 1100
    lines = tail(log).splitlines()
    assert lines[0].startswith("[The log was cut here")
    numbers = [int(line.split()[1]) for line in lines[1:]]
    assert numbers == list(range(numbers[0], 200)) and len(numbers) > 40


def test_the_tail_of_a_log_has_whole_lines(log: Path) -> None:
    assert tail(log) == ""
    log.write_text("first line\nsecond line\n")
    assert tail(log, 15) == "second line\n"
    assert tail(log) == "first line\nsecond line\n"
